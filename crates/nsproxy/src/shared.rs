//! What most objects of a kind never have: stored only once it is there, and shared by
//! the copies of a kernel until one of them changes it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// A value as it is before anything is changed in it.
pub(crate) trait Blank: Clone + 'static {
    fn blank() -> &'static Self;
}

/// A value that takes no room while it is blank. It is read through, as by a reference;
/// whoever writes first makes it his own.
#[derive(Clone)]
pub(crate) struct Shared<T>(Option<Arc<T>>);

impl<T> Shared<T> {
    pub(crate) const BLANK: Self = Self(None);

    /// Whether nothing is stored.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.is_none()
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::BLANK
    }
}

impl<T: Blank> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::blank(),
        }
    }
}

impl<T: Blank> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(self.0.get_or_insert_with(|| Arc::new(T::blank().clone())))
    }
}

/// As the value itself: whether it is stored is nobody's business.
impl<T: Blank + fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Blank for Vec<u32> {
    fn blank() -> &'static Self {
        static NONE: Vec<u32> = Vec::new();
        &NONE
    }
}

impl From<Vec<u32>> for Shared<Vec<u32>> {
    fn from(list: Vec<u32>) -> Self {
        Self(Some(list).filter(|list| !list.is_empty()).map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_was() {
        let mut first = Shared::<Vec<u32>>::BLANK;
        let blank = first.clone();
        first.push(7);
        let second = first.clone();
        first.push(8);
        assert_eq!((blank.len(), &**second, &**first), (0, &[7][..], &[7, 8][..]));
        assert!(Shared::from(Vec::new()).0.is_none());
    }
}
