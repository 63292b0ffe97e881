//! A flat hash table from 64-bit keys to indices, for the lookup of ucounts.
//!
//! Open addressing with linear probing; a deletion closes its gap, so there are
//! no tombstones and a table that breathes does not decay.

use alloc::vec;
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    key: u64,
    /// Zero marks an empty place.
    value: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    used: usize,
}

impl Table {
    #[inline]
    fn home(&self, key: u64) -> usize {
        let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        usize::try_from(mixed).unwrap_or(0) & (self.entries.len() - 1)
    }

    fn find(&self, key: u64) -> Option<usize> {
        if self.entries.is_empty() {
            return None;
        }
        let mut at = self.home(key);
        loop {
            let entry = self.entries[at];
            if entry.value == 0 {
                return None;
            }
            if entry.key == key {
                return Some(at);
            }
            at = (at + 1) & (self.entries.len() - 1);
        }
    }

    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        self.find(key).map(|at| self.entries[at].value)
    }

    /// The key must be absent and the value not zero.
    pub(crate) fn insert(&mut self, key: u64, value: u32) {
        debug_assert!(value != 0);
        if (self.used + 1) * 2 > self.entries.len() {
            self.grow();
        }
        let mask = self.entries.len() - 1;
        let mut at = self.home(key);
        while self.entries[at].value != 0 {
            at = (at + 1) & mask;
        }
        self.entries[at] = Entry { key, value };
        self.used += 1;
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<u32> {
        let mut gap = self.find(key)?;
        let value = self.entries[gap].value;
        let mask = self.entries.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let entry = self.entries[at];
            if entry.value == 0 {
                break;
            }
            // The entry may fill the gap unless its home lies between the two.
            let from_home = at.wrapping_sub(self.home(entry.key)) & mask;
            if from_home >= (at.wrapping_sub(gap) & mask) {
                self.entries[gap] = entry;
                gap = at;
            }
        }
        self.entries[gap] = Entry::default();
        self.used -= 1;
        Some(value)
    }

    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(16);
        let old = core::mem::replace(&mut self.entries, vec![Entry::default(); size]);
        self.used = 0;
        for entry in old.into_iter().filter(|entry| entry.value != 0) {
            self.insert(entry.key, entry.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    #[test]
    fn agrees_with_an_ordered_map() {
        let mut table = Table::default();
        let mut model = BTreeMap::new();
        let mut seed = 1u64;
        for step in 1..if cfg!(miri) { 150 } else { 4000u32 } {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = (seed >> 33) % 97;
            if let Some(value) = model.remove(&key) {
                assert_eq!(table.remove(key), Some(value));
            } else {
                table.insert(key, step);
                model.insert(key, step);
            }
            for probe in 0..97 {
                assert_eq!(table.get(probe), model.get(&probe).copied());
            }
        }
    }
}
