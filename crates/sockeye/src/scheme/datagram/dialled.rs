//! A datagram socket of our own, that leads to one peer, or that hears everybody.

use std::io;
use std::os::fd::AsFd as _;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{self, Shutdown};
use sockeye_sys::datagram::{self, Departure, Name};
use sockeye_sys::readiness::Watched;

use super::dropped::Losses;
use super::{Kind, next_length};
use crate::buffer::{Buffers, Size};
use crate::conn::{Conn, Messages};
use crate::ctx::Ctx;
use crate::event::Dropped;
use crate::message::Message;
use crate::peer::{Endpoint, Peer};
use crate::scheme::unix::Claim;

/// A datagram socket that is nobody else's.
#[derive(Debug)]
pub(in crate::scheme) struct Dialled {
    socket: Watched,
    receiver: Receiver,
    /// The path that answers come to, removed with the socket.
    _claim: Option<Claim>,
}

/// What is to be known to make a message of what comes.
#[derive(Debug)]
struct Receiver {
    kind: Kind,
    local: Endpoint,
    /// Whom it is connected to; else whom each datagram is addressed to.
    remote: Endpoint,
    is_connected: bool,
    buffers: Buffers,
    losses: Losses,
}

impl Dialled {
    /// A connection over a socket, which is connected to `peer.remote` unless it is `open` to everybody. Must be
    /// called on a runtime.
    pub(in crate::scheme) fn conn(
        socket: Watched,
        kind: Kind,
        peer: Peer,
        max_message: usize,
        claim: Option<Claim>,
        ctx: &Ctx,
    ) -> io::Result<Conn> {
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
            losses: Losses::new(&peer.to_string(), &ctx.events),
        };
        let dialled = Self { socket, receiver, _claim: claim };
        let conn = Conn::messages(dialled, peer, Some(max_message));
        Ok(if kind == Kind::UnixSeq { conn } else { conn.without_half_close() })
    }
}

impl Receiver {
    /// Takes what the kernel has, without waiting; `false` is the end.
    fn receive(&mut self, socket: &Watched, message: &mut Message) -> io::Result<bool> {
        let length = if self.kind == Kind::Udp { Size::Medium.bytes() } else { next_length(socket)? };
        let sizes = [Size::Small, Size::Medium, Size::Large];
        let mut buffer = match sizes.into_iter().find(|size| length <= size.bytes()) {
            Some(size) => self.buffers.lend(size),
            None => vec![0; length].into(),
        };
        let received = datagram::receive(socket, &mut buffer);
        let arrival = received.inspect(|arrival| {
            message.payload.extend_from_slice(buffer.get(..arrival.length).unwrap_or(&buffer));
        });
        self.buffers.give_back(buffer);
        let arrival = arrival?;
        if self.kind == Kind::UnixSeq && arrival.length == 0 && arrival.at.is_none() {
            return Ok(false);
        }
        message.from = if self.is_connected { self.remote } else { arrival.from.into() };
        (message.to, message.at, message.cut) = (self.local, arrival.at, arrival.is_cut);
        message.dropped_before = self.losses.by_kernel(arrival.dropped);
        self.losses.add(Dropped {
            by_kernel: message.dropped_before.into(),
            cut: arrival.is_cut.into(),
            ..Dropped::default()
        });
        Ok(true)
    }
}

impl Messages for Dialled {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            match self.receiver.receive(&self.socket, message) {
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => guard.clear_ready(),
                    Some(Errno::INTR) => {}
                    _ => return Poll::Ready(Err(error)),
                },
                received => return Poll::Ready(received),
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        let Receiver { is_connected, remote, .. } = self.receiver;
        let to = if is_connected { Name::Unnamed } else { remote.into() };
        loop {
            let mut guard = ready!(self.socket.poll_write_ready(cx))?;
            let departure = Departure { payload, to, source: None };
            let sent = datagram::send_all(&self.socket, std::iter::once(departure));
            match sent.map_err(|error| (Errno::from_io_error(&error), error)) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err((Some(Errno::AGAIN), _)) => guard.clear_ready(),
                Err((Some(Errno::INTR), _)) => {}
                Err((_, error)) => return Poll::Ready(Err(error)),
            }
        }
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

    /// Datagrams know no end at all, and Unix sockets no abrupt one that could be asked for.
    fn abort(&mut self) {}

    fn bare(&self) -> Option<&Watched> {
        (self.receiver.kind == Kind::UnixSeq).then_some(&self.socket)
    }
}
