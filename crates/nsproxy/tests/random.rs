//! Random calls by random tasks, in all releases and configurations: the invariants hold
//! after each one, nothing panics, and the same calls give the same state.
//!
//! `NSPROXY_SEEDS=FROM..TO` runs other seeds than the usual ones, for as long as wanted.

use nsproxy::op::{Op, Reply};
use nsproxy::{
    Cap, CapSet, Credentials, Errno, Extent, Hook, HostMount, Kernel, MapKind, NsKind, NsLink, Params,
    Placement, TaskId,
};

/// A small generator, so that a failing run can be repeated from its seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 32) % end
    }

    fn bytes(&mut self) -> [u8; 48] {
        core::array::from_fn(|_| u8::try_from(self.next() >> 56).unwrap())
    }
}

const RELEASES: [(u8, u8); 10] =
    [(6, 18), (5, 10), (6, 1), (6, 6), (6, 12), (6, 17), (6, 19), (7, 0), (7, 1), (7, 2)];

/// The configuration of a seed: every release in turn, and mostly one thing unusual.
fn params(seed: u64) -> Params {
    let mut random = Random::new(seed ^ 0x5EED);
    let (major, minor) = RELEASES[usize::try_from(seed % 10).unwrap()];
    let mut params = Params::for_release(major, minor);
    match random.below(12) {
        0 => params.deferred_release = false,
        1 => params.features.nsdelegate = true,
        2 => params.features.unprivileged_userns_clone = Some(random.below(2) == 0),
        3 => {
            let kind = NsKind::ALL[usize::try_from(random.below(8)).unwrap()];
            params.features.set_built(kind, false);
        }
        4 => params.pid_max = u32::try_from(random.below(40)).unwrap(),
        5 => params.threads_max = u32::try_from(random.below(24)).unwrap(),
        6 => params.mount_max = u32::try_from(random.below(20)).unwrap(),
        7 => params.suid_dumpable = 2,
        8 => params.hooks.push((Hook::UsernsCreate, Errno::EACCES)),
        9 => params.hooks.push((Hook::Capable(Cap::SysAdmin), Errno::EPERM)),
        _ => {}
    }
    params
}

/// Some calls by some tasks. With `checked` the invariants are looked at after each.
fn run(seed: u64, steps: usize, checked: bool) -> Kernel {
    let mut random = Random::new(seed);
    let mut kernel = Kernel::boot(params(seed));
    let mut actors: Vec<TaskId> = vec![kernel.init()];
    actors.extend(kernel.fork(actors[0]).map(|child| child.task));
    let mut log = Vec::new();
    for step in 0..steps {
        let choice = usize::try_from(random.below(actors.len() as u64)).unwrap();
        let actor = actors[choice];
        let (op, _) = Op::decode(&random.bytes());
        log.push(format!("{actor:?} {op:?}"));
        let before = checked.then(|| kernel.clone());
        let answer = kernel.apply(actor, &op);
        if let Ok(Reply::Child(child)) = answer
            && actors.len() < 40
        {
            actors.push(child.task);
        }
        if checked {
            if let Err(broken) = kernel.check() {
                let tail = log.len().saturating_sub(30);
                panic!("seed {seed} step {step}: {broken:?}\n{}", log[tail..].join("\n"));
            }
            for ns in kernel.namespaces() {
                assert!(!kernel.holders_of(ns.id).is_empty(), "seed {seed}: what holds {ns:?}?");
            }
            let before = before.unwrap();
            match answer {
                Err(denial) => unchanged(&before, &kernel, &op, denial, seed),
                Ok(_) => kept(&before, &kernel, actor, &op, seed),
            }
        }
        // The dead may still call now and then, but not most of the time.
        if step % 16 == 0 {
            actors.retain(|task| kernel.status(kernel.init(), *task).is_ok());
            actors.truncate(30);
            actors[0] = kernel.init();
        }
    }
    kernel
}

/// What unshare and setns never change, and what they always do.
fn kept(before: &Kernel, after: &Kernel, actor: TaskId, op: &Op, seed: u64) {
    let flags = match op {
        Op::Unshare(flags) => *flags,
        Op::Setns { flags, .. } => u64::from(*flags),
        _ => return,
    };
    let look = |kernel: &Kernel| kernel.status(kernel.init(), actor).unwrap();
    let (old, new) = (look(before), look(after));
    let of_process = |of: &nsproxy::Status| {
        (
            of.uids,
            of.gids,
            of.groups.clone(),
            of.no_new_privs,
            of.pid,
            of.ppid,
            of.pgid,
            of.sid,
            of.ns_pid.clone(),
        )
    };
    // Who looks must not be the one who moves.
    if actor != after.init() {
        assert_eq!(of_process(&old), of_process(&new), "seed {seed}: {op:?} changed ids or numbers");
    }
    let user = |kernel: &Kernel| kernel.stat_ns(actor, actor, NsLink::Own(NsKind::User)).unwrap().id;
    if user(before) == user(after) {
        assert_eq!((old.caps, old.securebits), (new.caps, new.securebits), "seed {seed}: {op:?}");
    } else {
        let full = [CapSet::EMPTY, CapSet::FULL, CapSet::FULL, CapSet::FULL, CapSet::EMPTY];
        assert_eq!((new.caps, new.securebits), (full, 0), "seed {seed}: {op:?} must give all capabilities");
    }
    let active = |kernel: &Kernel| kernel.stat_ns(actor, actor, NsLink::Own(NsKind::Pid)).unwrap().id;
    assert_eq!(active(before), active(after), "seed {seed}: {op:?} moved the caller itself");
    if !matches!(op, Op::Unshare(_)) {
        return;
    }
    // A new namespace belongs to the user namespace that the caller is in now.
    for kind in NsKind::ALL.into_iter().filter(|kind| *kind != NsKind::User && flags & kind.flag() != 0) {
        let link = match kind {
            NsKind::Pid => NsLink::PidForChildren,
            NsKind::Time => NsLink::TimeForChildren,
            _ => NsLink::Own(kind),
        };
        if kind == NsKind::Cgroup && !after.params().features.built(kind) {
            continue;
        }
        // The first process of a pid namespace is still to come.
        let Ok(made) = after.stat_ns(actor, actor, link) else { continue };
        assert_eq!(after.owner_of(made.id).unwrap().id, user(after), "seed {seed}: {op:?}");
    }
}

/// A refused call changes nothing, but for what `traces` leaves out.
fn unchanged(before: &Kernel, after: &Kernel, op: &Op, denial: nsproxy::Denial, seed: u64) {
    let (mut before, mut after) = (before.clone(), after.clone());
    // Namespaces that were made and given up are charged until the work queue has run.
    before.settle();
    after.settle();
    let (before, after) = (traces(&before, op), traces(&after, op));
    let differ = before.lines().zip(after.lines()).find(|(old, new)| old != new);
    assert!(
        before == after,
        "seed {seed}: {op:?} was refused with {denial} and changed something: {differ:#?}"
    );
}

/// What a refused call must leave as it was: all, but that a clone has used up process
/// numbers, a namespace's first process that failed late may leave it dead, the clocks that
/// the child was to enter are fixed (`timens_on_fork` comes before what can fail). The mark of
/// `MNT_EXPIRE` is left out: the umount that gives it is refused, and every use of a mount
/// takes it away.
fn traces(kernel: &Kernel, op: &Op) -> String {
    let text = kernel.canonical();
    let lines = text.lines();
    if matches!(op, Op::Clone(_) | Op::Clone3 { .. }) {
        let cut = |line: &str| {
            if let Some((kept, _)) = line.split_once(" frozen ").filter(|_| line.starts_with("time")) {
                return format!("{kept}\n");
            }
            let Some((kept, rest)) = line.split_once(" adding ").filter(|_| line.starts_with("pid")) else {
                return format!("{line}\n");
            };
            let (_, rest) = rest.split_once(" init ").expect("a pid namespace says who is init");
            let (init, rest) = rest.split_once(" next ").expect("and which number is next");
            let (_, reboot) = rest.split_once(' ').expect("and more");
            format!("{kept} {init} {reboot}\n")
        };
        return lines.map(cut).collect();
    }
    let unmarked = |line: &str| {
        let Some((kept, rest)) = line.split_once(" flags ").filter(|_| line.starts_with("mount")) else {
            return format!("{line}\n");
        };
        let (flags, rest) = rest.split_once(' ').expect("children follow");
        let flags = u32::from_str_radix(flags, 16).expect("flags are a number") & !0x40_0000;
        format!("{kept} {flags:x} {rest}\n")
    };
    lines.map(unmarked).collect()
}

const USUAL: core::ops::Range<u64> = if cfg!(miri) { 1..2 } else { 1..61 };
const STEPS: usize = if cfg!(miri) { 12 } else { 300 };

fn seeds() -> core::ops::Range<u64> {
    let Ok(range) = std::env::var("NSPROXY_SEEDS") else { return USUAL };
    let (from, to) = range.split_once("..").expect("NSPROXY_SEEDS is FROM..TO");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn invariants_hold_after_every_call() {
    for seed in seeds() {
        run(seed, STEPS, true);
    }
}

#[test]
fn the_same_calls_give_the_same_state() {
    for seed in USUAL.step_by(6) {
        let one = run(seed, STEPS, false);
        let two = run(seed, STEPS, false);
        assert!(one == two, "seed {seed}");
        // Everything, numbers and all.
        assert!(format!("{one:?}") == format!("{two:?}"), "seed {seed}");
    }
}

/// What a host says it found, true or not: it is refused, or a kernel comes of it whose
/// invariants hold.
fn found(random: &mut Random, kernel: &mut Kernel, tasks: &[TaskId]) -> Option<TaskId> {
    let mut known = kernel.namespaces();
    let mut pick = |of: usize| usize::try_from(random.below(of as u64)).unwrap();
    let (one, other) = (tasks[pick(tasks.len())], tasks[pick(tasks.len())]);
    let ns = known[pick(known.len())].id;
    let extent = Extent { first: 0, lower: 1000, count: 2 };
    match pick(16) {
        0 | 1 => {
            known.retain(|ns| ns.id.kind() == NsKind::User);
            let owner = known[pick(known.len())].id;
            let kind = NsKind::ALL[pick(8)];
            let parent = (pick(2) == 0).then_some(ns).filter(|ns| ns.kind() == NsKind::Pid);
            let _ = kernel.host_namespace(kind, owner, 1000, parent);
        }
        2..=4 => {
            let mut place = Placement::default().within(ns);
            for _ in 0..pick(4) {
                let more = known[pick(known.len())].id;
                place = if pick(4) == 0 { place.for_children(more) } else { place.within(more) };
            }
            let numbers: [i32; 3] = core::array::from_fn(|_| i32::try_from(pick(40)).unwrap() - 1);
            let caps = CapSet::from_bits(pick(usize::MAX / 2) as u64);
            let credentials = Credentials {
                uids: [u32::try_from(pick(3)).unwrap() * 500; 4],
                gids: [0; 4],
                groups: vec![7; pick(3)],
                caps: [caps, caps, CapSet::FULL, caps, CapSet::FULL],
                securebits: 0,
                no_new_privs: pick(2) == 0,
                dumpable: pick(2) == 0,
            };
            return kernel.host_spawn(one, &place, &numbers[..pick(4)], &credentials).ok();
        }
        5 => return kernel.host_thread(one).ok(),
        6 => return kernel.host_fs_sharer(one).ok(),
        7 => return kernel.host_memory_sharer(one, pick(2) == 0).ok(),
        8 => drop(kernel.host_dumpable(one, ns, pick(2) == 0)),
        9 => drop(kernel.host_frozen(ns, pick(2) == 0)),
        10 => drop(kernel.host_children(one, ns)),
        11 => drop((kernel.host_fd(one, ns), kernel.host_pidfd(one, other))),
        12 => drop(kernel.host_id_map(ns, MapKind::Uid, &[extent][..pick(2)])),
        13 => {
            let lines: Vec<HostMount> = (0..pick(6))
                .map(|id| HostMount {
                    id: id as u64,
                    parent: pick(6) as u64,
                    device: format!("0:{}", pick(3)),
                    root: ["/", "/a", ""][pick(3)].into(),
                    mountpoint: ["/", "/a", "/a/b", "x", ""][pick(5)].into(),
                    shared: (pick(2) == 0).then(|| u32::try_from(pick(3)).unwrap()),
                    master: (pick(2) == 0).then(|| u32::try_from(pick(3)).unwrap()),
                    fstype: ["ext4", "tmpfs", "proc", "nsfs"][pick(4)].into(),
                    owner: (pick(3) == 0).then_some(ns),
                    locked: pick(3) == 0,
                    readonly: pick(3) == 0,
                    file: pick(4) == 0,
                    ..HostMount::default()
                })
                .collect();
            let at = known[pick(known.len())].id;
            let _ = kernel.host_mounts(at, &lines, pick(2) == 0);
        }
        14 => drop((kernel.host_path(one, "/a/b", pick(2) == 0), kernel.host_root(other, "/a"))),
        _ if pick(4) == 0 => kernel.host_release(),
        _ => drop(kernel.host_limit(ns, NsKind::Uts, 3)),
    }
    None
}

#[test]
fn what_a_host_says_it_found_breaks_no_invariant() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let mut kernel = Kernel::boot(params(seed));
        let mut tasks = vec![kernel.init()];
        for step in 0..STEPS {
            if random.below(2) == 0 {
                tasks.extend(found(&mut random, &mut kernel, &tasks));
            } else {
                let (op, _) = Op::decode(&random.bytes());
                let actor = usize::try_from(random.below(tasks.len() as u64)).unwrap();
                let _ = kernel.apply(tasks[actor], &op);
            }
            kernel.check().unwrap_or_else(|broken| panic!("seed {seed} step {step}: {broken:?}"));
            tasks.truncate(30);
            if step % 16 == 0 {
                tasks.retain(|task| kernel.status(kernel.init(), *task).is_ok());
            }
        }
    }
}

#[test]
fn any_bytes_are_some_calls() {
    let mut random = Random::new(7);
    for length in 0..USUAL.end * 20 {
        let bytes: Vec<u8> = (0..length % 60).map(|_| u8::try_from(random.next() >> 56).unwrap()).collect();
        let (_, used) = Op::decode(&bytes);
        assert!(used <= bytes.len());
    }
}

#[test]
fn a_call_is_printed_as_it_is_read() {
    let mut random = Random(4711);
    for _ in 0..if cfg!(miri) { 40 } else { 20_000 } {
        let (op, _) = Op::decode(&random.bytes());
        let text = op.to_string();
        let script = format!("init: {text}");
        let Ok(nsproxy::scenario::Line::Call(call)) = nsproxy::scenario::Line::parse(&script) else {
            panic!("no call: {script}");
        };
        let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
        let read = Op::parse(&words, &|_| None).unwrap_or_else(|error| panic!("{script}: {error}"));
        assert_eq!(read, op, "{script}");
    }
}
