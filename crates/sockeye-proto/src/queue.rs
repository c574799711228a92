//! A queue that is bounded in bytes, and what becomes of what finds it full.
//!
//! It holds what waits for one peer, or comes from one: a peer that does not keep up costs no more than the bound.
//! Who is to be told, woken or ended is the caller's affair.

use std::collections::VecDeque;

/// Bytes that each item counts beside its payload, so that items without any are bounded too: about what the queue
/// and the allocator need for one.
pub const OVERHEAD: usize = 64;

/// What becomes of an item that finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Full {
    /// The oldest are dropped until there is room for it.
    DropOldest,
    /// It is refused, and those that wait are kept.
    RefuseNewest,
}

/// Items that wait, the oldest first, of at most `bound` bytes together.
///
/// An item that is larger than the bound for itself is taken where nothing else waits, so that what may be sent
/// does not depend on the bound; then it is the only one.
#[derive(Debug)]
pub struct Queue<T> {
    /// Each with what it counts.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    bound: usize,
    full: Full,
    dropped: u64,
}

impl<T> Queue<T> {
    /// An empty queue of at most `bound` bytes.
    pub fn new(bound: usize, full: Full) -> Self {
        Self { items: VecDeque::new(), bytes: 0, bound, full, dropped: 0 }
    }

    /// Whether a payload of so many bytes would be taken without any being dropped.
    pub fn has_room(&self, payload: usize) -> bool {
        let together = payload.saturating_add(OVERHEAD).saturating_add(self.bytes);
        self.items.is_empty() || together <= self.bound
    }

    /// Puts an item with a payload of so many bytes behind the others.
    ///
    /// # Errors
    /// Gives the item back where it is refused. That, too, counts as dropped.
    pub fn push(&mut self, item: T, payload: usize) -> Result<(), T> {
        while !self.has_room(payload) {
            self.dropped += 1;
            match self.full {
                Full::DropOldest => drop(self.pop()),
                Full::RefuseNewest => return Err(item),
            }
        }
        let counts = payload.saturating_add(OVERHEAD);
        self.bytes = self.bytes.saturating_add(counts);
        self.items.push_back((item, counts));
        Ok(())
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<T> {
        let (item, counts) = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(counts);
        if self.items.is_empty() && self.items.capacity() > KEPT {
            self.items = VecDeque::new();
        }
        Some(item)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many were dropped or refused since the queue was made.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// For how many items an empty queue keeps room.
const KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUND: usize = 4 * OVERHEAD;

    fn full_of_four(full: Full) -> Queue<usize> {
        let mut queue = Queue::new(BOUND, full);
        (0..4).for_each(|item| queue.push(item, 0).unwrap());
        queue
    }

    fn drained(mut queue: Queue<usize>) -> Vec<usize> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn what_finds_no_room_is_refused_or_takes_the_place_of_the_oldest() {
        let mut refusing = full_of_four(Full::RefuseNewest);
        assert_eq!((refusing.push(4, 0), refusing.dropped()), (Err(4), 1));
        assert_eq!(drained(refusing), [0, 1, 2, 3]);

        let mut dropping = full_of_four(Full::DropOldest);
        assert_eq!((dropping.push(4, OVERHEAD), dropping.dropped()), (Ok(()), 2));
        assert_eq!(drained(dropping), [2, 3, 4]);
    }

    #[test]
    fn an_item_larger_than_the_bound_waits_alone() {
        let mut refusing = full_of_four(Full::RefuseNewest);
        assert_eq!(refusing.push(9, usize::MAX), Err(9));
        while refusing.pop().is_some() {}
        assert_eq!((refusing.push(9, usize::MAX), refusing.push(10, 0)), (Ok(()), Err(10)));
        assert_eq!(drained(refusing), [9]);

        let mut dropping = full_of_four(Full::DropOldest);
        assert_eq!((dropping.push(9, usize::MAX), dropping.dropped()), (Ok(()), 4));
        assert_eq!((dropping.push(10, 0), dropping.dropped()), (Ok(()), 5));
        assert_eq!(drained(dropping), [10]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_list_and_stays_within_its_bound(
            steps in prop::collection::vec(prop::option::weighted(0.7, 0..BOUND + 9), 0..80),
            full in prop::sample::select(&[Full::DropOldest, Full::RefuseNewest]),
        ) {
            let (mut queue, mut list, mut dropped) = (Queue::new(BOUND, full), Vec::new(), 0);
            let cost = |list: &[usize]| list.iter().map(|payload| payload + OVERHEAD).sum::<usize>();
            for step in steps {
                let Some(payload) = step else {
                    let oldest = (!list.is_empty()).then(|| list.remove(0));
                    prop_assert_eq!(queue.pop(), oldest);
                    continue;
                };
                let fits = |list: &[usize]| list.is_empty() || cost(list) + payload + OVERHEAD <= BOUND;
                prop_assert_eq!(queue.has_room(payload), fits(&list));
                let refused = full == Full::RefuseNewest && !fits(&list);
                while full == Full::DropOldest && !fits(&list) {
                    list.remove(0);
                    dropped += 1;
                }
                dropped += u64::from(refused);
                prop_assert_eq!(queue.push(payload, payload).is_err(), refused);
                if !refused {
                    list.push(payload);
                }
                prop_assert_eq!((queue.bytes, queue.dropped()), (cost(&list), dropped));
                prop_assert!(queue.bytes <= BOUND || list.len() == 1);
                prop_assert_eq!(queue.is_empty(), list.is_empty());
            }
            prop_assert_eq!(drained(queue), list);
        }
    }
}
