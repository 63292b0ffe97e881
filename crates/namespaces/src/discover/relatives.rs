//! Asking each namespace for its id, its owner and its parent.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::context::Context;
use super::holder::Holder;
use super::name::Name;
use super::sources::Source;
use super::system::Relation;
use super::table::{Details, Table};
use super::worker::{LINKS, Worker, position};
use crate::errno::Errno;
use crate::kind::Kind;
use crate::sys;

/// The most bytes that are kept of a command line.
const COMMAND_BYTES: usize = 4096;

/// A namespace to be asked, and the ways there.
#[derive(Debug)]
pub(super) struct Question {
    name: Name,
    pid: Option<i32>,
    holders: Vec<Holder>,
    answered: bool,
}

/// What is still to be asked about the namespaces in `table`.
pub(super) fn questions(table: &Table) -> Vec<Question> {
    let question = |(name, entry): (&Name, &super::table::Entry)| Question {
        name: *name,
        pid: entry.pid,
        holders: entry.holders.iter().take(4).cloned().collect(),
        answered: entry.details.is_some(),
    };
    table.entries.iter().map(question).collect()
}

impl Worker<'_> {
    /// Answers one question: opens the namespace by any way there is. `listed`
    /// are those that have a question of their own.
    pub(super) fn answer(&mut self, question: &Question, listed: &HashSet<Name>) {
        let name = question.name;
        if let Some(pid) = question.pid {
            self.work += 4;
            if let Some(fd) = self.open_and_read_command(pid, name, question.answered) {
                return self.examine(name, fd, Some(listed));
            }
        }
        for pid in question.holders.iter().filter_map(Holder::pid) {
            self.command(pid);
        }
        if question.answered {
            return;
        }
        let fd = question.holders.iter().find_map(|holder| open_by(self.context, name, holder));
        match fd {
            Some(fd) => self.examine(name, fd, Some(listed)),
            None => self.table.unreadable.namespaces += 1,
        }
    }

    /// Opens a namespace through a process in it. The directory makes sure
    /// that the command line is that of the same process.
    fn open_and_read_command(&mut self, pid: i32, name: Name, answered: bool) -> Option<OwnedFd> {
        let dir = self.context.process(pid).ok()?;
        self.table.commands.entry(pid).or_insert_with(|| read_command(&dir));
        if answered {
            return None;
        }
        let ns = rustix::fs::openat(&dir, c"ns", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        self.context.open_link(&ns, LINKS[position(name.kind, false)].0, name).ok()
    }

    fn command(&mut self, pid: i32) {
        if !self.table.commands.contains_key(&pid)
            && let Ok(dir) = self.context.process(pid)
        {
            self.table.commands.insert(pid, read_command(&dir));
        }
    }

    /// Asks `fd`, which is `name`, and then those above it that no question is
    /// `listed` for.
    pub(super) fn examine(&mut self, name: Name, fd: OwnedFd, listed: Option<&HashSet<Name>>) {
        let mut rest = vec![(name, fd)];
        while let Some((name, fd)) = rest.pop() {
            if self.table.has_details(name) {
                continue;
            }
            let owner = self.related(&fd, name, sys::nsfs::NS_GET_USERNS, Kind::User);
            let parent = match name.kind {
                Kind::User => Above { relation: owner.relation, fd: None },
                Kind::Pid => self.related(&fd, name, sys::nsfs::NS_GET_PARENT, Kind::Pid),
                _ => Above { relation: Relation::None, fd: None },
            };
            let details = Details {
                ns_id: sys::nsfs::id(fd.as_fd()).ok(),
                owner: owner.relation,
                parent: parent.relation,
                owner_uid: (name.kind == Kind::User).then(|| sys::nsfs::owner_uid(fd.as_fd()).ok()).flatten(),
            };
            self.table.entry(name).details = Some(details);
            for above in [owner, parent] {
                if let (Relation::To(name), Some(fd)) = (above.relation, above.fd)
                    && !listed.is_some_and(|listed| listed.contains(&name))
                {
                    rest.push((name, fd));
                }
            }
        }
    }

    /// Records a namespace that the kernel lists by its 64-bit id.
    pub(super) fn listed(&mut self, ns_id: u64, known: &HashSet<Name>) {
        let open = || {
            // By id alone: kind and inode number may be 0 where there is listns(2).
            let fd = sys::nsfs::open_by_handle(ns_id, 0, 0)?;
            let kind = Kind::from_flag(sys::nsfs::kind_flag(fd.as_fd())?).ok_or(Errno::EINVAL)?;
            Ok::<_, Errno>((Context::name(fd.as_fd(), kind)?, fd))
        };
        match open() {
            Ok((name, fd)) => {
                self.table.entry(name);
                self.examine(name, fd, Some(known));
            }
            // Gone since it was listed, or not for the caller.
            Err(Errno::ESTALE | Errno::ENOENT) => {}
            Err(_) => self.table.unreadable.namespaces += 1,
        }
    }

    fn related(&self, fd: &OwnedFd, name: Name, request: u32, kind: Kind) -> Above {
        if !self.context.wants(Source::Relatives) {
            return Above { relation: Relation::Unknown, fd: None };
        }
        let named = |fd: OwnedFd| Context::name(fd.as_fd(), kind).map(|name| (name, fd)).map_err(Errno::from);
        match sys::nsfs::related(fd.as_fd(), request).and_then(named) {
            Ok((above, fd)) => Above { relation: Relation::To(above), fd: Some(fd) },
            // The kernel answers EPERM both for "none" and for "not for you".
            // Every other namespace has an owner, the initial pid namespace too.
            Err(_) if name.kind == kind && name.is_initial() => Above { relation: Relation::None, fd: None },
            Err(_) => Above { relation: Relation::Unknown, fd: None },
        }
    }
}

/// A namespace above another one.
struct Above {
    relation: Relation,
    fd: Option<OwnedFd>,
}

/// Opens `name` through a process that holds it.
pub(super) fn open_by(context: &Context, name: Name, holder: &Holder) -> Option<OwnedFd> {
    let link = |for_children: bool| LINKS[position(name.kind, for_children)].0.to_str().unwrap_or_default();
    match holder {
        Holder::Process { pid } => {
            context.open(context.process(*pid).ok()?, format!("ns/{}", link(false)), name).ok()
        }
        Holder::ForChildren { pid, tid } => {
            context.open(context.process(*pid).ok()?, format!("task/{tid}/ns/{}", link(true)), name).ok()
        }
        Holder::Thread { pid, tid } => {
            context.open(context.process(*pid).ok()?, format!("task/{tid}/ns/{}", link(false)), name).ok()
        }
        Holder::Fd { pid, fd } => context.open(context.process(*pid).ok()?, format!("fd/{fd}"), name).ok(),
        Holder::Socket { pid, fd } => super::socket::open_namespace(context, *pid, *fd, name),
        Holder::Mount { .. } | Holder::Child(_) | Holder::Owned(_) | Holder::Unseen => None,
    }
}

/// The command line, or the name of the program where that is empty.
fn read_command(dir: &OwnedFd) -> Vec<u8> {
    let read = |file: &std::ffi::CStr| {
        let file = rustix::fs::openat(dir, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut buffer = [0_u8; COMMAND_BYTES];
        let length = rustix::io::read(&file, &mut buffer).ok()?;
        let text = buffer[..length].trim_ascii_end();
        let end = text.iter().rposition(|byte| *byte != 0)?;
        Some(text[..=end].to_vec())
    };
    read(c"cmdline").or_else(|| read(c"comm")).unwrap_or_default()
}
