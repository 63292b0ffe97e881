//! From which user namespace a file system was mounted: no file says it.

use super::{Machine, MountEntry, State};

/// Whether the caller's capabilities reach the user namespace that a file system was mounted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum FsOwner {
    /// It is the caller's own, or one below.
    Reached,
    Beyond,
    Unknown,
}

/// Those that root of any user namespace may mount (`FS_USERNS_MOUNT`), and that can't be frozen.
const MOUNTED_BY_ANYBODY: [&str; 9] =
    ["tmpfs", "ramfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2", "overlay"];
/// Others that it may: a server might not answer, or it is not known whether they can be frozen.
const NOT_TO_BE_ASKED: [&str; 5] = ["fuse", "bpf", "binfmt_misc", "shiftfs", "aufs"];

/// Of so many mounts of one file system a directory is looked for.
const ENOUGH: usize = 16;

impl FsOwner {
    pub(in crate::explain) fn of(machine: &Machine<'_>, state: &State, mount: &MountEntry) -> FsOwner {
        let fstype = mount.fstype.split('.').next().unwrap_or_default();
        if state.is_first() {
            return FsOwner::Reached;
        }
        if NOT_TO_BE_ASKED.contains(&fstype) {
            return FsOwner::Unknown;
        }
        if !MOUNTED_BY_ANYBODY.contains(&fstype) {
            return FsOwner::Beyond;
        }
        // What is mounted over it, or is a file, can't be opened as its directory: another mount of it may.
        let seen = |at: &&MountEntry| {
            at.device == mount.device && machine.eyes().mount_of(&at.point).is_ok_and(|(id, _)| id == at.id)
        };
        let mut answers = state.mounts.iter().filter(seen).take(ENOUGH);
        match answers.find_map(|at| machine.may_administer(&at.point)) {
            Some(true) => FsOwner::Reached,
            Some(false) => FsOwner::Beyond,
            None => FsOwner::Unknown,
        }
    }
}
