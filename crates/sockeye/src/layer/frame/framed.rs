//! Messages over a stream of bytes, as a framing tells them apart.

use std::future::Future as _;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sockeye_proto::frame::{Decoder, Encoded, FrameError, Framing};
use tokio::time::{Instant, Sleep, sleep};

use crate::buffer::{Buffers, Size};
use crate::conn::{Bytes, Messages};
use crate::exit::Exit;
use crate::message::{Message, Payload};

/// The messages of one connection. It has a lent buffer while that holds messages that are still to be received, and
/// none while a read is pending.
pub(super) struct Framed {
    beneath: Box<dyn Bytes>,
    framing: Framing,
    most: usize,
    buffers: Buffers,
    decoder: Decoder,
    /// What was read and is not yet decoded.
    read: Option<(Box<[u8]>, Range<usize>)>,
    /// Runs while a burst is under way, so that its silence is seen.
    silence: Option<Pin<Box<Sleep>>>,
    is_ended: bool,
    /// The message that is under way, and how much of it is in `held`, or beyond.
    sending: Option<(Encoded, usize)>,
    /// What is encoded and not yet written.
    held: Option<(Box<[u8]>, Range<usize>)>,
}

impl Framed {
    pub(super) fn new(beneath: Box<dyn Bytes>, framing: Framing, most: usize, buffers: Buffers) -> Self {
        Self {
            beneath,
            framing,
            most,
            buffers,
            decoder: Decoder::new(framing, most),
            read: None,
            silence: None,
            is_ended: false,
            sending: None,
            held: None,
        }
    }

    /// Takes the next message out of what was read; `false` where it is not all there, and nothing is left of the read.
    fn take(&mut self, message: &mut Message) -> Result<bool, FrameError> {
        let Some((buffer, filled)) = &mut self.read else {
            return self.decoder.decode(&mut &[][..], &mut message.payload);
        };
        let mut rest = buffer.get(filled.clone()).unwrap_or_default();
        let taken = self.decoder.decode(&mut rest, &mut message.payload);
        filled.start = filled.end - rest.len();
        if (rest.is_empty() || taken.is_err())
            && let Some((buffer, _)) = self.read.take()
        {
            self.buffers.give_back(buffer);
        }
        taken
    }

    /// Reads once. `false` is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // A burst is as long as a read brings it; otherwise a larger buffer is for messages that need more than one.
        let is_short = self.decoder.is_empty() && !matches!(self.framing, Framing::Burst { .. });
        let mut buffer = self.buffers.lend(if is_short { Size::Small } else { Size::Medium });
        match self.beneath.poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(read)) if read > 0 => {
                self.read = Some((buffer, 0..read));
                self.restart_silence();
                Poll::Ready(Ok(true))
            }
            other => {
                self.buffers.give_back(buffer);
                other.map_ok(|_| false)
            }
        }
    }

    /// Waits until nothing has come for so long that a burst is over; for ever where none is under way.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Framing::Burst { silence: Some(limit) } = self.framing else { return Poll::Pending };
        if self.decoder.is_empty() {
            return Poll::Pending;
        }
        self.silence.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }

    /// Something came: a silence begins anew.
    fn restart_silence(&mut self) {
        if let (Some(silence), Framing::Burst { silence: Some(limit) }) = (&mut self.silence, self.framing) {
            silence.as_mut().reset(Instant::now() + limit);
        }
    }

    /// Puts all of a message with its borders behind what is held, which is written where it fills its buffer. Short
    /// messages share a write, and a segment.
    fn poll_hold(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        if self.sending.is_none() {
            self.sending = Some((self.framing.encode(payload, self.most).map_err(refused)?, 0));
        }
        while let Some((encoded, sent)) = &mut self.sending
            && *sent < encoded.size()
        {
            let is_short = encoded.size() - *sent <= Size::Small.bytes();
            let lend = || (self.buffers.lend(if is_short { Size::Small } else { Size::Medium }), 0..0);
            let (buffer, filled) = self.held.get_or_insert_with(lend);
            let room = buffer.get_mut(filled.end..).unwrap_or_default();
            let now = encoded.fill(payload, *sent, room);
            if now == 0 && !room.is_empty() {
                // A shorter message than the one that is under way: that one can no longer be finished.
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            }
            filled.end += now;
            *sent += now;
            if *sent < encoded.size() {
                ready!(self.poll_write_held(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all that is held, and gives its buffer back.
    fn poll_write_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((buffer, filled)) = &mut self.held {
            let rest = buffer.get(filled.clone()).unwrap_or_default();
            if !rest.is_empty() {
                filled.start += ready!(self.beneath.poll_write(cx, rest))?;
            } else if let Some((buffer, _)) = self.held.take() {
                self.buffers.give_back(buffer);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Framed {
    fn drop(&mut self) {
        for (buffer, _) in self.read.take().into_iter().chain(self.held.take()) {
            self.buffers.give_back(buffer);
        }
    }
}

impl Messages for Framed {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        while !self.is_ended {
            if self.take(message).map_err(refused)? {
                return Poll::Ready(Ok(true));
            }
            match self.poll_fill(cx)? {
                Poll::Ready(more) => self.is_ended = !more,
                Poll::Pending => {
                    ready!(self.poll_silence(cx));
                    break;
                }
            }
        }
        self.silence = None;
        Poll::Ready(self.decoder.finish(&mut message.payload).map_err(refused))
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_hold(cx, payload))?;
        ready!(self.poll_flush(cx))?;
        self.sending = None;
        Poll::Ready(Ok(()))
    }

    fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        // What shares a write would arrive as one burst.
        if let Framing::Burst { .. } = self.framing {
            return self.poll_send(cx, payload.into());
        }
        ready!(self.poll_hold(cx, payload))?;
        self.sending = None;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_held(cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_held(cx))?;
        self.beneath.poll_shutdown_write(cx)
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}

/// Carries the reason up through [`io::Error`], out of which [`crate::error::Cause`] takes it.
fn refused(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Reads that come as they are written here, each once.
    struct Reads(VecDeque<&'static [u8]>);

    impl Bytes for Reads {
        fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            let Some(read) = self.0.pop_front() else { return Poll::Pending };
            buffer[..read.len()].copy_from_slice(read);
            Poll::Ready(Ok(read.len()))
        }

        fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn abort(&mut self) {}
    }

    /// A terminal goes on behind an end of file, and whoever types is not kept waiting for another one.
    #[test]
    fn nothing_is_read_behind_the_end() {
        let reads: [&[u8]; 3] = [b"the last", b"", b"behind the end"];
        let framing = Framing::read("line").unwrap();
        let mut framed = Framed::new(Box::new(Reads(reads.into())), framing, 99, Buffers::default());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut message = Message::default();
        for more in [true, false, false] {
            let received = framed.poll_receive(&mut cx, &mut message);
            assert!(matches!(received, Poll::Ready(Ok(got)) if got == more), "{received:?}");
            assert_eq!(message.payload, b"the last");
        }
    }
}
