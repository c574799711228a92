//! Messages that are held back, to leave together.

use std::io;
use std::task::{Poll, ready};

use sockeye_sys::datagram::BATCH;

use super::is_too_long;

/// The most that is held, in bytes, or one message that is longer.
const MOST: usize = 64 << 10;

/// What is held back for one peer, in order. While nothing is, no memory is used.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// How many of them are gone.
    gone: usize,
    is_tried_again: bool,
    /// Why one of them cannot go, which is told when the others are gone.
    refused: Option<io::Error>,
}

impl Held {
    /// Whether there is room for one more.
    pub(super) fn has_room(&self, payload: &[u8]) -> bool {
        self.ends.len() < BATCH && (self.ends.is_empty() || self.bytes.len() + payload.len() <= MOST)
    }

    /// Holds a message. There should be room for it.
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.ends.push(self.bytes.len());
    }

    /// Sends all that is held with `send`, which says how many of those that it is given went.
    ///
    /// # Errors
    /// What `send` says. Of one that is too long alone it is told once the others are gone.
    pub(super) fn poll_flush(
        &mut self,
        mut send: impl FnMut(Payloads<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while self.gone < self.ends.len() {
            let (sent, refused) = match ready!(send(self.payloads())) {
                Ok(sent) => (sent, None),
                // That may be the fate of one that went before; a second time it is that of this one.
                Err(error) if is_too_long(&error) && !self.is_tried_again => {
                    self.is_tried_again = true;
                    continue;
                }
                Err(error) if is_too_long(&error) => (1, Some(error)),
                Err(error) => return Poll::Ready(Err(error)),
            };
            (self.gone, self.is_tried_again) = (self.gone + sent, false);
            self.refused = refused.or(self.refused.take());
        }
        Poll::Ready(std::mem::take(self).refused.map_or(Ok(()), Err))
    }

    fn payloads(&self) -> Payloads<'_> {
        let begin = self.gone.checked_sub(1).and_then(|last| self.ends.get(last).copied()).unwrap_or(0);
        Payloads { bytes: &self.bytes, begin, ends: self.ends.get(self.gone..).unwrap_or_default().iter() }
    }
}

/// What is held and not gone.
#[derive(Clone)]
pub(super) struct Payloads<'a> {
    bytes: &'a [u8],
    begin: usize,
    ends: std::slice::Iter<'a, usize>,
}

impl<'a> Iterator for Payloads<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = *self.ends.next()?;
        self.bytes.get(std::mem::replace(&mut self.begin, end)..end)
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn held(messages: &[&[u8]]) -> Held {
        let mut held = Held::default();
        messages.iter().for_each(|message| held.push(message));
        held
    }

    #[test]
    fn what_is_held_goes_in_order_however_many_go_at_once() {
        let (mut held, mut went) = (held(&[b"a", b"", b"bcd", b"e"]), Vec::new());
        let flushed = held.poll_flush(|payloads| {
            went.extend(payloads.take(3).map(<[u8]>::to_vec));
            if went.len() == 3 { Poll::Ready(Ok(3)) } else { Poll::Ready(Ok(1)) }
        });
        assert!(matches!(flushed, Poll::Ready(Ok(()))));
        assert_eq!(went, [&b"a"[..], b"", b"bcd", b"e"]);
        assert!(held.ends.is_empty() && held.bytes.capacity() == 0);
    }

    #[test]
    fn one_that_is_too_long_is_told_once_the_others_are_gone() {
        let (mut held, mut went, mut tries) = (held(&[b"a", b"too long", b"b"]), Vec::new(), 0);
        let flushed = held.poll_flush(|mut payloads| match payloads.next().unwrap() {
            b"too long" => {
                tries += 1;
                Poll::Ready(Err(Errno::MSGSIZE.into()))
            }
            payload => {
                went.push(payload.to_vec());
                Poll::Ready(Ok(1))
            }
        });
        assert!(matches!(flushed, Poll::Ready(Err(error)) if is_too_long(&error)));
        assert_eq!((went, tries), (vec![b"a".to_vec(), b"b".to_vec()], 2));
        assert!(matches!(held.poll_flush(|_| panic!("nothing is held")), Poll::Ready(Ok(()))));
    }

    #[test]
    fn a_long_message_is_held_alone_and_few_bytes_are_many_messages_at_most() {
        let mut held = Held::default();
        let long = vec![0; 2 * MOST];
        assert!(held.has_room(&long));
        held.push(b"");
        assert!(!held.has_room(&long) && held.has_room(&long[..MOST]));
        (1..BATCH).for_each(|_| held.push(b""));
        assert!(!held.has_room(b""));
    }
}
