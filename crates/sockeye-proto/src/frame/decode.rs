//! From a stream of bytes, cut anywhere, to messages.

use super::delimiter::Delimiter;
use super::error::FrameError;
use super::prefix::{Prefix, Reading};
use super::{Framing, length};

/// Finds the messages in a stream. Where the stream is cut makes no difference, but to [`Framing::Burst`].
///
/// It holds what has come of one message, at most as much as one may have, and nothing between messages. What a peer
/// says of a length makes no room: that grows as the bytes come.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    most: usize,
    held: Vec<u8>,
    step: Step,
    failed: Option<FrameError>,
}

/// How far the message has come that is under way, where it does not show in what is held.
#[derive(Debug)]
enum Step {
    Prefix(Reading),
    /// Its length is known: so many bytes, with what stands behind them.
    Body(usize),
}

impl Default for Step {
    fn default() -> Self {
        Self::Prefix(Reading::default())
    }
}

impl Decoder {
    /// A decoder at the beginning of a stream whose messages have at most `most` bytes each.
    pub fn new(framing: Framing, most: usize) -> Self {
        Self { framing, most, held: Vec::new(), step: Step::default(), failed: None }
    }

    /// Whether no message is under way.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && matches!(&self.step, Step::Prefix(reading) if reading.is_empty())
    }

    /// For how many bytes it has reserved room: at most one more than a message may have, and none between messages.
    pub fn capacity(&self) -> usize {
        self.held.capacity()
    }

    /// Takes from the front of `input` what belongs to the next message. `true`: it is whole, and stands behind what
    /// `message` held; `false`: all of the input is taken, and more is needed.
    ///
    /// # Errors
    /// No message can be found from here on, and each further call says the same. A message of more than the limit is
    /// refused as soon as that shows. What stands in `message` then has no meaning.
    pub fn decode(&mut self, input: &mut &[u8], message: &mut Vec<u8>) -> Result<bool, FrameError> {
        self.unless_failed(|decoder| match decoder.framing {
            _ if input.is_empty() => Ok(false),
            Framing::Burst { silence } => decoder.burst(silence.is_some(), input, message),
            Framing::Delimited(delimiter) => decoder.delimited(delimiter, input, message),
            Framing::Fixed(size) => {
                decoder.check(length(size))?;
                Ok(decoder.sized(length(size), input, message))
            }
            Framing::Prefixed(prefix) => decoder.prefixed(prefix, input, message),
        })
    }

    /// The stream has ended, or a silence ends the burst. `true`: what was left is a last message, behind what
    /// `message` held.
    ///
    /// # Errors
    /// As [`Decoder::decode`], and where the end came inside a message that has to be whole.
    pub fn finish(&mut self, message: &mut Vec<u8>) -> Result<bool, FrameError> {
        self.unless_failed(|decoder| match decoder.framing {
            _ if decoder.is_empty() => Ok(false),
            Framing::Burst { .. } | Framing::Delimited(_) => {
                decoder.check(decoder.held.len())?;
                decoder.give(&[], message);
                Ok(true)
            }
            Framing::Fixed(_) | Framing::Prefixed(_) => Err(FrameError::Unfinished),
        })
    }

    fn unless_failed(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<bool, FrameError>,
    ) -> Result<bool, FrameError> {
        let done = self.failed.map_or(Ok(()), Err).and_then(|()| step(self));
        if let Err(error) = done {
            self.failed = Some(error);
            self.held = Vec::new();
        }
        done
    }

    fn burst(&mut self, lasts: bool, input: &mut &[u8], message: &mut Vec<u8>) -> Result<bool, FrameError> {
        let now = std::mem::take(input);
        self.check(self.held.len() + now.len())?;
        if lasts {
            self.hold(now, self.most);
        } else {
            self.give(now, message);
        }
        Ok(!lasts)
    }

    fn delimited(
        &mut self,
        delimiter: Delimiter,
        input: &mut &[u8],
        message: &mut Vec<u8>,
    ) -> Result<bool, FrameError> {
        let found = delimiter.find(self.held.last().copied(), input);
        let end = found.as_ref().map_or(input.len(), |found| found.end);
        let (now, rest) = input.split_at_checked(end).unwrap_or_default();
        *input = rest;
        let Some(found) = found else {
            self.check(delimiter.certain(self.held.len() + now.len(), now.last().copied()))?;
            self.hold(now, self.most.saturating_add(1));
            return Ok(false);
        };
        self.check(self.held.len() + now.len() - found.length)?;
        // A part of the delimiter may have come before.
        let body = now.len().saturating_sub(found.length);
        self.held.truncate(self.held.len() + now.len() - body - found.length);
        self.give(now.get(..body).unwrap_or_default(), message);
        Ok(true)
    }

    fn prefixed(
        &mut self,
        prefix: Prefix,
        input: &mut &[u8],
        message: &mut Vec<u8>,
    ) -> Result<bool, FrameError> {
        let tail = prefix.tail();
        loop {
            match &mut self.step {
                Step::Body(size) => {
                    let size = *size;
                    let is_whole = self.sized(size, input, message);
                    if is_whole {
                        self.step = Step::default();
                        let body = message.len() - tail.len();
                        if message.get(body..) != Some(tail) {
                            return Err(FrameError::Netstring { expected: "a comma" });
                        }
                        message.truncate(body);
                    }
                    return Ok(is_whole);
                }
                Step::Prefix(reading) => {
                    let Some((byte, rest)) = input.split_first() else { return Ok(false) };
                    *input = rest;
                    if let Some(size) = reading.push(prefix, *byte, self.most)? {
                        self.step = Step::Body(size.saturating_add(tail.len()));
                    }
                }
            }
        }
    }

    /// Takes a message of `size` bytes; whether it is whole.
    fn sized(&mut self, size: usize, input: &mut &[u8], message: &mut Vec<u8>) -> bool {
        let missing = size - self.held.len();
        let (now, rest) = input.split_at_checked(missing).unwrap_or((input, b""));
        *input = rest;
        if now.len() < missing {
            self.hold(now, size);
        } else {
            self.give(now, message);
        }
        now.len() == missing
    }

    fn check(&self, size: usize) -> Result<(), FrameError> {
        if size > self.most { Err(FrameError::TooLong { most: self.most }) } else { Ok(()) }
    }

    /// Keeps a part of a message. The room for it doubles, up to `most`.
    fn hold(&mut self, part: &[u8], most: usize) {
        let needed = self.held.len() + part.len();
        if needed > self.held.capacity() {
            let room = (2 * self.held.capacity()).min(most).max(needed);
            self.held.reserve_exact(room - self.held.len());
        }
        self.held.extend_from_slice(part);
    }

    /// Appends what is held and the last part to `message`, and holds nothing more.
    fn give(&mut self, last: &[u8], message: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.held);
        if message.is_empty() && message.capacity() < held.len() {
            std::mem::swap(message, &mut held);
        }
        message.extend_from_slice(&held);
        message.extend_from_slice(last);
    }
}
