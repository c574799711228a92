//! An open connection: bytes or messages, and who is at the other end.

mod io;

use std::future::poll_fn;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sockeye_proto::shape::Shape;
use sockeye_proto::websocket::Close;
use sockeye_sys::readiness::Watched;

use crate::counts::Counts;
use crate::error::{Cause, Error, Op, Result};
use crate::exit::Exit;
use crate::lent::{Direction, Lent};
use crate::message::{Message, Payload, release};
use crate::peer::{Peer, Tls};
use crate::pipe::Pipe;

pub use self::io::{Bytes, Io, Messages};

/// An open connection. Dropping it closes it, in an orderly way unless [`Conn::abort`] was called.
#[derive(Debug)]
pub struct Conn {
    io: Io,
    /// Shared, because who tells of the connection outlives it.
    peer: Arc<Peer>,
    counts: Arc<Counts>,
    max_message: Option<usize>,
    half_close: bool,
    closes_whole: bool,
    can_read: bool,
    is_aborted: bool,
}

impl Conn {
    /// A connection over a stream of bytes.
    pub fn bytes(io: impl Bytes + 'static, peer: Peer) -> Self {
        Self::new(Io::Bytes(Box::new(io)), peer, None)
    }

    /// A connection over messages of at most `max_message` bytes each.
    pub fn messages(io: impl Messages + 'static, peer: Peer, max_message: Option<usize>) -> Self {
        Self::new(Io::Messages(Box::new(io)), peer, max_message)
    }

    fn new(io: Io, peer: Peer, max_message: Option<usize>) -> Self {
        Self {
            io,
            peer: Arc::new(peer),
            counts: Arc::default(),
            max_message,
            half_close: true,
            closes_whole: false,
            can_read: true,
            is_aborted: false,
        }
    }

    /// States that this connection cannot tell its peer that it will send no more.
    #[must_use]
    pub fn without_half_close(mut self) -> Self {
        self.half_close = false;
        self
    }

    /// States that a peer that is told that we will send no more says no more itself, as that of a WebSocket.
    #[must_use]
    pub fn closing_whole(self) -> Self {
        Self { closes_whole: true, ..self.without_half_close() }
    }

    /// States that nothing will ever be read from this connection: that is no end of file, which could be passed on.
    #[must_use]
    pub fn without_reading(mut self) -> Self {
        self.can_read = false;
        self
    }

    /// Remembers what the address was called that led to this connection.
    pub(crate) fn named(mut self, address: &str) -> Self {
        Arc::make_mut(&mut self.peer).name = Some(address.into());
        self
    }

    /// Puts a layer on: takes what the connection carries, and what is known of the peer, and gives them back changed.
    /// The counts begin anew, since they count what the outermost layer carries.
    #[must_use]
    pub fn layered(
        self,
        name: &'static str,
        max_message: Option<usize>,
        layer: impl FnOnce(Io) -> Io,
    ) -> Self {
        let Self { io, mut peer, .. } = self;
        Arc::make_mut(&mut peer).through.push(name);
        Self { io: layer(io), peer, counts: Arc::default(), max_message, ..self }
    }

    /// Remembers what TLS told of the peer.
    pub(crate) fn told(mut self, tls: Tls) -> Self {
        Arc::make_mut(&mut self.peer).tls = Some(Arc::new(tls));
        self
    }

    /// Puts something between the connection and those who use it that changes nothing they can see, and so counts
    /// nothing anew.
    #[must_use]
    pub fn observed(self, observer: impl FnOnce(Io, &Arc<Peer>) -> Io) -> Self {
        let io = observer(self.io, &self.peer);
        Self { io, ..self }
    }

    /// Puts something in front of the connection that has the whole of it, and may exchange it for another. It looks as
    /// this one does.
    #[must_use]
    pub(crate) fn replaced(self, by: impl FnOnce(Self) -> Io) -> Self {
        let Self { max_message, half_close, closes_whole, can_read, is_aborted, .. } = self;
        let peer = self.peer.clone();
        let io = by(self);
        Self { io, peer, counts: Arc::default(), max_message, half_close, closes_whole, can_read, is_aborted }
    }

    /// Who is at the other end. Cloning is cheap.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Bytes or messages.
    pub fn shape(&self) -> Shape {
        match self.io {
            Io::Bytes(_) => Shape::Bytes,
            Io::Messages(_) => Shape::Messages,
        }
    }

    /// The largest message that can be sent, in bytes, where there is a limit.
    pub fn max_message(&self) -> Option<usize> {
        self.max_message
    }

    /// Whether the peer can be told that we will send no more.
    pub fn half_close(&self) -> bool {
        self.half_close
    }

    /// Whether our end is also the peer's: who still wants an answer tells it last.
    pub fn closes_whole(&self) -> bool {
        self.closes_whole
    }

    /// Whether messages may be lost on it, doubled or overtaken: it carries datagrams, whose sender is told nothing of them.
    /// They are the messages that have no end of their own.
    pub fn is_lossy(&self) -> bool {
        self.shape() == Shape::Messages && !self.half_close && !self.closes_whole
    }

    /// Whether it can be read at all; a file that is written cannot.
    pub fn can_read(&self) -> bool {
        self.can_read
    }

    /// Whether [`Conn::abort`] was called.
    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted
    }

    /// What it carries, past its counts.
    pub(crate) fn io_mut(&mut self) -> &mut Io {
        &mut self.io
    }

    /// Counts into these from now on: for layers that are put on while somebody looks at the counts already.
    #[must_use]
    pub(crate) fn counted_by(self, counts: Arc<Counts>) -> Self {
        Self { counts, ..self }
    }

    /// What went over it, also after it is gone.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// The socket beneath and its readiness; `None` while any byte is held above the kernel.
    pub fn bare(&self) -> Option<&Watched> {
        match &self.io {
            Io::Bytes(io) => io.bare(),
            Io::Messages(io) => io.bare(),
        }
    }

    /// The socket of the kernel beneath, to be asked about and not to be read or written; `None` where there is none, and
    /// beneath layers.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.io {
            Io::Bytes(io) => io.bare().map(AsFd::as_fd),
            Io::Messages(io) => io.socket(),
        }
    }

    /// See [`Bytes::lend`].
    pub fn lend(&self, direction: Direction) -> Option<Lent<'_>> {
        match &self.io {
            Io::Bytes(io) => io.lend(direction),
            Io::Messages(_) => None,
        }
    }

    /// Whether the peer is gone altogether, as far as that is known without writing to it: who has ended its side may
    /// still hear us. Over TCP its silence tells that only once `keepalive=` has asked.
    pub fn is_hung_up(&self) -> bool {
        self.io.is_hung_up()
    }

    /// What the peer said as it ended, where it carries messages, its protocol has a word for that (a WebSocket), and its
    /// end was received.
    pub fn closing(&self) -> Option<Close> {
        match &self.io {
            Io::Bytes(_) => None,
            Io::Messages(io) => io.closing(),
        }
    }

    /// Sets what [`Conn::poll_shutdown_write`] will say. Without, a WebSocket says what its peer has said, or else that all
    /// is well. Nothing where the protocol has no word for it.
    pub fn set_closing(&mut self, close: &Close) {
        if let Io::Messages(io) = &mut self.io {
            io.set_closing(close);
        }
    }

    /// How the command at the other side ended, once it has; `None` where no command is there. A command that goes on has
    /// no limit here. Call it when there is nothing more to read: what a command writes is read also after its end.
    pub fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.io.poll_exit(cx)
    }

    /// Makes the coming drop an abrupt end: a TCP peer sees a reset, and not an end of file that looks complete.
    pub fn abort(&mut self) {
        self.is_aborted = true;
        self.io.abort();
    }

    /// See [`Bytes::poll_read`].
    ///
    /// # Errors
    /// The peer broke off, or this connection carries messages.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let Io::Bytes(io) = &mut self.io else { return Poll::Ready(Err(self.wrong_shape(Op::Read))) };
        match ready!(io.poll_read(cx, buffer)) {
            Ok(bytes) => {
                self.counts.add_received(bytes);
                Poll::Ready(Ok(bytes))
            }
            Err(error) => Poll::Ready(Err(self.broken(Op::Read, error))),
        }
    }

    /// See [`Bytes::poll_write`].
    ///
    /// # Errors
    /// The peer no longer reads, or this connection carries messages.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let Io::Bytes(io) = &mut self.io else { return Poll::Ready(Err(self.wrong_shape(Op::Write))) };
        match ready!(io.poll_write(cx, bytes)) {
            Ok(bytes) => {
                self.counts.add_sent(bytes);
                Poll::Ready(Ok(bytes))
            }
            Err(error) => Poll::Ready(Err(self.broken(Op::Write, error))),
        }
    }

    /// As [`Conn::poll_read`], into a pipe that is empty. `EINVAL` where this connection does not do it.
    pub(crate) fn poll_read_into(
        &mut self,
        pipe: &mut Pipe,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        let Some(lent) = self.lend(Direction::Read) else { return Poll::Ready(Err(Errno::INVAL.into())) };
        let read = ready!(lent.poll(cx, Direction::Read, |source| pipe.fill(source)))?;
        self.counts.add_received(read);
        Poll::Ready(Ok(read))
    }

    /// As [`Conn::poll_write`], from a pipe that is not empty. `EINVAL` where this connection does not do it.
    pub(crate) fn poll_write_from(
        &mut self,
        pipe: &mut Pipe,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let Some(lent) = self.lend(Direction::Write) else { return Poll::Ready(Err(Errno::INVAL.into())) };
        let written = ready!(lent.poll(cx, Direction::Write, |target| pipe.drain(target)))?;
        self.counts.add_sent(written);
        Poll::Ready(Ok(()))
    }

    /// See [`Bytes::poll_flush`] and [`Messages::poll_flush`].
    ///
    /// # Errors
    /// The peer no longer reads.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = ready!(self.io.poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.broken(Op::Write, error)))
    }

    /// See [`Messages::poll_receive`]; the message is emptied first.
    ///
    /// # Errors
    /// The peer broke off, or this connection carries bytes.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<Result<bool>> {
        let Io::Messages(io) = &mut self.io else { return Poll::Ready(Err(self.wrong_shape(Op::Read))) };
        message.clear();
        let Poll::Ready(received) = io.poll_receive(cx, message) else {
            // While nothing is pending no buffer is held: not even one that a large message left behind.
            release(&mut message.payload);
            return Poll::Pending;
        };
        match received {
            Ok(more) => {
                if more {
                    self.counts.add_message_received(message.payload.len());
                }
                Poll::Ready(Ok(more))
            }
            Err(error) => Poll::Ready(Err(self.broken(Op::Read, error))),
        }
    }

    /// See [`Messages::poll_send`].
    ///
    /// # Errors
    /// The message is too large, the peer no longer reads, or this connection carries bytes.
    pub fn poll_send<'a>(
        &mut self,
        cx: &mut Context<'_>,
        message: impl Into<Payload<'a>>,
    ) -> Poll<Result<()>> {
        let message = message.into();
        self.poll_give(message.bytes.len(), |io| io.poll_send(cx, message))
    }

    /// See [`Messages::poll_feed`].
    ///
    /// # Errors
    /// As [`Conn::poll_send`]. What was held back before may be what failed.
    pub fn poll_feed<'a>(
        &mut self,
        cx: &mut Context<'_>,
        message: impl Into<Payload<'a>>,
    ) -> Poll<Result<()>> {
        let message = message.into();
        self.poll_give(message.bytes.len(), |io| io.poll_feed(cx, message))
    }

    fn poll_give(
        &mut self,
        size: usize,
        give: impl FnOnce(&mut dyn Messages) -> Poll<std::io::Result<()>>,
    ) -> Poll<Result<()>> {
        let Io::Messages(io) = &mut self.io else { return Poll::Ready(Err(self.wrong_shape(Op::Write))) };
        if let Some(most) = self.max_message.filter(|most| size > *most) {
            return Poll::Ready(Err(self.failed(Op::Write, Cause::TooLarge { size, most })));
        }
        match ready!(give(&mut **io)) {
            Ok(()) => {
                self.counts.add_message_sent(size);
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.broken(Op::Write, error))),
        }
    }

    /// Tells the peer that no more will come. Nothing where it cannot be told.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let ended = ready!(self.io.poll_shutdown_write(cx));
        Poll::Ready(ended.map_err(|error| self.broken(Op::Write, error)))
    }

    /// As [`Conn::poll_read`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Writes a part of `bytes`, which are not empty, and says how much: never 0. What layers hold back is passed on by
    /// [`Conn::flush`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_write`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        poll_fn(|cx| self.poll_write(cx, bytes)).await
    }

    /// As [`Conn::poll_flush`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_flush`].
    pub async fn flush(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes all of `bytes`, and passes on what layers hold back. Not cancel safe: part of it may be gone.
    ///
    /// # Errors
    /// As [`Conn::poll_write`].
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        self.flush().await
    }

    /// As [`Conn::poll_receive`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_receive`].
    pub async fn receive(&mut self, message: &mut Message) -> Result<bool> {
        poll_fn(|cx| self.poll_receive(cx, message)).await
    }

    /// As [`Conn::poll_send`]. Not cancel safe: part of the message may be under way.
    ///
    /// # Errors
    /// As [`Conn::poll_send`].
    pub async fn send<'a>(&mut self, message: impl Into<Payload<'a>>) -> Result<()> {
        let message = message.into();
        poll_fn(|cx| self.poll_send(cx, message)).await
    }

    /// As [`Conn::poll_shutdown_write`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_shutdown_write`].
    pub async fn shutdown_write(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_shutdown_write(cx)).await
    }

    /// Names what failed, and who is at the other end.
    pub(crate) fn failed(&self, op: Op, cause: impl Into<Cause>) -> Error {
        Error::new(op, cause).on(&self.peer)
    }

    /// The same of what is beneath, which may be a connection that has named it already.
    fn broken(&self, op: Op, error: std::io::Error) -> Error {
        error.downcast().unwrap_or_else(|error| self.failed(op, error))
    }

    fn wrong_shape(&self, op: Op) -> Error {
        self.failed(op, Cause::WrongShape { has: self.shape() })
    }
}

/// Whether both sides of a socket have ended, or an error waits to be fetched (poll(2)).
pub(crate) fn is_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&at_once)).is_ok_and(|ready| ready > 0)
}
