//! What can be known of the calling thread, read where it stands.
//!
//! Nothing here is guessed: what may not be read is `None`, or a variant that says so.

mod chroot;
mod filesystem;
mod mounts;
mod owners;
mod proc;
mod security;
mod target;

pub(super) use chroot::Chroot;
pub(super) use filesystem::FsOwner;
pub(super) use mounts::{MountEntry, below_covers, covering, mounts, resolved};
pub(super) use owners::{Owner, Relative, Seen};
pub(super) use proc::{foreign_proc, shown_number};
pub(super) use security::{APPARMOR_USERNS, Security, USERNS_CLONE, USERNS_ENABLE, YAMA};
pub(super) use target::Target;

use super::eyes::{Eyes, Shared};
use super::machine::Machine;
use crate::errno::Errno;
use crate::idmap::{Extent, IdMap};
use crate::kind::Kind;
use crate::process::{Credentials, parse_status};

/// The inode number of the first user namespace, `PROC_USER_INIT_INO`.
pub(super) const FIRST_USER: u64 = 0xefff_fffd;
/// The id that stands for all without a name here.
pub(super) const OVERFLOW: u32 = 65534;

/// The calling thread and what surrounds it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) status: Option<Credentials>,
    pub(super) pid: i32,
    /// Whether its process is the first of the own pid namespace.
    pub(super) is_init: bool,
    /// Whether the first thread of the process has ended.
    pub(super) leader_ended: bool,
    /// The inode number of each namespace, by [`Kind::ALL`]; `None` if it is not there.
    pub(super) inodes: [Option<u64>; 8],
    /// What its future children are in; `None` as long as nothing is.
    pub(super) pid_for_children: Option<u64>,
    pub(super) time_for_children: Option<u64>,
    /// Whether the pid namespace for children has lost its init.
    pub(super) pid_dead: bool,
    /// Whose it is.
    pub(super) pid_for_children_owner: Owner,
    /// Who owns the namespace of each kind; for user, what is above it.
    pub(super) owners: [Owner; 8],
    /// The maps of the own user namespace.
    pub(super) uid_map: Option<Vec<Extent>>,
    pub(super) gid_map: Option<Vec<Extent>>,
    pub(super) setgroups: Option<bool>,
    /// Whose the own user namespace is, as seen inside.
    pub(super) owner_uid: Option<u32>,
    /// `/proc/sys/user/max_*_namespaces`, by [`Kind::ALL`].
    pub(super) limits: [Option<u64>; 8],
    pub(super) chroot: Chroot,
    /// A process that shares root and working directory, if one is known.
    pub(super) fs_sharer: Option<i32>,
    /// Whether memory and signal handlers are shared with another process.
    pub(super) memory_shared: Option<bool>,
    pub(super) handlers_shared: Option<bool>,
    pub(super) mounts: Vec<MountEntry>,
    /// Whether the mount of the root directory is among them.
    pub(super) root_listed: Option<bool>,
    /// That mount.
    pub(super) root_mount: Option<u64>,
    pub(super) security: Security,
    /// The working directory, as a path from the root.
    pub(super) cwd: Option<String>,
    pub(super) securebits: u32,
    pub(super) dumpable: bool,
    pub(super) nproc: Option<u64>,
    pub(super) release: Option<String>,
    pub(super) mount_max: Option<u64>,
}

impl State {
    pub(super) fn read(machine: &Machine<'_>) -> State {
        let text = machine.text("/proc/thread-self/status").unwrap_or_default();
        let status = parse_status(&text);
        let process = text.lines().find_map(|line| line.strip_prefix("NStgid:"));
        let is_init =
            process.is_some_and(|numbers| numbers.split_ascii_whitespace().next_back() == Some("1"));
        let eyes = machine.eyes();
        let near = Near::find(machine, status.as_ref());
        // The number that /proc gives, which is the one other files there use.
        let pid = status.as_ref().and_then(|status| status.pids.first().copied()).unwrap_or(0);
        let seen = Kind::ALL.map(|kind| eyes.namespace(&own_link(kind.name()), &[]).ok());
        let inodes = seen.map(|ns| ns.map(|ns| ns.inode));
        let user = seen[index(Kind::User)];
        let own = user.map(|ns| ns.inode);
        let owner = |kind: Kind| Owner::of(eyes, &own_link(kind.name()), kind, own);
        let owners = Kind::ALL.map(|kind| if kind == Kind::User { Owner::Own } else { owner(kind) });
        let mounts = mounts(machine);
        let children = own_link("pid_for_children");
        let security = Security::read(machine);
        let threads = status.as_ref().map_or(1, |status| status.threads);
        // Threads share both, and then that is what is answered.
        let shared = |what: Shared| {
            let alone = machine.alone(what, security.may_filter()).filter(|_| threads == 1);
            alone.map(|alone| !alone).or_else(|| near.sharer(machine, what).map(|_| true))
        };
        State {
            pid_dead: has_no_init(machine, &children),
            pid_for_children_owner: Owner::of(eyes, &children, Kind::Pid, own),
            pid_for_children: link_inode(eyes, "pid_for_children"),
            time_for_children: link_inode(eyes, "time_for_children"),
            owner_uid: user.and_then(|ns| ns.owner_uid),
            inodes,
            owners,
            uid_map: map(machine, "/proc/self/uid_map"),
            gid_map: map(machine, "/proc/self/gid_map"),
            setgroups: machine.text("/proc/self/setgroups").ok().map(|text| text == "allow"),
            limits: Kind::ALL.map(|kind| machine.number(&limit_file(kind))),
            chroot: Chroot::find(machine, &mounts, status.as_ref().map_or(0, |status| status.ppid)),
            fs_sharer: near.sharer(machine, Shared::Fs),
            memory_shared: shared(Shared::Memory),
            handlers_shared: shared(Shared::Handlers),
            root_mount: eyes.mount_of("/").ok().map(|(root, _)| root),
            root_listed: eyes.mount_of("/").ok().map(|(root, _)| {
                // A root that is a plain directory is on a mount that is not listed.
                mounts.iter().any(|mount| mount.id == root || mount.parent == root)
            }),
            mounts,
            security,
            cwd: eyes.read_link("/proc/thread-self/cwd").ok(),
            securebits: eyes.securebits().unwrap_or(0),
            dumpable: eyes.dumpable().unwrap_or(true),
            nproc: eyes.nproc().unwrap_or(None),
            release: machine.text("/proc/sys/kernel/osrelease").ok(),
            mount_max: machine.number("/proc/sys/fs/mount-max"),
            status,
            pid,
            is_init,
            leader_ended: machine.text("/proc/self/status").is_ok_and(|text| is_zombie(&text)),
        }
    }

    pub(super) fn inode(&self, kind: Kind) -> Option<u64> {
        self.inodes[index(kind)]
    }

    pub(super) fn owner(&self, kind: Kind) -> &Owner {
        &self.owners[index(kind)]
    }

    pub(super) fn limit(&self, kind: Kind) -> Option<u64> {
        self.limits[index(kind)]
    }

    /// `net:[4026531833]`
    pub(super) fn name(&self, kind: Kind) -> String {
        match self.inode(kind) {
            Some(inode) => format!("{kind}:[{inode}]"),
            None => format!("the {kind} namespace"),
        }
    }

    /// Whether the thread is in the first user namespace.
    pub(super) fn is_first(&self) -> bool {
        self.inode(Kind::User) == Some(FIRST_USER)
    }

    /// Whether children go to another pid namespace than the thread's own.
    pub(super) fn pid_pending(&self) -> bool {
        self.inode(Kind::Pid).is_some() && self.inode(Kind::Pid) != self.pid_for_children
    }

    /// The number of a process in the caller's own pid namespace, whichever one /proc shows;
    /// `pid` is the process's.
    pub(super) fn number_here(&self, of: &Credentials, pid: Option<&Seen>) -> Option<i32> {
        let levels = self.status.as_ref()?.pids.len();
        let within = pid.is_some_and(|pid| pid.below || Some(pid.inode) == self.inode(Kind::Pid));
        of.pids.get(levels - 1).copied().filter(|_| levels == 1 || within)
    }

    /// Whether `/proc` shows a pid namespace above the caller's own, with other numbers in it.
    pub(super) fn proc_is_above(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.pids.len() > 1)
    }

    pub(super) fn has(&self, cap: crate::caps::Capabilities) -> bool {
        self.status.as_ref().is_some_and(|status| status.effective.contains(cap))
    }

    pub(super) fn threads(&self) -> u32 {
        self.status.as_ref().map_or(1, |status| status.threads)
    }
}

/// The place of a kind in [`Kind::ALL`].
pub(super) const fn index(kind: Kind) -> usize {
    kind as usize
}

pub(super) fn limit_file(kind: Kind) -> String {
    format!("/proc/sys/user/max_{kind}_namespaces")
}

fn map(machine: &Machine<'_>, path: &str) -> Option<Vec<Extent>> {
    let text = machine.text(path).ok()?;
    IdMap::from_kernel(&text).map(|map| map.extents().to_vec())
}

fn own_link(name: &str) -> String {
    format!("/proc/thread-self/ns/{name}")
}

fn link_inode(eyes: &dyn Eyes, name: &str) -> Option<u64> {
    let link = eyes.read_link(&own_link(name)).ok()?;
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

fn is_zombie(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
}

/// Whether the first process of a pid namespace has ended, reaped or not.
fn has_no_init(machine: &Machine<'_>, path: &str) -> bool {
    match machine.eyes().pid_from(path, 1) {
        Ok(pid) => machine.text(&format!("/proc/{pid}/status")).is_ok_and(|text| is_zombie(&text)),
        Err(errno) => errno == Errno::ESRCH,
    }
}

/// Parent, children and siblings. Others would have to be looked for among all processes.
struct Near {
    own: i32,
    /// Numbered as kcmp does, in the caller's own pid namespace.
    others: Vec<i32>,
}

impl Near {
    fn find(machine: &Machine<'_>, status: Option<&Credentials>) -> Near {
        let pids = status.map_or(&[][..], |status| &status.pids);
        let (Some(status), [shown, .., own] | [shown @ own]) = (status, pids) else {
            return Near { own: 0, others: Vec::new() };
        };
        let children = |of: i32| -> Vec<i32> {
            let text = machine.text(&format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
            text.split_ascii_whitespace().take(64).filter_map(|pid| pid.parse().ok()).collect()
        };
        // Children are in the caller's pid namespace or below it, and so is the parent with
        // all of its own, if it has a number there.
        let here = |pid: i32| -> Option<i32> {
            if pids.len() == 1 {
                return Some(pid);
            }
            let text = machine.text(&format!("/proc/{pid}/status")).ok()?;
            parse_status(&text)?.pids.get(pids.len() - 1).copied()
        };
        let parent = here(status.ppid);
        let siblings = if parent.is_some() { children(status.ppid) } else { Vec::new() };
        let near = children(*shown).into_iter().chain(siblings).filter_map(here).chain(parent);
        Near { own: *own, others: near.filter(|other| *other > 0 && other != own).collect() }
    }

    /// One that shares this with the caller.
    fn sharer(&self, machine: &Machine<'_>, what: Shared) -> Option<i32> {
        self.others.iter().copied().find(|other| machine.eyes().share(self.own, *other, what) == Ok(true))
    }
}
