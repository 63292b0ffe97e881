//! Reading one process after the other, by one thread.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, StatxFlags};
use rustix::io::Errno;

use super::context::Context;
use super::holder::Holder;
use super::name::{Name, decimal};
use super::path::ProcPath;
use super::socket::Sockets;
use super::sources::Source;
use super::table::Table;
use crate::kind::Kind;

/// The links of a `ns` directory, and whether each tells of future children.
/// User and pid come first: all threads of a process share them.
const LINKS: [(&str, Kind, bool); 10] = [
    ("user", Kind::User, false),
    ("pid", Kind::Pid, false),
    ("cgroup", Kind::Cgroup, false),
    ("ipc", Kind::Ipc, false),
    ("mnt", Kind::Mnt, false),
    ("net", Kind::Net, false),
    ("uts", Kind::Uts, false),
    ("time", Kind::Time, false),
    ("pid_for_children", Kind::Pid, true),
    ("time_for_children", Kind::Time, true),
];

/// The position in [`LINKS`] of the link for a kind.
fn position(kind: Kind, for_children: bool) -> usize {
    LINKS.iter().position(|link| (link.1, link.2) == (kind, for_children)).unwrap_or(0)
}

/// The name of the link for a kind.
pub(super) fn link(kind: Kind, for_children: bool) -> &'static str {
    LINKS[position(kind, for_children)].0
}

/// What the links of one `ns` directory read.
type Names = [Option<Name>; LINKS.len()];

/// Longer than any link to a namespace or socket.
const LINK_BYTES: usize = 48;

/// One thread of the search, and what it has found.
pub(super) struct Worker<'a> {
    pub(super) context: &'a Context,
    /// `/proc`: an open file of each thread's own, since counting its users
    /// would cost more if two processors did it.
    pub(super) proc: BorrowedFd<'a>,
    pub(super) table: Table,
    pub(super) sockets: Sockets,
    /// How many links were read: the measure of work done.
    pub(super) work: usize,
}

/// Why the links of a process could not be read.
enum Failure {
    /// It has ended: nothing to say about it.
    Gone,
    /// The caller may not.
    Denied,
}

impl<'a> Worker<'a> {
    pub(super) fn new(context: &'a Context) -> Worker<'a> {
        let proc = context.proc.as_fd();
        Worker { context, proc, table: Table::default(), sockets: Sockets::default(), work: 0 }
    }

    /// Records all that process `pid` holds.
    pub(super) fn process(&mut self, pid: i32) {
        match self.read_process(pid) {
            Ok(()) | Err(Failure::Gone) => {}
            Err(Failure::Denied) => self.table.unreadable.processes += 1,
        }
    }

    fn read_process(&mut self, pid: i32) -> Result<(), Failure> {
        let mut path = ProcPath::process(pid);
        let names = self.links(&mut path, false)?;
        if self.context.wants(Source::Processes) {
            self.members(pid, &names);
        }
        if self.context.wants(Source::Children) {
            self.for_children(&names, pid, pid);
        }
        if self.context.wants(Source::Threads) {
            self.threads(&mut path, pid, &names);
        }
        if self.context.wants(Source::Fds) || self.context.wants(Source::Sockets) {
            self.descriptors(&mut path, pid, names[position(Kind::Net, false)])?;
        }
        Ok(())
    }

    /// The namespaces of one process, whatever else is looked for, or `None` if
    /// they may not be read.
    pub(super) fn namespaces_of(&mut self, pid: i32) -> rustix::io::Result<Option<Vec<Name>>> {
        let mut path = ProcPath::process(pid);
        rustix::fs::statat(self.proc, path.of(""), AtFlags::empty())?;
        match self.links(&mut path, false) {
            Ok(names) => {
                self.members(pid, &names);
                let own = names.iter().zip(LINKS).filter(|(_, link)| !link.2);
                Ok(Some(own.filter_map(|(name, _)| *name).collect()))
            }
            Err(Failure::Gone) => Err(Errno::NOENT),
            Err(Failure::Denied) => {
                self.table.unreadable.processes += 1;
                Ok(None)
            }
        }
    }

    /// Records process `pid` as one of those that are in these namespaces.
    fn members(&mut self, pid: i32, names: &Names) {
        for name in names.iter().zip(LINKS).filter(|(_, link)| !link.2).filter_map(|(name, _)| *name) {
            if self.context.is_about(name) {
                let entry = self.table.entry(name);
                entry.process(pid);
                if self.context.wanted.members == Some(name.ino) {
                    entry.members.push(pid);
                }
            }
        }
    }

    /// Reads the links of a `ns` directory. A process that has ended but was
    /// not reaped yet has only some.
    fn links(&mut self, path: &mut ProcPath, thread: bool) -> Result<Names, Failure> {
        let (context, proc) = (self.context, self.proc);
        let mut names = Names::default();
        let first = if thread { 2 } else { 0 };
        for (i, (link, kind, for_children)) in LINKS.iter().enumerate().skip(first) {
            if !context.wants_kind(*kind) || *for_children && !context.wants(Source::Children) {
                continue;
            }
            let mut buffer = [0_u8; LINK_BYTES];
            self.work += 1;
            match rustix::fs::readlinkat_raw(proc, path.of_parts("ns/", link), &mut buffer) {
                Ok(length) => names[i] = Name::from_link(&buffer[..length]),
                // Of a process that is gone the kernel says the same.
                Err(Errno::ACCESS | Errno::PERM)
                    if rustix::fs::statat(proc, path.of("ns"), AtFlags::empty()).is_ok() =>
                {
                    return Err(Failure::Denied);
                }
                // Neither will there be any other.
                Err(Errno::NOENT | Errno::SRCH) if i == 0 => return Err(Failure::Gone),
                Err(_) => {}
            }
        }
        Ok(names)
    }

    fn for_children(&mut self, names: &Names, pid: i32, tid: i32) {
        for kind in [Kind::Pid, Kind::Time] {
            let children = names[position(kind, true)];
            if let Some(name) = children.filter(|name| names[position(kind, false)] != Some(*name)) {
                self.table.entry(name).hold(Holder::ForChildren { pid, tid });
            }
        }
    }

    /// Records where the other threads are elsewhere than the first.
    fn threads(&mut self, path: &mut ProcPath, pid: i32, first: &Names) {
        let proc = self.proc;
        // A directory has two links and one from each directory in it, so this
        // tells how many threads there are without listing them.
        let Ok(stat) = rustix::fs::statat(proc, path.of("task"), AtFlags::empty()) else { return };
        if stat.st_nlink <= 3 {
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(tasks) = rustix::fs::openat(proc, path.of("task"), flags, Mode::empty()) else { return };
        each_number(&tasks, |tid, _| {
            if tid == pid {
                return;
            }
            let Ok(mut names) = self.links(&mut ProcPath::thread(pid, tid), true) else { return };
            for (i, (_, _, for_children)) in LINKS.iter().enumerate() {
                if let Some(name) = names[i].filter(|name| !for_children && first[i] != Some(*name)) {
                    self.table.entry(name).hold(Holder::Thread { pid, tid });
                }
            }
            if !self.context.wants(Source::Children) {
                return;
            }
            // Pid was not read: it is that of the process. What the process
            // says of its children need not be said again.
            names[position(Kind::Pid, false)] = first[position(Kind::Pid, false)];
            for kind in [Kind::Pid, Kind::Time] {
                let i = position(kind, true);
                names[i] = names[i].filter(|name| first[i] != Some(*name));
            }
            self.for_children(&names, pid, tid);
        });
    }

    /// Records the open descriptors that are namespaces or sockets.
    fn descriptors(&mut self, path: &mut ProcPath, pid: i32, net: Option<Name>) -> Result<(), Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fds = match rustix::fs::openat(self.proc, path.of("fd"), flags, Mode::empty()) {
            // One that has ended and waits for its parent: it has none, and
            // the directory belongs to root.
            Err(Errno::ACCESS) if self.has_ended(path) => return Ok(()),
            fds => fds.map_err(failure)?,
        };
        self.sockets.turn_to(pid);
        each_number(&fds, |fd, name| {
            // One that was closed meanwhile is none.
            let _ = self.descriptor(&fds, name, pid, fd, net);
        });
        Ok(())
    }

    /// Records descriptor `fd` of process `pid`, which is `name` in `fds`, if it
    /// is one of those.
    fn descriptor(
        &mut self,
        fds: &OwnedFd,
        name: &CStr,
        pid: i32,
        fd: i32,
        net: Option<Name>,
    ) -> rustix::io::Result<()> {
        self.work += 1;
        // Half the cost of reading the link, which spells out a path. What
        // the kernel knows will do: no server of files is asked.
        let mask = StatxFlags::TYPE | StatxFlags::INO;
        let stat = rustix::fs::statx(fds, name, AtFlags::STATX_DONT_SYNC, mask)?;
        if FileType::from_raw_mode(stat.stx_mode.into()).is_socket() {
            if self.context.wants(Source::Sockets) && self.context.wants_kind(Kind::Net) {
                self.work += 3;
                self.socket(pid, fd, stat.stx_ino, net);
            }
        } else if self.context.wants(Source::Fds)
            && self.context.is_nsfs(stat.stx_dev_major, stat.stx_dev_minor)
        {
            let mut buffer = [0_u8; LINK_BYTES];
            let length = rustix::fs::readlinkat_raw(fds, name, &mut buffer)?;
            let name = Name::from_link(&buffer[..length]);
            if let Some(name) = name.filter(|name| self.context.wants_kind(name.kind)) {
                self.table.entry(name).hold(Holder::Fd { pid, fd });
            }
        }
        Ok(())
    }

    /// Whether a process whose user namespace can be read has given up the others.
    fn has_ended(&self, path: &mut ProcPath) -> bool {
        let mut buffer = [0_u8; LINK_BYTES];
        let link = rustix::fs::readlinkat_raw(self.proc, path.of_parts("ns/", "mnt"), &mut buffer);
        link == Err(Errno::NOENT)
    }
}

/// Whether the process or thread is there that a directory in its own,
/// `ns` or `fd`, belongs to.
pub(super) fn exists(dir: &OwnedFd) -> bool {
    rustix::fs::statat(dir, c"../ns", AtFlags::empty()).is_ok()
}

fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::ACCESS | Errno::PERM => Failure::Denied,
        _ => Failure::Gone,
    }
}

/// A buffer that holds fewer entries has room for more: each takes 24 or 32
/// bytes, its name being a number or one of the words in `/proc`, at most 48.
const FULL: usize = 8192 / 48 - 1;

/// Calls `each` with every entry of a directory of `/proc` that is a number.
/// A process that ends meanwhile ends the list.
pub(super) fn each_number(dir: impl AsFd, mut each: impl FnMut(i32, &CStr)) {
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let fd: BorrowedFd<'_> = dir.as_fd();
    let mut entries = RawDir::new(fd, &mut buffer);
    let mut count = 0;
    while let Some(Ok(entry)) = entries.next() {
        count += 1;
        let number = decimal(entry.file_name().to_bytes()).and_then(|number| i32::try_from(number).ok());
        if let Some(number) = number {
            each(number, entry.file_name());
        }
        if entries.is_buffer_empty() {
            // The kernel fills the buffer: with so few, that was the end.
            if count < FULL {
                break;
            }
            count = 0;
        }
    }
}
