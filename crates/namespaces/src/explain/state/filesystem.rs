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

/// Those that who is root in a user namespace only may mount (`FS_USERNS_MOUNT`), but for
/// what a server answers for, which might not.
const MOUNTED_BY_ANYBODY: [&str; 9] =
    ["tmpfs", "ramfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2", "overlay"];
/// Others of the kind.
const NOT_TO_BE_ASKED: [&str; 5] = ["fuse", "bpf", "binfmt_misc", "shiftfs", "aufs"];

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
        match machine.may_administer(&mount.point) {
            Some(true) => FsOwner::Reached,
            Some(false) => FsOwner::Beyond,
            None => FsOwner::Unknown,
        }
    }
}
