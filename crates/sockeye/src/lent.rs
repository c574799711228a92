//! Descriptors that a connection lends for calls which move bytes past it.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use sockeye_sys::readiness::Watched;
use tokio::task::coop;

/// Which way a descriptor is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From it.
    Read,
    /// To it.
    Write,
}

/// A descriptor with nothing above it, by how it can be waited for.
#[derive(Debug, Clone, Copy)]
pub enum Lent<'a> {
    /// Non-blocking.
    Watched(&'a Watched),
    /// Never waits: regular files, and devices without readiness. A disk that hangs holds up one worker thread.
    Direct(BorrowedFd<'a>),
}

impl Lent<'_> {
    /// Makes a call, which must not wait on a non-blocking descriptor: at once, and again where it would have had to
    /// wait and need not any more. It is tried first since not every end makes an event: a named pipe whose writers are
    /// gone has none.
    ///
    /// # Errors
    /// What the call says, but for `EAGAIN` and `EINTR`; the runtime is shutting down.
    pub fn poll<T>(
        self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let turn = ready!(coop::poll_proceed(cx));
        loop {
            let outcome = match self {
                Self::Watched(file) => attempt(file.as_fd()),
                Self::Direct(file) => attempt(file),
            };
            match (outcome, self) {
                (Err(Errno::INTR), _) => {}
                (Err(Errno::AGAIN), Self::Watched(file)) => {
                    let ready = match direction {
                        Direction::Read => file.poll_read_ready(cx),
                        Direction::Write => file.poll_write_ready(cx),
                    };
                    ready!(ready)?.clear_ready();
                }
                (outcome, _) => {
                    turn.made_progress();
                    return Poll::Ready(outcome.map_err(io::Error::from));
                }
            }
        }
    }
}
