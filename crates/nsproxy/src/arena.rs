//! Storage: every object of the kernel lives in an arena and is named by a 32-bit index.
//!
//! References between objects are plain indices. Who holds whom is counted in
//! the objects themselves, as the kernel does it, so a whole kernel is a handful
//! of flat vectors: cheap to copy, and two copies never share anything.
//! Handles that leave the crate carry a generation, so a stale one is noticed.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};

/// The place of a `T` in its arena. Whoever stores one holds a counted reference.
pub(crate) struct Idx<T>(NonZeroU32, PhantomData<fn() -> T>);

impl<T> Idx<T> {
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Four billion objects do not fit in memory.
    fn from_position(position: usize) -> Self {
        let number = position as u32 + 1;
        Self(NonZeroU32::new(number).unwrap_or(NonZeroU32::MAX), PhantomData)
    }

    #[inline]
    fn position(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The first place: stands in until the real one is known.
    pub(crate) fn first() -> Self {
        Self(NonZeroU32::MIN, PhantomData)
    }

    /// A number for hash keys and canonical forms; never zero.
    pub(crate) fn raw(self) -> u32 {
        self.0.get()
    }

    pub(crate) fn from_raw(raw: u32) -> Option<Self> {
        Some(Self(NonZeroU32::new(raw)?, PhantomData))
    }
}

impl<T> Clone for Idx<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Idx<T> {}
impl<T> PartialEq for Idx<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Idx<T> {}
impl<T> PartialOrd for Idx<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Idx<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> fmt::Debug for Idx<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A place and what is, or was last, in it.
#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    value: T,
    /// Odd while the place is taken; a handle carries the number it was made with.
    generation: u32,
}

/// Objects of one type, with the places of the dead ones used again.
///
/// What is in the place of a dead object is its last value; only a counted
/// reference leads to a place, and there is none to a dead one.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T: Clone> Arena<T> {
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Idx<T> {
        if let Some(place) = self.free.pop() {
            let position = place as usize;
            let slot = &mut self.slots[position];
            slot.value = value;
            slot.generation = slot.generation.wrapping_add(1);
            return Idx::from_position(position);
        }
        self.slots.push(Slot { value, generation: 1 });
        Idx::from_position(self.slots.len() - 1)
    }

    /// Frees the place; every handle to it becomes stale.
    #[inline]
    pub(crate) fn remove(&mut self, idx: Idx<T>) {
        let slot = &mut self.slots[idx.position()];
        debug_assert!(slot.generation & 1 == 1);
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(idx.raw() - 1);
    }

    /// Frees the place and hands out what was in it.
    pub(crate) fn take(&mut self, idx: Idx<T>) -> T {
        self.remove(idx);
        self.slots[idx.position()].value.clone()
    }

    pub(crate) fn get(&self, idx: Idx<T>) -> Option<&T> {
        let slot = self.slots.get(idx.position())?;
        (slot.generation & 1 == 1).then_some(&slot.value)
    }

    /// The generation a handle to this place must carry.
    pub(crate) fn generation(&self, idx: Idx<T>) -> u32 {
        self.slots[idx.position()].generation
    }

    /// The index behind a handle, if the object is still the one the handle was made for.
    #[inline]
    pub(crate) fn resolve(&self, raw: u32, generation: u32) -> Option<Idx<T>> {
        let idx = Idx::from_raw(raw)?;
        let current = self.slots.get(idx.position())?.generation;
        (current == generation && current & 1 == 1).then_some(idx)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Everything alive, in index order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Idx<T>, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.generation & 1 == 1)
            .map(|(position, slot)| (Idx::from_position(position), &slot.value))
    }

    pub(crate) fn indices(&self) -> Vec<Idx<T>> {
        self.iter().map(|(idx, _)| idx).collect()
    }

    /// Bytes one object occupies here.
    pub(crate) const fn stride() -> usize {
        size_of::<Slot<T>>()
    }
}

impl<T> Index<Idx<T>> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, idx: Idx<T>) -> &T {
        let slot = &self.slots[idx.position()];
        debug_assert!(slot.generation & 1 == 1, "a counted reference is to a live object");
        &slot.value
    }
}

impl<T> IndexMut<Idx<T>> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, idx: Idx<T>) -> &mut T {
        let slot = &mut self.slots[idx.position()];
        debug_assert!(slot.generation & 1 == 1, "a counted reference is to a live object");
        &mut slot.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_is_noticed() {
        let mut arena = Arena::default();
        let first = arena.insert(1);
        let handle = (first.raw(), arena.generation(first));
        assert_eq!(arena.take(first), 1);
        assert_eq!(arena.get(first), None);
        let second = arena.insert(2);
        assert_eq!(first, second);
        assert_eq!(arena.resolve(handle.0, handle.1), None);
        assert_eq!(arena.resolve(second.raw(), arena.generation(second)), Some(second));
        assert_eq!(arena.resolve(0, 0), None);
        assert_eq!(arena.resolve(99, 0), None);
    }

    #[test]
    fn an_optional_index_costs_nothing() {
        assert_eq!(size_of::<Option<Idx<u8>>>(), 4);
    }
}
