//! The namespaces of this machine, and what keeps each of them alive.
//!
//! [`Discovery`] says where to look, [`Discovery::scan`] looks, and the
//! [`System`] it gives back holds one [`Found`] for each namespace, with its
//! owner, its parent, its processes and its [`Holder`]s.
//!
//! ```
//! use namespaces::discover::{Discovery, Name};
//! use namespaces::{Kind, Namespace};
//!
//! let system = Discovery::new().scan()?;
//! let mine = Namespace::current(Kind::Uts)?;
//! let found = system.get(Name::from(&mine)).unwrap();
//! assert!(found.processes >= 1);
//! for found in &system {
//!     println!("{} {:?} {:?}", found.name, found.pid, found.holders);
//! }
//! # Ok::<(), namespaces::Error>(())
//! ```
//!
//! # What is found
//!
//! | a namespace held only by | is found | and needs |
//! |---|---|---|
//! | a process, or the future children of one | yes | ptrace access to it (`ptrace(2)`, read mode) |
//! | a thread | yes | the same |
//! | an open descriptor | yes | the same |
//! | a socket | yes | ptrace attach, Linux 5.6; `CAP_NET_ADMIN` in the namespace |
//! | a mount, in any mount namespace | yes | a process or thread there, or `CAP_SYS_ADMIN` |
//! | a child, or what it owns | yes | to be in it or above it |
//! | a descriptor in flight in a unix socket | if it is a mount namespace; Linux 6.19: all | `CAP_SYS_ADMIN`, the initial pid namespace |
//! | a thread's own descriptor table | no | |
//! | a detached mount, a tun device, a queued `io_uring` request | only as above | |
//! | a mount outside the root directory of the process it is read from | only as above | |
//!
//! What the caller may not read is counted in [`Unreadable`]. A process that
//! ends meanwhile is no error; its namespaces may then be in the answer or not.
//!
//! # Cost
//!
//! Linear in processes, threads and descriptors; some 20 µs for each process
//! and 4 µs for each socket. With many processes a second thread helps. Memory
//! grows with the number of namespaces and sockets, not of processes.

mod context;
mod facts;
mod holder;
mod mounts;
mod name;
mod path;
mod relatives;
mod socket;
mod sources;
mod spread;
mod system;
mod table;
mod worker;

use std::collections::HashSet;

pub use facts::{Ask, Facts, Seen};
pub use holder::Holder;
pub use name::Name;
pub use sources::{Source, Sources};
pub use system::{Found, Relation, System, Unreadable};

use self::context::Context;
use self::spread::spread;
use self::table::Table;
use self::worker::Worker;
use crate::error::{Error, Result};
use crate::kind::{Kind, Kinds};
use crate::sys;

/// Where to look for which namespaces, and what to learn of them. The default
/// is everywhere, for all, and all there is.
#[derive(Clone, Copy, Debug)]
pub struct Discovery {
    kinds: Kinds,
    sources: Sources,
    ask: Ask,
    facts: Facts,
    members: Option<u64>,
    process: Option<i32>,
}

impl Default for Discovery {
    fn default() -> Discovery {
        Discovery {
            kinds: Kinds::ALL,
            sources: Sources::ALL,
            ask: Ask::All,
            facts: Facts::default(),
            members: None,
            process: None,
        }
    }
}

impl Discovery {
    /// Everywhere, for all kinds.
    pub fn new() -> Discovery {
        Discovery::default()
    }

    /// Only namespaces of these kinds, and the user namespaces that own them.
    #[must_use]
    pub fn kinds(mut self, kinds: impl Into<Kinds>) -> Discovery {
        self.kinds = kinds.into();
        self
    }

    /// Only in these places.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Discovery {
        self.sources = sources;
        self
    }

    /// Asks only these for id, owner and parent, which are unknown of the others.
    #[must_use]
    pub fn ask(mut self, ask: Ask) -> Discovery {
        self.ask = ask;
        self
    }

    /// What to learn of processes, for [`System::process`].
    #[must_use]
    pub fn facts(mut self, facts: Facts) -> Discovery {
        self.facts = facts;
        self
    }

    /// Names all processes in the namespaces with this inode number:
    /// [`Found::members`].
    #[must_use]
    pub fn members(mut self, ino: u64) -> Discovery {
        self.members = Some(ino);
        self
    }

    /// Only the namespaces that this process is in, read from the process
    /// itself. Of the sources only the other processes are looked at, for how
    /// many are in each, and even these only if they are among the sources.
    #[must_use]
    pub fn of_process(mut self, pid: i32) -> Discovery {
        self.process = Some(pid);
        self
    }

    /// Looks.
    ///
    /// # Errors
    ///
    /// `ENOENT` or the like if there is no `/proc`; [`Error::NoProcess`] if
    /// there is not the process that it is to be about.
    pub fn scan(&self) -> Result<System> {
        let mut context = Context::new(*self)?;
        let mut table = match self.process {
            Some(pid) => of_process(&mut context, pid)?,
            None => processes(&context),
        };
        let own = mounts::own();
        if context.wants_kind(Kind::Mnt) && context.wants(Source::Kernel) {
            walk(&context, &mut table, own.as_ref());
        }
        if context.wants(Source::Mounts) || context.wants(Source::OwnMounts) {
            read_mounts(&context, &mut table, own.as_ref().map(Name::from));
        }
        ask(&mut context, &mut table);
        if context.wants(Source::Kernel) {
            list(&context, &mut table);
        }
        hold_relatives(&mut table);
        Ok(System::new(context, table))
    }
}

/// The namespaces of one process, and who else is in them.
fn of_process(context: &mut Context, pid: i32) -> Result<Table> {
    let mut worker = Worker::new(context);
    let names = worker.namespaces_of(pid).map_err(|_| Error::NoProcess { pid })?;
    let mut table = worker.table;
    context.only = Some(names.unwrap_or_default());
    let processes = context.wants(Source::Processes) && !table.entries.is_empty();
    let keep = [(Source::Processes, processes), (Source::OwnMounts, true), (Source::Relatives, true)];
    let kept = keep.into_iter().filter(|(source, keep)| *keep && context.wants(*source));
    context.wanted.sources = kept.map(|(source, _)| source).collect();
    if processes {
        table.merge(others(context, &mut pids(context), pid));
    }
    Ok(table)
}

fn processes(context: &Context) -> Table {
    let reading = [Source::Processes, Source::Children, Source::Threads, Source::Fds, Source::Sockets];
    if !reading.into_iter().any(|source| context.wants(source)) {
        return Table::default();
    }
    let mut pids = pids(context);
    let mut table = Table::default();
    // Every pid namespace has a pid 1, and the caller's is alive.
    table.unreadable.hidden = !pids.contains(&1);
    // The caller first, by one thread: later the other one may have a
    // namespace open for a moment, which would then be seen as held.
    if pids.contains(&context.me) {
        let mut first = Worker::new(context);
        first.process(context.me);
        table.merge(first.table);
    }
    table.merge(others(context, &mut pids, context.me));
    table
}

fn pids(context: &Context) -> Vec<i32> {
    let mut pids = Vec::with_capacity(256);
    worker::each_number(&context.proc, |pid, _| pids.push(pid));
    pids
}

/// All processes but `known`.
fn others(context: &Context, pids: &mut Vec<i32>, known: i32) -> Table {
    pids.retain(|pid| *pid != known);
    spread(context, pids, |worker, pid| worker.process(*pid))
}

fn names(table: &Table) -> HashSet<Name> {
    table.entries.keys().copied().collect()
}

/// Asks the kernel for one mount namespace after the other.
fn walk(context: &Context, table: &mut Table, own: Option<&crate::Namespace>) {
    let Some(own) = own else { return };
    let known = names(table);
    let mut worker = Worker::new(context);
    mounts::walk(own, |name, fd| {
        if known.contains(&name) {
            return;
        }
        worker.table.entry(name);
        let copy = fd.try_clone();
        worker.examine(name, fd, Some(&known));
        if let Some(copy) = copy.ok().filter(|_| context.wants(Source::Mounts)) {
            worker.mounts_of(name, copy, &known);
        }
    });
    table.merge(worker.table);
}

fn read_mounts(context: &Context, table: &mut Table, own: Option<Name>) {
    let known = names(table);
    let mut tasks = Vec::new();
    if context.wants(Source::Mounts) {
        tasks = mounts::tasks(context, table, own);
    }
    if let Some(own) = own.filter(|own| !known.contains(own) || tasks.is_empty()) {
        tasks.push(mounts::Task::own(own, context.me));
    }
    table.merge(spread(context, &tasks, |worker, task| worker.mounts(task, &known)));
}

/// Asks each namespace for its id, owner and parent, and reads what is wanted
/// of the processes.
fn ask(context: &mut Context, table: &mut Table) {
    let listed = names(table);
    // Again for those whose first process has ended meanwhile.
    for _ in 0..=table::SPARES {
        look_again(context, table);
        let questions = relatives::questions(context, table);
        table.merge(spread(context, &questions, |worker, question| worker.answer(question, &listed)));
        if table.gone.is_empty() {
            break;
        }
        table.forget_gone();
    }
    for name in table.count_out() {
        table.forget_if_empty(name);
    }
}

/// Looks for other processes in the namespaces whose known ones have all ended.
fn look_again(context: &mut Context, table: &mut Table) {
    let lost = table.count_out();
    if lost.is_empty() {
        return;
    }
    let (only, sources) = (context.only.replace(lost.clone()), context.wanted.sources);
    context.wanted.sources = Sources::EMPTY.with(Source::Processes);
    let unreadable = table.unreadable;
    table.merge(spread(context, &pids(context), |worker, pid| worker.process(*pid)));
    table.unreadable = unreadable;
    for name in lost {
        table.forget_if_empty(name);
    }
    context.only = only;
    context.wanted.sources = sources;
}

/// Asks the kernel for the ids of all namespaces, and opens those that no
/// other source has led to.
fn list(context: &Context, table: &mut Table) {
    let known: HashSet<u64> =
        table.entries.values().filter_map(|entry| entry.details.as_ref()?.ns_id).collect();
    let listed = names(table);
    let mut worker = Worker::new(context);
    let mut ids = [0_u64; 512];
    let mut after = 0;
    while let Ok(count) = sys::listns::listns(after, context.wanted.kinds.flags(), &mut ids) {
        for id in &ids[..count] {
            if !known.contains(id) {
                worker.listed(*id, &listed);
            }
        }
        match ids[..count].last() {
            Some(last) if *last > after => after = *last,
            _ => break,
        }
    }
    table.merge(worker.table);
}

/// Each namespace holds its parent and its owner.
fn hold_relatives(table: &mut Table) {
    let mut names: Vec<Name> = table.entries.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        let Some(details) = table.entries.get(&name).and_then(|entry| entry.details.clone()) else {
            continue;
        };
        if let Relation::To(parent) = details.parent {
            table.entry(parent).hold(Holder::Child(name));
        }
        if let (Relation::To(owner), true) = (details.owner, name.kind != Kind::User) {
            table.entry(owner).hold(Holder::Owned(name));
        }
    }
}
