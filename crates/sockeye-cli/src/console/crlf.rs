//! Line ends of what is typed.

use std::io;
use std::task::{Context, Poll, ready};

use sockeye::Bytes;
use sockeye::proto::newline::ToCrlf;

/// What is typed, with the line ends that old protocols want.
pub(super) struct Crlf {
    beneath: Box<dyn Bytes>,
    newlines: ToCrlf,
}

impl Crlf {
    pub(super) fn over(beneath: Box<dyn Bytes>) -> Self {
        Self { beneath, newlines: ToCrlf::default() }
    }
}

impl Bytes for Crlf {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        // Every byte may become two.
        let half = (buffer.len() / 2).max(1);
        let read = ready!(self.beneath.poll_read(cx, buffer.get_mut(..half).unwrap_or_default()))?;
        Poll::Ready(Ok(self.newlines.expand(buffer, read)))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.beneath.poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}
