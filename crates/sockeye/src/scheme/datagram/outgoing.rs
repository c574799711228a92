//! What is sent to one peer of a listener, on the socket that all of them share.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use sockeye_sys::datagram::{Departure, Name};
use tokio::time::sleep;

use super::inbox::Inbox;
use super::peers::Peers;
use crate::service::BoxFuture;

/// The pause before a Unix socket whose queue is full is tried again: the kernel tells a sender that is connected to
/// nobody neither when there is room nor who has it.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// The way to one peer.
pub(super) struct Outgoing {
    peers: Arc<Peers>,
    inbox: Arc<Inbox>,
    /// While what is sent has to wait.
    room: Option<BoxFuture<'static, io::Result<()>>>,
}

impl Outgoing {
    pub(super) fn new(peers: &Arc<Peers>, inbox: &Arc<Inbox>) -> Self {
        Self { peers: peers.clone(), inbox: inbox.clone(), room: None }
    }

    /// Sends what can go of some messages, once the first can, and says how many went.
    pub(super) fn poll_send<'a>(
        &mut self,
        payloads: &(impl Iterator<Item = &'a [u8]> + Clone),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let (at, to, source, _) = self.inbox.key;
        if to == Name::Unnamed {
            return Poll::Ready(Err(Errno::DESTADDRREQ.into()));
        }
        loop {
            if let Some(room) = &mut self.room {
                ready!(room.as_mut().poll(cx))?;
                self.room = None;
            }
            let socket = self.peers.sockets.get(at).ok_or(Errno::BADF)?;
            let departures = payloads.clone().map(|payload| Departure { payload, to, source });
            match socket.way.try_send(departures) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.room = Some(self.wait()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Waits until trying again makes sense.
    fn wait(&self) -> BoxFuture<'static, io::Result<()>> {
        let (peers, at) = (self.peers.clone(), self.inbox.key.0);
        Box::pin(async move {
            match peers.sockets.get(at) {
                Some(bound) if bound.kind.is_on_ip() => bound.way.writable().await,
                _ => {
                    sleep(FULL_PAUSE).await;
                    Ok(())
                }
            }
        })
    }
}
