//! Numbers and what they stand for (`lib/idr.c`): a radix tree for each pid
//! namespace and each descriptor table.
//!
//! Neighbouring numbers lie side by side in memory: numbers are handed out in
//! sequence, and a million processes must not make each fork miss the cache.

use crate::arena::{Arena, Idx};

const BITS: u32 = 5;
const SLOTS: usize = 1 << BITS;
/// Enough levels for every 32-bit number.
const MAX_HEIGHT: usize = 7;

/// A leaf holds the values of 32 numbers; an inner node the leaves or nodes below it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Node {
    slots: [u32; SLOTS],
    /// One bit for each slot that is not 0.
    used: u32,
}

impl Node {
    const EMPTY: Self = Self { slots: [0; SLOTS], used: 0 };

    #[inline]
    fn set(&mut self, slot: usize, value: u32) {
        self.slots[slot] = value;
        self.used |= 1 << slot;
    }

    #[inline]
    fn clear(&mut self, slot: usize) {
        self.slots[slot] = 0;
        self.used &= !(1 << slot);
    }
}

pub(crate) type Nodes = Arena<Node>;

/// A tree; its nodes are in the kernel's arena of nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idr {
    root: Option<Idx<Node>>,
    height: u32,
    /// The leaf changed last, and its place in the row of leaves: the next number is
    /// likely to lie in it too. It alone may be empty.
    recent: Option<(u32, Idx<Node>)>,
}

/// Which slot of a node at `level` (0 for a leaf) leads to a number.
#[inline]
fn slot_at(number: u32, level: u32) -> usize {
    (number >> (BITS * level)) as usize % SLOTS
}

impl Idr {
    /// Whether the tree is high enough to hold the number.
    #[inline]
    fn covers(&self, number: u32) -> bool {
        u64::from(number) >> (BITS * self.height) == 0
    }

    #[inline]
    fn leaf(&self, nodes: &Nodes, number: u32) -> Option<Idx<Node>> {
        match self.recent {
            Some((place, leaf)) if place == number >> BITS => Some(leaf),
            _ => self.walk(nodes, number),
        }
    }

    #[inline(never)]
    fn walk(&self, nodes: &Nodes, number: u32) -> Option<Idx<Node>> {
        let mut at = self.root.filter(|_| self.covers(number))?;
        for level in (1..self.height).rev() {
            at = Idx::from_raw(nodes[at].slots[slot_at(number, level)])?;
        }
        Some(at)
    }

    /// What a number stands for.
    #[inline]
    pub(crate) fn find(&self, nodes: &Nodes, number: u32) -> Option<u32> {
        let leaf = self.leaf(nodes, number)?;
        Some(nodes[leaf].slots[slot_at(number, 0)]).filter(|value| *value != 0)
    }

    /// Gives a free number a value, which is not 0.
    #[inline]
    pub(crate) fn insert(&mut self, nodes: &mut Nodes, number: u32, value: u32) {
        debug_assert!(value != 0 && self.find(nodes, number).is_none());
        let leaf = match self.root {
            None if number < 1 << BITS => self.plant(nodes),
            _ => self.leaf(nodes, number).unwrap_or_else(|| self.add_leaf(nodes, number)),
        };
        nodes[leaf].set(slot_at(number, 0), value);
        self.set_recent(nodes, number, leaf);
    }

    /// Frees a number.
    #[inline]
    pub(crate) fn remove(&mut self, nodes: &mut Nodes, number: u32) {
        let Some(leaf) = self.leaf(nodes, number) else { return };
        nodes[leaf].clear(slot_at(number, 0));
        self.set_recent(nodes, number, leaf);
    }

    #[inline]
    fn set_recent(&mut self, nodes: &mut Nodes, number: u32, leaf: Idx<Node>) {
        let place = number >> BITS;
        if let Some((before, old)) = self.recent.replace((place, leaf))
            && before != place
            && nodes[old].used == 0
        {
            self.prune(nodes, before << BITS);
        }
    }

    /// The one leaf of a tree that holds nothing but low numbers.
    #[inline]
    fn plant(&mut self, nodes: &mut Nodes) -> Idx<Node> {
        let leaf = nodes.insert(Node::EMPTY);
        self.root = Some(leaf);
        self.height = 1;
        leaf
    }

    /// The nodes on the way to a number, as many as are missing.
    #[cold]
    fn add_leaf(&mut self, nodes: &mut Nodes, number: u32) -> Idx<Node> {
        let mut at = if let Some(root) = self.root {
            root
        } else {
            self.height = 1 + number.checked_ilog2().unwrap_or(0) / BITS;
            nodes.insert(Node::EMPTY)
        };
        while !self.covers(number) {
            let mut root = Node::EMPTY;
            root.set(0, at.raw());
            at = nodes.insert(root);
            self.height += 1;
        }
        self.root = Some(at);
        for level in (1..self.height).rev() {
            let slot = slot_at(number, level);
            at = if let Some(below) = Idx::from_raw(nodes[at].slots[slot]) {
                below
            } else {
                let below = nodes.insert(Node::EMPTY);
                nodes[at].set(slot, below.raw());
                below
            };
        }
        at
    }

    /// Takes out the empty leaf of a number, and the nodes above that become so.
    #[cold]
    fn prune(&mut self, nodes: &mut Nodes, number: u32) {
        let Some(root) = self.root.filter(|_| self.covers(number)) else { return };
        let mut path = [root; MAX_HEIGHT];
        for level in (1..self.height).rev() {
            let above = path[level as usize];
            let Some(below) = Idx::from_raw(nodes[above].slots[slot_at(number, level)]) else { return };
            path[level as usize - 1] = below;
        }
        for level in 0..self.height {
            let at = path[level as usize];
            if nodes[at].used != 0 {
                return;
            }
            nodes.remove(at);
            if level + 1 < self.height {
                nodes[path[level as usize + 1]].clear(slot_at(number, level + 1));
            } else {
                self.root = None;
                self.height = 0;
            }
        }
    }

    /// The first free number from `from` on and below `end`.
    #[inline]
    pub(crate) fn next_free(&self, nodes: &Nodes, from: u32, end: u32) -> Option<u32> {
        if let Some((place, leaf)) = self.recent
            && place == from >> BITS
        {
            let slot = slot_at(from, 0);
            let taken = (nodes[leaf].used >> slot).trailing_ones();
            if slot + (taken as usize) < SLOTS && from + taken < end {
                return Some(from + taken);
            }
        }
        if self.root.is_none() {
            Some(from).filter(|from| *from < end)
        } else {
            self.search_free(nodes, from, end)
        }
    }

    #[inline(never)]
    fn search_free(&self, nodes: &Nodes, from: u32, end: u32) -> Option<u32> {
        let mut number = from;
        while number < end {
            let Some(leaf) = self.leaf(nodes, number) else { return Some(number) };
            let slot = slot_at(number, 0);
            let taken = (nodes[leaf].used >> slot).trailing_ones();
            if slot + (taken as usize) < SLOTS {
                return Some(number + taken).filter(|found| *found < end);
            }
            number = (number | ((1 << BITS) - 1)).checked_add(1)?;
        }
        None
    }

    /// The first taken number from `from` on, and its value.
    pub(crate) fn get_next(self, nodes: &Nodes, from: u32) -> Option<(u32, u32)> {
        let root = self.root.filter(|_| self.covers(from))?;
        get_next_below(nodes, root, self.height - 1, from)
    }

    /// All taken numbers, ascending, and their values.
    pub(crate) fn iter(self, nodes: &Nodes) -> impl Iterator<Item = (u32, u32)> {
        core::iter::successors(self.get_next(nodes, 0), move |(number, _)| {
            self.get_next(nodes, number.checked_add(1)?)
        })
    }

    /// Gives all nodes back.
    pub(crate) fn destroy(&mut self, nodes: &mut Nodes) {
        match self.recent.take() {
            // The one leaf is the root.
            Some((_, leaf)) if self.height == 1 && nodes[leaf].used == 0 => {
                nodes.remove(leaf);
                self.root = None;
            }
            Some((place, _)) => self.prune(nodes, place << BITS),
            None => {}
        }
        debug_assert!(self.root.is_none(), "a tree ends when no number is left");
    }
}

fn get_next_below(nodes: &Nodes, at: Idx<Node>, level: u32, from: u32) -> Option<(u32, u32)> {
    let Node { slots, used } = &nodes[at];
    let first = slot_at(from, level);
    let mut left = used >> first << first;
    while left != 0 {
        let slot = left.trailing_zeros();
        left &= left - 1;
        let value = slots[slot as usize];
        // What lies before this slot is passed: from here on every number will do.
        let span = u64::from(u32::MAX) << (BITS * level);
        let here = if slot as usize == first {
            from
        } else {
            let above = u64::from(from) & (span << BITS);
            u32::try_from(above | u64::from(slot) << (BITS * level)).ok()?
        };
        if level == 0 {
            return Some((here, value));
        }
        let found = Idx::from_raw(value).and_then(|below| get_next_below(nodes, below, level - 1, here));
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    #[test]
    fn agrees_with_an_ordered_map() {
        let mut nodes = Nodes::default();
        let mut idr = Idr::default();
        let mut model = BTreeMap::new();
        let mut seed = 1u64;
        for step in 1..if cfg!(miri) { 20 } else { 3000u32 } {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Dense and sparse ranges, and the ends of what a number can be.
            let base = [0, 0, 4096, 262_100, 4_194_200, u32::MAX - 150][(seed >> 61) as usize % 6];
            let number = base + (seed >> 33) as u32 % 150;
            if model.remove(&number).is_some() {
                idr.remove(&mut nodes, number);
            } else {
                idr.insert(&mut nodes, number, step);
                model.insert(number, step);
            }
            let all: Vec<_> = idr.iter(&nodes).collect();
            assert_eq!(all, model.iter().map(|(number, value)| (*number, *value)).collect::<Vec<_>>());
            for probe in base..=base + 149 {
                assert_eq!(idr.find(&nodes, probe), model.get(&probe).copied());
            }
            let free = (base..base + 149).find(|number| !model.contains_key(number));
            assert_eq!(idr.next_free(&nodes, base, base + 149), free);
        }
        for number in model.into_keys() {
            idr.remove(&mut nodes, number);
        }
        idr.destroy(&mut nodes);
        assert_eq!(nodes.len(), 0);
    }

    #[test]
    fn numbers_in_a_circle_keep_the_tree_small() {
        let mut nodes = Nodes::default();
        let mut idr = Idr::default();
        idr.insert(&mut nodes, 1, 1);
        for number in 2..if cfg!(miri) { 70 } else { 20_000 } {
            idr.insert(&mut nodes, number, 7);
            idr.remove(&mut nodes, number);
            assert!(nodes.len() <= 7, "{number}: {}", nodes.len());
        }
    }
}
