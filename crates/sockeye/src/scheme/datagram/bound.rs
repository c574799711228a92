//! A socket that many peers share, and the room that a batch of their datagrams needs.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net;
use sockeye_sys::datagram::{self, Arrival, BATCH, Departure};
use sockeye_sys::readiness::Watched;

use super::{Kind, most_inet, most_unix, next_length};
use crate::peer::{Endpoint, Peer};

/// A bound datagram socket that is connected to nobody.
#[derive(Debug)]
pub(in crate::scheme) struct Bound {
    pub(super) socket: Watched,
    pub(super) kind: Kind,
    pub(super) local: Endpoint,
    /// The most that it sends in one datagram.
    pub(super) max_message: usize,
    /// How many the kernel has dropped, as it last said.
    dropped: AtomicU32,
}

impl Bound {
    /// Takes over a bound socket. Must be called on a runtime.
    pub(in crate::scheme) fn new(socket: OwnedFd, kind: Kind) -> io::Result<Self> {
        let local = Endpoint::from_kernel(net::getsockname(&socket)?);
        let max_message = match local {
            Endpoint::Inet(local) => most_inet(local.ip()),
            Endpoint::Unix(_) | Endpoint::Unnamed | Endpoint::Vsock(..) => most_unix(&socket)?,
        };
        datagram::tell_drops(&socket)?;
        // An answer must come from the address that was asked, which only a socket on all of them has to be told.
        if let Endpoint::Inet(local) = local
            && (local.ip().is_unspecified() || local.ip().is_multicast())
        {
            datagram::tell_destinations(&socket, local.is_ipv6())?;
        }
        let socket = Watched::new(socket).map_err(|(_, error)| error)?;
        Ok(Self { socket, kind, local, max_message, dropped: AtomicU32::new(0) })
    }

    /// Has datagrams tell whose they are, on Unix sockets. Where that fails nobody is known.
    pub(super) fn tell_users(&self) {
        if self.kind == Kind::UnixDgram {
            let (Ok(()) | Err(_)) = datagram::tell_users(&self.socket);
        }
    }

    /// Where it listens.
    pub(super) fn peer(&self) -> Peer {
        Peer { local: self.local, ..Peer::new(self.kind.scheme()) }
    }

    /// Which of our addresses a datagram was sent to.
    pub(super) fn destination(&self, arrival: &Arrival) -> Endpoint {
        match (self.local, arrival.destination) {
            (Endpoint::Inet(local), Some(to)) => Endpoint::Inet(SocketAddr::new(to.ip, local.port())),
            (local, _) => local,
        }
    }

    /// How many the kernel has dropped since this was last asked: with each datagram it says how many in all.
    pub(super) fn new_drops(&self, arrival: &Arrival) -> u32 {
        let Some(total) = arrival.dropped else { return 0 };
        total.wrapping_sub(self.dropped.swap(total, Ordering::Relaxed))
    }

    /// Fills `room` with what has come.
    pub(super) fn poll_fill(&self, room: &mut Room, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            match room.fill(&self.socket, self.kind) {
                Ok(left_room) => {
                    // The kernel had no more: what comes next comes as a new event.
                    if left_room {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => guard.clear_ready(),
                    Some(Errno::INTR) => {}
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Sends what does not have to wait, and says how many went.
    pub(super) fn try_send<'a>(&self, departures: impl Iterator<Item = Departure<'a>>) -> io::Result<usize> {
        match self.kind {
            Kind::Udp => self.socket.try_write(|| datagram::send_all(&self.socket, departures)),
            // Whether it may be written depends on who is to read, and readiness does not tell.
            Kind::UnixDgram | Kind::UnixSeq => datagram::send_all(&self.socket, departures),
        }
    }
}

/// Room for a batch of datagrams, used again for each. What it never needed costs no memory.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: Vec<u8>,
    /// How long one datagram may be.
    size: usize,
    /// How many are asked for: few while few come, since each costs something to ask for.
    wanted: usize,
    arrivals: Vec<Arrival>,
}

/// The fewest that are asked for at once on a socket of IP.
const LEAST: usize = 8;
/// What a datagram of UDP holds at most, rounded up.
const SIZE_INET: usize = 64 << 10;
/// The least that a datagram of a Unix socket is given, so that small ones of all sizes use the same room.
const SIZE_UNIX: usize = 4 << 10;
/// Added to each place, so that the first bytes of all do not fall on the same lines of the processor's cache.
const STAGGER: usize = 192;

impl Room {
    /// Receives once; `true` where not all of the room was needed, and so nothing more has come.
    fn fill(&mut self, socket: &Watched, kind: Kind) -> io::Result<bool> {
        self.arrivals.clear();
        match kind {
            // Without a bound that the protocol sets: one at a time, as long as it is.
            Kind::UnixDgram | Kind::UnixSeq => self.fit(1, next_length(socket)?.max(SIZE_UNIX)),
            Kind::Udp if self.bytes.is_empty() => {
                self.fit(BATCH, SIZE_INET);
                self.wanted = LEAST;
            }
            Kind::Udp => {}
        }
        let (size, wanted) = (self.size, self.wanted);
        let places = self.bytes.chunks_mut(size + STAGGER);
        let places = places.map(|place| place.get_mut(..size).unwrap_or_default()).take(wanted);
        let arrivals = &mut self.arrivals;
        let came = datagram::receive_all(socket, places, |arrival| arrivals.push(arrival))?;
        if kind == Kind::Udp {
            self.wanted = match came {
                all if all == wanted => (wanted * 2).min(BATCH),
                few if few < wanted / 4 => (wanted / 2).max(LEAST),
                _ => wanted,
            };
        }
        Ok(came < wanted)
    }

    fn fit(&mut self, count: usize, size: usize) {
        if self.size < size || self.size > SIZE_INET.max(size) {
            (self.size, self.wanted) = (size, count);
            self.bytes = vec![0; (size + STAGGER) * count];
        }
    }

    /// What came last, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arrival, &[u8])> {
        let places = self.bytes.chunks(self.size + STAGGER);
        self.arrivals
            .iter()
            .zip(places)
            .map(|(arrival, place)| (arrival, place.get(..arrival.length.min(self.size)).unwrap_or_default()))
    }
}
