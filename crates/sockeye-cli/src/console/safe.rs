//! What comes from a peer, on a terminal.

use std::io;
use std::task::{Context, Poll, ready};

use sockeye::Bytes;
use sockeye::proto::printable::Printable;

use super::waiting::Waiting;

/// What comes, made safe for a terminal: a peer could otherwise move the cursor, rewrite what stands there, or have
/// the terminal type an answer into the shell.
pub(super) struct Safe {
    beneath: Box<dyn Bytes>,
    printable: Printable,
    /// Made safe: at most four times what one write brought.
    waiting: Waiting,
}

impl Safe {
    pub(super) fn over(beneath: Box<dyn Bytes>) -> Self {
        Self { beneath, printable: Printable::default(), waiting: Waiting::default() }
    }
}

impl Bytes for Safe {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.beneath.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.printable.push(bytes, &mut self.waiting.bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.printable.finish(&mut self.waiting.bytes);
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}
