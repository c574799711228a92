//! What is known of a peer and its messages beyond their bytes, for whoever writes them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use sockeye::proto::frame::MAX_MESSAGE;
use sockeye::proto::websocket::Close;
use sockeye::{Conn, Endpoint, Exit, Io, Message, Messages, Payload, Peer, Watched};

use super::form::Origin;

/// What standard input and output must know of the peer, beyond the bytes that go between them.
pub(super) struct Link(Mutex<Known>);

struct Known {
    /// The most that the peer takes as one message, in bytes.
    most: usize,
    /// How the message came that is written next.
    origin: Origin,
    /// Which one it is of all who had their turn.
    turn: u64,
}

impl Link {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Known { most: MAX_MESSAGE, origin: Origin::default(), turn: 0 })))
    }

    /// From here on it is the turn of a peer that takes messages of so many bytes; where it has no limit of its own,
    /// that of frames holds: a message is kept in memory until it is sent.
    pub(super) fn begin(&self, most: Option<usize>) {
        let mut known = self.known();
        known.most = most.unwrap_or(MAX_MESSAGE);
        known.turn += 1;
    }

    pub(super) fn most(&self) -> usize {
        self.known().most
    }

    pub(super) fn origin(&self) -> Origin {
        self.known().origin.clone()
    }

    pub(super) fn set_origin(&self, origin: Origin) {
        self.known().origin = origin;
    }

    pub(super) fn turn(&self) -> u64 {
        self.known().turn
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How `message` came; `from` where it says more than that it is from `peer`.
pub(super) fn origin(message: &Message, peer: &Peer) -> Origin {
    let is_other = message.from != Endpoint::Unnamed && message.from != peer.remote;
    Origin {
        from: is_other.then(|| format!("{}:{}", peer.scheme, message.from)),
        at: message.at,
        cut: message.cut,
        dropped_before: message.dropped_before,
    }
}

/// Has the messages of a peer tell `link` how they came: a relay passes on no more than their bytes.
pub(super) fn tap(peer: Conn, link: &Arc<Link>) -> Conn {
    peer.observed(|io, peer| match io {
        Io::Messages(beneath) => {
            Io::Messages(Box::new(Tap { beneath, peer: peer.clone(), link: link.clone() }))
        }
        bytes @ Io::Bytes(_) => bytes,
    })
}

struct Tap {
    beneath: Box<dyn Messages>,
    peer: Arc<Peer>,
    link: Arc<Link>,
}

impl Messages for Tap {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        let more = ready!(self.beneath.poll_receive(cx, message))?;
        self.link.set_origin(origin(message, &self.peer));
        Poll::Ready(Ok(more))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_send(cx, message)
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_feed(cx, message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn closing(&self) -> Option<Close> {
        self.beneath.closing()
    }

    fn set_closing(&mut self, close: &Close) {
        self.beneath.set_closing(close);
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }

    fn bare(&self) -> Option<&Watched> {
        self.beneath.bare()
    }
}
