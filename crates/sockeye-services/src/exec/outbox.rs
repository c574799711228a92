//! What goes to a client: messages, each behind its length, many with one write.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use sockeye::proto::exec::{ExecError, FromServer, HEAD, MAX_BODY, Stream};
use sockeye::proto::shape::Shape;
use sockeye::{Buffers, Conn, Result, Size};

use super::inbox::PREFIX;

/// The most bytes of a text for people in a message.
const TEXT: usize = 1024;
/// The most bytes of what answers a message: one, with a text.
const ANSWER: usize = PREFIX + HEAD + 16 + TEXT;
/// What is kept free for what a turn says beside data, at most three messages, of which one has a text, and for some answers.
const MARGIN: usize = 3 * ANSWER;
/// The least room that a read of a command's output is worth.
const LEAST: usize = 4 << 10;

/// Messages that are under way. It has a lent buffer while there are any. What is full takes no more until it is written: that
/// holds up the commands, and with them what they say.
#[derive(Debug)]
pub(super) struct Outbox {
    buffers: Buffers,
    buffer: Option<Box<[u8]>>,
    /// What of the buffer is not written yet.
    filled: Range<usize>,
    /// What the next buffer is to be: larger, once a command has filled one.
    size: Size,
    is_unflushed: bool,
    /// The most bytes of data in a message.
    most: usize,
}

impl Outbox {
    /// For a connection, whose messages may be shorter than ours.
    pub(super) fn new(buffers: &Buffers, conn: &Conn) -> Self {
        let most = conn.max_message().map_or(MAX_BODY, |most| most.saturating_sub(HEAD).clamp(1, MAX_BODY));
        Self {
            buffers: buffers.clone(),
            buffer: None,
            filled: 0..0,
            size: Size::Small,
            is_unflushed: false,
            most,
        }
    }

    /// Whether a turn of a command, or the answer to a message, finds room.
    pub(super) fn has_room(&self) -> bool {
        self.free() >= MARGIN + LEAST
    }

    /// Whether the answer to a message of the client finds room. More often than [`Outbox::has_room`]: a client is heard also while
    /// it is slow to take what commands say.
    pub(super) fn may_answer(&self) -> bool {
        self.free() >= ANSWER
    }

    fn free(&self) -> usize {
        self.buffer.as_ref().map_or(self.size.bytes(), |buffer| buffer.len() - self.filled.end)
    }

    /// Puts a message about a command; at most three are put where [`Outbox::has_room`] said yes.
    pub(super) fn put(&mut self, command: u32, message: &FromServer<'_>) {
        let mut bytes = Vec::with_capacity(64);
        // Our texts are short, and data have a way of their own.
        let encoded: std::result::Result<(), ExecError> = message.encode(command, &mut bytes);
        debug_assert!(encoded.is_ok() && bytes.len() <= MARGIN, "{message:?}");
        let length = u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes();
        self.extend(&[&length, &bytes]);
    }

    fn extend(&mut self, pieces: &[&[u8]]) {
        let room = self.room();
        let room = room.iter_mut().zip(pieces.iter().copied().flatten());
        let put = room.map(|(to, from)| *to = *from).count();
        self.filled.end += put;
    }

    /// What is free behind the messages.
    fn room(&mut self) -> &mut [u8] {
        let buffer = self.buffer.get_or_insert_with(|| self.buffers.lend(self.size));
        buffer.get_mut(self.filled.end..).unwrap_or_default()
    }

    /// Puts a message with the data that `read` fills a buffer with, of which at most `most` bytes, and says how many these
    /// are; `None` where there is no room. Nothing is put where nothing was read.
    pub(super) fn put_data(
        &mut self,
        (stream, command): (Stream, u32),
        most: usize,
        read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Option<Poll<io::Result<usize>>> {
        let before = PREFIX + HEAD;
        let most = most.min(self.most).min(self.free().saturating_sub(MARGIN + before));
        if most == 0 {
            return None;
        }
        let room = self.room().get_mut(before..before + most).unwrap_or_default();
        let data = read(room);
        if let Poll::Ready(Ok(length @ 1..)) = data {
            let size = u32::try_from(HEAD + length).unwrap_or_default().to_be_bytes();
            self.extend(&[&size, &stream.head(command)]);
            self.filled.end += length;
            if length == most {
                self.size = Size::Large;
            }
        }
        Some(data)
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.filled.is_empty() && !self.is_unflushed
    }

    /// Writes everything. Cancel safe.
    pub(super) fn poll_drain(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.filled.is_empty() {
            let rest =
                self.buffer.as_ref().and_then(|buffer| buffer.get(self.filled.clone())).unwrap_or_default();
            let gone = match conn.shape() {
                Shape::Bytes => ready!(conn.poll_write(cx, rest))?,
                Shape::Messages => {
                    let message = first(rest);
                    ready!(conn.poll_feed(cx, message))?;
                    PREFIX + message.len()
                }
            };
            self.filled.start += gone;
            self.is_unflushed = true;
        }
        if let Some(buffer) = self.buffer.take() {
            if self.filled.end < Size::Small.bytes() - MARGIN - LEAST {
                self.size = Size::Small;
            }
            self.filled = 0..0;
            self.buffers.give_back(buffer);
        }
        if self.is_unflushed {
            ready!(conn.poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.buffer.take().into_iter().for_each(|buffer| self.buffers.give_back(buffer));
    }
}

/// A text for people, as much of it as is sent.
pub(super) fn shown(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default()
}

/// The first of several messages, without its length.
fn first(bytes: &[u8]) -> &[u8] {
    let Some((length, rest)) = bytes.split_first_chunk::<PREFIX>() else { return &[] };
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).unwrap_or_default()).unwrap_or_default()
}
