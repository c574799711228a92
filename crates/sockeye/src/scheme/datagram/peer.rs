//! The connection of one peer of a listener.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use sockeye_sys::datagram::{Departure, Name};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::bound::Bound;
use super::inbox::{End, Found, Inbox, Parcel};
use super::peers::Peers;
use crate::conn::{Conn, Messages};
use crate::ctx::Limits;
use crate::message::Message;
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

/// How long a peer may be silent once a stop is asked for: nothing would tell us that it has finished.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The pause before a Unix socket whose queue is full is tried again: the kernel tells a sender that is connected to
/// nobody neither when there is room nor who has it.
const FULL_PAUSE: Duration = Duration::from_millis(5);

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
    /// While what is sent has to wait.
    room: Option<BoxFuture<'static, io::Result<()>>>,
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
        let conn = Self { peers, inbox, remote, limits, last, came: 0, went: 0, silence: None, room: None };
        Some(Conn::messages(conn, peer, Some(max_message)).without_half_close())
    }

    fn socket(&self) -> io::Result<&Bound> {
        self.peers.sockets.get(self.inbox.key.0).ok_or_else(|| Errno::BADF.into())
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
        match self.inbox.key.1 {
            Name::Inet(to) => {
                self.limits.outsiders.lets_send(to.ip(), self.came, self.went + length(payload))
            }
            Name::Unix(_) | Name::Unnamed => true,
        }
    }

    fn destination(&self, parcel: &Parcel) -> Endpoint {
        parcel.to.map_or(self.inbox.local, |ip| self.inbox.local.with_ip(ip))
    }

    fn try_send(&self, payload: &[u8]) -> io::Result<()> {
        let (_, to, source, _) = self.inbox.key;
        if to == Name::Unnamed {
            return Err(Errno::DESTADDRREQ.into());
        }
        self.socket()?.try_send(std::iter::once(Departure { payload, to, source })).map(|_| ())
    }

    /// Waits until trying again makes sense.
    fn wait(&self) -> BoxFuture<'static, io::Result<()>> {
        let (peers, at) = (self.peers.clone(), self.inbox.key.0);
        Box::pin(async move {
            match peers.sockets.get(at) {
                Some(bound) if bound.kind.is_on_ip() => bound.socket.writable().await.map(|_| ()),
                _ => {
                    sleep(FULL_PAUSE).await;
                    Ok(())
                }
            }
        })
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

    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        if self.inbox.ended() == Some(End::Evicted) {
            return Poll::Ready(Err(evicted()));
        }
        if !self.may_send(payload) {
            self.peers.withhold();
            return Poll::Ready(Ok(()));
        }
        loop {
            if let Some(room) = &mut self.room {
                ready!(room.as_mut().poll(cx))?;
                self.room = None;
            }
            match self.try_send(payload) {
                Ok(()) => {
                    self.last = Instant::now();
                    self.went += length(payload);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.room = Some(self.wait()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
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
