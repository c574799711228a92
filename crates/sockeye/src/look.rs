//! Looking at what goes over a connection, without a change to it.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sockeye_proto::shape::Shape;
use sockeye_proto::websocket::Close;

use crate::conn::{Bytes, Conn, Io, Messages};
use crate::event::Way;
use crate::exit::Exit;
use crate::message::{Message, Payload};
use crate::peer::Peer;

/// Who looks. It sees each read and write, or each message, once that is done; its drop is the end of the connection.
pub(crate) trait Look: Send {
    /// Waits until it can take in more. A connection reads and writes nothing meanwhile.
    fn poll_room(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Bytes went that way, or a whole message.
    fn saw(&mut self, way: Way, payload: Payload<'_>);

    /// A message came, of which more is known than its bytes.
    fn saw_message(&mut self, message: &Message) {
        self.saw(Way::In, message.into());
    }

    /// Nothing more will go that way. It is told once.
    fn saw_end(&mut self, _way: Way) {}

    /// The connection broke off, as was seen when something was to go that way. It is told once.
    fn saw_failure(&mut self, _way: Way, _error: &io::Error) {}

    /// The connection will be broken off by us.
    fn saw_abort(&mut self) {}
}

/// Has `look` see what goes over `conn` from now on.
pub(crate) fn look<L: Look + 'static>(conn: Conn, look: impl FnOnce(&Arc<Peer>, Shape) -> L) -> Conn {
    let shape = conn.shape();
    conn.observed(|io, peer| {
        let eye = Eye { look: look(peer, shape), came_to_end: false, went_to_end: false, has_failed: false };
        match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Looked { beneath, eye })),
            Io::Messages(beneath) => Io::Messages(Box::new(Looked { beneath, eye })),
        }
    })
}

struct Looked<T, L> {
    beneath: T,
    eye: Eye<L>,
}

struct Eye<L> {
    look: L,
    came_to_end: bool,
    went_to_end: bool,
    has_failed: bool,
}

impl<L: Look> Eye<L> {
    fn see_end(&mut self, way: Way) {
        let is_old = match way {
            Way::In => &mut self.came_to_end,
            Way::Out => &mut self.went_to_end,
        };
        if !std::mem::replace(is_old, true) {
            self.look.saw_end(way);
        }
    }

    /// Passes a result on; a failure is seen.
    fn checked<T>(&mut self, way: Way, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && !std::mem::replace(&mut self.has_failed, true)
        {
            self.look.saw_failure(way, error);
        }
        result
    }
}

impl<L: Look> Bytes for Looked<Box<dyn Bytes>, L> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.eye.look.poll_room(cx));
        let read = ready!(self.beneath.poll_read(cx, buffer));
        let read = self.eye.checked(Way::In, read)?;
        match buffer.get(..read).filter(|payload| !payload.is_empty()) {
            Some(payload) => self.eye.look.saw(Way::In, payload.into()),
            None => self.eye.see_end(Way::In),
        }
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.eye.look.poll_room(cx));
        let written = ready!(self.beneath.poll_write(cx, bytes));
        let written = self.eye.checked(Way::Out, written)?;
        self.eye.look.saw(Way::Out, bytes.get(..written).unwrap_or(bytes).into());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.beneath.poll_flush(cx));
        Poll::Ready(self.eye.checked(Way::Out, flushed))
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = ready!(self.beneath.poll_shutdown_write(cx));
        self.eye.checked(Way::Out, ended)?;
        self.eye.see_end(Way::Out);
        Poll::Ready(Ok(()))
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.eye.look.saw_abort();
        self.beneath.abort();
    }
}

impl<L: Look> Looked<Box<dyn Messages>, L> {
    /// Passes on how a message went. One that is refused is no end of the connection.
    fn sent(&mut self, sent: io::Result<()>, message: Payload<'_>) -> io::Result<()> {
        match &sent {
            Ok(()) => self.eye.look.saw(Way::Out, message),
            Err(error) if !is_break(error) => {}
            Err(_) => return self.eye.checked(Way::Out, sent),
        }
        sent
    }
}

/// Whether the peer has broken off, as the kernel tells it.
pub(crate) fn is_break(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

impl<L: Look> Messages for Looked<Box<dyn Messages>, L> {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        ready!(self.eye.look.poll_room(cx));
        let more = ready!(self.beneath.poll_receive(cx, message));
        let more = self.eye.checked(Way::In, more)?;
        if more {
            self.eye.look.saw_message(message);
        } else {
            self.eye.see_end(Way::In);
        }
        Poll::Ready(Ok(more))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(self.eye.look.poll_room(cx));
        let sent = ready!(self.beneath.poll_send(cx, message));
        Poll::Ready(self.sent(sent, message))
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(self.eye.look.poll_room(cx));
        let fed = ready!(self.beneath.poll_feed(cx, message));
        Poll::Ready(self.sent(fed, message))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = ready!(self.beneath.poll_shutdown_write(cx));
        self.eye.checked(Way::Out, ended)?;
        self.eye.see_end(Way::Out);
        Poll::Ready(Ok(()))
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
        self.eye.look.saw_abort();
        self.beneath.abort();
    }
}
