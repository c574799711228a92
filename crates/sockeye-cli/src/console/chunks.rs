//! `--chunks` with a peer that carries bytes.

use std::io;
use std::task::{Context, Poll, ready};

use sockeye::{Bytes, Clock};

use super::form::{Form, Origin};
use super::waiting::Waiting;

/// Writes something for each read of the peer: a relay writes at once what one read brought.
pub(super) struct Chunks {
    beneath: Box<dyn Bytes>,
    form: Form,
    clock: Clock,
    waiting: Waiting,
}

impl Chunks {
    pub(super) fn over(beneath: Box<dyn Bytes>, form: Form, clock: Clock) -> Self {
        Self { beneath, form, clock, waiting: Waiting::default() }
    }
}

impl Bytes for Chunks {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.beneath.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.form.write(bytes, &Origin::default(), self.clock, &mut self.waiting.bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}
