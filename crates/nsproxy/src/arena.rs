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
    #[allow(clippy::cast_possible_truncation)] // Four billion objects do not fit in memory.
    fn from_position(position: usize) -> Self {
        Self(NonZeroU32::new(position as u32).unwrap_or(NonZeroU32::MAX), PhantomData)
    }

    #[inline]
    fn position(self) -> usize {
        self.0.get() as usize
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

/// The first place, as in an object that is none yet.
impl<T> Default for Idx<T> {
    fn default() -> Self {
        Self::first()
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
    /// The free place to use after this one.
    next_free: Option<Idx<T>>,
}

/// What an index leads to. Without the number in the message, which every use would have
/// to keep at hand, a check is one comparison.
#[inline]
fn slot<T>(slots: &[Slot<T>], idx: Idx<T>) -> &Slot<T> {
    match slots.get(idx.position()) {
        Some(slot) => slot,
        None => leads_nowhere(),
    }
}

#[inline]
fn slot_mut<T>(slots: &mut [Slot<T>], idx: Idx<T>) -> &mut Slot<T> {
    match slots.get_mut(idx.position()) {
        Some(slot) => slot,
        None => leads_nowhere(),
    }
}

#[cold]
#[inline(never)]
fn leads_nowhere() -> ! {
    panic!("an index leads to no place of its arena")
}

/// Objects of one type, with the places of the dead ones used again.
///
/// What is in the place of a dead object is its last value; only a counted
/// reference leads to a place, and there is none to a dead one. Place 0 is never
/// used, so that an index is its own position and can be left out for nothing.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    first_free: Option<Idx<T>>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), first_free: None }
    }
}

impl<T: Default> Arena<T> {
    /// A new object. Always inlined, all of it: so it is built in its place, and not
    /// on the stack to be copied.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub(crate) fn insert(&mut self, value: T) -> Idx<T> {
        let idx = match self.first_free {
            Some(idx) => idx,
            None => self.add_place(),
        };
        let slot = slot_mut(&mut self.slots, idx);
        self.first_free = slot.next_free;
        let before = core::mem::replace(&mut slot.value, value);
        slot.generation = slot.generation.wrapping_add(1);
        drop(before);
        idx
    }

    /// One more free place. What makes room stays out of the way of all that find some.
    #[cold]
    #[inline(never)]
    fn add_place(&mut self) -> Idx<T> {
        let idx = self.next_index();
        self.slots.resize_with(idx.position() + 1, || Slot {
            value: T::default(),
            generation: 0,
            next_free: None,
        });
        idx
    }

    /// The index that the next object will have.
    #[inline]
    pub(crate) fn next_index(&self) -> Idx<T> {
        self.first_free.unwrap_or_else(|| Idx::from_position(self.slots.len().max(1)))
    }

    /// Frees the place; every handle to it becomes stale.
    #[inline]
    pub(crate) fn remove(&mut self, idx: Idx<T>) {
        let slot = slot_mut(&mut self.slots, idx);
        debug_assert!(slot.generation & 1 == 1);
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = self.first_free.replace(idx);
    }

    /// Frees the place and hands out what was in it.
    pub(crate) fn take(&mut self, idx: Idx<T>) -> T {
        self.remove(idx);
        core::mem::take(&mut slot_mut(&mut self.slots, idx).value)
    }

    pub(crate) fn get(&self, idx: Idx<T>) -> Option<&T> {
        let slot = self.slots.get(idx.position())?;
        (slot.generation & 1 == 1).then_some(&slot.value)
    }

    /// The generation a handle to this place must carry.
    pub(crate) fn generation(&self, idx: Idx<T>) -> u32 {
        slot(&self.slots, idx).generation
    }

    /// The index behind a handle, if the object is still the one the handle was made for.
    #[inline]
    pub(crate) fn resolve(&self, raw: u32, generation: u32) -> Option<Idx<T>> {
        let idx = Idx::from_raw(raw)?;
        let current = self.slots.get(idx.position())?.generation;
        (current == generation && current & 1 == 1).then_some(idx)
    }

    /// How many are alive. Looks at all places.
    pub(crate) fn len(&self) -> usize {
        self.iter().count()
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
        let slot = slot(&self.slots, idx);
        debug_assert!(slot.generation & 1 == 1, "a counted reference is to a live object");
        &slot.value
    }
}

impl<T> IndexMut<Idx<T>> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, idx: Idx<T>) -> &mut T {
        let slot = slot_mut(&mut self.slots, idx);
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
