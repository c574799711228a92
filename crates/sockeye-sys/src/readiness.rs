//! Descriptors whose readiness tokio tells.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers a descriptor, which should be non-blocking, for reading and writing. Panics outside a tokio runtime.
///
/// # Errors
/// What epoll(7) said, `EPERM` for files that are always ready, and the descriptor itself.
pub fn register(file: OwnedFd) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    // SAFETY: an `OwnedFd` names the same open descriptor for as long as it lives, and `AsyncFd` keeps it until it is
    // dropped, or gives it back after it was deregistered.
    unsafe { AsyncFd::register(file) }.map_err(|error| error.into_parts())
}
