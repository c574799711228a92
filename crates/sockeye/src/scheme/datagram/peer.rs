//! The connection of one peer of a listener.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use sockeye_sys::datagram::Name;
use tokio::time::{Instant, Sleep, sleep_until};

use super::held::Held;
use super::inbox::{End, Found, Inbox, Parcel};
use super::outgoing::Outgoing;
use super::peers::Peers;
use crate::conn::{Conn, Messages};
use crate::ctx::Limits;
use crate::message::{Message, Payload};
use crate::peer::{Endpoint, Peer};

/// How long a peer may be silent once a stop is asked for: nothing would tell us that it has finished.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The connection of one peer.
pub(super) struct PeerConn {
    peers: Arc<Peers>,
    inbox: Arc<Inbox>,
    remote: Endpoint,
    /// Those of the time when it came.
    limits: Limits,
    /// When something last came or went.
    last: Instant,
    /// Bytes that came, and that went.
    came: u64,
    went: u64,
    silence: Option<Pin<Box<Sleep>>>,
    outgoing: Outgoing,
    held: Held,
}

impl PeerConn {
    /// The connection of a newcomer; `None` if it is on no socket of these.
    pub(super) fn conn(peers: Arc<Peers>, inbox: Arc<Inbox>) -> Option<Conn> {
        let socket = peers.sockets.get(inbox.key.0)?;
        let mut peer = Peer::new(socket.kind.scheme());
        (peer.remote, peer.local) = (socket.kind.endpoint(inbox.key.1.into()), inbox.local);
        peer.user = inbox.key.3;
        let (max_message, remote) = (socket.max_message, peer.remote);
        let (limits, last) = (peers.limits(), Instant::now());
        let (outgoing, held) = (Outgoing::new(&peers, &inbox), Held::default());
        let conn =
            Self { peers, inbox, remote, limits, last, came: 0, went: 0, silence: None, outgoing, held };
        Some(Conn::messages(conn, peer, Some(max_message)).without_half_close())
    }

    /// Ready once the peer has been silent for so long that it is taken to have left.
    fn poll_silence(&mut self, is_hastened: bool, cx: &mut Context<'_>) -> Poll<()> {
        let limit = match (self.limits.idle, is_hastened) {
            (idle, true) => idle.map_or(LAST_WORDS, |idle| idle.min(LAST_WORDS)),
            (Some(idle), false) => idle,
            (None, false) => return Poll::Pending,
        };
        let deadline = self.last + limit;
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A deadline that has moved away is looked at when the old one comes, so that a busy peer sets no timer.
        if silence.deadline() > deadline {
            silence.as_mut().reset(deadline);
        }
        loop {
            ready!(silence.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            silence.as_mut().reset(deadline);
        }
    }

    /// Whoever forges a victim's address must not have more sent to it than it takes to ask.
    fn may_send(&self, payload: &[u8]) -> bool {
        let may_send = match self.inbox.key.1 {
            Name::Inet(to) => {
                self.limits.outsiders.lets_send(to.ip(), self.came, self.went + length(payload))
            }
            Name::Unix(_) | Name::Unnamed => true,
        };
        if !may_send {
            self.peers.withhold();
        }
        may_send
    }

    fn has_sent(&mut self, payload: &[u8]) {
        self.last = Instant::now();
        self.went += length(payload);
    }

    fn destination(&self, parcel: &Parcel) -> Endpoint {
        parcel.to.map_or(self.inbox.local, |ip| self.inbox.local.with_ip(ip))
    }
}

fn length(payload: &[u8]) -> u64 {
    u64::try_from(payload.len()).unwrap_or(u64::MAX)
}

/// Another peer has the place of this one. That is no end which its service could pass on: it would keep what it has
/// open for somebody who is not heard any more.
fn evicted() -> io::Error {
    Errno::CONNRESET.into()
}

impl Messages for PeerConn {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        loop {
            let is_hastened = match self.inbox.poll_take(cx) {
                Found::Parcel(parcel) => {
                    self.peers.release(parcel.cost());
                    self.last = Instant::now();
                    self.came += length(&parcel.payload);
                    (message.from, message.to) = (self.remote, self.destination(&parcel));
                    (message.at, message.cut) = (parcel.at, parcel.cut);
                    message.dropped_before = parcel.dropped_before;
                    message.payload = parcel.payload.into_vec();
                    return Poll::Ready(Ok(true));
                }
                Found::End(End::Over) => return Poll::Ready(Ok(false)),
                Found::End(End::Evicted) => return Poll::Ready(Err(evicted())),
                Found::Nothing { is_hastened } => is_hastened,
            };
            ready!(self.poll_silence(is_hastened, cx));
            // What came in the last moment is still heard.
            if self.inbox.poll_end().is_ready() {
                self.peers.leave(&self.inbox);
                return Poll::Ready(Ok(false));
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        if self.may_send(payload) {
            ready!(self.outgoing.poll_send(&std::iter::once(payload), cx))?;
            self.has_sent(payload);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.held.has_room(payload) {
            ready!(self.poll_flush(cx))?;
        }
        if self.may_send(payload) {
            self.held.push(payload);
            self.has_sent(payload);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inbox, outgoing, held, .. } = self;
        if inbox.ended() == Some(End::Evicted) {
            return Poll::Ready(Err(evicted()));
        }
        held.poll_flush(|payloads| outgoing.poll_send(&payloads, cx))
    }

    /// There is no way to tell.
    fn poll_shutdown_write(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn abort(&mut self) {}
}

impl Drop for PeerConn {
    fn drop(&mut self) {
        self.peers.leave(&self.inbox);
    }
}
