//! One peer of a listener: what waits for it, and its connection.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::io::Errno;
use sockeye_sys::datagram::{Departure, Name};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::Kind;
use super::peers::{Key, Peers};
use super::port::Port;
use crate::conn::{Conn, Messages};
use crate::message::Message;
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

/// What may wait for one peer, or one datagram that is longer; what comes while it is full is dropped, and counted.
const MOST: usize = 1 << 20;

/// What a datagram costs beside its bytes, so that a flood of empty ones is bounded too.
const EACH: usize = 128;

/// How long a peer may be silent once a stop is asked for: nothing would tell us that it has finished.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The pause before a Unix socket whose queue is full is tried again: the kernel tells a sender that is connected to
/// nobody neither when there is room nor who has it.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// A datagram that waits for its peer's connection.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) payload: Vec<u8>,
    pub(super) to: Endpoint,
    pub(super) cut: bool,
    pub(super) dropped_before: u32,
}

impl Parcel {
    /// What it counts in a queue.
    pub(super) fn cost(&self) -> usize {
        self.payload.len() + EACH
    }
}

/// What waits for one peer.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) key: Key,
    /// Which of our addresses it spoke to first.
    local: Endpoint,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parcels: VecDeque<Parcel>,
    /// What they cost together.
    held: usize,
    missed: u32,
    is_over: bool,
    is_hastened: bool,
    receiver: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(key: Key, local: Endpoint) -> Self {
        Self { key, local, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a datagram; `false` where there is no room for it.
    pub(super) fn put(&self, mut parcel: Parcel) -> bool {
        let receiver = {
            let mut state = self.lock();
            let cost = parcel.cost();
            if state.is_over || (state.held > 0 && state.held + cost > MOST) {
                return false;
            }
            parcel.dropped_before = std::mem::take(&mut state.missed);
            state.held += cost;
            state.parcels.push_back(parcel);
            state.receiver.take()
        };
        receiver.into_iter().for_each(Waker::wake);
        true
    }

    /// A datagram was dropped.
    pub(super) fn miss(&self) {
        let mut state = self.lock();
        state.missed = state.missed.saturating_add(1);
    }

    /// No more comes. Returns what its datagrams cost, which are thrown away.
    pub(super) fn end(&self) -> usize {
        let (receiver, cost) = {
            let mut state = self.lock();
            state.is_over = true;
            state.parcels.clear();
            (state.receiver.take(), std::mem::take(&mut state.held))
        };
        receiver.into_iter().for_each(Waker::wake);
        cost
    }

    /// The peer has only so long left as it has something to say.
    pub(super) fn hasten(&self) {
        let receiver = {
            let mut state = self.lock();
            state.is_hastened = true;
            state.receiver.take()
        };
        receiver.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }
}

/// The connection of one peer.
pub(super) struct PeerConn {
    peers: Arc<Peers>,
    inbox: Arc<Inbox>,
    /// When something last came or went.
    last: Instant,
    silence: Option<Pin<Box<Sleep>>>,
    /// While what is sent has to wait.
    room: Option<BoxFuture<'static, io::Result<()>>>,
}

impl PeerConn {
    /// The connection of a newcomer; `None` if it is on no socket of these.
    pub(super) fn conn(peers: Arc<Peers>, inbox: Arc<Inbox>) -> Option<Conn> {
        let port = peers.ports.get(inbox.key.0)?;
        let mut peer = Peer::new(port.kind.scheme());
        (peer.remote, peer.local) = (inbox.key.1.into(), inbox.local);
        let max_message = port.max_message;
        let conn = Self { peers, inbox, last: Instant::now(), silence: None, room: None };
        Some(Conn::messages(conn, peer, Some(max_message)).without_half_close())
    }

    fn port(&self) -> io::Result<&Port> {
        self.peers.ports.get(self.inbox.key.0).ok_or_else(|| Errno::BADF.into())
    }

    /// Ready once the peer has been silent for so long that it is taken to have left.
    fn poll_silence(&mut self, is_hastened: bool, cx: &mut Context<'_>) -> Poll<()> {
        let limit = match (self.peers.idle, is_hastened) {
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

    fn try_send(&self, payload: &[u8]) -> io::Result<()> {
        let (_, to, source) = self.inbox.key;
        if to == Name::Unnamed {
            return Err(Errno::DESTADDRREQ.into());
        }
        self.port()?.try_send(std::iter::once(Departure { payload, to, source })).map(|_| ())
    }

    /// Waits until trying again makes sense.
    fn wait(&self) -> BoxFuture<'static, io::Result<()>> {
        let (peers, at) = (self.peers.clone(), self.inbox.key.0);
        Box::pin(async move {
            match peers.ports.get(at) {
                Some(port) if port.kind == Kind::Udp => port.socket.writable().await.map(|_| ()),
                _ => {
                    sleep(FULL_PAUSE).await;
                    Ok(())
                }
            }
        })
    }
}

impl Messages for PeerConn {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        let (parcel, is_hastened) = {
            let mut state = self.inbox.lock();
            let parcel = state.parcels.pop_front();
            match &parcel {
                Some(parcel) => state.held = state.held.saturating_sub(parcel.cost()),
                None if state.is_over => return Poll::Ready(Ok(false)),
                None => state.receiver = Some(cx.waker().clone()),
            }
            (parcel, state.is_hastened)
        };
        let Some(parcel) = parcel else {
            ready!(self.poll_silence(is_hastened, cx));
            self.peers.leave(&self.inbox);
            return Poll::Ready(Ok(false));
        };
        self.peers.release(parcel.cost());
        self.last = Instant::now();
        (message.from, message.to) = (self.inbox.key.1.into(), parcel.to);
        (message.cut, message.dropped_before) = (parcel.cut, parcel.dropped_before);
        message.payload = parcel.payload;
        Poll::Ready(Ok(true))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        loop {
            if let Some(room) = &mut self.room {
                ready!(room.as_mut().poll(cx))?;
                self.room = None;
            }
            match self.try_send(payload) {
                Ok(()) => {
                    self.last = Instant::now();
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
