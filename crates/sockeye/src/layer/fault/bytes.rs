//! Faults on bytes.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::fault::{Deeds, Step, Stream};

use super::link::{Faulty, Link, Under, reset};
use crate::conn::{Bytes, Io};
use crate::exit::Exit;

impl Under for Stream {
    fn is_plain(&self) -> bool {
        self.is_plain()
    }

    fn is_empty(&self) -> bool {
        self.first(1).is_empty()
    }

    fn end(&mut self, now: Duration) {
        self.end(now);
    }

    fn step(&mut self, now: Duration) -> Step {
        self.step(now)
    }

    fn poll_pass(
        &mut self,
        to: &mut Io,
        most: usize,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Io::Bytes(to) = to else { return Poll::Ready(Err(io::ErrorKind::InvalidInput.into())) };
        let written = ready!(to.poll_write(cx, self.first(most)))?;
        self.passed(written, now);
        Poll::Ready(Ok(()))
    }

    /// A stream with a gap is none.
    fn survives(&self) -> bool {
        false
    }

    fn deeds(&self) -> Deeds {
        self.deeds()
    }
}

impl Link<Stream> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.incoming.is_plain() {
            let Some(Io::Bytes(io)) = &mut self.beneath else { return Poll::Ready(Err(reset())) };
            let read = io.poll_read(cx, buffer);
            if read.is_pending() {
                return self.poll_awaited(None, cx).map(|()| Ok(0));
            }
            return read;
        }
        loop {
            if self.beneath.is_none() {
                return Poll::Ready(Err(reset()));
            }
            self.take_in(cx, buffer)?;
            let now = self.now();
            let until = match self.incoming.step(now) {
                Step::Pass(most) => {
                    let first = self.incoming.first(most.min(buffer.len()));
                    let read = first.len();
                    buffer.get_mut(..read).unwrap_or_default().copy_from_slice(first);
                    self.incoming.passed(read, now);
                    return Poll::Ready(Ok(read));
                }
                Step::End => return Poll::Ready(Ok(0)),
                Step::Reset => {
                    self.reset();
                    return Poll::Ready(Err(reset()));
                }
                Step::Silence => {
                    self.take_in(cx, buffer)?;
                    None
                }
                Step::Wait(until) => until,
            };
            ready!(self.poll_awaited(until, cx));
        }
    }

    /// Takes in what there is, by way of the reader's buffer.
    fn take_in(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> io::Result<()> {
        while !self.is_drained {
            let now = self.now();
            let room = self.incoming.room(now).min(buffer.len());
            let Some(into) = buffer.get_mut(..room).filter(|into| !into.is_empty()) else { break };
            let Some(Io::Bytes(io)) = &mut self.beneath else { break };
            match io.poll_read(cx, into) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => {
                    self.is_drained = true;
                    self.incoming.end(now);
                }
                Poll::Ready(Ok(read)) => self.incoming.push(into.get(..read).unwrap_or_default(), now),
                // Whom it was cut for hears no more of it.
                Poll::Ready(Err(_)) if matches!(self.incoming.step(now), Step::End | Step::Silence) => {
                    self.is_drained = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(Io::Bytes(io)) = &mut self.beneath
            && self.outgoing.is_plain()
        {
            let written = io.poll_write(cx, bytes);
            return if written.is_pending() { self.poll_room(cx) } else { written };
        }
        self.check_sending()?;
        let now = self.now();
        let room = self.outgoing.room(now);
        if room == 0 {
            return self.poll_room(cx);
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.outgoing.push(taken, now);
        self.wake_courier();
        Poll::Ready(Ok(taken.len()))
    }
}

impl Bytes for Faulty<Stream> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.link().poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link().poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_shutdown_write(cx)
    }

    fn is_hung_up(&self) -> bool {
        self.link().is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.link().poll_exit(cx)
    }

    fn abort(&mut self) {
        self.link().abort();
    }
}
