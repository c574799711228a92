//! Descriptors whose readiness tokio tells.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor, which should be non-blocking, for reading, writing and urgent data. Panics outside a tokio runtime.
///
/// # Errors
/// What epoll(7) said, `EPERM` for files that are always ready, and the descriptor itself.
pub fn register(file: OwnedFd) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
    // SAFETY: an `OwnedFd` names the same open descriptor for as long as it lives, and `AsyncFd` keeps it until it is
    // dropped, or gives it back after it was deregistered.
    unsafe { AsyncFd::register_with_interest(file, interest) }.map_err(|error| error.into_parts())
}
