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
    fn from_position(position: usize) -> Self {
        let number = u32::try_from(position + 1).unwrap_or(u32::MAX);
        Self(
            NonZeroU32::new(number).unwrap_or(NonZeroU32::MAX),
            PhantomData,
        )
    }

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

#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Objects of one type, with the places of the dead ones used again.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Arena<T> {
    pub(crate) fn insert(&mut self, value: T) -> Idx<T> {
        if let Some(place) = self.free.pop() {
            let position = place as usize;
            self.slots[position].value = Some(value);
            return Idx::from_position(position);
        }
        self.slots.push(Slot {
            generation: 0,
            value: Some(value),
        });
        Idx::from_position(self.slots.len() - 1)
    }

    /// Frees the place; every handle to it becomes stale.
    pub(crate) fn remove(&mut self, idx: Idx<T>) -> Option<T> {
        let slot = self.slots.get_mut(idx.position())?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(idx.raw() - 1);
        Some(value)
    }

    pub(crate) fn get(&self, idx: Idx<T>) -> Option<&T> {
        self.slots.get(idx.position())?.value.as_ref()
    }

    /// The generation a handle to this place must carry.
    pub(crate) fn generation(&self, idx: Idx<T>) -> u32 {
        self.slots[idx.position()].generation
    }

    /// The index behind a handle, if the object is still the one the handle was made for.
    pub(crate) fn resolve(&self, raw: u32, generation: u32) -> Option<Idx<T>> {
        let idx = Idx::from_raw(raw)?;
        let slot = self.slots.get(idx.position())?;
        (slot.generation == generation && slot.value.is_some()).then_some(idx)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Everything alive, in index order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Idx<T>, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(position, slot)| {
                slot.value
                    .as_ref()
                    .map(|value| (Idx::from_position(position), value))
            })
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

    fn index(&self, idx: Idx<T>) -> &T {
        self.slots[idx.position()]
            .value
            .as_ref()
            .expect("a counted reference names a live object")
    }
}

impl<T> IndexMut<Idx<T>> for Arena<T> {
    fn index_mut(&mut self, idx: Idx<T>) -> &mut T {
        self.slots[idx.position()]
            .value
            .as_mut()
            .expect("a counted reference names a live object")
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
        assert_eq!(arena.remove(first), Some(1));
        assert_eq!(arena.remove(first), None);
        let second = arena.insert(2);
        assert_eq!(first, second);
        assert_eq!(arena.resolve(handle.0, handle.1), None);
        assert_eq!(
            arena.resolve(second.raw(), arena.generation(second)),
            Some(second)
        );
        assert_eq!(arena.resolve(0, 0), None);
        assert_eq!(arena.resolve(99, 0), None);
    }

    #[test]
    fn an_optional_index_costs_nothing() {
        assert_eq!(size_of::<Option<Idx<u8>>>(), 4);
    }
}
