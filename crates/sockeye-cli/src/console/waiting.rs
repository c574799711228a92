//! Bytes that standard output is still to take.

use std::io;
use std::task::{Context, Poll, ready};

use sockeye::Bytes;

/// What is made and not yet written: what one write brought and what was made of it, and at most 64 KiB before that.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) bytes: Vec<u8>,
    written: usize,
}

impl Waiting {
    /// Writes all of it.
    pub(super) fn poll_empty(
        &mut self,
        beneath: &mut dyn Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            self.written += ready!(beneath.poll_write(cx, rest))?;
        }
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

/// How much room is kept for what comes next: more is freed, since a large message may have been the only one.
const KEPT: usize = 64 << 10;
