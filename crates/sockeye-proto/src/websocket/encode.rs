//! From a message to the frame that stands for it.

use super::header::{LONGEST, Opcode};
use super::mask::Key;

/// A message as one frame: a head before its bytes. It holds no buffer, so that it can be kept while the bytes find no
/// room.
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    head: [u8; LONGEST],
    length: usize,
    key: Option<Key>,
    payload: usize,
}

impl Encoded {
    /// The frame of a message of `size` bytes, or of a ping, pong or Close, which have at most
    /// [`MAX_CONTROL`](super::MAX_CONTROL). A client has a `key`, a new one for each frame.
    pub fn new(opcode: Opcode, size: usize, key: Option<Key>) -> Self {
        let mut head = [0; LONGEST];
        let (short, long) = match (u8::try_from(size), u16::try_from(size)) {
            (Ok(size @ ..126), _) => (size, &[][..]),
            (_, Ok(size)) => (126, &size.to_be_bytes()[..]),
            (_, Err(_)) => (127, &(size as u64).to_be_bytes()[..]),
        };
        let mask = if key.is_some() { 0x80 } else { 0 };
        let pieces =
            [&[0x80 | opcode.number(), mask | short][..], long, key.as_ref().map_or(&[], |key| &key.0)];
        let mut length = 0;
        for (to, from) in head.iter_mut().zip(pieces.into_iter().flatten()) {
            *to = *from;
            length += 1;
        }
        Self { head, length, key, payload: size }
    }

    /// How many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        self.length + self.payload
    }

    /// From which byte of the message on it goes as it is, once `sent` bytes of the frame are gone; `None` where the head
    /// is still to be sent, or where a mask changes the bytes.
    pub fn plain_from(&self, sent: usize) -> Option<usize> {
        if self.key.is_some() { None } else { sent.checked_sub(self.length) }
    }

    /// Fills `buffer` with what stands from byte `from` on, and says how much that is. `payload` is the message that it
    /// was made for.
    pub fn fill(&self, payload: &[u8], from: usize, buffer: &mut [u8]) -> usize {
        let head = self.head.get(from.min(self.length)..self.length).unwrap_or_default();
        let behind = head.len().min(buffer.len());
        let (for_head, for_payload) = buffer.split_at_mut_checked(behind).unwrap_or_default();
        for_head.iter_mut().zip(head).for_each(|(to, from)| *to = *from);

        let skipped = from.saturating_sub(self.length);
        let payload = payload.get(skipped..self.payload).unwrap_or_default();
        let now = payload.len().min(for_payload.len());
        if let (Some(from), Some(to)) = (payload.get(..now), for_payload.get_mut(..now)) {
            match self.key {
                Some(key) => key.after(skipped).copy(from, to),
                None => to.copy_from_slice(from),
            }
        }
        behind + now
    }
}
