//! Random calls by random tasks, in all releases and configurations: the invariants hold
//! after each one, nothing panics, and the same calls give the same state.
//!
//! `NSPROXY_SEEDS=FROM..TO` runs other seeds than the usual ones, for as long as wanted.

use nsproxy::op::{Op, Reply};
use nsproxy::{Cap, CapSet, Errno, Hook, Kernel, NsKind, NsLink, Params, TaskId};

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

/// A refused call changes nothing, but for a cursor, a poisoned pid namespace, and
/// what the call that was made of several had already done.
fn unchanged(before: &Kernel, after: &Kernel, op: &Op, denial: nsproxy::Denial, seed: u64) {
    let may = matches!(op, Op::Clone(_) | Op::Clone3 { .. } | Op::Umount { .. } | Op::Unshare(_));
    if !may {
        assert!(
            before.canonical() == after.canonical(),
            "seed {seed}: {op:?} was refused with {denial} and changed something"
        );
    }
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
        assert_eq!(one.namespaces(), two.namespaces());
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
