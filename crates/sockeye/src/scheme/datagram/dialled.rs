//! A datagram socket of our own, that leads to one peer, or that hears everybody.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{self, Shutdown};
use sockeye_sys::datagram::{self, Departure, Name};
use sockeye_sys::readiness::Watched;

use super::dropped::Losses;
use super::fallback::Fallback;
use super::{Kind, next_length};
use crate::buffer::{Buffers, Size};
use crate::conn::{Conn, Messages, is_hung_up};
use crate::ctx::Ctx;
use crate::entrance::Pass;
use crate::event::Dropped;
use crate::message::Message;
use crate::peer::{Endpoint, Peer};
use crate::scheme::unix::Claim;

/// A datagram socket that is nobody else's.
#[derive(Debug)]
pub(in crate::scheme) struct Dialled {
    socket: Watched,
    receiver: Receiver,
    /// Where else somebody may be.
    fallback: Option<Fallback>,
    /// The path that answers come to, removed with the socket.
    _claim: Option<Claim>,
    /// Says that the peer has left, when the socket is closed.
    _pass: Option<Pass>,
}

/// What is to be known to make a message of what comes.
#[derive(Debug)]
struct Receiver {
    kind: Kind,
    local: Endpoint,
    /// Whom it is connected to; else whom each datagram is addressed to.
    remote: Endpoint,
    /// As far as the kernel says: not of raw sockets, which have no port to be connected to.
    is_connected: bool,
    buffers: Buffers,
    losses: Losses,
    /// How many the kernel has dropped, as it last said.
    dropped: u32,
    /// The other side broke off; what it sent before comes first.
    is_reset: bool,
}

impl Dialled {
    /// A socket of `peer.local`, which is connected to `peer.remote` unless it is open to everybody. Must be called on
    /// a runtime.
    pub(in crate::scheme) fn new(socket: Watched, kind: Kind, peer: &Peer, ctx: &Ctx) -> io::Result<Self> {
        datagram::tell_drops(&socket)?;
        if kind == Kind::UnixSeq {
            // An empty message and the end differ only in that a message has a time.
            datagram::tell_times(&socket)?;
        } else {
            datagram::tell_errors(&socket)?;
        }
        let receiver = Receiver {
            kind,
            local: peer.local,
            remote: peer.remote,
            is_connected: net::getpeername(&socket).is_ok(),
            buffers: ctx.buffers.clone(),
            losses: Losses::new(&peer.to_string(), ctx),
            dropped: 0,
            is_reset: false,
        };
        Ok(Self { socket, receiver, fallback: None, _claim: None, _pass: None })
    }

    /// Answers come to this path.
    pub(in crate::scheme) fn with_claim(self, claim: Option<Claim>) -> Self {
        Self { _claim: claim, ..self }
    }

    /// It was accepted, and counts as inside.
    pub(in crate::scheme) fn with_pass(self, pass: Option<Pass>) -> Self {
        Self { _pass: pass, ..self }
    }

    /// Whoever refuses before anybody has answered is not the one who is meant, if there is another.
    pub(in crate::scheme) fn with_fallback(self, fallback: Option<Fallback>) -> Self {
        Self { fallback: fallback.filter(|_| self.receiver.is_connected), ..self }
    }

    /// As a connection.
    pub(in crate::scheme) fn conn(self, peer: Peer, max_message: usize) -> Conn {
        let has_end = self.receiver.kind == Kind::UnixSeq;
        let conn = Conn::messages(self, peer, Some(max_message));
        if has_end { conn } else { conn.without_half_close() }
    }

    /// What has come, or why nothing more will.
    fn poll_arrival(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            let received = self.receiver.receive(&self.socket, message);
            let errno = received.as_ref().err().and_then(Errno::from_io_error);
            match (errno, self.receiver.kind) {
                (Some(Errno::AGAIN), _) => guard.clear_ready(),
                (Some(Errno::INTR), _) => {}
                // The way has become narrower for one that went before (ip(7), IP_MTU_DISCOVER): the kernel knows now,
                // and cuts the next into fragments.
                (Some(Errno::MSGSIZE), Kind::Raw(_) | Kind::Udp) => {}
                (Some(Errno::CONNRESET), Kind::UnixSeq) => self.receiver.is_reset = true,
                _ if matches!(received, Ok(false)) && self.receiver.is_reset => {
                    return Poll::Ready(Err(Errno::CONNRESET.into()));
                }
                _ => return Poll::Ready(received),
            }
        }
    }

    /// Remembers what was sent, as long as it may have to be sent again.
    fn sent(&mut self, payload: &[u8]) -> Poll<io::Result<()>> {
        let Some(fallback) = &mut self.fallback else { return Poll::Ready(Ok(())) };
        let is_kept = fallback.keep(payload);
        // On this machine a refusal is there as soon as the datagram is.
        match net::sockopt::socket_error(&self.socket)? {
            Ok(()) | Err(Errno::MSGSIZE) => {}
            Err(Errno::CONNREFUSED) if self.fall_back()? => {}
            Err(errno) => return Poll::Ready(Err(errno.into())),
        }
        if !is_kept {
            self.fallback = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on at the next address, if there is one.
    fn fall_back(&mut self) -> io::Result<bool> {
        let Some((socket, to)) = self.fallback.as_mut().and_then(Fallback::next) else { return Ok(false) };
        datagram::tell_drops(&socket)?;
        self.receiver.local = Endpoint::from_kernel(net::getsockname(&socket)?);
        self.receiver.remote = Endpoint::Inet(to);
        self.socket = socket;
        datagram::tell_errors(&self.socket)?;
        if self.fallback.as_ref().is_some_and(Fallback::is_exhausted) {
            self.fallback = None;
        }
        Ok(true)
    }
}

impl Receiver {
    /// Takes what the kernel has, without waiting; `false` is the end.
    fn receive(&mut self, socket: &Watched, message: &mut Message) -> io::Result<bool> {
        let length = if self.kind.is_on_ip() { Size::Medium.bytes() } else { next_length(socket)? };
        let sizes = [Size::Small, Size::Medium, Size::Large];
        let mut buffer = match sizes.into_iter().find(|size| length <= size.bytes()) {
            Some(size) => self.buffers.lend(size),
            None => vec![0; length].into(),
        };
        let received = datagram::receive(socket, &mut buffer);
        let arrival = received.inspect(|arrival| {
            let came = buffer.get(..arrival.length).unwrap_or(&buffer);
            message
                .payload
                .extend_from_slice(came.get(self.kind.header(arrival, came)..).unwrap_or_default());
        });
        self.buffers.give_back(buffer);
        let arrival = arrival?;
        if self.kind == Kind::UnixSeq && arrival.length == 0 && arrival.at.is_none() {
            return Ok(false);
        }
        message.from = if self.is_connected { self.remote } else { self.kind.endpoint(arrival.from.into()) };
        (message.to, message.at, message.cut) = (self.local, arrival.at, arrival.is_cut);
        if let Some(total) = arrival.dropped {
            message.dropped_before = total.wrapping_sub(std::mem::replace(&mut self.dropped, total));
        }
        self.losses.add(Dropped {
            by_kernel: message.dropped_before.into(),
            cut: arrival.is_cut.into(),
            ..Dropped::default()
        });
        Ok(true)
    }
}

fn is_too_long(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MSGSIZE)
}

fn is_refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

impl Messages for Dialled {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        if let Some(fallback) = &mut self.fallback {
            fallback.receiver = Some(cx.waker().clone());
        }
        loop {
            let error = match ready!(self.poll_arrival(cx, message)) {
                Ok(more) => {
                    self.fallback = None;
                    return Poll::Ready(Ok(more));
                }
                Err(error) => error,
            };
            if !is_refused(&error) || !self.fall_back()? {
                return Poll::Ready(Err(error));
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        let Receiver { is_connected, remote, .. } = self.receiver;
        let to = if is_connected { Name::Unnamed } else { remote.into() };
        let mut is_tried_again = false;
        if let Some(fallback) = &mut self.fallback {
            fallback.sender = Some(cx.waker().clone());
        }
        loop {
            let mut guard = ready!(self.socket.poll_write_ready(cx))?;
            let departure = Departure { payload, to, source: None };
            match datagram::send_all(&self.socket, std::iter::once(departure)) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // That may be the fate of one that went before; a second time it is that of this one.
                Err(error) if is_too_long(&error) && !is_tried_again => is_tried_again = true,
                Err(error) => {
                    drop(guard);
                    if !is_refused(&error) || !self.fall_back()? {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        self.sent(payload)
    }

    fn poll_shutdown_write(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only a connection has an end that the other side can see.
        if self.receiver.kind != Kind::UnixSeq {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(match net::shutdown(self.socket.as_fd(), Shutdown::Write) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        })
    }

    fn is_hung_up(&self) -> bool {
        self.receiver.kind == Kind::UnixSeq && is_hung_up(self.socket.as_fd())
    }

    /// Datagrams know no end at all, and Unix sockets no abrupt one that could be asked for.
    fn abort(&mut self) {}

    fn bare(&self) -> Option<&Watched> {
        (self.receiver.kind == Kind::UnixSeq).then_some(&self.socket)
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}
