//! How each step is taken in a new process. See `child` for what may be used here.

use std::ffi::CStr;
use std::fmt::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::child::Context;
use super::passwd;
use super::text::Text;
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::handle::Namespace;
use crate::idmap::{IdKind, IdMap};
use crate::kind::Kind;
use crate::plan::{Directory, Id, JoinTarget, Refused, Step};
use crate::spawn::Propagation;
use crate::sys::{self, signal};

/// Takes one step.
pub(super) fn perform(step: &Step, context: &Context<'_>) -> Result<(), Errno> {
    match step {
        Step::Undumpable => Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?),
        Step::Join(target) => join(target, context),
        Step::ParentDeathSignal(number) => parent_death_signal(*number, context),
        Step::SecurityContext(label) => write_file(c"/proc/thread-self/attr/exec", label.to_bytes()),
        Step::JoinCgroup(procs) => Ok(rustix::io::write(procs, b"0").map(drop)?),
        Step::Setgroups { allow, if_known } => set_setgroups(*allow, *if_known),
        Step::WriteMap { kind, map, .. } => write_map(*kind, map),
        Step::Unshare(kinds) => sys::setns::unshare(kinds.flags()),
        Step::Bind { kind, path } => bind(None, *kind, path),
        Step::TimeOffsets(text) => write_file(c"/proc/self/timens_offsets", text.to_bytes()),
        Step::EnterTime => enter_time(),
        Step::Hostname(name) => Ok(rustix::system::sethostname(name.to_bytes())?),
        Step::Domainname(name) => Ok(rustix::system::setdomainname(name.to_bytes())?),
        Step::LoopbackUp => sys::net::loopback_up(),
        Step::Propagation(mode) => propagate(*mode),
        Step::MakePrivate(path) => make_private(path),
        Step::MountProc { root, on } => mount_proc(root.as_deref(), on),
        Step::MountBinfmt(on) => {
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            Ok(rustix::mount::mount(c"binfmt_misc", on.as_c_str(), c"binfmt_misc", flags, None)?)
        }
        Step::RegisterBinfmt { file, format } => write_file(file, format.to_bytes()),
        Step::KeepDirectory => {
            context.memo.directory.set(sys::fd::open_working_directory()?);
            Ok(())
        }
        Step::Chroot(dir) => chroot(dir, context),
        Step::PivotRoot(path) => pivot_root(path),
        Step::Chdir(dir) => change_directory(dir, context),
        Step::NewSession => Ok(rustix::process::setsid().map(drop)?),
        Step::Groups { groups, refused } => set_groups(groups, *refused, context),
        Step::FollowIds(process) => {
            let stat = rustix::fs::fstat(process)?;
            context.memo.owner.set((stat.st_uid, stat.st_gid));
            Ok(())
        }
        Step::KeepCapabilities => Ok(rustix::thread::set_keep_capabilities(true)?),
        Step::BoundingSet(keep) => limit_bounding_set(*keep),
        Step::Gid(Id::Number(gid)) => sys::cred::setgid(*gid),
        Step::Gid(Id::Followed) => sys::cred::setgid(context.memo.owner.get().1),
        Step::Uid(Id::Number(uid)) => sys::cred::setuid(*uid),
        Step::Uid(Id::Followed) => sys::cred::setuid(context.memo.owner.get().0),
        Step::Capabilities(set) => set_capabilities(*set),
        Step::NoNewPrivs => Ok(rustix::thread::set_no_new_privs(true)?),
        Step::Descriptors(_) => context.moves.iter().try_for_each(|(from, to)| sys::fd::place(*from, *to)),
        Step::CloseOthers(keep) => close_others(keep),
        Step::Signals { keep } => {
            if !keep {
                // The runtime of Rust ignores it, and programs expect the default.
                signal::reset(libc::SIGPIPE);
            }
            signal::set_mask(context.mask);
            Ok(())
        }
        Step::Execute { .. } | Step::LoginShell { .. } => {
            if context.caller_is_gone() {
                return Err(Errno::ESRCH);
            }
            if matches!(step, Step::LoginShell { .. }) {
                return Err(execute_login_shell(context));
            }
            Err(context.image.execute())
        }
        Step::Clone { .. } | Step::Pin { .. } | Step::Init => Err(Errno::EINVAL),
    }
}

fn join(target: &JoinTarget, context: &Context<'_>) -> Result<(), Errno> {
    match target {
        JoinTarget::Process { process, kinds } => sys::setns::setns(process.as_fd(), kinds.flags()),
        JoinTarget::Namespaces(namespaces) => {
            let left = join_from_outside(namespaces);
            join_from_inside(namespaces, left, context)
        }
        JoinTarget::Both { process, kinds, namespaces } => {
            // All at once is what mostly goes.
            if namespaces.is_empty() && sys::setns::setns(process.as_fd(), kinds.flags()).is_ok() {
                return Ok(());
            }
            let mut outside = *kinds;
            outside.remove(Kind::User);
            let joined = !outside.is_empty() && sys::setns::setns(process.as_fd(), outside.flags()).is_ok();
            let left = join_from_outside(namespaces);
            let rest = if joined { kinds.difference(outside) } else { *kinds };
            // Of the process or not, the user namespace is the next.
            let user = namespaces.iter().position(|namespace| namespace.kind() == Kind::User);
            if let Some(user) = user {
                join_from_inside(namespaces.get(user..=user).unwrap_or_default(), 1, context)
                    .inspect_err(|_| context.memo.not_joined.set(Some(user)))?;
            }
            if !rest.is_empty() {
                sys::setns::setns(process.as_fd(), rest.flags())?;
            }
            join_from_inside(namespaces, user.map_or(left, |user| left & !(1 << user)), context)
        }
    }
}

/// Joins what the caller may from outside, and answers with a bit for each
/// that is left. A privileged caller loses its privileges over the others when
/// it joins the user namespace; an unprivileged one gets them only there. So:
/// what goes before, then user, then the rest.
fn join_from_outside(namespaces: &[Arc<Namespace>]) -> u64 {
    let mut left: u64 = 0;
    for (i, namespace) in namespaces.iter().enumerate().take(64) {
        let user = namespace.kind() == Kind::User;
        if user || sys::setns::setns(namespace.as_fd(), namespace.kind().flag()).is_err() {
            left |= 1 << i;
        }
    }
    left
}

fn join_from_inside(namespaces: &[Arc<Namespace>], left: u64, context: &Context<'_>) -> Result<(), Errno> {
    for user in [true, false] {
        for (i, namespace) in namespaces.iter().enumerate() {
            if (namespace.kind() == Kind::User) == user && (i >= 64 || left & (1 << i) != 0) {
                sys::setns::setns(namespace.as_fd(), namespace.kind().flag())
                    .inspect_err(|_| context.memo.not_joined.set(Some(i)))?;
            }
        }
    }
    Ok(())
}

fn parent_death_signal(number: i32, context: &Context<'_>) -> Result<(), Errno> {
    signal::on_parent_death(number)?;
    if context.caller_is_gone() {
        return Err(Errno::ESRCH);
    }
    Ok(())
}

fn write_file(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text)?;
    Ok(())
}

fn set_setgroups(allow: bool, if_known: bool) -> Result<(), Errno> {
    let word: &[u8] = if allow { b"allow" } else { b"deny" };
    match write_file(c"/proc/self/setgroups", word) {
        Err(Errno::ENOENT) if if_known => Ok(()),
        done => done,
    }
}

fn set_groups(groups: &[u32], refused: Refused, context: &Context<'_>) -> Result<(), Errno> {
    if refused == Refused::FailsUnlessDone && context.memo.groups_set.get() {
        return Ok(());
    }
    match (sys::cred::setgroups(groups), refused) {
        (Ok(()), _) => context.memo.groups_set.set(true),
        (Err(_), Refused::GoesOn) => {}
        (Err(errno), _) => return Err(errno),
    }
    Ok(())
}

/// Binds a namespace to a file: of the process whose `/proc/PID` is open, or
/// of this one.
pub(super) fn bind(process: Option<BorrowedFd<'_>>, kind: Kind, path: &CStr) -> Result<(), Errno> {
    let link = kind.for_children_name().unwrap_or(kind.name());
    let mut source = Text::<64>::new();
    match process {
        Some(process) => write!(source, "/proc/self/fd/{}/ns/{link}\0", process.as_raw_fd()),
        None => write!(source, "/proc/self/ns/{link}\0"),
    }
    .map_err(|_| Errno::EINVAL)?;
    let source = CStr::from_bytes_with_nul(source.bytes()).map_err(|_| Errno::EINVAL)?;
    Ok(rustix::mount::mount_bind(source, path)?)
}

fn write_map(kind: IdKind, map: &IdMap) -> Result<(), Errno> {
    // A process may map one id for itself, and that is short: refuse more as
    // the kernel does (`new_idmap_permitted`).
    let mut text = Text::<64>::new();
    write!(text, "{map}").map_err(|_| Errno::EPERM)?;
    let path = match kind {
        IdKind::Uid => c"/proc/self/uid_map",
        IdKind::Gid => c"/proc/self/gid_map",
    };
    write_file(path, text.bytes())
}

fn enter_time() -> Result<(), Errno> {
    let path = c"/proc/self/ns/time_for_children";
    let namespace = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    sys::setns::setns(namespace.as_fd(), Kind::Time.flag())
}

fn propagate(mode: Propagation) -> Result<(), Errno> {
    let flags = match mode {
        Propagation::Private => MountPropagationFlags::PRIVATE,
        Propagation::Slave => MountPropagationFlags::DOWNSTREAM,
        Propagation::Shared => MountPropagationFlags::SHARED,
        Propagation::Unchanged => return Ok(()),
    };
    Ok(rustix::mount::mount_change(c"/", flags | MountPropagationFlags::REC)?)
}

/// Mounts a proc on the directory `on` below `root`. The path is followed as it will be seen from
/// inside: a link in a prepared root can't lead out of it.
fn mount_proc(root: Option<&CStr>, on: &CStr) -> Result<(), Errno> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let Some(root) = root else {
        return Ok(rustix::mount::mount(c"proc", on, c"proc", flags, None)?);
    };
    let root = open_dir(root)?;
    let proc = rustix::fs::openat2(
        &root,
        on,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    )?;
    let mut path = Text::<32>::new();
    write!(path, "/proc/self/fd/{}\0", proc.as_raw_fd()).map_err(|_| Errno::EINVAL)?;
    let path = CStr::from_bytes_with_nul(path.bytes()).map_err(|_| Errno::EINVAL)?;
    Ok(rustix::mount::mount(c"proc", path, c"proc", flags, None)?)
}

fn make_private(path: &CStr) -> Result<(), Errno> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    match rustix::mount::mount_change(path, flags) {
        // No mount, and what it lies on is no matter.
        Err(rustix::io::Errno::INVAL) => Ok(()),
        done => Ok(done?),
    }
}

fn chroot(dir: &Directory, context: &Context<'_>) -> Result<(), Errno> {
    if let Directory::Path(path) = dir {
        rustix::process::chroot(path.as_c_str())?;
        return Ok(rustix::process::chdir(c"/")?);
    }
    change_directory(dir, context)?;
    Ok(rustix::process::chroot(c".")?)
}

fn change_directory(dir: &Directory, context: &Context<'_>) -> Result<(), Errno> {
    match dir {
        Directory::Path(path) => Ok(rustix::process::chdir(path.as_c_str())?),
        Directory::Open(fd) => Ok(rustix::process::fchdir(fd)?),
        Directory::Kept => sys::fd::change_directory(context.memo.directory.get()),
    }
}

fn execute_login_shell(context: &Context<'_>) -> Errno {
    let shell = passwd::login_shell(rustix::process::getuid().as_raw());
    context.image.execute_shell(shell.path(), shell.arg0())
}

/// The directory becomes the root of the mount namespace by way of a mount of
/// its own, held by a descriptor, so that this step follows the path only once.
fn pivot_root(path: &CStr) -> Result<(), Errno> {
    let dir = open_dir(path)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(&dir, c"", flags)?;
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(&tree, c"", &dir, c"", both)?;
    rustix::process::fchdir(&tree)?;
    // The old root comes to lie on the new one, and goes: pivot_root(2), NOTES.
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir(c"/")?)
}

fn open_dir(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

fn limit_bounding_set(keep: Capabilities) -> Result<(), Errno> {
    for number in 0..u64::BITS {
        if keep.bits() & (1 << number) != 0 {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(
            1 << number,
        )) {
            // The kernel knows no capability with this number, and none above.
            Err(rustix::io::Errno::INVAL) => break,
            done => done?,
        }
    }
    Ok(())
}

fn set_capabilities(set: Option<Capabilities>) -> Result<(), Errno> {
    let set = match set {
        Some(set) => CapabilitySet::from_bits_retain(set.bits()),
        None => rustix::thread::capabilities(None)?.permitted,
    };
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: set, permitted: set, inheritable: set },
    )?;
    rustix::thread::clear_ambient_capability_set()?;
    for number in Capabilities::from_bits(set.bits()).numbers() {
        rustix::thread::configure_capability_in_ambient_set(
            CapabilitySet::from_bits_retain(1 << number),
            true,
        )?;
    }
    Ok(())
}

/// Marks what is not in `keep`, which is sorted, range by range.
fn close_others(keep: &[i32]) -> Result<(), Errno> {
    let mut first = 0;
    for fd in keep {
        if first < *fd {
            sys::fd::close_on_exec(first, fd - 1)?;
        }
        first = fd + 1;
    }
    sys::fd::close_on_exec(first, i32::MAX)
}
