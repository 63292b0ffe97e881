//! What every part of the search needs.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::path::{Arg, DecInt};

use super::Discovery;
use super::name::{Name, decimal};
use super::path::ProcPath;
use super::sources::Source;
use crate::error::{Error, Result};
use crate::kind::Kind;

/// Directories and files of `/proc` that are only walked through.
const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// The open `/proc`, the device number of nsfs, and what to look for.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) proc: OwnedFd,
    pub(super) dev: u64,
    pub(super) wanted: Discovery,
    /// The namespaces of the process that it is only about, if it is about one.
    pub(super) only: Option<Vec<Name>>,
    /// The caller's pid as `/proc` numbers it.
    pub(super) me: i32,
    /// Whether `/proc` numbers processes as the caller's system calls do. If
    /// it belongs to another pid namespace, a pid read there must not be used.
    pub(super) same_pids: bool,
}

impl Context {
    pub(super) fn new(wanted: Discovery) -> Result<Context> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::open(c"/proc", flags, Mode::empty())
            .map_err(|errno| Error::call("opening", "/proc", errno))?;
        let own = rustix::fs::statat(&proc, c"self/ns/user", AtFlags::empty())
            .map_err(|errno| Error::call("examining", "/proc/self/ns/user", errno))?;
        let mut buffer = [0_u8; 32];
        let me = rustix::fs::readlinkat_raw(&proc, c"self", &mut buffer)
            .map_err(|errno| Error::call("reading", "/proc/self", errno))?;
        let me = decimal(&buffer[..me]).and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
        let same_pids = me == rustix::process::getpid().as_raw_pid();
        Ok(Context { proc, dev: own.st_dev, wanted, only: None, me, same_pids })
    }

    pub(super) fn wants(&self, source: Source) -> bool {
        self.wanted.sources.contains(source)
    }

    pub(super) fn wants_kind(&self, kind: Kind) -> bool {
        self.wanted.kinds.contains(kind)
    }

    /// Whether `name` is one that it is about.
    pub(super) fn is_about(&self, name: Name) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&name))
    }

    /// `/proc`, opened once more.
    pub(super) fn again(&self) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(&self.proc, c".", PATH | OFlags::DIRECTORY, Mode::empty())
    }

    /// The directory of a process, which stays that of this process.
    pub(super) fn process(&self, pid: i32) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(&self.proc, DecInt::new(pid), PATH | OFlags::DIRECTORY, Mode::empty())
    }

    /// The `ns` directory of a process.
    pub(super) fn ns_of(&self, pid: i32) -> rustix::io::Result<OwnedFd> {
        let mut path = ProcPath::process(pid);
        rustix::fs::openat(&self.proc, path.of("ns"), PATH | OFlags::DIRECTORY, Mode::empty())
    }

    /// Whether a file is a namespace, by the device it is on.
    pub(super) fn is_nsfs(&self, major: u32, minor: u32) -> bool {
        rustix::fs::makedev(major, minor) == self.dev
    }

    /// Opens the namespace `name` if it is what `path` leads to.
    ///
    /// What lies there may have been replaced since it was found, by a device
    /// for instance, whose opening does something: so look first.
    pub(super) fn open(&self, dir: impl AsFd, path: impl Arg, name: Name) -> rustix::io::Result<OwnedFd> {
        let found = rustix::fs::openat(dir, path, PATH, Mode::empty())?;
        self.reopen(&found, name)
    }

    /// Makes a usable descriptor of one that only names a file.
    pub(super) fn reopen(&self, found: &OwnedFd, name: Name) -> rustix::io::Result<OwnedFd> {
        self.expect(found.as_fd(), name)?;
        let path = format!("self/fd/{}", found.as_raw_fd());
        rustix::fs::openat(&self.proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    }

    /// Opens a link in a `ns` directory, which can be nothing but a namespace.
    pub(super) fn open_link(&self, dir: impl AsFd, link: &str, name: Name) -> rustix::io::Result<OwnedFd> {
        let fd = rustix::fs::openat(dir, link, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        self.expect(fd.as_fd(), name)?;
        Ok(fd)
    }

    fn expect(&self, fd: BorrowedFd<'_>, name: Name) -> rustix::io::Result<()> {
        let stat = rustix::fs::fstat(fd)?;
        if (stat.st_dev, stat.st_ino) == (self.dev, name.ino) {
            Ok(())
        } else {
            Err(rustix::io::Errno::STALE)
        }
    }

    /// The name of an open namespace of this kind.
    pub(super) fn name(fd: BorrowedFd<'_>, kind: Kind) -> rustix::io::Result<Name> {
        Ok(Name::new(kind, rustix::fs::fstat(fd)?.st_ino))
    }
}
