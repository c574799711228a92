//! Where connections come from.

use std::future::poll_fn;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::conn::Conn;
use crate::ctx::{Ctx, Limits};
use crate::entrance::Entrance;
use crate::error::Result;
use crate::peer::Peer;
use crate::service::{BoxFuture, Datagrams};

/// Something that yields connections.
pub trait Listener: Send {
    /// The next connection, bare: its handshakes are not done here. An error concerns this one try; try again.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>>;

    /// Asks this about each newcomer from now on, and refuses at once whom it does not let in: those never come out of
    /// [`Listener::poll_accept`]. `None` lets everybody in.
    fn guard_with(&mut self, entrance: Option<Arc<Entrance>>);

    /// Refuses newcomers from now on. Connections that were accepted are not touched.
    fn stop_accepting(&mut self);

    /// Where it listens: one for each address, as the kernel names it.
    fn locals(&self) -> Vec<Peer>;

    /// Its sockets of the kernel, in the order of [`Listener::locals`], to be asked about; none where it has none.
    fn sockets(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Keeps to these limits from now on, as far as it keeps any itself, and says after how long of silence whoever serves
    /// a newcomer is to end it.
    fn keep_to(&mut self, limits: &Limits) -> Option<Duration> {
        limits.idle
    }

    /// Hands every datagram to a service that needs no session, until it fails; `None` where a listener has
    /// connections only.
    fn answer<'a>(
        &'a mut self,
        _service: &'a dyn Datagrams,
        _ctx: &'a Ctx,
    ) -> Option<BoxFuture<'a, Result<()>>> {
        None
    }
}

/// The next connection. Cancel safe.
///
/// # Errors
/// As [`Listener::poll_accept`].
pub async fn accept(listener: &mut dyn Listener) -> Result<Conn> {
    poll_fn(|cx| listener.poll_accept(cx)).await
}
