//! Bytes in a lent buffer, and no buffer where there are none.

use std::ops::Range;

use crate::buffer::{Buffers, Size};

/// Bytes that wait: records that are not opened yet, or not yet written.
pub(super) struct Held {
    buffers: Buffers,
    lent: Option<(Box<[u8]>, Range<usize>)>,
}

impl Held {
    pub(super) fn new(buffers: &Buffers) -> Self {
        Self { buffers: buffers.clone(), lent: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lent.as_ref().is_none_or(|(_, filled)| Range::is_empty(filled))
    }

    /// The bytes.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.lent.as_mut().and_then(|(buffer, filled)| buffer.get_mut(filled.clone())).unwrap_or_default()
    }

    /// Room for `needed` bytes more, or as many as a buffer has, behind those that are there. What is put into it counts
    /// once it is [added](Held::add).
    pub(super) fn room(&mut self, needed: usize) -> &mut [u8] {
        let (mut buffer, mut filled) =
            self.lent.take().unwrap_or_else(|| (self.buffers.lend(Size::Medium), 0..0));
        if buffer.len() - filled.end < needed {
            if filled.len() + needed <= buffer.len() || buffer.len() >= Size::Large.bytes() {
                buffer.copy_within(filled.clone(), 0);
            } else {
                let mut larger = self.buffers.lend(Size::Large);
                if let (Some(to), Some(from)) = (larger.get_mut(..filled.len()), buffer.get(filled.clone())) {
                    to.copy_from_slice(from);
                }
                self.buffers.give_back(std::mem::replace(&mut buffer, larger));
            }
            filled = 0..filled.len();
        }
        let (buffer, filled) = self.lent.insert((buffer, filled));
        buffer.get_mut(filled.end..).unwrap_or_default()
    }

    /// Counts what was put into the room.
    pub(super) fn add(&mut self, bytes: usize) {
        if let Some((buffer, filled)) = &mut self.lent {
            filled.end = filled.end.saturating_add(bytes).min(buffer.len());
        }
        self.take(0);
    }

    /// Forgets the first bytes. With the last of them the buffer goes back.
    pub(super) fn take(&mut self, bytes: usize) {
        if let Some((_, filled)) = &mut self.lent {
            filled.start = filled.start.saturating_add(bytes).min(filled.end);
            if Range::is_empty(filled) {
                self.clear();
            }
        }
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        if let Some((buffer, _)) = self.lent.take() {
            self.buffers.give_back(buffer);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}
