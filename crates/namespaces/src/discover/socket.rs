//! The network namespace of a socket that belongs to another process.
//!
//! A socket keeps its network namespace alive, and nothing in `/proc` says
//! which one that is: a copy of the socket has to be asked. Each socket is
//! asked once, however many processes share it, and only for a number, the
//! cookie of the namespace (Linux 5.14), which costs neither a privilege nor a
//! new descriptor. `SIOCGSKNS` follows only for a cookie not seen before.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::AtFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use super::context::Context;
use super::holder::Holder;
use super::name::Name;
use super::worker::Worker;
use crate::errno::Errno;
use crate::kind::Kind;
use crate::sys;

/// What one thread of the search knows of sockets.
#[derive(Default)]
pub(super) struct Sockets {
    /// By inode number; `None` where the answer was no.
    known: HashMap<u64, Option<Name>>,
    /// By cookie.
    namespaces: HashMap<u64, Option<Name>>,
    /// The process that is being read, once it was needed.
    process: Option<OwnedFd>,
    pid: i32,
    started: bool,
}

impl Sockets {
    /// From now on the sockets are those of `pid`.
    pub(super) fn turn_to(&mut self, pid: i32) {
        self.process = None;
        self.pid = pid;
    }

    /// The caller's own namespace needs no privilege: a new socket is in it.
    fn start(&mut self, context: &Context) {
        self.started = true;
        let own = || {
            let socket =
                rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
            let cookie = sys::net::netns_cookie(socket.as_fd())?;
            let stat = rustix::fs::statat(&context.proc, c"thread-self/ns/net", AtFlags::empty())?;
            Ok::<_, Errno>((cookie, Name::new(Kind::Net, stat.st_ino)))
        };
        if let Ok((cookie, name)) = own() {
            self.namespaces.insert(cookie, Some(name));
        }
    }
}

impl Worker<'_> {
    /// Records descriptor `fd` of process `pid`, socket number `inode`, if it
    /// is in another network namespace than the process, which is in `net`.
    pub(super) fn socket(&mut self, pid: i32, fd: i32, inode: u64, net: Option<Name>) {
        let Some(name) = self.namespace_of(fd, inode) else { return };
        if net != Some(name) {
            self.table.entry(name).hold(Holder::Socket { pid, fd });
        }
    }

    /// The network namespace of a socket; `None` if it will not say, or is gone.
    fn namespace_of(&mut self, fd: i32, inode: u64) -> Option<Name> {
        if let Some(known) = self.sockets.known.get(&inode) {
            return *known;
        }
        let name = match self.ask(fd, inode) {
            Ok(name) => name,
            // Closed or replaced meanwhile: it may come again.
            Err(Errno::EBADF | Errno::ESRCH | Errno::ENOTSOCK) => return None,
            Err(_) => {
                self.table.unreadable.sockets += 1;
                None
            }
        };
        self.sockets.known.insert(inode, name);
        name
    }

    fn ask(&mut self, fd: i32, inode: u64) -> Result<Option<Name>, Errno> {
        if !self.sockets.started {
            self.sockets.start(self.context);
        }
        let process = match self.sockets.process.take() {
            Some(process) => process,
            None => open(self.context, self.sockets.pid)?,
        };
        let socket = rustix::process::pidfd_getfd(&process, fd, PidfdGetfdFlags::empty());
        self.sockets.process = Some(process);
        let socket = socket?;
        // The number may belong to another process by now.
        if rustix::fs::fstat(&socket)?.st_ino != inode {
            return Err(Errno::EBADF);
        }
        let cookie = sys::net::netns_cookie(socket.as_fd()).ok();
        if let Some(known) = cookie.and_then(|cookie| self.sockets.namespaces.get(&cookie)) {
            return Ok(*known);
        }
        let namespace = sys::nsfs::of_socket(socket.as_fd())?;
        let name = Context::name(namespace.as_fd(), Kind::Net)?;
        if let Some(cookie) = cookie {
            self.sockets.namespaces.insert(cookie, Some(name));
        }
        // Nothing but the socket may lead to it: ask all there is to ask now.
        self.table.entry(name);
        self.examine(name, namespace, None);
        Ok(Some(name))
    }
}

/// A pidfd for the process with this number.
fn open(context: &Context, pid: i32) -> Result<OwnedFd, Errno> {
    let number = Pid::from_raw(pid).filter(|_| context.same_pids).ok_or(Errno::EPERM)?;
    Ok(rustix::process::pidfd_open(number, PidfdFlags::empty())?)
}

/// Opens `name` through a socket of it.
pub(super) fn open_namespace(context: &Context, pid: i32, fd: i32, name: Name) -> Option<OwnedFd> {
    let process = open(context, pid).ok()?;
    let socket = rustix::process::pidfd_getfd(&process, fd, PidfdGetfdFlags::empty()).ok()?;
    let namespace = sys::nsfs::of_socket(socket.as_fd()).ok()?;
    (Context::name(namespace.as_fd(), Kind::Net).ok()? == name).then_some(namespace)
}
