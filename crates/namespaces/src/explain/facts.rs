//! Answers for which there is one rule only, and rules that show in what the kernel says of
//! the path or the file itself.

use nsproxy::Rule;
use nsproxy::uapi::{
    MNT_DETACH, MNT_EXPIRE, MS_BIND, MS_MOVE, MS_PRIVATE, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE,
};

use super::cause::Cause;
use super::decide::Case;
use super::evidence::Evidence;
use super::question::Question;
use super::state::Owner;
use crate::errno::Errno;
use crate::kind::{Kind, Link};

/// `MNT_FORCE`, `MNT_DETACH`, `MNT_EXPIRE` and `UMOUNT_NOFOLLOW`.
pub(super) const UMOUNT_FLAGS: u32 = 0xf;
pub(super) const PROPAGATION: u64 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/// How many descriptors there may be, where there can be no more.
pub(super) fn open_files() -> Evidence {
    use rustix::process::{Resource, getrlimit};
    let says = match getrlimit(Resource::Nofile).current {
        Some(limit) => format!("has {limit} for Max open files, and all of them are in use"),
        None => "has no limit for Max open files; fs.nr_open is one".to_owned(),
    };
    Evidence::file("/proc/self/limits", says)
}

/// Why the kernel answers so, and what shows it.
pub(super) fn by_fact(case: &Case<'_>, errno: Errno) -> Option<(Cause, Evidence)> {
    if errno == Errno::EMFILE {
        return Some((Rule::NoFreeFd.into(), open_files()));
    }
    let by_rule = || {
        super::numbers::exhausted(case, errno)
            .or_else(|| rule_by_fact(case, errno))
            .map(|(rule, fact)| (rule.into(), fact))
    };
    super::lookup::by_errno(case, errno).or_else(by_rule)
}

fn rule_by_fact(case: &Case<'_>, errno: Errno) -> Option<(Rule, Evidence)> {
    match case.question {
        Question::Umount { target, flags } => umount(case, target, *flags, errno),
        Question::Mount { source, target, flags, .. } => mount(case, [source, target], *flags, errno),
        Question::PivotRoot { .. } if errno == Errno::EBUSY => {
            let says = "is said only where new_root or put_old is on the current root mount";
            Some((Rule::PivotBusy, Evidence::call("EBUSY from pivot_root(2)", says)))
        }
        Question::WriteTimeOffsets { .. } if errno == Errno::ERANGE => {
            let says = "is said of an offset only that moves a clock too far";
            Some((Rule::TimeOffsetsRange, Evidence::call("ERANGE from write(2)", says)))
        }
        Question::WriteTimeOffsets { pid, .. }
            if errno == Errno::EACCES && case.objects.target(*pid)?.writable == Some(Ok(())) =>
        {
            let says = "is said where somebody has entered the time namespace, as the file could be opened";
            Some((Rule::TimeOffsetsFrozen, Evidence::call("EACCES from write(2)", says)))
        }
        Question::OpenNamespace { pid, link }
            if errno == Errno::ENOENT
                && *link != Link::Own(Kind::User)
                && case.state.inode(link.kind()).is_some() =>
        {
            has_left(case, *pid, Rule::LinkGone)
                .or_else(|| awaits_init(case, *pid).filter(|_| *link == Link::PidForChildren))
        }
        Question::JoinProcess { pid, .. } if errno == Errno::ESRCH => {
            has_left(case, *pid, Rule::SetnsTargetZombie)
        }
        Question::Clone(_) if errno == Errno::ENOMEM => children_without_init(case),
        Question::WriteMap { pid, .. }
        | Question::WriteSetgroups { pid, .. }
        | Question::WriteTimeOffsets { pid, .. }
            if errno == Errno::EACCES =>
        {
            let target = case.objects.target(*pid)?;
            (target.writable? == Err(Errno::EACCES)).then(|| {
                let owner = target
                    .proc_owner
                    .map_or_else(String::new, |owner| format!(", and belongs to user {owner}"));
                let says = format!("can't be opened for writing{owner}");
                (Rule::MapOpenAccess, Evidence::file(format!("/proc/{pid}/uid_map"), says))
            })
        }
        _ => None,
    }
}

fn umount(case: &Case<'_>, target: &str, flags: u32, errno: Errno) -> Option<(Rule, Evidence)> {
    match errno {
        Errno::EBUSY => {
            let says = "is said only of a mount that has others on it or is in use";
            Some((Rule::UmountBusy, Evidence::call("EBUSY from umount2(2)", says)))
        }
        Errno::EAGAIN => {
            let says = "is said only to the first of two calls with MNT_EXPIRE";
            Some((Rule::UmountExpire, Evidence::call("EAGAIN from umount2(2)", says)))
        }
        Errno::EINVAL if flags & !UMOUNT_FLAGS == 0 => no_mountpoint(case, target, Rule::UmountNotMountpoint)
            .or_else(|| elsewhere(case, target, Rule::UmountForeign))
            .or_else(|| {
                // Nobody locks the first, and to make the root read-only is something else.
                let unmounts = flags & (MNT_DETACH | MNT_EXPIRE) == MNT_DETACH;
                first_mount(case, target, Rule::UmountRoot).filter(|_| unmounts)
            }),
        _ => None,
    }
}

fn mount(case: &Case<'_>, [source, target]: [&str; 2], flags: u64, errno: Errno) -> Option<(Rule, Evidence)> {
    let remount = flags & MS_REMOUNT != 0;
    let bind = flags & (MS_BIND | MS_MOVE) != 0 && !remount;
    let propagation = flags & PROPAGATION;
    let new = !bind && !remount && propagation == 0;
    match errno {
        Errno::ENOENT => {
            let says = "is there, and on a mount that has been unmounted";
            Some((Rule::MountGone, Evidence::file(target, says)))
        }
        Errno::EBUSY if remount => {
            let says = "is said only where files are open for writing";
            Some((Rule::RemountBusy, Evidence::call("EBUSY from mount(2) with MS_REMOUNT", says)))
        }
        Errno::EBUSY if new => {
            let says = "is said of a file system that is mounted at this place already";
            Some((Rule::MountTwice, Evidence::call("EBUSY from mount(2)", says)))
        }
        Errno::ELOOP if flags & MS_MOVE != 0 && !remount => {
            let says = "is said of a mount that would go below itself";
            Some((Rule::MoveLoop, Evidence::call("ELOOP from mount(2)", says)))
        }
        Errno::EINVAL if remount => elsewhere(case, target, Rule::MountForeign)
            .or_else(|| foreign(case, target).filter(|_| flags & MS_BIND == 0))
            .or_else(|| {
                let here = case.machine.eyes().is_mounted_here(target) == Ok(true);
                no_mountpoint(case, target, Rule::MountNotMountpoint).filter(|_| here)
            }),
        Errno::EINVAL if flags & MS_BIND != 0 => {
            let foreign = || elsewhere(case, target, Rule::MountForeign).filter(|_| is_dir(case, source));
            own_mount_namespace(case, source).or_else(foreign)
        }
        Errno::EINVAL if bind && propagation == 0 => no_mountpoint(case, source, Rule::MountNotMountpoint)
            .or_else(|| {
                let foreign = elsewhere(case, source, Rule::MountForeign);
                let foreign = foreign.or_else(|| elsewhere(case, target, Rule::MountForeign));
                let found = foreign.or_else(|| first_mount(case, source, Rule::MoveRoot));
                found.filter(|_| is_dir(case, source) && is_dir(case, target))
            }),
        Errno::EPERM if propagation.is_power_of_two() && !bind && !remount => {
            let known = matches!(case.state.owner(Kind::Mnt), Owner::Own | Owner::Below(_));
            elsewhere(case, target, Rule::PropagationPrivilege).filter(|_| known && !case.lacks_mounts())
        }
        Errno::EINVAL if propagation != 0 && !bind => no_mountpoint(case, target, Rule::MountNotMountpoint)
            .or_else(|| propagation.is_power_of_two().then(|| unmounted(case, target)).flatten()),
        _ => None,
    }
}

fn no_mountpoint(case: &Case<'_>, path: &str, rule: Rule) -> Option<(Rule, Evidence)> {
    let found = case.machine.eyes().mount_of(path).ok().filter(|_| !case.machine.is_layered());
    found.filter(|(_, root)| !root).map(|(mount, _)| {
        (rule, Evidence::call("statx(2)", format!("says that {path} is on mount {mount} and not its root")))
    })
}

/// `mnt_ns_loop`, before anything else of the source is looked at.
fn own_mount_namespace(case: &Case<'_>, source: &str) -> Option<(Rule, Evidence)> {
    let eyes = case.machine.eyes();
    let lies_on = eyes.read_link(source).ok().filter(|link| link.starts_with("mnt:["))?;
    let ns = eyes.namespace(source, &[]).ok()?;
    (Some(ns.inode) == case.state.inode(Kind::Mnt)).then(|| {
        (Rule::BindLoop, Evidence::file(source, format!("is {lies_on}, the caller's own mount namespace")))
    })
}

/// A mount whose propagation can't be changed although it is one: where the kernel asks for
/// privilege over its namespace, it is in none.
fn unmounted(case: &Case<'_>, path: &str) -> Option<(Rule, Evidence)> {
    let (mount, root) = case.machine.eyes().mount_of(path).ok().filter(|_| !case.machine.is_layered())?;
    let says =
        format!("says that {path} is the root of mount {mount}, and EINVAL that it is in no namespace");
    root.then(|| (Rule::PropagationUnmounted, Evidence::call("statx(2)", says)))
}

/// A mount that is not in the caller's mount namespace.
fn elsewhere(case: &Case<'_>, path: &str, rule: Rule) -> Option<(Rule, Evidence)> {
    let here = case.machine.eyes().is_mounted_here(path).ok().filter(|_| !case.machine.is_layered())?;
    let says = format!("does not find the mount that {path} is on in {}", case.state.name(Kind::Mnt));
    (!here).then(|| (rule, Evidence::call("statmount(2)", says)))
}

/// The mount that all others of the mount namespace stand on.
fn first_mount(case: &Case<'_>, path: &str, rule: Rule) -> Option<(Rule, Evidence)> {
    let (id, root) = case.machine.eyes().mount_of(path).ok().filter(|_| !case.machine.is_layered())?;
    let mount = case.state.mounts.iter().find(|mount| mount.id == id && mount.parent == id)?;
    let says = format!("is the mount that {path} leads to, and stands on none");
    root.then(|| (rule, Evidence::file(format!("/proc/self/mountinfo:{}", mount.line), says)))
}

fn is_dir(case: &Case<'_>, path: &str) -> bool {
    matches!(case.machine.eyes().stat(path), Ok((true, _)))
}

/// A mount that the root directory leads to, and that mountinfo does not list.
fn foreign(case: &Case<'_>, path: &str) -> Option<(Rule, Evidence)> {
    let found = case.machine.eyes().mount_of(path).ok().filter(|_| !case.machine.is_layered());
    let (mount, _) = found.filter(|(_, root)| *root)?;
    let listed = case.state.mounts.iter().any(|line| line.id == mount);
    (!listed && case.state.root_listed == Some(false)).then(|| {
        let says = format!("does not list mount {mount}, which {path} leads to");
        (Rule::MountForeign, Evidence::file("/proc/self/mountinfo", says))
    })
}

/// A process that is still there, and has left its namespaces: it has ended, or waits for those of
/// its pid namespace to end.
fn has_left(case: &Case<'_>, pid: i32, rule: Rule) -> Option<(Rule, Evidence)> {
    let target = case.objects.target(pid).filter(|target| target.status.is_some())?;
    let says = "does not lead anywhere any more, and the process is still there";
    let left = case.machine.eyes().read_link(&format!("/proc/{}/ns/mnt", target.shown)) == Err(Errno::ENOENT);
    left.then(|| (rule, Evidence::file(format!("/proc/{}/ns/mnt", target.shown), says)))
}

/// A pid namespace for children that has no process yet, and so nothing to show.
fn awaits_init(case: &Case<'_>, pid: i32) -> Option<(Rule, Evidence)> {
    let link =
        case.objects.target(pid).map(|target| format!("/proc/{}/ns/pid_for_children", target.shown))?;
    let empty = case.machine.eyes().read_link(&link) == Err(Errno::ENOENT);
    let says = "does not lead anywhere yet: the pid namespace has had no process";
    empty.then(|| (Rule::PidForChildrenEmpty, Evidence::file(link, says)))
}

/// Children go to a pid namespace that is not the caller's.
fn children_without_init(case: &Case<'_>) -> Option<(Rule, Evidence)> {
    let link = |name: &str| case.machine.eyes().read_link(&format!("/proc/thread-self/ns/{name}")).ok();
    let (own, children) = (link(Kind::Pid.name()), link("pid_for_children"));
    (own.is_some() && own != children).then(|| {
        let says = "is another one than /proc/self/ns/pid, and clone says ENOMEM once its init has ended";
        (Rule::PidNsDead, Evidence::file("/proc/self/ns/pid_for_children", says))
    })
}
