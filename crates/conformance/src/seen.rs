//! What can be seen of a task from outside, in the same form from both sides, and
//! the comparison of the two.
//!
//! Numbers that each side hands out by itself (inodes of namespaces, peer groups)
//! are compared as classes: what is the same number here must be the same number
//! there.

use std::collections::BTreeMap;

use nsproxy::{Denial, Kernel, MapKind, NsId, NsKind, NsLink, Rule, State, TaskId};

/// The state of a task, as far as both sides can tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Running or sleeping: it can take an order, or is held in one.
    Running,
    Stopped,
    /// An init that waits for the others of its namespace.
    Dying,
    Zombie,
}

/// Numbers and ids, as the world's first pid namespace and the machine's user
/// namespace show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) life: Life,
    pub(crate) tgid: u32,
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
    /// The task's, its process's, its group's and its session's, from the world's pid
    /// namespace inwards.
    pub(crate) numbers: [Vec<u32>; 4],
    pub(crate) uids: [u32; 4],
    pub(crate) gids: [u32; 4],
    pub(crate) groups: Vec<u32>,
    /// Inheritable, permitted, effective, bounding, ambient.
    pub(crate) caps: [u64; 5],
    pub(crate) no_new_privs: bool,
    pub(crate) threads: u32,
    /// Signals blocked, ignored, caught.
    pub(crate) signals: [u64; 3],
    /// Signals that are neither blocked nor taken yet, though nothing holds the task.
    pub(crate) untaken: u64,
}

/// One mount, with the place of its parent among the mounts seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mount {
    /// From the root down: where each mount on the way is mounted.
    pub(crate) way: Vec<String>,
    pub(crate) root: String,
    pub(crate) options: String,
    pub(crate) fstype: String,
    /// The filesystem's own `ro` or `rw`.
    pub(crate) super_readonly: bool,
    /// Which filesystem it is.
    pub(crate) device: u64,
    pub(crate) shared: Option<u64>,
    pub(crate) master: Option<u64>,
    pub(crate) unbindable: bool,
}

/// A mount as a line of mountinfo.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) mountpoint: String,
    pub(crate) mount: Mount,
}

/// Brings lines into an order that does not depend on numbers.
pub(crate) fn tree(lines: Vec<Line>) -> Vec<Mount> {
    let places: BTreeMap<u64, (u64, String)> =
        lines.iter().map(|line| (line.id, (line.parent, line.mountpoint.clone()))).collect();
    let mut mounts: Vec<Mount> = lines
        .into_iter()
        .map(|line| {
            let mut way = Vec::new();
            let mut at = line.id;
            while let Some((parent, mountpoint)) = places.get(&at) {
                way.push(mountpoint.clone());
                if *parent == at {
                    break;
                }
                at = *parent;
            }
            way.reverse();
            Mount { way, ..line.mount }
        })
        .collect();
    mounts.sort();
    mounts
}

/// What is seen of a task that has not exited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The three maps, as the machine's user namespace reads them.
    pub(crate) maps: [String; 3],
    pub(crate) setgroups: bool,
    pub(crate) cgroup: String,
    pub(crate) offsets: String,
    pub(crate) mounts: Vec<Mount>,
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: Status,
    /// A call keeps it from taking signals.
    pub(crate) held: bool,
    /// The namespaces, in the order of [`NsLink::ALL`], by inode number.
    pub(crate) links: [Option<u64>; 10],
    pub(crate) inside: Option<Inside>,
}

/// The model's side.
pub(crate) fn model(kernel: &Kernel, world: TaskId, task: TaskId, cgroup: &str) -> Option<Seen> {
    let here = kernel.status(world, task).ok()?;
    let outside = kernel.status(kernel.init(), task).ok()?;
    let life = match here.state {
        State::Running | State::VforkWait => Life::Running,
        State::Stopped => Life::Stopped,
        State::Zapping => Life::Dying,
        State::Zombie => Life::Zombie,
    };
    let status = Status {
        life,
        tgid: here.tgid,
        pid: here.pid,
        ppid: here.ppid,
        numbers: [here.ns_pid, here.ns_tgid, here.ns_pgid, here.ns_sid],
        uids: outside.uids,
        gids: outside.gids,
        groups: outside.groups,
        caps: outside.caps.map(nsproxy::CapSet::bits),
        no_new_privs: outside.no_new_privs,
        threads: outside.threads,
        signals: [outside.blocked, outside.ignored, outside.caught],
        untaken: 0,
    };
    let links = links(kernel, task)?;
    let inside = match life {
        Life::Running | Life::Stopped => model_inside(kernel, task, cgroup),
        _ => None,
    };
    Some(Seen { status, held: here.state == State::VforkWait, links, inside })
}

/// The links, as far as the runner may read them: those of who has exited not always.
fn links(kernel: &Kernel, task: TaskId) -> Option<[Option<u64>; 10]> {
    let runner = kernel.init();
    let hidden = |denial: Denial| denial.rule == Rule::PtraceAccess;
    if kernel.stat_ns(runner, task, NsLink::Own(NsKind::User)).is_err_and(hidden) {
        return Some([None; 10]);
    }
    Some(kernel.namespaces_of(task).ok()?.map(|(_, ns)| ns.map(|ns| u64::from(ns.inum))))
}

fn model_inside(kernel: &Kernel, task: TaskId, cgroup: &str) -> Option<Inside> {
    let map = |kind| kernel.id_map_text(kernel.init(), task, kind).unwrap_or_default();
    let lines = kernel.mountinfo(task).ok()?;
    let class =
        |tags: &[String], name: &str| tags.iter().find_map(|tag| tag.strip_prefix(name)?.parse::<u64>().ok());
    let lines = lines
        .into_iter()
        .map(|line| Line {
            id: line.id,
            parent: line.parent,
            mountpoint: line.mountpoint,
            mount: Mount {
                way: Vec::new(),
                root: line.root,
                options: line.options,
                fstype: line.fstype.to_owned(),
                super_readonly: line.super_readonly,
                device: u64::from(line.device),
                shared: class(&line.propagation, "shared:"),
                master: class(&line.propagation, "master:"),
                unbindable: line.propagation.iter().any(|tag| tag == "unbindable"),
            },
        })
        .collect();
    Some(Inside {
        maps: [map(MapKind::Uid), map(MapKind::Gid), map(MapKind::Projid)],
        setgroups: kernel.setgroups_allowed(task).unwrap_or(false),
        cgroup: below(&kernel.cgroup_path(kernel.init(), task).unwrap_or_default(), cgroup)?,
        offsets: kernel.timens_offsets(task).unwrap_or_default(),
        mounts: tree(lines),
    })
}

/// A cgroup's path from the world's own on.
pub(crate) fn below(path: &str, outer: &str) -> Option<String> {
    let below = path.strip_prefix(outer.trim_end_matches('/'))?;
    Some(if below.is_empty() { String::from("/") } else { below.to_owned() })
}

/// Which number of the kernel is which number of the model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    to_model: BTreeMap<u64, u64>,
    to_kernel: BTreeMap<u64, u64>,
}

impl Classes {
    /// Whether the two may be the same; they are from now on.
    pub(crate) fn same(&mut self, kernel: u64, model: u64) -> bool {
        match (self.to_model.get(&kernel), self.to_kernel.get(&model)) {
            (None, None) => {
                self.to_model.insert(kernel, model);
                self.to_kernel.insert(model, kernel);
                true
            }
            (Some(known), _) if *known == model => true,
            _ => false,
        }
    }

    /// Forgets pairs of which the model's number stands for nothing any more.
    pub(crate) fn forget(&mut self, alive: impl Fn(u64) -> bool) {
        self.to_kernel.retain(|model, kernel| {
            let keep = alive(*model);
            if !keep {
                self.to_model.remove(kernel);
            }
            keep
        });
    }
}

/// The classes of a run: namespaces live on from one comparison to the next, peer groups and
/// devices are numbered anew in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) namespaces: Classes,
    pub(crate) ids: Classes,
    /// Numbers of mounts.
    pub(crate) mounts: Classes,
    pub(crate) groups: Classes,
    pub(crate) devices: Classes,
}

/// Collects differences, each in words.
#[derive(Debug, Default)]
pub(crate) struct Differences(pub(crate) Vec<String>);

impl Differences {
    pub(crate) fn check<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, kernel: &T, model: &T) {
        if kernel != model {
            self.0.push(format!("{what}: kernel {kernel:?}, model {model:?}"));
        }
    }
}

/// Compares what was seen of one task.
pub(crate) fn compare(name: &str, kernel: &Seen, model: &Seen, known: &mut Known) -> Vec<String> {
    let mut found = Differences::default();
    let (real, ours) = (&kernel.status, &model.status);
    found.check("state", &real.life, &ours.life);
    found.check("pid, tgid", &(real.pid, real.tgid), &(ours.pid, ours.tgid));
    found.check("parent", &real.ppid, &ours.ppid);
    for (which, (real, ours)) in
        ["thread", "process", "group", "session"].into_iter().zip(real.numbers.iter().zip(&ours.numbers))
    {
        found.check(&format!("numbers of the {which}"), real, ours);
    }
    found.check("uids", &real.uids, &ours.uids);
    found.check("gids", &real.gids, &ours.gids);
    found.check("groups", &real.groups, &ours.groups);
    for (set, (real, ours)) in ["inheritable", "permitted", "effective", "bounding", "ambient"]
        .into_iter()
        .zip(real.caps.into_iter().zip(ours.caps))
    {
        if real != ours {
            found.0.push(format!("{set}: kernel {real:#x}, model {ours:#x}"));
        }
    }
    found.check("no_new_privs", &real.no_new_privs, &ours.no_new_privs);
    found.check("threads", &real.threads, &ours.threads);
    // Who has exited has no handlers any more, a little later.
    if matches!(ours.life, Life::Running | Life::Stopped) {
        let [mut blocked, ignored, caught] = real.signals;
        if ours.life == Life::Stopped {
            // It may have been stopped on the way to a handler, for which the signal is blocked.
            blocked = blocked & !caught | ours.signals[0] & caught;
        }
        for (what, (real, ours)) in ["blocked", "ignored", "caught"]
            .into_iter()
            .zip([blocked, ignored, caught].into_iter().zip(ours.signals))
        {
            if real != ours {
                found.0.push(format!("{what} signals: kernel {real:#x}, model {ours:#x}"));
            }
        }
    }
    if !model.held {
        found.check("signals to be taken", &real.untaken, &ours.untaken);
    }
    for (link, (real, ours)) in NsLink::ALL.into_iter().zip(kernel.links.into_iter().zip(model.links)) {
        let same = match (real, ours) {
            (None, None) => true,
            (Some(real), Some(ours)) => known.namespaces.same(real, ours),
            _ => false,
        };
        if !same {
            found.0.push(format!("{}: kernel {real:?}, model {ours:?}", link.name()));
        }
    }
    match (&kernel.inside, &model.inside) {
        (Some(real), Some(ours)) => compare_inside(real, ours, known, &mut found),
        (None, None) => {}
        _ => found.0.push(String::from("one side sees its files, the other does not")),
    }
    found.0.into_iter().map(|difference| format!("{name}: {difference}")).collect()
}

fn compare_inside(real: &Inside, ours: &Inside, known: &mut Known, found: &mut Differences) {
    for (name, (real, ours)) in
        ["uid_map", "gid_map", "projid_map"].into_iter().zip(real.maps.iter().zip(&ours.maps))
    {
        found.check(name, real, ours);
    }
    found.check("setgroups", &real.setgroups, &ours.setgroups);
    found.check("cgroup", &real.cgroup, &ours.cgroup);
    found.check("timens_offsets", &real.offsets, &ours.offsets);
    if real.mounts.len() != ours.mounts.len() {
        let ways = |mounts: &[Mount]| mounts.iter().map(|mount| mount.way.join(" > ")).collect::<Vec<_>>();
        found.check("mounts", &ways(&real.mounts), &ways(&ours.mounts));
        return;
    }
    for (real, ours) in real.mounts.iter().zip(&ours.mounts) {
        let way = real.way.join(" > ");
        found.check(&format!("mount {way}"), &real.way, &ours.way);
        if !same_root(&real.root, &ours.root, known) {
            found.check(&format!("root of mount {way}"), &real.root, &ours.root);
        }
        // The machine's own root, below that of the world, is as it is.
        if ours.fstype != "rootfs" {
            found.check(&format!("options of {way}"), &real.options, &ours.options);
            found.check(&format!("type of {way}"), &real.fstype, &ours.fstype);
            found.check(
                &format!("filesystem of {way} read-only"),
                &real.super_readonly,
                &ours.super_readonly,
            );
        }
        found.check(&format!("unbindable {way}"), &real.unbindable, &ours.unbindable);
        if !known.devices.same(real.device, ours.device) {
            found.0.push(format!("filesystem of {way}: kernel {}, model {}", real.device, ours.device));
        }
        for (what, real, ours) in [("peers", real.shared, ours.shared), ("master", real.master, ours.master)]
        {
            let same = match (real, ours) {
                (None, None) => true,
                (Some(real), Some(ours)) => known.groups.same(real, ours),
                _ => false,
            };
            if !same {
                found.0.push(format!("{what} of {way}: kernel {real:?}, model {ours:?}"));
            }
        }
    }
}

/// A namespace file shows `uts:[number]` as its root: a class, too.
fn same_root(real: &str, ours: &str, known: &mut Known) -> bool {
    let number = |text: &str| {
        let (kind, rest) = text.split_once(":[")?;
        Some((kind.to_owned(), rest.strip_suffix(']')?.parse::<u64>().ok()?))
    };
    match (number(real), number(ours)) {
        (Some((kind, real)), Some((our_kind, ours))) => kind == our_kind && known.namespaces.same(real, ours),
        _ => real == ours,
    }
}

/// Inode numbers of the namespaces that live in the model.
pub(crate) fn living(kernel: &Kernel) -> BTreeMap<u64, NsId> {
    kernel.namespaces().into_iter().map(|ns| (u64::from(ns.inum), ns.id)).collect()
}
