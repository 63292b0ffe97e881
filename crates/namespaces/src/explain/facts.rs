//! Answers for which there is one rule only, and rules that show in what the kernel says of
//! the path or the file itself.

use nsproxy::Rule;
use nsproxy::uapi::{MS_BIND, MS_MOVE, MS_PRIVATE, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE};

use super::cause::Cause;
use super::decide::Case;
use super::evidence::Evidence;
use super::question::Question;
use crate::errno::Errno;
use crate::kind::Kind;

/// `MNT_FORCE`, `MNT_DETACH`, `MNT_EXPIRE` and `UMOUNT_NOFOLLOW`.
pub(super) const UMOUNT_FLAGS: u32 = 0xf;
const PROPAGATION: u64 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

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
        Errno::EINVAL if flags & !UMOUNT_FLAGS == 0 => no_mountpoint(case, target, Rule::UmountNotMountpoint),
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
        Errno::EINVAL if flags & MS_BIND != 0 && !remount => own_mount_namespace(case, source),
        Errno::EINVAL if remount && flags & MS_BIND == 0 => foreign(case, target),
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

/// Children go to a pid namespace that is not the caller's.
fn children_without_init(case: &Case<'_>) -> Option<(Rule, Evidence)> {
    let link = |name: &str| case.machine.eyes().read_link(&format!("/proc/thread-self/ns/{name}")).ok();
    let (own, children) = (link(Kind::Pid.name()), link("pid_for_children"));
    (own.is_some() && own != children).then(|| {
        let says = "is another one than /proc/self/ns/pid, and clone says ENOMEM once its init has ended";
        (Rule::PidNsDead, Evidence::file("/proc/self/ns/pid_for_children", says))
    })
}
