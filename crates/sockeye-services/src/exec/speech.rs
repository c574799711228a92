//! What a command says: read only as far as the client has credit for it and there is room on the way.

use std::task::{Context, Poll};

use sockeye::process::Output;
use sockeye::proto::exec::{Credit, ExecError, Stream};

use super::outbox::Outbox;

/// The output and the errors of a command.
#[derive(Debug)]
pub(super) struct Speech {
    output: Option<Output>,
    errors: Option<Output>,
    credit: Credit,
    /// How much it may still say in all.
    left: Option<u64>,
}

/// What one turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// So many bytes; 0 where there is nothing now, or no credit.
    Bytes(usize),
    /// More than it may.
    TooMuch,
}

impl Speech {
    /// One of a command that does not run yet.
    pub(super) fn new(credit: u32, left: Option<u64>) -> Self {
        Self { output: None, errors: None, credit: Credit::new(credit), left }
    }

    /// The command runs, and says this.
    pub(super) fn open(&mut self, output: Output, errors: Option<Output>) {
        (self.output, self.errors) = (Some(output), errors);
    }

    /// Nobody wants to hear it any more.
    pub(super) fn close(&mut self) {
        (self.output, self.errors) = (None, None);
    }

    /// Whether everything was said.
    pub(super) fn is_over(&self) -> bool {
        self.output.is_none() && self.errors.is_none()
    }

    /// Whether the client is to take something before more is said.
    pub(super) fn is_held_up(&self) -> bool {
        self.credit.left() == 0
    }

    /// # Errors
    /// It is more credit than can be counted.
    pub(super) fn grant(&mut self, credit: u32) -> Result<(), ExecError> {
        self.credit.grant(credit)
    }

    /// Puts what was said into the outbox: at most a message of each stream.
    pub(super) fn pass(&mut self, command: u32, outbox: &mut Outbox, cx: &mut Context<'_>) -> Said {
        let Self { output, errors, credit, left } = self;
        let mut bytes = 0;
        for (stream, said) in [(Stream::Output, output), (Stream::Errors, errors)] {
            let Some(source) = said else { continue };
            let may_say = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
            if credit.left() == 0 {
                break;
            }
            let mut is_too_much = false;
            // Whether more follows than it may say, only a read can tell.
            let read = |buffer: &mut [u8]| match source.poll_read(cx, buffer) {
                Poll::Ready(Ok(1..)) if may_say == 0 => {
                    is_too_much = true;
                    Poll::Pending
                }
                read => read,
            };
            match outbox.put_data((stream, command), credit.left().min(may_say.max(1)), read) {
                _ if is_too_much => return Said::TooMuch,
                Some(Poll::Ready(Ok(0) | Err(_))) => *said = None,
                Some(Poll::Ready(Ok(read))) => {
                    credit.spend(read);
                    *left = left.map(|left| left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX)));
                    bytes += read;
                }
                Some(Poll::Pending) | None => {}
            }
        }
        Said::Bytes(bytes)
    }
}
