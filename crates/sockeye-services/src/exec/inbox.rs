//! What comes from a client: whole messages, on bytes each behind its length.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use sockeye::proto::exec::ExecError;
use sockeye::proto::shape::Shape;
use sockeye::{Buffers, Conn, Message, Op, Result, Size};

use super::fault;

/// The bytes of a length.
pub(super) const PREFIX: usize = 4;

/// Messages as they come. It has a lent buffer while that holds bytes, and none while nothing is under way.
#[derive(Debug)]
pub(super) struct Inbox {
    buffers: Buffers,
    buffer: Option<Box<[u8]>>,
    /// What of the buffer was read and not taken.
    filled: Range<usize>,
    /// What the next buffer is to be: larger, once a read has filled one.
    size: Size,
    /// What came, on a connection of messages.
    message: Message,
    /// The most bytes that a message may have.
    most: usize,
}

impl Inbox {
    pub(super) fn new(buffers: &Buffers, most: usize) -> Self {
        let (buffers, message) = (buffers.clone(), Message::default());
        Self { buffers, buffer: None, filled: 0..0, size: Size::Small, message, most }
    }

    /// From now on messages may have so many bytes.
    pub(super) fn expect(&mut self, most: usize) {
        self.most = most;
    }

    /// Waits for the next message; `None` is the end. Cancel safe.
    pub(super) fn poll_next(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<Option<&[u8]>>> {
        if conn.shape() == Shape::Messages {
            let more = ready!(conn.poll_receive(cx, &mut self.message))?;
            if self.message.payload.len() > self.most {
                return Poll::Ready(Err(fault(conn, ExecError::Long)));
            }
            return Poll::Ready(Ok(more.then_some(&*self.message.payload)));
        }
        let length = loop {
            match self.length() {
                Some(length) if length > self.most => return Poll::Ready(Err(fault(conn, ExecError::Long))),
                Some(length) if self.filled.len() >= PREFIX + length => break length,
                _ => {}
            }
            if ready!(self.poll_fill(conn, cx))? == 0 {
                let cut = || {
                    sockeye::Error::new(Op::Read, io::Error::from(io::ErrorKind::UnexpectedEof))
                        .on(conn.peer())
                };
                return Poll::Ready(if self.filled.is_empty() { Ok(None) } else { Err(cut()) });
            }
        };
        let message = self.filled.start + PREFIX..self.filled.start + PREFIX + length;
        self.filled.start = message.end;
        Poll::Ready(Ok(self.buffer.as_deref().and_then(|buffer| buffer.get(message))))
    }

    /// The length of the message that comes next, once it is there.
    fn length(&self) -> Option<usize> {
        let filled = self.buffer.as_ref()?.get(self.filled.clone())?;
        let length = u32::from_be_bytes(*filled.first_chunk()?);
        Some(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Reads once, and says how much.
    fn poll_fill(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let needed = self.length().map_or(PREFIX, |length| PREFIX + length);
        let mut buffer = self.buffer.take().unwrap_or_else(|| self.buffers.lend(self.size));
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if needed > buffer.len() {
            let mut larger = self.buffers.lend(Size::Large);
            let begun = buffer.get(self.filled.clone()).unwrap_or_default();
            larger.iter_mut().zip(begun).for_each(|(to, from)| *to = *from);
            self.filled = 0..begun.len();
            self.buffers.give_back(std::mem::replace(&mut buffer, larger));
        } else if self.filled.start + needed > buffer.len() {
            let length = self.filled.len();
            buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..length;
        }
        let room = buffer.get_mut(self.filled.end..).unwrap_or_default();
        let (most, read) = (room.len(), conn.poll_read(cx, room));
        if let Poll::Ready(Ok(read)) = read {
            self.filled.end += read;
            self.size = if read == most { Size::Large } else { self.size };
        }
        if self.filled.is_empty() {
            self.size = Size::Small;
            self.buffers.give_back(buffer);
        } else {
            self.buffer = Some(buffer);
        }
        read
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.buffer.take().into_iter().for_each(|buffer| self.buffers.give_back(buffer));
    }
}
