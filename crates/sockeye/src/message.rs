//! A message: its bytes, and what is known about how it came.

use std::time::SystemTime;

use crate::peer::Endpoint;

/// A message that was received, or is to be sent.
///
/// Receiving fills one that the caller hands in: its buffer is used again, and its addresses are `Copy`, so that a
/// loop over messages allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The bytes.
    pub payload: Vec<u8>,
    /// Whether they are text, where the protocol tells.
    pub content: Content,
    /// Who sent it.
    pub from: Endpoint,
    /// To which of our addresses.
    pub to: Endpoint,
    /// When it came, where the kernel or a layer told.
    pub at: Option<SystemTime>,
    /// Whether its end was cut off because it did not fit.
    pub cut: bool,
    /// How many messages before it the kernel or a queue dropped.
    pub dropped_before: u32,
}

/// What a message holds, for protocols that tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Content {
    /// Nobody said.
    #[default]
    Unknown,
    /// Any bytes.
    Binary,
    /// UTF-8.
    Text,
}

/// A message that is to be sent: its bytes, which are lent, and what they are.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether they are text. A protocol that tells text and bytes apart decides for itself where nobody said.
    pub content: Content,
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, content: Content::Unknown }
    }
}

impl<'a, const SIZE: usize> From<&'a [u8; SIZE]> for Payload<'a> {
    fn from(bytes: &'a [u8; SIZE]) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a> From<&'a Message> for Payload<'a> {
    fn from(message: &'a Message) -> Self {
        Self { bytes: &message.payload, content: message.content }
    }
}

impl Message {
    /// Empties it for the next use; the buffer's room is kept.
    pub fn clear(&mut self) {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        *self = Self { payload, ..Self::default() };
    }
}

/// How much room an empty buffer keeps for its next use.
const KEPT: usize = 4 << 10;

/// Frees a buffer that is larger than what its next use most likely needs.
pub(crate) fn release(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}

/// The answers of a service to one datagram. Small buffers are used again.
#[derive(Debug, Default)]
pub struct Replies {
    payloads: Vec<(Vec<u8>, Content)>,
    used: usize,
    ignored: Option<Ignored>,
}

/// Why a service ignores a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// It is not of the service's protocol, or nothing that is answered there.
    Foreign,
    /// Its sender asks more often than the service allows.
    TooOften,
}

impl Replies {
    /// Adds an answer to the sender of the datagram: an empty buffer, to be filled.
    pub fn add(&mut self) -> &mut Vec<u8> {
        self.add_as(Content::Unknown)
    }

    /// The same, and says what it will hold.
    pub fn add_as(&mut self, content: Content) -> &mut Vec<u8> {
        if self.used == self.payloads.len() {
            self.payloads.push((Vec::new(), content));
        }
        self.used += 1;
        let last = self.used - 1;
        #[expect(clippy::indexing_slicing, reason = "the line above made room for it")]
        let (payload, is) = &mut self.payloads[last];
        *is = content;
        payload.clear();
        payload
    }

    /// Says that the datagram is ignored, instead of answering it. Where there is no session, that is counted.
    pub fn ignore(&mut self, why: Ignored) {
        self.ignored = Some(why);
    }

    /// Whether the datagram is ignored, and why.
    pub fn ignored(&self) -> Option<Ignored> {
        self.ignored
    }

    /// The answers, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.payloads().map(|payload| payload.bytes)
    }

    /// The same, each with what it holds.
    pub fn payloads(&self) -> impl Iterator<Item = Payload<'_>> + Clone {
        let used = self.payloads.iter().take(self.used);
        used.map(|(bytes, content)| Payload { bytes, content: *content })
    }

    /// Forgets the answers; small buffers are kept.
    pub fn clear(&mut self) {
        self.payloads.iter_mut().take(self.used).for_each(|(payload, _)| release(payload));
        (self.used, self.ignored) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_and_nothing_old_shows() {
        let mut message =
            Message { payload: b"old".to_vec(), cut: true, dropped_before: 3, ..Message::default() };
        let room = message.payload.capacity();
        message.clear();
        assert!(message.payload.is_empty() && !message.cut && message.dropped_before == 0);
        assert_eq!(message.payload.capacity(), room);

        let mut replies = Replies::default();
        replies.add().extend(b"first");
        replies.clear();
        assert_eq!(replies.iter().count(), 0);
        replies.add();
        assert_eq!(replies.iter().collect::<Vec<_>>(), [b""]);
    }
}
