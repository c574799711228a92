//! What carries bytes or messages: the two traits that schemes and layers implement.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use sockeye_proto::websocket::Close;
use sockeye_sys::readiness::Watched;

use crate::exit::Exit;
use crate::lent::{Direction, Lent};
use crate::message::{Message, Payload};

/// A stream of bytes.
///
/// All calls are polls on buffers that the caller lends, so that nothing is held while nothing is pending.
pub trait Bytes: Send {
    /// Reads into `buffer`, which is not empty. 0 is the end: the other side will send no more.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes a part of `bytes`, which are not empty, and says how much. Never 0.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Passes on what a layer holds back. Nothing where nothing is held.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Tells the other side that no more will come. Reading goes on.
    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the other side is gone altogether, as far as that is known without writing to it.
    fn is_hung_up(&self) -> bool {
        false
    }

    /// How the command at the other side ended, once it has; `None` where no command is there. After that it hears no
    /// more, whatever is written.
    fn poll_exit(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        Poll::Ready(None)
    }

    /// Makes the coming drop an abrupt end, which the other side can tell from an orderly one where the scheme can.
    fn abort(&mut self);

    /// The socket beneath and its readiness; `None` while any byte is held above the kernel.
    fn bare(&self) -> Option<&Watched> {
        None
    }

    /// The descriptor beneath, for calls that move bytes one way in place of reads or writes; `None` while any byte is
    /// held above the kernel, or where a read or write would do more than that.
    fn lend(&self, _direction: Direction) -> Option<Lent<'_>> {
        self.bare().map(Lent::Watched)
    }
}

/// A sequence of whole messages.
pub trait Messages: Send {
    /// Fills `message` with the next one; `false` is the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>>;

    /// Sends a message whole. While this is pending, part of it may be under way: call again with the same message,
    /// or drop the connection.
    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>>;

    /// As [`Messages::poll_send`], but the message may be held back to share a write with those that follow, until
    /// [`Messages::poll_flush`]. At most 64 KiB are held back.
    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx, message)
    }

    /// Sends what is held back. Nothing where nothing is held.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Tells the other side that no more will come, where there is a way to tell.
    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// What the other side said as it ended, where its protocol has a word for that and the end has come.
    fn closing(&self) -> Option<Close> {
        None
    }

    /// Sets what [`Messages::poll_shutdown_write`] will say, where the protocol has a word for that; else it is lost.
    fn set_closing(&mut self, _close: &Close) {}

    /// As [`Bytes::is_hung_up`].
    fn is_hung_up(&self) -> bool {
        false
    }

    /// As [`Bytes::poll_exit`].
    fn poll_exit(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        Poll::Ready(None)
    }

    /// As [`Bytes::abort`].
    fn abort(&mut self);

    /// As [`Bytes::bare`].
    fn bare(&self) -> Option<&Watched> {
        None
    }

    /// The socket of the kernel beneath, to be asked about and not to be read or written; `None` where there is none.
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.bare().map(AsFd::as_fd)
    }
}

/// What a connection carries, and how. There is no third.
pub enum Io {
    /// A stream of bytes.
    Bytes(Box<dyn Bytes>),
    /// A sequence of messages.
    Messages(Box<dyn Messages>),
}

/// What both shapes have; see the traits.
impl Io {
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Bytes(io) => io.poll_flush(cx),
            Self::Messages(io) => io.poll_flush(cx),
        }
    }

    pub(crate) fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Bytes(io) => io.poll_shutdown_write(cx),
            Self::Messages(io) => io.poll_shutdown_write(cx),
        }
    }

    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        match self {
            Self::Bytes(io) => io.poll_exit(cx),
            Self::Messages(io) => io.poll_exit(cx),
        }
    }

    pub(crate) fn is_hung_up(&self) -> bool {
        match self {
            Self::Bytes(io) => io.is_hung_up(),
            Self::Messages(io) => io.is_hung_up(),
        }
    }

    pub(crate) fn abort(&mut self) {
        match self {
            Self::Bytes(io) => io.abort(),
            Self::Messages(io) => io.abort(),
        }
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes",
            Self::Messages(_) => "Messages",
        })
    }
}
