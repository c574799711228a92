//! What comes from the server: data are read straight to where somebody wants them, everything else as whole messages.

use std::task::{Context, Poll, ready};

use sockeye::proto::exec::{ExecError, HEAD, MAX_MESSAGE, Stream};
use sockeye::proto::shape::Shape;
use sockeye::{Conn, Message};

use super::fault::Fault;

/// The length before each message on bytes.
const PREFIX: usize = 4;

/// Data that have begun to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data {
    pub(super) stream: Stream,
    pub(super) command: u32,
    /// The bytes that are still to come.
    pub(super) left: usize,
}

/// How a message begins.
#[derive(Debug)]
pub(super) enum Next {
    /// With data behind it, which [`Incoming::poll_data`] reads.
    Data(Data),
    /// The server has ended, and there is none.
    End,
    /// It was read whole: [`Incoming::message`].
    Whole,
}

#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// On bytes: the length and the head of the next message, as far as they have come.
    head: [u8; PREFIX + HEAD],
    filled: usize,
    /// A message that is no data, as far as it has come; of a connection of messages, any.
    message: Message,
    /// What of the message is still to come, on bytes; where its data go on, on messages.
    at: usize,
}

impl Incoming {
    /// The message that was read whole.
    pub(super) fn message(&self) -> &[u8] {
        &self.message.payload
    }

    /// Waits for the next message. The data of the one before must have been read.
    pub(super) fn poll_next(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<Next, Fault>> {
        match conn.shape() {
            Shape::Bytes => self.poll_head(conn, cx),
            Shape::Messages => self.poll_message(conn, cx),
        }
    }

    fn poll_message(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<Next, Fault>> {
        if !ready!(conn.poll_receive(cx, &mut self.message))? {
            return Poll::Ready(Ok(Next::End));
        }
        let payload = &self.message.payload;
        if payload.len() > MAX_MESSAGE {
            return Poll::Ready(Err(ExecError::Long.into()));
        }
        self.at = HEAD;
        let (length, head) = (payload.len(), payload.first_chunk());
        Poll::Ready(Ok(begun(*head.ok_or(ExecError::Short)?, length)))
    }

    fn poll_head(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<Next, Fault>> {
        while let Some(rest @ [_, ..]) = self.head.get_mut(self.filled..) {
            match ready!(conn.poll_read(cx, rest))? {
                0 if self.filled == 0 => return Poll::Ready(Ok(Next::End)),
                0 => return Poll::Ready(Err(Fault::Ended)),
                read => self.filled += read,
            }
        }
        let ([a, b, c, d], head) = self.head_fields();
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Poll::Ready(Err(ExecError::Long.into()));
        }
        let body = length.checked_sub(HEAD).ok_or(ExecError::Short)?;
        let next = begun(head, length);
        if let Next::Whole = next {
            ready!(self.poll_body(conn, cx, head, body))?;
        }
        self.filled = 0;
        Poll::Ready(Ok(next))
    }

    fn head_fields(&self) -> ([u8; PREFIX], [u8; HEAD]) {
        let [a, b, c, d, head @ ..] = self.head;
        ([a, b, c, d], head)
    }

    /// Reads what stands behind a head, as a whole message.
    fn poll_body(
        &mut self,
        conn: &mut Conn,
        cx: &mut Context<'_>,
        head: [u8; HEAD],
        body: usize,
    ) -> Poll<Result<(), Fault>> {
        let payload = &mut self.message.payload;
        if self.at == 0 {
            payload.clear();
            payload.extend(head);
            payload.resize(HEAD + body, 0);
            self.at = HEAD;
        }
        while let Some(rest @ [_, ..]) = payload.get_mut(self.at..) {
            match ready!(conn.poll_read(cx, rest))? {
                0 => return Poll::Ready(Err(Fault::Ended)),
                read => self.at += read,
            }
        }
        self.at = 0;
        Poll::Ready(Ok(()))
    }

    /// Reads of data that have begun what has come and finds room, and says how much; never 0.
    ///
    /// Where there is room behind them the head of the next message is read with them: a message that follows another costs
    /// one call.
    pub(super) fn poll_data(
        &mut self,
        conn: &mut Conn,
        cx: &mut Context<'_>,
        left: usize,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Fault>> {
        if conn.shape() == Shape::Messages {
            let rest = self.message.payload.get(self.at..).unwrap_or_default();
            let taken = rest.len().min(buffer.len()).min(left);
            buffer.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            self.at += taken;
            return Poll::Ready(Ok(taken));
        }
        let room = buffer.len().min(left + self.head.len());
        let read = ready!(conn.poll_read(cx, buffer.get_mut(..room).unwrap_or_default()))?;
        if read == 0 {
            return Poll::Ready(Err(Fault::Ended));
        }
        let taken = read.min(left);
        let next = buffer.get(taken..read).unwrap_or_default();
        self.head.iter_mut().zip(next).for_each(|(place, byte)| *place = *byte);
        self.filled = next.len();
        Poll::Ready(Ok(taken))
    }
}

/// What a message of that head and length is.
fn begun(head: [u8; HEAD], length: usize) -> Next {
    match Stream::of_head(head) {
        Some((stream, command)) => Next::Data(Data { stream, command, left: length.saturating_sub(HEAD) }),
        None => Next::Whole,
    }
}
