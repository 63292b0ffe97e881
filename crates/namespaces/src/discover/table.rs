//! The namespaces found so far, while looking.

use std::collections::HashMap;

use super::facts::Seen;
use super::holder::Holder;
use super::name::Name;
use super::system::{Relation, Unreadable};

/// The most holders of one sort that are kept for one namespace: what is
/// wanted is why it lives, and a list without an end would not say it better.
/// Files more, because people look for a namespace by them.
const fn most(sort: usize) -> u32 {
    if sort == Holder::MOUNT { 1024 } else { 64 }
}

/// What the namespace itself answers.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) ns_id: Option<u64>,
    pub(super) owner: Relation,
    pub(super) parent: Relation,
    pub(super) owner_uid: Option<u32>,
}

/// How many processes of a namespace are known beside the first: where many
/// come and go, the first ones may all have ended when they are asked.
pub(super) const SPARES: usize = 4;

/// One namespace.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) processes: u32,
    /// The lowest pid.
    pub(super) pid: Option<i32>,
    /// Some of the others, in case that one ends, and the next.
    spares: [Option<i32>; SPARES],
    /// All of them, if they are asked for.
    pub(super) members: Vec<i32>,
    pub(super) holders: Vec<Holder>,
    counts: [u32; Holder::SORTS],
    pub(super) details: Option<Details>,
}

impl Entry {
    pub(super) fn process(&mut self, pid: i32) {
        self.processes += 1;
        self.know(pid);
    }

    /// Keeps the lowest pid as such, and others as there is room.
    fn know(&mut self, pid: i32) {
        let known = self.pid.replace(self.pid.map_or(pid, |known| known.min(pid)));
        let other = known.map(|known| known.max(pid));
        if let Some(slot) = self.spares.iter_mut().find(|slot| slot.is_none()) {
            *slot = other;
        }
    }

    /// Turns to another process than the one that has ended.
    fn next(&mut self) {
        self.processes = self.processes.saturating_sub(1);
        self.pid = self.spares.iter().flatten().min().copied();
        if let Some(slot) = self.spares.iter_mut().find(|slot| **slot == self.pid) {
            *slot = None;
        }
    }

    pub(super) fn hold(&mut self, holder: Holder) {
        // Sockets of one process come one after the other.
        if let (Some(Holder::Socket { pid: before, .. }), Holder::Socket { pid, .. }) =
            (self.holders.last(), &holder)
            && before == pid
        {
            return;
        }
        let sort = holder.sort();
        self.counts[sort] += 1;
        if self.counts[sort] <= most(sort) {
            self.holders.push(holder);
        }
    }

    /// How many holders were not kept.
    pub(super) fn omitted(&self) -> u32 {
        (0..).zip(self.counts).map(|(sort, count)| count.saturating_sub(most(sort))).sum()
    }

    fn merge(&mut self, other: Entry) {
        self.processes += other.processes;
        self.members.extend(other.members);
        for pid in other.pid.into_iter().chain(other.spares.into_iter().flatten()) {
            self.know(pid);
        }
        for (sort, count) in other.counts.into_iter().enumerate() {
            // What the other one did not keep still counts.
            self.counts[sort] += count.saturating_sub(most(sort));
        }
        for holder in other.holders {
            self.hold(holder);
        }
        self.details = self.details.take().or(other.details);
    }
}

/// All of them, and what could not be read.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: HashMap<Name, Entry>,
    pub(super) unreadable: Unreadable,
    pub(super) seen: HashMap<i32, Seen>,
    /// Those that the process they were found by is not in any more.
    pub(super) gone: Vec<Name>,
}

impl Table {
    pub(super) fn entry(&mut self, name: Name) -> &mut Entry {
        self.entries.entry(name).or_default()
    }

    pub(super) fn has_details(&self, name: Name) -> bool {
        self.entries.get(&name).is_some_and(|entry| entry.details.is_some())
    }

    /// Takes out what was held only by a process that has ended since, and
    /// turns to another process where there was one.
    pub(super) fn forget_gone(&mut self) {
        for name in std::mem::take(&mut self.gone) {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.next();
                self.forget_if_empty(name);
            }
        }
    }

    /// Takes out what nothing is known of any more.
    pub(super) fn forget_if_empty(&mut self, name: Name) {
        let empty =
            |entry: &Entry| entry.processes == 0 && entry.holders.is_empty() && entry.details.is_none();
        if self.entries.get(&name).is_some_and(empty) {
            self.entries.remove(&name);
        }
    }

    /// Counts no processes where none is known any more, and says where that is:
    /// all that were known have ended, and others were only counted.
    pub(super) fn count_out(&mut self) -> Vec<Name> {
        let lost = |(_, entry): &(&Name, &mut Entry)| entry.processes > 0 && entry.pid.is_none();
        let lost = self.entries.iter_mut().filter(lost).map(|(name, entry)| {
            entry.processes = 0;
            entry.members.clear();
            *name
        });
        lost.collect()
    }

    /// Adds what another thread has found.
    pub(super) fn merge(&mut self, other: Table) {
        if self.entries.is_empty() {
            self.entries = other.entries;
        } else {
            for (name, entry) in other.entries {
                self.entry(name).merge(entry);
            }
        }
        self.unreadable.add(other.unreadable);
        self.seen.extend(other.seen);
        self.gone.extend(other.gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn where_no_process_is_known_none_is_counted() {
        let mut table = Table::default();
        let name = Name::new(Kind::Uts, 1);
        (1..=20).for_each(|pid| table.entry(name).process(pid));
        for known in 1..=SPARES + 1 {
            assert_eq!(table.entry(name).pid, i32::try_from(known).ok());
            table.gone.push(name);
            table.forget_gone();
        }
        assert_eq!((table.entry(name).pid, table.entry(name).processes), (None, 15));
        assert_eq!(table.count_out(), [name]);
        assert_eq!(table.entry(name).processes, 0);
        assert!(table.count_out().is_empty());
        table.forget_if_empty(name);
        assert!(table.entries.is_empty());
    }
}
