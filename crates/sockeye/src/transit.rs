//! Bytes on their way from one connection to another, or back: a lent buffer while there are any, nothing otherwise.

use std::ops::Range;
use std::task::{Context, Poll, ready};

use crate::buffer::{Buffers, Size};
use crate::conn::Conn;
use crate::error::Result;
use crate::pipe::Pipe;

/// Full reads in a row before the next larger buffer is lent: one that is full by chance costs nothing.
const FULL_READS: u8 = 2;

/// Bytes that were read and are not yet written. The buffer grows while reads fill it, and shrinks again.
#[derive(Debug)]
pub struct Transit {
    buffers: Buffers,
    buffer: Option<Box<[u8]>>,
    filled: Range<usize>,
    /// Whether what was written may be held back by a layer still.
    is_unflushed: bool,
    size: Size,
    full_reads: u8,
}

impl Transit {
    /// Nothing under way yet.
    pub fn new(buffers: &Buffers) -> Self {
        Self {
            buffers: buffers.clone(),
            buffer: None,
            filled: 0..0,
            is_unflushed: false,
            size: Size::Small,
            full_reads: 0,
        }
    }

    /// Whether everything that was read is written, and no layer holds any of it back.
    pub fn is_empty(&self) -> bool {
        self.filled.is_empty() && !self.is_unflushed
    }

    /// What was read and is not yet written; a service may change it in place.
    pub fn bytes(&mut self) -> &mut [u8] {
        let filled = self.filled.clone();
        self.buffer.as_mut().and_then(|buffer| buffer.get_mut(filled)).unwrap_or_default()
    }

    /// Whether full reads have told that many bytes are coming.
    pub(crate) fn is_bulk(&self) -> bool {
        self.size > Size::Small
    }

    /// Learns from what was moved in another way how large the next read may be.
    pub(crate) fn learn_moved(&mut self, bytes: usize) {
        self.learn(bytes, usize::MAX);
    }

    /// Takes from a pipe what finds room. What was under way before must have been drained.
    pub(crate) fn take_from(&mut self, pipe: &mut Pipe) -> rustix::io::Result<()> {
        debug_assert!(self.filled.is_empty(), "what is under way must be drained first");
        let buffer = self.buffer.get_or_insert_with(|| self.buffers.lend(self.size));
        self.filled = 0..pipe.read(buffer)?;
        Ok(())
    }

    /// Reads from `conn` and says how much; 0 is the end. While it is pending no buffer is held. What was read
    /// before must have been drained or discarded.
    ///
    /// # Errors
    /// As [`Conn::poll_read`].
    pub fn poll_fill(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        debug_assert!(self.filled.is_empty(), "what is under way must be drained first");
        let mut buffer = self.buffer.take().unwrap_or_else(|| self.buffers.lend(self.size));
        match conn.poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(read)) if read > 0 => {
                self.learn(read, buffer.len());
                self.filled = 0..read;
                self.buffer = Some(buffer);
                Poll::Ready(Ok(read))
            }
            other => {
                self.buffers.give_back(buffer);
                other
            }
        }
    }

    /// Writes all that is under way to `conn`.
    ///
    /// # Errors
    /// As [`Conn::poll_write`]; what is left can be dropped with [`Transit::discard`].
    pub fn poll_drain(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.filled.is_empty() {
            let rest =
                self.buffer.as_ref().and_then(|buffer| buffer.get(self.filled.clone())).unwrap_or_default();
            let written = ready!(conn.poll_write(cx, rest))?;
            self.is_unflushed = true;
            self.filled.start = self.filled.start.saturating_add(written).min(self.filled.end);
        }
        if self.buffer.as_ref().is_some_and(|buffer| buffer.len() != self.size.bytes()) {
            self.discard();
        }
        ready!(conn.poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Forgets what is under way, and gives the buffer back.
    pub fn discard(&mut self) {
        self.filled = 0..0;
        self.is_unflushed = false;
        if let Some(buffer) = self.buffer.take() {
            self.buffers.give_back(buffer);
        }
    }

    /// Chooses the size of the next buffer from how full this one got.
    fn learn(&mut self, read: usize, room: usize) {
        if read == room {
            self.full_reads += 1;
            if self.full_reads >= FULL_READS {
                (self.size, self.full_reads) = (self.size.larger(), 0);
            }
        } else {
            self.full_reads = 0;
            if read <= Size::Small.bytes() / 2 {
                self.size = Size::Small;
            }
        }
    }
}

impl Drop for Transit {
    fn drop(&mut self) {
        self.discard();
    }
}
