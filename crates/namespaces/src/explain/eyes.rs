//! Who looks: what a process can see of itself and of others, as calls.

use std::ffi::CStr;
use std::fmt;
use std::io::Read;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, SeekFrom, StatxFlags, statx};

use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::error::Error;
use crate::handle::Namespace;
use crate::kind::{Kind, Kinds};
use crate::sys::probe::{self, Call, Outcome};
use crate::sys::{self, statmount};

/// Looks at the machine as one process sees it. The calling thread does so by itself; another
/// one can be looked through, if it makes these calls for the asker.
///
/// Paths are absolute, `/proc/thread-self/status` for instance, and mean what they mean to
/// that process.
pub trait Eyes: fmt::Debug {
    /// The bytes of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, Errno>;
    /// What a link says.
    fn read_link(&self, path: &str) -> Result<String, Errno>;
    /// Whether a file is a directory, and whose it is.
    fn stat(&self, path: &str) -> Result<(bool, u32), Errno>;
    /// The namespace of a file, or one that `ioctl_nsfs(2)` leads to from there.
    fn namespace(&self, path: &str, way: &[Upward]) -> Result<NamespaceSeen, Errno>;
    /// `NS_GET_PID_FROM_PIDNS`: the number here of a process of a pid namespace.
    fn pid_from(&self, path: &str, pid: i32) -> Result<i32, Errno>;
    /// Opens a file of `/proc/PID` for writing, and closes it again.
    fn may_write(&self, path: &str) -> Result<(), Errno>;
    /// `kcmp(2)`: whether two processes share something.
    fn share(&self, one: i32, other: i32, what: Shared) -> Result<bool, Errno>;
    /// `unshare(2)` of memory or signal handlers: whether the calling thread shares them with
    /// nobody. Nothing is changed either way.
    fn alone(&self, what: Shared) -> Result<bool, Errno>;
    /// What the kernel answers to a write that sets no id map, for what it checks before.
    fn map_refuses(&self, path: &str, write: EmptyWrite) -> Result<Errno, Errno>;
    /// What `clone3(2)` of new namespaces is refused with that asks for number 1 in so many pid
    /// namespaces, the deepest first. In the caller's own, to be among them, it is taken, so that
    /// no process is made. With `CLONE_VM`, so that no clocks are fixed.
    fn clone_taken(&self, kinds: Kinds, levels: usize) -> Result<Errno, Errno>;
    /// Makes these calls in a child that ends at once. `Err` where no child can be made.
    fn attempt(&self, calls: &[Attempt<'_>]) -> Result<Attempted, Errno>;
    /// The numbers in `/proc` of so many processes.
    fn processes(&self, most: usize) -> Result<Vec<i32>, Errno>;
    /// `PR_GET_SECUREBITS`
    fn securebits(&self) -> Result<u32, Errno>;
    /// `capget(2)`: the effective capabilities.
    fn effective(&self) -> Result<Capabilities, Errno>;
    /// `PR_GET_SECCOMP`: 0 without, 2 with a filter.
    fn seccomp(&self) -> Result<u32, Errno>;
    /// `mount(2)` with two propagation types for the root directory, which is `EINVAL` to who may
    /// change mounts. Nothing is changed.
    fn may_mount(&self) -> Result<bool, Errno>;
    /// `PR_GET_DUMPABLE`
    fn dumpable(&self) -> Result<bool, Errno>;
    /// `RLIMIT_NPROC`, the soft limit; `None` for none.
    fn nproc(&self) -> Result<Option<u64>, Errno>;
    /// `lsm_list_modules(2)`
    fn security_modules(&self) -> Result<Vec<u64>, Errno>;
    /// `STATX_MNT_ID` and `STATX_ATTR_MOUNT_ROOT`: the mount that a path leads to, as
    /// mountinfo numbers it, and whether to its root.
    fn mount_of(&self, path: &str) -> Result<(u64, bool), Errno>;
    /// `NS_MNT_GET_INFO`: how many mounts the mount namespace has, without the first.
    fn mounts(&self) -> Result<u32, Errno>;
    /// `FITHAW` on a directory of a file system that can't be frozen: whether the caller holds
    /// `CAP_SYS_ADMIN` in the user namespace that it was mounted from. Nothing is changed.
    fn may_administer(&self, path: &str) -> Result<bool, Errno>;
    /// `statmount(2)`: how many mounts lie between the root directory's and the first of
    /// the mount namespace, that one counted.
    fn mounts_below_root(&self) -> Result<usize, Errno>;
    /// `statmount(2)`: whether the mount that a path leads to is in the own mount namespace.
    fn is_mounted_here(&self, path: &str) -> Result<bool, Errno>;
}

/// A write to `uid_map` or `gid_map` that the kernel refuses at one check or the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyWrite {
    /// Not at the start of the file: `EINVAL` says that who writes is in the user namespace
    /// or its parent.
    PastStart,
    /// A line that is none: `EINVAL` says that there is no map yet, and that who writes
    /// holds `CAP_SYS_ADMIN`.
    NoLine,
}

/// A call that a child makes, which harms nobody there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<'a> {
    /// `unshare(2)` of this kind.
    Unshare(Kind),
    /// `mount(2)` with `MS_PRIVATE` and `MS_REC` on the root.
    PrivateMounts,
    /// `umount2(2)` with `MNT_DETACH`.
    Detach(&'a CStr),
}

/// What came of the calls of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// All went.
    Done,
    /// The one at this place was refused, and none after it was made.
    Refused(usize, Errno),
}

/// What processes can share, of what `kcmp(2)` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Shared {
    /// `KCMP_VM`: memory.
    Memory = 1,
    /// `KCMP_FS`: root and working directory.
    Fs = 3,
    /// `KCMP_SIGHAND`: signal handlers.
    Handlers = 4,
}

/// A step up from a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upward {
    /// `NS_GET_USERNS`: the user namespace that owns it, or is its parent.
    Owner,
    /// `NS_GET_PARENT`: the parent of a user or pid namespace.
    Parent,
}

/// What is seen of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceSeen {
    /// Its kind.
    pub kind: Kind,
    /// Its inode number.
    pub inode: u64,
    /// For a user namespace: whose it is, in the numbering of who looks.
    pub owner_uid: Option<u32>,
}

impl fmt::Display for NamespaceSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[{}]", self.kind, self.inode)
    }
}

impl EmptyWrite {
    /// What is written, and where.
    pub const fn bytes(self) -> (&'static [u8], u64) {
        match self {
            EmptyWrite::PastStart => (b"-", 1),
            EmptyWrite::NoLine => (b"-", 0),
        }
    }
}

/// The calling thread's own.
#[derive(Debug)]
pub(super) struct Own;

/// Nothing that is read here is longer, but for a mountinfo of very many mounts.
const MOST: u64 = 64 << 20;
/// No tree of mounts is as deep.
const DEEPEST: usize = 4096;

/// A fifo in place of a file must not hold us up.
pub(super) const READ: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

pub(super) fn read_all(file: std::fs::File) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn errno(error: &Error) -> Errno {
    error.errno().unwrap_or(Errno::EINVAL)
}

impl Eyes for Own {
    fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        read_all(rustix::fs::openat(CWD, path, READ, Mode::empty())?.into())
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        let link = rustix::fs::readlink(path, Vec::new())?;
        link.into_string().map_err(|_| Errno::EILSEQ)
    }

    fn stat(&self, path: &str) -> Result<(bool, u32), Errno> {
        // Without waiting for a server or an automounter.
        let flags = AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        let stat = statx(CWD, path, flags, StatxFlags::TYPE | StatxFlags::UID)?;
        Ok((FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory, stat.stx_uid))
    }

    fn namespace(&self, path: &str, way: &[Upward]) -> Result<NamespaceSeen, Errno> {
        let mut at = Namespace::open(path).map_err(|error| errno(&error))?;
        for step in way {
            let above = match step {
                Upward::Owner => at.owner(),
                Upward::Parent => at.parent(),
            };
            at = above.map_err(|error| errno(&error))?;
        }
        let owner_uid = if at.kind() == Kind::User { at.owner_uid().ok() } else { None };
        Ok(NamespaceSeen { kind: at.kind(), inode: at.id().ino, owner_uid })
    }

    fn pid_from(&self, path: &str, pid: i32) -> Result<i32, Errno> {
        let ns = Namespace::open(path).map_err(|error| errno(&error))?;
        ns.pid_to_caller(pid).map_err(|error| match error {
            Error::NoProcess { .. } => Errno::ESRCH,
            error => errno(&error),
        })
    }

    fn may_write(&self, path: &str) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(rustix::fs::openat(CWD, path, flags, Mode::empty()).map(drop)?)
    }

    fn share(&self, one: i32, other: i32, what: Shared) -> Result<bool, Errno> {
        probe::same(one, other, what as usize)
    }

    fn alone(&self, what: Shared) -> Result<bool, Errno> {
        probe::alone(what)
    }

    fn map_refuses(&self, path: &str, write: EmptyWrite) -> Result<Errno, Errno> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let (text, at) = write.bytes();
        // These files have no pwrite.
        rustix::fs::seek(&file, SeekFrom::Start(at))?;
        match rustix::io::write(&file, text) {
            Ok(_) => Err(Errno::EIO),
            Err(refused) => Ok(refused.into()),
        }
    }

    fn clone_taken(&self, kinds: Kinds, levels: usize) -> Result<Errno, Errno> {
        probe::clone_taken(kinds.flags().into(), levels).map_or_else(Ok, |()| Err(Errno::EIO))
    }

    fn attempt(&self, calls: &[Attempt<'_>]) -> Result<Attempted, Errno> {
        use nsproxy::uapi::{MNT_DETACH, MS_PRIVATE, MS_REC};
        let calls: Vec<Call<'_>> = calls
            .iter()
            .map(|call| match call {
                Attempt::Unshare(kind) => Call::Unshare(kind.flag().into()),
                Attempt::PrivateMounts => Call::Mount(c"none", c"/", c"", MS_PRIVATE | MS_REC, c""),
                Attempt::Detach(path) => Call::Umount(path, MNT_DETACH),
            })
            .collect();
        match probe::in_child(&calls) {
            Outcome::Done => Ok(Attempted::Done),
            Outcome::Refused(at, errno) => Ok(Attempted::Refused(at, errno)),
            Outcome::NoChild(errno) => Err(errno),
            Outcome::Killed => Err(Errno::EIO),
        }
    }

    fn processes(&self, most: usize) -> Result<Vec<i32>, Errno> {
        let names =
            std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(names.take(most).collect())
    }

    fn securebits(&self) -> Result<u32, Errno> {
        Ok(rustix::thread::capabilities_secure_bits()?.bits())
    }

    fn effective(&self) -> Result<Capabilities, Errno> {
        Ok(Capabilities::from_bits(rustix::thread::capabilities(None)?.effective.bits()))
    }

    fn seccomp(&self) -> Result<u32, Errno> {
        Ok(rustix::thread::secure_computing_mode()? as u32)
    }

    fn may_mount(&self) -> Result<bool, Errno> {
        match probe::two_propagations() {
            Err(Errno::EPERM) => Ok(false),
            Err(Errno::EINVAL) => Ok(true),
            Err(errno) => Err(errno),
            Ok(()) => Err(Errno::EIO),
        }
    }

    fn dumpable(&self) -> Result<bool, Errno> {
        use rustix::process::DumpableBehavior;
        Ok(matches!(rustix::process::dumpable_behavior()?, DumpableBehavior::Dumpable))
    }

    fn nproc(&self) -> Result<Option<u64>, Errno> {
        Ok(rustix::process::getrlimit(rustix::process::Resource::Nproc).current)
    }

    fn security_modules(&self) -> Result<Vec<u64>, Errno> {
        sys::probe::lsm_list_modules()
    }

    fn mount_of(&self, path: &str) -> Result<(u64, bool), Errno> {
        /// `STATX_MNT_ID`
        const MNT_ID: u32 = 0x1000;
        /// `STATX_ATTR_MOUNT_ROOT`
        const MOUNT_ROOT: u64 = 0x2000;
        let stat = statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::from_bits_retain(MNT_ID))?;
        if stat.stx_mask & MNT_ID == 0 {
            return Err(Errno::ENOSYS);
        }
        Ok((stat.stx_mnt_id, stat.stx_attributes.bits() & MOUNT_ROOT != 0))
    }

    fn mounts(&self) -> Result<u32, Errno> {
        let own = Namespace::current(Kind::Mnt).map_err(|error| errno(&error))?;
        Ok(sys::nsfs::mnt_info(own.as_fd())?.nr_mounts)
    }

    fn may_administer(&self, path: &str) -> Result<bool, Errno> {
        let dir = rustix::fs::openat(CWD, path, READ | OFlags::DIRECTORY, Mode::empty())?;
        match probe::thaw(dir.as_fd()) {
            Err(Errno::EPERM) => Ok(false),
            Err(Errno::EINVAL) => Ok(true),
            Err(errno) => Err(errno),
            Ok(()) => Err(Errno::EIO),
        }
    }

    fn mounts_below_root(&self) -> Result<usize, Errno> {
        let mut at = statmount::mount_id("/")?;
        for depth in 0..DEEPEST {
            let parent = statmount::parent(at)?;
            if parent == at {
                return Ok(depth);
            }
            at = parent;
        }
        Err(Errno::ELOOP)
    }

    fn is_mounted_here(&self, path: &str) -> Result<bool, Errno> {
        match statmount::parent(statmount::mount_id(path)?) {
            // That is for those below the root only.
            Ok(_) | Err(Errno::EPERM) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}
