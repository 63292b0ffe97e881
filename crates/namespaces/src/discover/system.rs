//! What was found.

use std::collections::HashMap;

use super::context::Context;
use super::facts::Seen;
use super::holder::Holder;
use super::name::Name;
use super::table::{Entry, Table};
use super::{mounts, relatives};
use crate::error::{Error, Result};
use crate::handle::Namespace;
use crate::kind::Kind;

/// The answer to "which namespace is its owner" or "its parent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// There is none: no other kind than user and pid has a parent, and the
    /// initial user namespace has no owner.
    None,
    /// This one.
    To(Name),
    /// There is one, but the caller may not know it, or was told not to ask.
    Unknown,
}

impl Relation {
    /// The namespace, if there is one and it is known.
    pub const fn name(self) -> Option<Name> {
        match self {
            Relation::To(name) => Some(name),
            Relation::None | Relation::Unknown => None,
        }
    }
}

/// One namespace that was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// Kind and inode number.
    pub name: Name,
    /// The 64-bit id; `None` before Linux 6.18 or if it could not be opened.
    pub ns_id: Option<u64>,
    /// The user namespace that owns it; the parent for a user namespace.
    pub owner: Relation,
    /// The parent of a user or pid namespace.
    pub parent: Relation,
    /// The user who made it, or rather who made the user namespace that owns
    /// it, as the caller's user namespace names it. For a user namespace, who
    /// made that.
    pub owner_uid: Option<u32>,
    /// The process with the lowest pid of those in it.
    pub pid: Option<i32>,
    /// How many processes are in it, as far as can be seen.
    pub processes: u32,
    /// All processes in it, in ascending order, if
    /// [`Discovery::members`](super::Discovery::members) asked for them.
    pub members: Vec<i32>,
    /// What keeps it alive. At most 64 of each sort, and
    /// 1024 mounts.
    pub holders: Vec<Holder>,
    /// How many holders more there are.
    pub holders_omitted: u32,
}

/// How much there is that the caller may not read. Where all is zero, the
/// answer is complete as far as the sources go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Processes whose namespaces and descriptors could not be read.
    pub processes: u32,
    /// Sockets whose network namespace could not be asked for.
    pub sockets: u32,
    /// Mount namespaces whose mounts could not be read.
    pub mount_namespaces: u32,
    /// Namespaces that were seen but could not be opened.
    pub namespaces: u32,
    /// Whether `/proc` hides the processes of others, how many so ever: the
    /// mount option `hidepid` of `proc(5)`.
    pub hidden: bool,
}

impl Unreadable {
    /// Whether nothing was unreadable.
    pub fn is_empty(self) -> bool {
        self == Unreadable::default()
    }

    pub(super) fn add(&mut self, other: Unreadable) {
        self.processes += other.processes;
        self.sockets += other.sockets;
        self.mount_namespaces += other.mount_namespaces;
        self.namespaces += other.namespaces;
        self.hidden |= other.hidden;
    }
}

/// The namespaces of this machine, as [`Discovery::scan`](super::Discovery::scan) found them.
///
/// It holds no descriptors: a namespace in it may be gone when it is read.
#[derive(Debug)]
pub struct System {
    context: Context,
    found: Vec<Found>,
    index: HashMap<Name, usize>,
    seen: HashMap<i32, Seen>,
    unreadable: Unreadable,
}

impl System {
    pub(super) fn new(context: Context, table: Table) -> System {
        let mut found: Vec<Found> =
            table.entries.into_iter().map(|(name, entry)| finish(name, entry)).collect();
        found.sort_unstable_by_key(|found| found.name);
        let index = found.iter().enumerate().map(|(i, found)| (found.name, i)).collect();
        let mut system = System { context, found, index, seen: table.seen, unreadable: table.unreadable };
        system.owner_uids();
        system
    }

    /// The owner of a namespace that is not a user namespace is who made the
    /// user namespace.
    fn owner_uids(&mut self) {
        for i in 0..self.found.len() {
            if self.found[i].name.kind != Kind::User && self.found[i].owner_uid.is_none() {
                let owner = self.found[i].owner.name().and_then(|name| self.get(name));
                self.found[i].owner_uid = owner.and_then(|owner| owner.owner_uid);
            }
        }
    }

    /// Each namespace, sorted by kind and inode number.
    pub fn iter(&self) -> std::slice::Iter<'_, Found> {
        self.found.iter()
    }

    /// How many namespaces there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The one with this name.
    pub fn get(&self, name: Name) -> Option<&Found> {
        self.index.get(&name).map(|i| &self.found[*i])
    }

    /// Those with this inode number: at most one, but for moments.
    pub fn by_inode(&self, ino: u64) -> impl Iterator<Item = &Found> {
        Kind::ALL.into_iter().filter_map(move |kind| self.get(Name::new(kind, ino)))
    }

    /// The one with this 64-bit id.
    pub fn by_id(&self, ns_id: u64) -> Option<&Found> {
        self.found.iter().find(|found| found.ns_id == Some(ns_id))
    }

    /// What was learnt of a process that is a member of a namespace, its first
    /// one, or a holder.
    pub fn process(&self, pid: i32) -> Option<&Seen> {
        self.seen.get(&pid)
    }

    /// Its command line: arguments separated by NUL bytes; the name of the
    /// program if it has none. At most 8191 bytes.
    pub fn command(&self, pid: i32) -> Option<&[u8]> {
        let command = self.seen.get(&pid)?.command.as_deref()?.trim_ascii_end();
        Some(&command[..command.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)])
    }

    /// What could not be read.
    pub fn unreadable(&self) -> Unreadable {
        self.unreadable
    }

    /// Opens a namespace that was found, if it is still there.
    ///
    /// # Errors
    ///
    /// `ESTALE` if it is gone or the caller may not open it.
    pub fn open(&self, name: Name) -> Result<Namespace> {
        let stale = || Error::call("opening", name.to_string(), rustix::io::Errno::STALE);
        self.open_in(name, 0).ok_or_else(stale)
    }

    fn open_in(&self, name: Name, depth: u32) -> Option<Namespace> {
        let found = self.get(name)?;
        let by_id = || Namespace::from_id(name.kind, found.ns_id?, name.ino).ok();
        by_id()
            .or_else(|| found.holders.iter().find_map(|holder| self.open_by(name, holder, depth)))
            .filter(|namespace| Name::from(namespace) == name)
    }

    fn open_by(&self, name: Name, holder: &Holder, depth: u32) -> Option<Namespace> {
        // User and pid namespaces nest 32 deep at most.
        if depth > 33 {
            return None;
        }
        match holder {
            Holder::Child(child) => self.open_in(*child, depth + 1)?.parent().ok(),
            Holder::Owned(owned) => self.open_in(*owned, depth + 1)?.owner().ok(),
            Holder::Unseen => None,
            Holder::Mount { within, path } => {
                let fd = if mounts::own().is_some_and(|own| Name::from(&own) == *within) {
                    mounts::open_here(&self.context, path, name)
                } else if let Some(pid) = self.get(*within)?.pid {
                    mounts::open_through(&self.context, pid, path, name)
                } else {
                    let within = self.open_in(*within, depth + 1)?;
                    mounts::open_within(&self.context, &within, path, name)
                };
                Namespace::from_fd(fd?).ok()
            }
            holder => {
                relatives::open_by(&self.context, name, holder).and_then(|fd| Namespace::from_fd(fd).ok())
            }
        }
    }
}

impl<'a> IntoIterator for &'a System {
    type Item = &'a Found;
    type IntoIter = std::slice::Iter<'a, Found>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn finish(name: Name, entry: Entry) -> Found {
    let holders_omitted = entry.omitted();
    let mut holders = entry.holders;
    holders.sort_by_key(|holder| (holder.sort(), holder.pid()));
    if let Some(pid) = entry.pid {
        holders.insert(0, Holder::Process { pid });
    }
    if holders.is_empty() {
        holders.push(Holder::Unseen);
    }
    let mut members = entry.members;
    members.sort_unstable();
    let unknown = if name.is_initial() { Relation::None } else { Relation::Unknown };
    let details = entry.details;
    Found {
        name,
        ns_id: details.as_ref().and_then(|d| d.ns_id),
        owner: details.as_ref().map_or(unknown, |d| d.owner),
        parent: details.as_ref().map_or(
            if matches!(name.kind, Kind::User | Kind::Pid) { unknown } else { Relation::None },
            |d| d.parent,
        ),
        owner_uid: details.and_then(|d| d.owner_uid),
        pid: entry.pid,
        processes: entry.processes,
        members,
        holders,
        holders_omitted,
    }
}
