//! How each step is taken in a new process. See `child` for what may be used here.

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::child::Context;
use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::idmap::{IdKind, IdMap};
use crate::kind::Kind;
use crate::plan::{JoinTarget, Step};
use crate::spawn::Propagation;
use crate::sys::{self, signal};

/// Takes one step.
pub(super) fn perform(step: &Step, context: &Context<'_>) -> Result<(), Errno> {
    match step {
        Step::Undumpable => Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?),
        Step::Join(target) => join(target),
        Step::ParentDeathSignal(number) => parent_death_signal(*number, context),
        Step::DenySetgroups => write_file(c"/proc/self/setgroups", b"deny"),
        Step::WriteMap { kind, map, .. } => write_map(*kind, map),
        Step::UnshareTime => sys::setns::unshare(Kind::Time.flag()),
        Step::TimeOffsets(text) => write_file(c"/proc/self/timens_offsets", text.to_bytes()),
        Step::EnterTime => enter_time(),
        Step::Hostname(name) => Ok(rustix::system::sethostname(name.to_bytes())?),
        Step::Domainname(name) => Ok(rustix::system::setdomainname(name.to_bytes())?),
        Step::LoopbackUp => sys::net::loopback_up(),
        Step::Propagation(mode) => propagate(*mode),
        Step::MountProc { root } => mount_proc(root.as_deref()),
        Step::Chroot(path) => {
            rustix::process::chroot(path.as_c_str())?;
            Ok(rustix::process::chdir(c"/")?)
        }
        Step::PivotRoot(path) => pivot_root(path),
        Step::Chdir(path) => Ok(rustix::process::chdir(path.as_c_str())?),
        Step::NewSession => Ok(rustix::process::setsid().map(drop)?),
        Step::Groups { groups, if_allowed } => match sys::cred::setgroups(groups) {
            Err(Errno::EPERM) if *if_allowed => Ok(()),
            done => done,
        },
        Step::KeepCapabilities => Ok(rustix::thread::set_keep_capabilities(true)?),
        Step::BoundingSet(keep) => limit_bounding_set(*keep),
        Step::Gid(gid) => sys::cred::setgid(*gid),
        Step::Uid(uid) => sys::cred::setuid(*uid),
        Step::Capabilities(set) => set_capabilities(*set),
        Step::NoNewPrivs => Ok(rustix::thread::set_no_new_privs(true)?),
        Step::Descriptors(_) => context.moves.iter().try_for_each(|(from, to)| sys::fd::place(*from, *to)),
        Step::CloseOthers(keep) => close_others(keep),
        Step::Signals => {
            // The runtime of Rust ignores it, and programs expect the default.
            signal::reset(libc::SIGPIPE);
            signal::set_mask(context.mask);
            Ok(())
        }
        Step::Execute { .. } => {
            if context.caller_is_gone() {
                return Err(Errno::ESRCH);
            }
            Err(context.image.execute())
        }
        Step::Clone { .. } | Step::Pin { .. } | Step::Init => Err(Errno::EINVAL),
    }
}

fn join(target: &JoinTarget) -> Result<(), Errno> {
    match target {
        JoinTarget::Process { process, kinds } => sys::setns::setns(process.as_fd(), kinds.flags()),
        JoinTarget::Namespaces(namespaces) => {
            // A privileged caller loses its privileges over the others when it
            // joins the user namespace; an unprivileged one gets them only
            // there. So: what goes before, then user, then the rest.
            let mut left: u64 = 0;
            for (i, namespace) in namespaces.iter().enumerate().take(64) {
                let user = namespace.kind() == Kind::User;
                if user || sys::setns::setns(namespace.as_fd(), namespace.kind().flag()).is_err() {
                    left |= 1 << i;
                }
            }
            for user in [true, false] {
                for (i, namespace) in namespaces.iter().enumerate() {
                    if (namespace.kind() == Kind::User) == user && (i >= 64 || left & (1 << i) != 0) {
                        sys::setns::setns(namespace.as_fd(), namespace.kind().flag())?;
                    }
                }
            }
            Ok(())
        }
    }
}

fn parent_death_signal(number: i32, context: &Context<'_>) -> Result<(), Errno> {
    let signal = Signal::from_named_raw(number).ok_or(Errno::EINVAL)?;
    rustix::process::set_parent_process_death_signal(Some(signal))?;
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

/// Mounts a proc on `root`/proc. The path is followed as it will be seen from
/// inside: a link in a prepared root can't lead out of it.
fn mount_proc(root: Option<&CStr>) -> Result<(), Errno> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let Some(root) = root else {
        return Ok(rustix::mount::mount(c"proc", c"/proc", c"proc", flags, None)?);
    };
    let root = open_dir(root)?;
    let proc = rustix::fs::openat2(
        &root,
        c"proc",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    )?;
    let mut path = Text::<32>::new();
    write!(path, "/proc/self/fd/{}\0", proc.as_raw_fd()).map_err(|_| Errno::EINVAL)?;
    let path = CStr::from_bytes_with_nul(path.bytes()).map_err(|_| Errno::EINVAL)?;
    Ok(rustix::mount::mount(c"proc", path, c"proc", flags, None)?)
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

/// Text made without allocating.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    fn new() -> Text<N> {
        Text { bytes: [0; N], length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
