//! Descriptors whose readiness tokio tells.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// A descriptor that a runtime watches, for reading, writing and urgent data. It stays the same for as long as this
/// lives, which is what watching relies on.
#[derive(Debug)]
pub struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// Watches a descriptor, which should be non-blocking. Panics outside a tokio runtime.
    ///
    /// # Errors
    /// What epoll(7) said, `EPERM` for files that are always ready, and the descriptor itself.
    pub fn new(file: OwnedFd) -> Result<Self, (OwnedFd, io::Error)> {
        Self::with_interest(file, Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY)
    }

    /// As [`Watched::new`], but for reading alone: nobody learns from it when the descriptor may be written.
    ///
    /// # Errors
    /// As [`Watched::new`].
    pub fn for_reading(file: OwnedFd) -> Result<Self, (OwnedFd, io::Error)> {
        Self::with_interest(file, Interest::READABLE | Interest::PRIORITY)
    }

    /// As [`Watched::new`], but for writing alone.
    ///
    /// # Errors
    /// As [`Watched::new`].
    pub fn for_writing(file: OwnedFd) -> Result<Self, (OwnedFd, io::Error)> {
        Self::with_interest(file, Interest::WRITABLE)
    }

    fn with_interest(file: OwnedFd, interest: Interest) -> Result<Self, (OwnedFd, io::Error)> {
        // SAFETY: an `OwnedFd` names the same open descriptor for as long as it lives. Nobody can exchange it:
        // the `AsyncFd` is private, and only lent out as a borrowed descriptor.
        let watched = unsafe { AsyncFd::register_with_interest(file, interest) };
        watched.map(Self).map_err(|error| error.into_parts())
    }

    /// Waits until it may be read. What a call then says to be over is forgotten with
    /// [`AsyncFdReadyGuard::clear_ready`].
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, OwnedFd>>> {
        self.0.poll_read_ready(cx)
    }

    /// Waits until it may be written.
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, OwnedFd>>> {
        self.0.poll_write_ready(cx)
    }

    /// Waits until it may be written. Cancel safe.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.0.writable().await
    }

    /// Writes with `write`, which must not wait, if it may be written; one that would wait after all is remembered.
    ///
    /// # Errors
    /// `EAGAIN` where it would wait: see [`Watched::writable`]; else what `write` says.
    pub fn try_write<T>(&self, write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::WRITABLE, |_| write())
    }

    /// Whether urgent data has ever come (tcp(7)).
    pub fn is_urgent(&self) -> bool {
        self.0.try_io(Interest::PRIORITY, |_| Ok(())).is_ok()
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
