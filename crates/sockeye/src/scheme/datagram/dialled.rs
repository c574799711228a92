//! A datagram socket of our own, that leads to one peer, or that hears everybody.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{self, Shutdown};
use sockeye_sys::datagram::{self, Arrival, Departure, Name};
use sockeye_sys::readiness::Watched;

use super::bound::Room;
use super::dropped::Losses;
use super::fallback::Fallback;
use super::held::Held;
use super::way::Way;
use super::{Kind, is_too_long, next_length};
use crate::buffer::{Buffers, Size};
use crate::conn::{Conn, Messages, is_hung_up};
use crate::ctx::Ctx;
use crate::entrance::Pass;
use crate::event::Dropped;
use crate::message::{Message, Payload};
use crate::peer::{Endpoint, Peer};
use crate::scheme::unix::Claim;

/// A datagram socket that is nobody else's.
#[derive(Debug)]
pub(in crate::scheme) struct Dialled {
    way: Way,
    receiver: Receiver,
    held: Held,
    /// Where else somebody may be.
    fallback: Option<Fallback>,
    /// The path that answers come to, removed with the socket.
    _claim: Option<Claim>,
    /// Says that the peer has left, when the socket is closed.
    _pass: Option<Pass>,
}

/// Datagrams that came at once.
#[derive(Debug)]
struct Catch {
    room: Room,
    taken: usize,
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
    /// What came at once, and is not taken yet.
    catch: Option<Catch>,
}

impl Dialled {
    /// A socket of `peer.local`, which is connected to `peer.remote` unless it is open to everybody. Must be called on
    /// a runtime.
    pub(in crate::scheme) fn new(socket: Watched, kind: Kind, peer: &Peer, ctx: &Ctx) -> io::Result<Self> {
        have_told(&socket, kind)?;
        let receiver = Receiver {
            kind,
            local: peer.local,
            remote: peer.remote,
            is_connected: net::getpeername(&socket).is_ok(),
            buffers: ctx.buffers.clone(),
            losses: Losses::new(&peer.to_string(), ctx),
            dropped: 0,
            is_reset: false,
            catch: None,
        };
        let (way, held) = (Way::new(socket), Held::default());
        Ok(Self { way, receiver, held, fallback: None, _claim: None, _pass: None })
    }

    /// Answers come to this path.
    pub(in crate::scheme) fn with_claim(mut self, claim: Option<Claim>) -> Self {
        self._claim = claim;
        self
    }

    /// It was accepted, and counts as inside.
    pub(in crate::scheme) fn with_pass(mut self, pass: Option<Pass>) -> Self {
        self._pass = pass;
        self
    }

    /// Whoever refuses before anybody has answered is not the one who is meant, if there is another.
    pub(in crate::scheme) fn with_fallback(mut self, fallback: Option<Fallback>) -> Self {
        self.fallback = fallback.filter(|_| self.receiver.is_connected);
        self
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
            if self.receiver.take(message) {
                return Poll::Ready(Ok(true));
            }
            let mut guard = ready!(self.way.socket.poll_read_ready(cx))?;
            let kind = self.receiver.kind;
            let received = match kind {
                Kind::Raw(_) | Kind::Udp => self.receiver.fill(&self.way.socket).map(|is_all| {
                    // The kernel had no more: what comes next comes as a new event.
                    if is_all {
                        guard.clear_ready();
                    }
                    None
                }),
                Kind::UnixDgram | Kind::UnixSeq => self.receiver.receive(&self.way.socket, message).map(Some),
            };
            let errno = received.as_ref().err().and_then(Errno::from_io_error);
            match (received, errno) {
                (Ok(None), _) | (_, Some(Errno::INTR)) => {}
                (_, Some(Errno::AGAIN)) => guard.clear_ready(),
                // The way has become narrower for one that went before (ip(7), IP_MTU_DISCOVER): the kernel knows now,
                // and cuts the next into fragments.
                (_, Some(Errno::MSGSIZE)) if kind.is_on_ip() => {}
                (_, Some(Errno::CONNRESET)) if kind == Kind::UnixSeq => self.receiver.is_reset = true,
                (Ok(Some(false)), _) if self.receiver.is_reset => {
                    return Poll::Ready(Err(Errno::CONNRESET.into()));
                }
                (Ok(Some(more)), _) => return Poll::Ready(Ok(more)),
                (Err(error), _) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Remembers what was sent, as long as it may have to be sent again.
    fn sent(&mut self, payload: &[u8]) -> Poll<io::Result<()>> {
        let Some(fallback) = &mut self.fallback else { return Poll::Ready(Ok(())) };
        let is_kept = fallback.keep(payload);
        // On this machine a refusal is there as soon as the datagram is.
        match net::sockopt::socket_error(&self.way.socket)? {
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
        have_told(&socket, self.receiver.kind)?;
        self.receiver.local = Endpoint::from_kernel(net::getsockname(&socket)?);
        self.receiver.remote = Endpoint::Inet(to);
        self.way = Way::new(socket);
        if self.fallback.as_ref().is_some_and(Fallback::is_exhausted) {
            self.fallback = None;
        }
        Ok(true)
    }
}

/// What the kernel dropped after the last that came is told, too.
impl Drop for Dialled {
    fn drop(&mut self) {
        let total = datagram::dropped(&self.way.socket).unwrap_or(self.receiver.dropped);
        let by_kernel = total.wrapping_sub(self.receiver.dropped).into();
        self.receiver.losses.add(Dropped { by_kernel, ..Dropped::default() });
    }
}

/// Has the kernel tell what is to be known of a socket.
fn have_told(socket: &Watched, kind: Kind) -> io::Result<()> {
    datagram::tell_drops(socket)?;
    match kind {
        // An empty message and the end differ only in that a message has a time.
        Kind::UnixSeq => datagram::tell_times(socket),
        Kind::Raw(_) | Kind::UnixDgram => datagram::tell_errors(socket),
        Kind::Udp => {
            // Where the kernel cannot, each comes alone.
            let (Ok(()) | Err(_)) = datagram::hear_trains(socket);
            datagram::tell_errors(socket)
        }
    }
}

impl Receiver {
    /// Takes what the kernel has, without waiting; `true` where it has no more.
    fn fill(&mut self, socket: &Watched) -> io::Result<bool> {
        let mut room = Room::lent(self.buffers.lend(Size::Large));
        let filled = room.fill(socket, self.kind);
        if filled.is_ok() {
            self.catch = Some(Catch { room, taken: 0 });
        } else {
            self.buffers.give_back(room.into_bytes());
        }
        filled
    }

    /// Messages, addressed.
    fn departures<'a>(
        &self,
        payloads: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> impl Iterator<Item = Departure<'a>> + Clone {
        let to = if self.is_connected { Name::Unnamed } else { self.remote.into() };
        payloads.map(move |payload| Departure { payload, to, source: None })
    }

    /// Takes the next of what came at once; `false` where there is none.
    fn take(&mut self, message: &mut Message) -> bool {
        let Some(Catch { room, taken }) = &mut self.catch else { return false };
        let Some((arrival, payload)) = room.get(*taken) else {
            let catch = self.catch.take();
            catch.into_iter().for_each(|catch| self.buffers.give_back(catch.room.into_bytes()));
            return false;
        };
        *taken += 1;
        message.payload.extend_from_slice(payload);
        let arrival = *arrival;
        self.tell(&arrival, message);
        true
    }

    /// Takes the next message of a Unix socket, without waiting; `false` is the end.
    fn receive(&mut self, socket: &Watched, message: &mut Message) -> io::Result<bool> {
        let length = next_length(socket)?;
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
        self.tell(&arrival, message);
        Ok(true)
    }

    /// Says how a message came.
    fn tell(&mut self, arrival: &Arrival, message: &mut Message) {
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
    }
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

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        let mut is_tried_again = false;
        if let Some(fallback) = &mut self.fallback {
            fallback.sender = Some(cx.waker().clone());
        }
        loop {
            let sent = self.way.poll_send(&self.receiver.departures(std::iter::once(payload)), cx);
            match ready!(sent) {
                Ok(_) => break,
                // That may be the fate of one that went before; a second time it is that of this one.
                Err(error) if is_too_long(&error) && !is_tried_again => is_tried_again = true,
                Err(error) => {
                    if !is_refused(&error) || !self.fall_back()? {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        self.sent(payload)
    }

    fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        // Each has to be known to have gone, as long as it may have to go elsewhere; and the queue of a Unix socket is
        // too short for many.
        if self.fallback.is_some() || !self.receiver.kind.is_on_ip() {
            return self.poll_send(cx, payload.into());
        }
        if !self.held.has_room(payload) {
            ready!(self.poll_flush(cx))?;
        }
        self.held.push(payload);
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { way, receiver, held, .. } = self;
        held.poll_flush(|payloads| way.poll_send(&receiver.departures(payloads), cx))
    }

    fn poll_shutdown_write(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only a connection has an end that the other side can see.
        if self.receiver.kind != Kind::UnixSeq {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(match net::shutdown(self.way.socket.as_fd(), Shutdown::Write) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        })
    }

    fn is_hung_up(&self) -> bool {
        self.receiver.kind == Kind::UnixSeq && is_hung_up(self.way.socket.as_fd())
    }

    /// Datagrams know no end at all, and Unix sockets no abrupt one that could be asked for.
    fn abort(&mut self) {}

    fn bare(&self) -> Option<&Watched> {
        (self.receiver.kind == Kind::UnixSeq).then_some(&self.way.socket)
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.way.socket.as_fd())
    }
}
