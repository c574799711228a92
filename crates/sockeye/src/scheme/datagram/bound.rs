//! A socket that many peers share, and the room that a batch of their datagrams needs.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net;
use sockeye_sys::datagram::{self, Arrival, BATCH, Departure, Name};
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
        let local = kind.endpoint(Endpoint::from_kernel(net::getsockname(&socket)?));
        let max_message = match (kind, local.ip()) {
            (Kind::Raw(raw), Some(ip)) => raw.most(ip),
            (_, Some(ip)) => most_inet(ip),
            (_, None) => most_unix(&socket)?,
        };
        datagram::tell_drops(&socket)?;
        // An answer must come from the address that was asked, which only a socket on all of them has to be told.
        if let Some(local) = local.ip()
            && (local.is_unspecified() || local.is_multicast())
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
        arrival.destination.map_or(self.local, |to| self.local.with_ip(to.ip))
    }

    /// Whether a datagram may be one that we sent. A raw socket has nothing but its address, and hears what is sent from
    /// there to there, by whomever: answering that would never end.
    pub(super) fn is_own(&self, arrival: &Arrival) -> bool {
        match (self.local, arrival.from) {
            (Endpoint::Raw(_, local), Name::Inet(from)) => local.ip() == from.ip(),
            _ => false,
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
            Kind::Raw(_) | Kind::Udp => {
                self.socket.try_write(|| datagram::send_all(&self.socket, departures))
            }
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
    /// What came, and where it begins.
    arrivals: Vec<(usize, Arrival)>,
}

/// The fewest that are asked for at once on a socket of IP.
const LEAST: usize = 8;
/// What a datagram on IP holds at most, rounded up; its header too, where that comes along.
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
            Kind::Raw(_) | Kind::Udp if self.bytes.is_empty() => {
                self.fit(BATCH, SIZE_INET);
                self.wanted = LEAST;
            }
            Kind::Raw(_) | Kind::Udp => {}
        }
        let (size, wanted) = (self.size, self.wanted);
        let places = self.bytes.chunks_mut(size + STAGGER);
        let places = places.map(|place| place.get_mut(..size).unwrap_or_default()).take(wanted);
        let (arrivals, mut begins) = (&mut self.arrivals, (0..).step_by(size + STAGGER));
        let came = datagram::receive_all(socket, places, |arrival| {
            arrivals.push((begins.next().unwrap_or_default(), arrival));
        })?;
        let with_headers = self.arrivals.iter_mut().filter(|_| matches!(kind, Kind::Raw(_)));
        for (start, arrival) in with_headers {
            let header = kind.header(arrival, self.bytes.get(*start..).unwrap_or_default());
            *start += header.min(arrival.length);
            arrival.length -= header.min(arrival.length);
        }
        if kind.is_on_ip() {
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
        let at = |start: usize, length| self.bytes.get(start..start + length).unwrap_or_default();
        self.arrivals.iter().map(move |(start, arrival)| (arrival, at(*start, arrival.length)))
    }
}
