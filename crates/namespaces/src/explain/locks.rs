//! Which mounts are locked: no file shows it.

use std::ffi::CString;

use nsproxy::Rule;
use nsproxy::uapi::{MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_MOVE, MS_REMOUNT};

use super::answer::{Refusal, Verdict};
use super::cause::Cause;
use super::decide::{Case, open};
use super::eyes::{Attempt, Attempted};
use super::facts::{PROPAGATION, UMOUNT_FLAGS};
use super::machine::Machine;
use super::question::Question;
use super::state::{FsOwner, Owner, State, covering};
use crate::errno::Errno;
use crate::kind::Kind;

/// Whether a mount is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// It is not, or there is none at the path, which then is no matter of locks.
    Free,
    Locked,
    Unknown,
}

/// A place whose mount must not be locked, and the rule that says so.
fn asked(state: &State, question: &Question) -> Option<(String, Rule)> {
    match question {
        Question::Umount { target, .. } => Some((target.clone(), Rule::UmountLocked)),
        // It is the mount that this lies on.
        Question::PivotRoot { new, .. } => covering(&state.mounts, new)
            .filter(|at| at.point != "/")
            .map(|at| (at.point.clone(), Rule::PivotLocked)),
        Question::Mount { source, flags, .. }
            if flags & MS_MOVE != 0 && flags & (MS_REMOUNT | MS_BIND | PROPAGATION) == 0 =>
        {
            Some((source.clone(), Rule::MoveLocked))
        }
        _ => None,
    }
}

/// Whether the mount is locked that must not be for what is asked.
pub(super) fn lock_asked(machine: &Machine<'_>, state: &State, question: &Question) -> Lock {
    asked(state, question).map_or(Lock::Unknown, |(path, _)| lock_of(machine, state, &path))
}

/// What is asked before a lock, with the same answer.
const BEFORE: [Rule; 6] = [
    Rule::PivotShared,
    Rule::PivotForeign,
    Rule::MountNotMountpoint,
    Rule::MountForeign,
    Rule::UmountNotMountpoint,
    Rule::UmountForeign,
];

/// The causes that remain where a mount is locked for certain.
pub(super) fn at_lock(case: &Case<'_>, causes: &[Cause]) -> Option<impl Fn(Cause) -> bool + use<>> {
    let (_, rule) = asked(case.state, case.question)?;
    let locked = causes.contains(&Cause::Rule(rule))
        && lock_asked(case.machine, case.state, case.question) == Lock::Locked;
    let stays = move |cause| cause == Cause::Rule(rule) || BEFORE.map(Cause::Rule).contains(&cause);
    locked.then_some(stays)
}

/// `MNT_EXPIRE` with other flags, or of the root, is refused as well where no mount is locked,
/// and which are can't be read.
pub(super) fn unless_mixed(case: &Case<'_>, verdict: Verdict) -> Verdict {
    let Question::Umount { target, flags } = case.question else { return verdict };
    let is_root = || {
        let found = case.machine.eyes().mount_of(target).ok();
        found.is_none_or(|(id, _)| Some(id) == case.state.root_mount)
    };
    let mixed = flags & MNT_EXPIRE != 0
        && flags & !UMOUNT_FLAGS == 0
        && (flags & (MNT_FORCE | MNT_DETACH) != 0 || is_root());
    let lock = || lock_of(case.machine, case.state, target);
    let [locked, expired] = [Rule::UmountLocked, Rule::UmountFlags].map(Cause::Rule);
    match verdict {
        Verdict::Refused(Refusal { cause, errno, evidence, .. })
            if mixed
                && (cause == locked && lock() != Lock::Locked
                    || cause == expired && lock() != Lock::Free) =>
        {
            open(errno, vec![locked, expired], evidence)
        }
        verdict => verdict,
    }
}

/// Tells a locked mount by unmounting it in a mount namespace of a child's own; where there can be
/// none, one that is free by whose its file system is.
fn lock_of(machine: &Machine<'_>, state: &State, path: &str) -> Lock {
    let mountpoint = machine.eyes().mount_of(path).ok().filter(|(_, root)| *root).map(|(id, _)| id);
    let Ok(path) = CString::new(path) else { return Lock::Unknown };
    match machine.attempt(&[Attempt::Unshare(Kind::Mnt), Attempt::PrivateMounts, Attempt::Detach(&path)]) {
        // A copy of the first mount may have lost its lock.
        Some(Attempted::Done) if mountpoint.is_none_or(|id| !is_first(state, id)) => Lock::Free,
        Some(Attempted::Refused(2, _)) if mountpoint.is_none() => Lock::Free,
        // What stands on another mount, and can't be unmounted without being used.
        Some(Attempted::Refused(2, Errno::EINVAL))
            if mountpoint.is_some_and(|id| stands_on_another(state, id)) =>
        {
            Lock::Locked
        }
        None if mountpoint.is_some_and(|id| is_of_own_making(machine, state, id)) => Lock::Free,
        _ => Lock::Unknown,
    }
}

/// Whether the file system was mounted from the user namespace that owns the mount namespace too:
/// `copy_mnt_ns` and `propagate_one` lock what comes from a mount namespace of another one, and there
/// it can't have been mounted. But `pivot_root(2)` hands the lock of the old root to the new one.
fn is_of_own_making(machine: &Machine<'_>, state: &State, id: u64) -> bool {
    let mount = state.mounts.iter().find(|mount| mount.id == id);
    *state.owner(Kind::Mnt) == Owner::Own
        && Some(id) != state.root_mount
        && mount.is_some_and(|mount| FsOwner::of(machine, state, mount) == FsOwner::Reached)
}

/// Whether the mount of the caller's root may be the first of its mount namespace.
fn is_first(state: &State, id: u64) -> bool {
    Some(id) == state.root_mount && !stands_on_another(state, id)
}

fn stands_on_another(state: &State, id: u64) -> bool {
    let mount = state.mounts.iter().find(|mount| mount.id == id);
    mount.is_some_and(|mount| mount.parent != id)
}
