//! Asking each namespace for its id, its owner and its parent.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::context::Context;
use super::holder::Holder;
use super::name::Name;
use super::sources::Source;
use super::system::Relation;
use super::table::{Details, Table};
use super::worker::{LINKS, Worker, exists, position};
use crate::errno::Errno;
use crate::kind::Kind;
use crate::sys;

/// The most bytes that are kept of a command line.
const COMMAND_BYTES: usize = 4096;

/// Namespaces to be asked, and the ways there.
#[derive(Debug)]
pub(super) enum Question {
    /// Those that have this process in common.
    Process { pid: i32, names: Vec<Name> },
    /// One without a process.
    Other { name: Name, holders: Vec<Holder>, answered: bool },
}

/// What is still to be asked about the namespaces in `table`.
pub(super) fn questions(table: &Table) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut by_pid: HashMap<i32, Vec<Name>> = HashMap::new();
    for (name, entry) in &table.entries {
        let answered = entry.details.is_some();
        if let Some(pid) = entry.pid {
            let names = by_pid.entry(pid).or_default();
            names.extend((!answered).then_some(*name));
        } else {
            let holders = entry.holders.iter().take(4).cloned().collect();
            questions.push(Question::Other { name: *name, holders, answered });
        }
    }
    // Nothing to ask, and the command line known: that is done.
    by_pid.retain(|pid, names| !names.is_empty() || !table.commands.contains_key(pid));
    questions.extend(by_pid.into_iter().map(|(pid, names)| Question::Process { pid, names }));
    questions
}

impl Worker<'_> {
    /// Answers one question: opens each namespace by any way there is.
    /// `listed` are those that have a question of their own.
    pub(super) fn answer(&mut self, question: &Question, listed: &HashSet<Name>) {
        match question {
            Question::Process { pid, names } => self.ask_process(*pid, names, listed),
            Question::Other { name, holders, answered } => {
                for pid in holders.iter().filter_map(Holder::pid) {
                    self.command(pid);
                }
                if !answered {
                    let fd = holders.iter().find_map(|holder| open_by(self.context, *name, holder));
                    match fd {
                        Some(fd) => self.examine(*name, fd, Some(listed)),
                        None => self.table.unreadable.namespaces += 1,
                    }
                }
            }
        }
    }

    /// Opens namespaces through a process in them, and reads its command line
    /// by the same directory: so it is that of the same process.
    fn ask_process(&mut self, pid: i32, names: &[Name], listed: &HashSet<Name>) {
        let Ok(ns) = self.context.ns_of(pid) else {
            return self.table.gone.extend(names);
        };
        self.table.commands.entry(pid).or_insert_with(|| read_command(&ns));
        for name in names {
            self.work += 8;
            match self.context.open_link(&ns, LINKS[position(name.kind, false)].0, *name) {
                Ok(fd) => self.examine(*name, fd, Some(listed)),
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) if exists(&ns) => {
                    self.table.unreadable.namespaces += 1;
                }
                // It ended since, or is in another one now.
                Err(_) => self.table.gone.push(*name),
            }
        }
    }

    fn command(&mut self, pid: i32) {
        if !self.table.commands.contains_key(&pid)
            && let Ok(ns) = self.context.ns_of(pid)
        {
            self.table.commands.insert(pid, read_command(&ns));
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

/// The command line of the process that a `ns` directory belongs to, or the
/// name of the program where that is empty.
fn read_command(ns: &OwnedFd) -> Vec<u8> {
    let read = |file: &CStr| {
        let file = rustix::fs::openat(ns, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut buffer = [0_u8; COMMAND_BYTES];
        let length = rustix::io::read(&file, &mut buffer).ok()?;
        let text = buffer[..length].trim_ascii_end();
        let end = text.iter().rposition(|byte| *byte != 0)?;
        Some(text[..=end].to_vec())
    };
    read(c"../cmdline").or_else(|| read(c"../comm")).unwrap_or_default()
}
