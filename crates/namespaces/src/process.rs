//! A process, held by a pidfd.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use crate::caps::Capabilities;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::idmap::{IdKind, IdMap};
use crate::kind::{Kind, Kinds};
use crate::sys;

/// A process that can't be mistaken for a later one with the same id.
///
/// It holds a pidfd. What only `/proc` can tell is read by number, and
/// believed only if the pidfd says afterwards that the process was still there.
///
/// ```
/// use namespaces::{Kind, Namespace, Process};
///
/// let me = Process::current()?;
/// assert_eq!(me.namespace(Kind::Net)?, Namespace::current(Kind::Net)?);
/// assert!(me.credentials()?.threads >= 1);
/// # Ok::<(), namespaces::Error>(())
/// ```
pub struct Process {
    pidfd: OwnedFd,
    pid: i32,
}

/// What `/proc/PID/status` says of a process's identity and privileges. The
/// ids are those of the reader's user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// Real, effective, saved and file system user id.
    pub uids: [u32; 4],
    /// Real, effective, saved and file system group id.
    pub gids: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The inheritable set.
    pub inheritable: Capabilities,
    /// The permitted set.
    pub permitted: Capabilities,
    /// The effective set.
    pub effective: Capabilities,
    /// The bounding set.
    pub bounding: Capabilities,
    /// The ambient set.
    pub ambient: Capabilities,
    /// Whether `no_new_privs` is set.
    pub no_new_privs: bool,
    /// 0 without seccomp, 1 strict, 2 with a filter.
    pub seccomp: u8,
    /// How many threads the process has.
    pub threads: u32,
    /// Its pid at each level, from the pid namespace of `/proc` downwards.
    pub pids: Vec<i32>,
    /// The parent's pid; 0 if it can't be seen from here.
    pub ppid: i32,
    /// The name, up to 15 bytes, escaped as the file has it.
    pub name: String,
}

impl Process {
    /// The process with this id in the caller's pid namespace.
    ///
    /// # Errors
    ///
    /// [`Error::NoProcess`] if there is none.
    pub fn open(pid: i32) -> Result<Process> {
        // `Pid::from_raw` takes no negative number.
        let raw = if pid > 0 { Pid::from_raw(pid) } else { None };
        let raw =
            raw.ok_or_else(|| Error::invalid("process id", pid.to_string(), "it must be at least 1"))?;
        let pidfd = rustix::process::pidfd_open(raw, PidfdFlags::empty())
            .map_err(|errno| absent(pid, errno.into()))?;
        Ok(Process { pidfd, pid })
    }

    /// The single thread with this id; its namespaces may differ from those of
    /// its process. Linux 6.9 (before, only for the first thread of a process).
    pub fn open_thread(tid: i32) -> Result<Process> {
        match sys::pidfd::open_thread(tid) {
            Err(Errno::EINVAL) if tid > 0 => Process::open(tid),
            pidfd => Ok(Process { pidfd: pidfd.map_err(|errno| absent(tid, errno))?, pid: tid }),
        }
    }

    /// The process with this id whose pidfd has the inode number `inode`:
    /// the form `PID:INODE` that other tools print, safe against reuse of the
    /// id. Linux 6.9.
    ///
    /// # Errors
    ///
    /// [`Error::Recycled`] if the id belongs to another process.
    pub fn open_checked(pid: i32, inode: u64) -> Result<Process> {
        let process = Process::open(pid)?;
        if process.inode()? == inode {
            return Ok(process);
        }
        Err(Error::Recycled { pid })
    }

    /// The calling process.
    pub fn current() -> Result<Process> {
        Process::open(rustix::process::getpid().as_raw_pid())
    }

    pub(crate) fn from_pidfd(pidfd: OwnedFd, pid: i32) -> Process {
        Process { pidfd, pid }
    }

    /// A second handle on the same process.
    pub fn try_clone(&self) -> Result<Process> {
        let pidfd =
            self.pidfd.try_clone().map_err(|error| Error::call("duplicating", self.to_string(), error))?;
        Ok(Process { pidfd, pid: self.pid })
    }

    /// Its id in the caller's pid namespace.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The inode number of the pidfd, unique for each process since Linux 6.9.
    pub fn inode(&self) -> Result<u64> {
        let stat = rustix::fs::fstat(&self.pidfd)
            .map_err(|errno| Error::call("examining", self.to_string(), errno))?;
        Ok(stat.st_ino)
    }

    /// Whether it has not been reaped yet.
    pub fn exists(&self) -> bool {
        // EPERM: it is there, and not ours.
        !matches!(sys::pidfd::send_signal(self.as_fd(), 0), Err(Errno::ESRCH))
    }

    /// Sends it the signal `number`.
    pub fn signal(&self, number: i32) -> Result<()> {
        sys::pidfd::send_signal(self.as_fd(), number)
            .map_err(|errno| Error::call("sending a signal to", self.to_string(), errno))
    }

    /// The namespace of `kind` that it is in.
    pub fn namespace(&self, kind: Kind) -> Result<Namespace> {
        self.namespace_link(kind, false)
    }

    /// The namespace of `kind` that its future children will be in. Differs
    /// from [`namespace`](Process::namespace) only for pid and time.
    pub fn namespace_for_children(&self, kind: Kind) -> Result<Namespace> {
        self.namespace_link(kind, true)
    }

    /// The network namespace that its socket with the descriptor number `fd`
    /// was made in.
    ///
    /// # Errors
    ///
    /// `EBADF` if it has no such descriptor, `EPERM` if the caller may not trace
    /// it, `ENOTTY` if that is no socket.
    pub fn socket_namespace(&self, fd: i32) -> Result<Namespace> {
        let socket = rustix::process::pidfd_getfd(&self.pidfd, fd, PidfdGetfdFlags::empty())
            .map_err(|errno| Error::call("getting", format!("descriptor {fd} of {self}"), errno))?;
        Namespace::of_socket(socket)
    }

    /// The kinds whose namespace is not the calling thread's. One that can't
    /// be read counts as another.
    pub fn kinds_apart(&self) -> Result<Kinds> {
        check_proc()?;
        // A link names its namespace without opening it, many times cheaper.
        let links = |path: &Path| {
            rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(
                |errno| match errno {
                    rustix::io::Errno::NOENT if self.exists() => {
                        Error::call("finding", format!("{self} in /proc, which hides it"), errno)
                    }
                    errno => Error::path("opening", path, errno),
                },
            )
        };
        let (theirs, mine) = (links(&self.proc("ns"))?, links(Path::new("/proc/thread-self/ns"))?);
        let read = |dir: &OwnedFd, kind: Kind| rustix::fs::readlinkat(dir, kind.name(), Vec::new()).ok();
        let apart = |kind: &Kind| {
            let theirs = read(&theirs, *kind);
            theirs.is_none() || theirs != read(&mine, *kind)
        };
        let kinds = Kind::ALL.into_iter().filter(apart).collect();
        if self.exists() { Ok(kinds) } else { Err(Error::NoProcess { pid: self.pid }) }
    }

    fn namespace_link(&self, kind: Kind, for_children: bool) -> Result<Namespace> {
        let link = kind.for_children_name().filter(|_| for_children).unwrap_or(kind.name());
        let object = || format!("{link} namespace of process {}", self.pid);
        match sys::pidfd::namespace(self.as_fd(), kind, for_children) {
            Ok(fd) => Namespace::from_fd(fd),
            // No such ioctl before Linux 6.11.
            Err(Errno::ENOTTY | Errno::EINVAL) => {
                check_proc()?;
                let namespace = Namespace::open(self.proc(&format!("ns/{link}")))?;
                if self.exists() { Ok(namespace) } else { Err(Error::NoProcess { pid: self.pid }) }
            }
            Err(Errno::ESRCH) if !self.exists() => Err(Error::NoProcess { pid: self.pid }),
            Err(errno) => Err(Error::call("opening", object(), errno)),
        }
    }

    /// Its identity and privileges.
    pub fn credentials(&self) -> Result<Credentials> {
        let text = self.read("status")?;
        parse_status(&text).ok_or_else(|| Error::path("understanding", &self.proc("status"), Errno::EPROTO))
    }

    /// The id map of its user namespace, as the caller reads it: ids outside
    /// are those of the caller's user namespace, or of the parent if it is the
    /// caller's own.
    pub fn id_map(&self, kind: IdKind) -> Result<IdMap> {
        let text = self.read(kind.file())?;
        IdMap::from_kernel(&text)
            .ok_or_else(|| Error::path("understanding", &self.proc(kind.file()), Errno::EPROTO))
    }

    /// Whether `setgroups(2)` is allowed in its user namespace.
    pub fn setgroups_allowed(&self) -> Result<bool> {
        Ok(self.read("setgroups")?.trim_end() == "allow")
    }

    /// Whether it handles, ignores or blocks the signal `number`, as `proc` of
    /// [`open_proc`] tells; `None` if that can't be read.
    pub(crate) fn handles(&self, number: i32, proc: BorrowedFd<'_>) -> Option<bool> {
        let path = format!("{}/status", self.pid);
        let file = rustix::fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let status = std::io::read_to_string(std::fs::File::from(file)).ok().filter(|_| self.exists())?;
        let set = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            u64::from_str_radix(line.trim(), 16).ok()
        };
        let sets = [set("SigBlk:")?, set("SigIgn:")?, set("SigCgt:")?];
        Some(sets.iter().any(|set| set & (1 << (number - 1)) != 0))
    }

    /// The text of a file of its `/proc` directory.
    fn read(&self, file: &str) -> Result<String> {
        check_proc()?;
        let path = self.proc(file);
        let text = std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if !self.exists() {
            return Err(Error::NoProcess { pid: self.pid });
        }
        text.map_err(|error| Error::path("reading", &path, error))
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

/// Numbers in `/proc` are those of the pid namespace that it was mounted for.
/// In another they belong to other processes: then nothing is read or written.
pub(crate) fn check_proc() -> Result<()> {
    let link = rustix::fs::readlink("/proc/self", Vec::new());
    let shown = link.map_err(|errno| Error::call("reading", "/proc/self", errno))?;
    let me = rustix::process::getpid().as_raw_pid();
    if shown.to_str().ok().and_then(|pid| pid.parse().ok()) == Some(me) {
        return Ok(());
    }
    Err(Error::invalid(
        "/proc",
        shown.to_string_lossy(),
        "it shows another pid namespace than the caller's; mount a new one",
    ))
}

/// The `/proc` of now, to be read when there may be another in its place.
pub(crate) fn open_proc() -> Result<OwnedFd> {
    check_proc()?;
    rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::call("opening", "/proc", errno))
}

fn absent(pid: i32, errno: Errno) -> Error {
    match errno {
        Errno::ESRCH | Errno::ENOENT | Errno::EINVAL => Error::NoProcess { pid },
        errno => Error::call("opening", format!("process {pid}"), errno),
    }
}

/// Reads the lines of `/proc/PID/status` that [`Credentials`] is made of.
pub(crate) fn parse_status(text: &str) -> Option<Credentials> {
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let numbers = |name: &str| -> Option<Vec<u32>> {
        field(name)?.split_ascii_whitespace().map(|n| n.parse().ok()).collect()
    };
    let caps = |name: &str| Some(Capabilities::from_bits(u64::from_str_radix(field(name)?, 16).ok()?));
    let pids = field("NSpid").or(field("Pid"))?;
    Some(Credentials {
        uids: numbers("Uid")?.try_into().ok()?,
        gids: numbers("Gid")?.try_into().ok()?,
        groups: numbers("Groups")?,
        inheritable: caps("CapInh")?,
        permitted: caps("CapPrm")?,
        effective: caps("CapEff")?,
        bounding: caps("CapBnd")?,
        ambient: caps("CapAmb").unwrap_or_default(),
        no_new_privs: field("NoNewPrivs") == Some("1"),
        seccomp: field("Seccomp").and_then(|n| n.parse().ok()).unwrap_or(0),
        threads: field("Threads")?.parse().ok()?,
        pids: pids.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect(),
        ppid: field("PPid")?.parse().ok()?,
        name: field("Name")?.to_owned(),
    })
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({})", self.pid)
    }
}
