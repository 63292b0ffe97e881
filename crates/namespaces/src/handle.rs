//! A namespace, held by a descriptor.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::process::Process;
use crate::sys;

/// The file system type of namespace files, `NSFS_MAGIC`.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// What tells one namespace from all others.
///
/// Device and inode number are unique among the namespaces that exist at one
/// time; the inode number of one that is gone is used again. The 64-bit id is
/// never used again while the system runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceId {
    /// Device number of nsfs.
    pub dev: u64,
    /// Inode number, the one in `net:[4026531833]`.
    pub ino: u64,
    /// The id of `NS_GET_ID`; `None` before Linux 6.18.
    pub ns_id: Option<u64>,
}

/// A namespace: an open nsfs file and its kind.
///
/// The namespace exists at least as long as this value. Two values are equal
/// if they are the same namespace.
///
/// ```
/// use namespaces::{Kind, Namespace};
///
/// let mine = Namespace::current(Kind::Uts)?;
/// let same = Namespace::open("/proc/self/ns/uts")?;
/// assert_eq!(mine, same);
/// assert_eq!(mine.kind(), Kind::Uts);
/// assert!(mine.to_string().starts_with("uts:["));
/// # Ok::<(), namespaces::Error>(())
/// ```
pub struct Namespace {
    fd: OwnedFd,
    kind: Kind,
    id: NamespaceId,
}

impl Namespace {
    /// Takes over `fd` if it is an nsfs file.
    ///
    /// # Errors
    ///
    /// [`Error::NotNamespace`] if it is not.
    pub fn from_fd(fd: OwnedFd) -> Result<Namespace> {
        Namespace::checked(fd, || "the descriptor".to_owned())
    }

    /// Opens a namespace file: `/proc/PID/ns/KIND` or one that a namespace is
    /// bound to.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if it can't be opened, [`Error::NotNamespace`] if it is
    /// another sort of file.
    pub fn open(path: impl AsRef<Path>) -> Result<Namespace> {
        let path = path.as_ref();
        // Without O_NONBLOCK a fifo would hold us up before we know it is one.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| Error::path("opening", path, errno))?;
        Namespace::checked(fd, || path.display().to_string())
    }

    /// The namespace of `kind` that the calling thread is in.
    pub fn current(kind: Kind) -> Result<Namespace> {
        Namespace::open(format!("/proc/thread-self/ns/{kind}"))
    }

    /// The namespace of `kind` that `process` is in.
    ///
    /// # Errors
    ///
    /// `EACCES` if the caller may not read it (`ptrace(2)`, read mode),
    /// `ESRCH` or `ENOENT` if the process has ended.
    pub fn of_process(process: &Process, kind: Kind) -> Result<Namespace> {
        process.namespace(kind)
    }

    /// The namespace of `kind` that the thread `tid` is in. Threads of one
    /// process can be in different ones, of every kind but user and pid.
    pub fn of_thread(tid: i32, kind: Kind) -> Result<Namespace> {
        Process::open_thread(tid)?.namespace(kind)
    }

    /// The network namespace that a socket was made in.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_ADMIN` in that namespace, `ENOTTY` or
    /// `ENOTTY`-like answers if `socket` is not a socket.
    pub fn of_socket(socket: impl AsFd) -> Result<Namespace> {
        let fd = sys::nsfs::of_socket(socket.as_fd())
            .map_err(|errno| Error::call("asking for the network namespace of", "the socket", errno))?;
        Namespace::from_fd(fd)
    }

    /// Opens the namespace with this kind, 64-bit id and inode number, without
    /// a path or a process. Linux 6.18.
    ///
    /// # Errors
    ///
    /// `ESTALE` if there is none *or* the caller may not open it.
    pub fn from_id(kind: Kind, ns_id: u64, ino: u64) -> Result<Namespace> {
        let object = format!("{kind} namespace with id {ns_id}");
        let inode = u32::try_from(ino).map_err(|_| Error::call("opening", object.clone(), Errno::ESTALE))?;
        let fd = match sys::nsfs::open_by_handle(ns_id, kind.flag(), inode) {
            Err(Errno::EBADF) => {
                return Err(Error::Unsupported { what: "file handles for namespaces", since: "6.18" });
            }
            fd => fd.map_err(|errno| Error::call("opening", object.clone(), errno))?,
        };
        Namespace::checked(fd, || object.clone())
    }

    fn checked(fd: OwnedFd, name: impl Fn() -> String) -> Result<Namespace> {
        let magic = rustix::fs::fstatfs(&fd).map_err(|errno| Error::call("examining", name(), errno))?.f_type;
        if magic.cast_unsigned() != NSFS_MAGIC {
            return Err(Error::NotNamespace { object: name() });
        }
        let flag = sys::nsfs::kind_flag(fd.as_fd())
            .map_err(|errno| Error::call("asking for the kind of", name(), errno))?;
        let kind = Kind::from_flag(flag).ok_or_else(|| Error::NotNamespace { object: name() })?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| Error::call("examining", name(), errno))?;
        let ns_id = sys::nsfs::id(fd.as_fd()).ok();
        Ok(Namespace { fd, kind, id: NamespaceId { dev: stat.st_dev, ino: stat.st_ino, ns_id } })
    }

    /// The same, but only if it is of `kind`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] if it is not.
    pub fn expect(self, kind: Kind) -> Result<Namespace> {
        if self.kind == kind {
            return Ok(self);
        }
        Err(Error::WrongKind { object: self.to_string(), expected: kind, found: self.kind })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What tells it from all others.
    pub fn id(&self) -> NamespaceId {
        self.id
    }

    /// A second handle on the same namespace.
    pub fn try_clone(&self) -> Result<Namespace> {
        let fd = self.fd.try_clone().map_err(|error| Error::call("duplicating", self.to_string(), error))?;
        Ok(Namespace { fd, kind: self.kind, id: self.id })
    }

    /// The user namespace that owns this one; for a user namespace, its parent.
    ///
    /// # Errors
    ///
    /// `EPERM` if the owner is not the caller's user namespace or below it.
    pub fn owner(&self) -> Result<Namespace> {
        self.related("asking for the owner of", sys::nsfs::NS_GET_USERNS)
    }

    /// The parent, for a user or pid namespace.
    ///
    /// # Errors
    ///
    /// `EINVAL` for the other kinds; `EPERM` if the parent is not the caller's
    /// own namespace or below it.
    pub fn parent(&self) -> Result<Namespace> {
        self.related("asking for the parent of", sys::nsfs::NS_GET_PARENT)
    }

    fn related(&self, doing: &'static str, request: u32) -> Result<Namespace> {
        let fd = sys::nsfs::related(self.as_fd(), request)
            .map_err(|errno| Error::call(doing, self.to_string(), errno))?;
        Namespace::from_fd(fd)
    }

    /// The user id that owns this user namespace, as the caller's user
    /// namespace sees it (65534 if it has no name there).
    ///
    /// # Errors
    ///
    /// `EINVAL` for the other kinds: ask the [`owner`](Namespace::owner).
    pub fn owner_uid(&self) -> Result<u32> {
        sys::nsfs::owner_uid(self.as_fd())
            .map_err(|errno| Error::call("asking for the owner uid of", self.to_string(), errno))
    }

    /// The caller's name for process `pid` of this pid namespace. Linux 6.11.
    ///
    /// # Errors
    ///
    /// `ESRCH` if it has no such process, or the caller can't see it.
    pub fn pid_to_caller(&self, pid: i32) -> Result<i32> {
        self.translate(sys::nsfs::NS_GET_PID_FROM_PIDNS, pid)
    }

    /// The name in this pid namespace for the process that the caller calls `pid`.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process, or it is not in this namespace.
    pub fn pid_from_caller(&self, pid: i32) -> Result<i32> {
        self.translate(sys::nsfs::NS_GET_PID_IN_PIDNS, pid)
    }

    fn translate(&self, request: u32, pid: i32) -> Result<i32> {
        sys::nsfs::translate_pid(self.as_fd(), request, pid).map_err(|errno| match errno {
            // Some releases answer ENOTTY for a pid that is not there.
            Errno::ENOTTY if self.kind == Kind::Pid => Error::NoProcess { pid },
            errno => Error::call("translating a pid with", self.to_string(), errno),
        })
    }

    /// The mount namespace with the next higher id among those that the caller
    /// may see; `None` after the last. Linux 6.12.
    pub fn next_mnt(&self) -> Result<Option<Namespace>> {
        match sys::nsfs::adjacent_mnt(self.as_fd(), true) {
            Ok((fd, _)) => Namespace::from_fd(fd).map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::call("asking for the mount namespace after", self.to_string(), errno)),
        }
    }

    /// The mount namespace with the next lower id; `None` before the first. Linux 6.12.
    pub fn previous_mnt(&self) -> Result<Option<Namespace>> {
        match sys::nsfs::adjacent_mnt(self.as_fd(), false) {
            Ok((fd, _)) => Namespace::from_fd(fd).map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::call("asking for the mount namespace before", self.to_string(), errno)),
        }
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Namespace> for OwnedFd {
    fn from(namespace: Namespace) -> OwnedFd {
        namespace.fd
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Namespace) -> bool {
        self.id == other.id
    }
}

impl Eq for Namespace {}

impl Hash for Namespace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for Namespace {
    /// As the link in `/proc/PID/ns` reads: `net:[4026531833]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[{}]", self.kind, self.id.ino)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({self}, id {:?})", self.id.ns_id)
    }
}
