//! Asking each namespace for its id, its owner and its parent.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};

use super::context::Context;
use super::facts::{Ask, Facts, Seen};
use super::holder::Holder;
use super::name::Name;
use super::sources::Source;
use super::system::Relation;
use super::table::{Details, Table};
use super::worker::{Worker, exists, link};
use crate::errno::Errno;
use crate::kind::Kind;
use crate::sys;

/// Namespaces to be asked, and the ways there.
#[derive(Debug)]
pub(super) enum Question {
    /// Those that have this process in common.
    Process { pid: i32, names: Vec<Name> },
    /// One without a process.
    Other { name: Name, holders: Vec<Holder>, answered: bool },
}

/// What is still to be asked about the namespaces in `table`.
pub(super) fn questions(context: &Context, table: &Table) -> Vec<Question> {
    let (ask, facts) = (context.wanted.ask, context.wanted.facts);
    let mut questions = Vec::new();
    let mut by_pid: HashMap<i32, Vec<Name>> = HashMap::new();
    for (name, entry) in &table.entries {
        let answered = entry.details.is_some();
        if let Some(pid) = entry.pid {
            let known = table.seen.contains_key(&pid) || !facts.of_members();
            if (ask == Ask::All && !answered) || !known {
                by_pid.entry(pid).or_default().push(*name);
            }
            let unknown = entry.members.iter().filter(|pid| !table.seen.contains_key(pid));
            for pid in unknown {
                by_pid.entry(*pid).or_default();
            }
        } else if (!answered && ask != Ask::Nothing) || facts.holders {
            let holders = entry.holders.iter().take(4).cloned().collect();
            questions.push(Question::Other { name: *name, holders, answered });
        }
    }
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
                if self.context.wanted.facts.holders {
                    holders.iter().filter_map(Holder::pid).for_each(|pid| self.look_at(pid));
                }
                if !answered && self.context.wanted.ask != Ask::Nothing {
                    let fd = holders.iter().find_map(|holder| open_by(self.context, *name, holder));
                    match fd {
                        Some(fd) => self.examine(*name, fd, Some(listed)),
                        None => self.table.unreadable.namespaces += 1,
                    }
                }
            }
        }
    }

    /// Opens namespaces through a process in them, and reads what is wanted of
    /// it by the same directory: so all is of the same process.
    fn ask_process(&mut self, pid: i32, names: &[Name], listed: &HashSet<Name>) {
        let wanted = self.context.wanted;
        let Ok(ns) = self.context.ns_of(pid) else {
            return self.table.gone.extend(names);
        };
        self.table.seen.entry(pid).or_insert_with(|| Seen::read(&ns, wanted.facts));
        if wanted.ask != Ask::All {
            // Nothing was opened that would tell whether it ended meanwhile.
            if !names.is_empty() && !exists(&ns) {
                self.table.gone.extend(names);
            }
            return;
        }
        for name in names {
            self.work += 8;
            match self.context.open_link(&ns, link(name.kind, false), *name) {
                Ok(fd) => self.examine(*name, fd, Some(listed)),
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) if exists(&ns) => {
                    self.table.unreadable.namespaces += 1;
                }
                // It ended since, or is in another one now.
                Err(_) => self.table.gone.push(*name),
            }
        }
    }

    /// Reads the command line of a process that holds something.
    fn look_at(&mut self, pid: i32) {
        if !self.table.seen.contains_key(&pid)
            && let Ok(ns) = self.context.ns_of(pid)
        {
            let facts = Facts { command: true, ..Facts::NONE };
            self.table.seen.insert(pid, Seen::read(&ns, facts));
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
            // Who made the user namespace that owns it. That one is asked only if
            // all are, or if nothing else is known of it.
            let user = match name.kind {
                Kind::User => Some(&fd),
                _ if self.context.wanted.ask == Ask::WithoutProcess => owner.fd.as_ref(),
                _ => None,
            };
            let details = Details {
                ns_id: sys::nsfs::id(fd.as_fd()).ok(),
                owner: owner.relation,
                parent: parent.relation,
                owner_uid: user.and_then(|user| sys::nsfs::owner_uid(user.as_fd()).ok()),
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
    let link = |for_children: bool| link(name.kind, for_children);
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
