//! Buffers that are lent while bytes are on their way, so that an idle connection owns none.

use std::sync::{Arc, Mutex, PoisonError};

/// The sizes of buffer that are lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 16 KiB: what a request or an answer fits into.
    Small,
    /// 64 KiB.
    Medium,
    /// 256 KiB: what a bulk transfer is fastest with.
    Large,
}

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Small => 16 << 10,
            Self::Medium => 64 << 10,
            Self::Large => 256 << 10,
        }
    }

    /// How many the pool keeps while nobody needs them: 4 MiB of each size.
    const fn kept(self) -> usize {
        (4 << 20) / self.bytes()
    }

    /// The next larger one, if there is one.
    #[must_use]
    pub const fn larger(self) -> Self {
        match self {
            Self::Small => Self::Medium,
            Self::Medium | Self::Large => Self::Large,
        }
    }
}

/// A pool of buffers. Clones share it. What is lent beyond what it keeps is freed when it comes back.
#[derive(Debug, Clone, Default)]
pub struct Buffers(Arc<[Shelf; 3]>);

/// Buffers of one size that nobody needs now.
type Shelf = Mutex<Vec<Box<[u8]>>>;

impl Buffers {
    /// Lends a buffer. Its bytes are whatever was in it last: the caller writes before it reads.
    pub fn lend(&self, size: Size) -> Box<[u8]> {
        let kept = self.shelf(size).lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; size.bytes()].into_boxed_slice())
    }

    /// Takes a buffer back. One that was not lent here is freed.
    pub fn give_back(&self, buffer: Box<[u8]>) {
        let sizes = [Size::Small, Size::Medium, Size::Large];
        let Some(size) = sizes.into_iter().find(|size| size.bytes() == buffer.len()) else { return };
        let mut kept = self.shelf(size).lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < size.kept() {
            kept.push(buffer);
        }
    }

    fn shelf(&self, size: Size) -> &Shelf {
        let [small, medium, large] = &*self.0;
        match size {
            Size::Small => small,
            Size::Medium => medium,
            Size::Large => large,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_lent_again_and_the_pool_does_not_grow_without_bound() {
        let buffers = Buffers::default();
        let mut first = buffers.lend(Size::Small);
        first.fill(7);
        buffers.give_back(first);
        let again = buffers.lend(Size::Small);
        assert!(again.len() == Size::Small.bytes() && again.iter().all(|b| *b == 7));
        (0..100).for_each(|_| buffers.give_back(vec![0; Size::Large.bytes()].into()));
        assert_eq!(buffers.shelf(Size::Large).lock().unwrap().len(), Size::Large.kept());
        buffers.give_back(vec![0; 5].into());
    }
}
