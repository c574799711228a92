//! A socket that many peers share, and the room that a batch of their datagrams needs.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net;
use sockeye_sys::datagram::{self, Arrival, BATCH, Name};
use sockeye_sys::readiness::Watched;

use super::way::Way;
use super::{Kind, most_inet, most_unix, next_length};
use crate::peer::{Endpoint, Peer};

/// A bound datagram socket that is connected to nobody.
#[derive(Debug)]
pub(in crate::scheme) struct Bound {
    pub(super) way: Way,
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
        let way = Way::new(Watched::for_reading(socket).map_err(|(_, error)| error)?);
        Ok(Self { way, kind, local, max_message, dropped: AtomicU32::new(0) })
    }

    /// Has datagrams tell whose they are, on Unix sockets. Where that fails nobody is known.
    pub(super) fn tell_users(&self) {
        if self.kind == Kind::UnixDgram {
            let (Ok(()) | Err(_)) = datagram::tell_users(&self.way.socket);
        }
    }

    /// Has datagrams tell when the kernel took them. Where that fails they have no time.
    pub(super) fn tell_times(&self) {
        let (Ok(()) | Err(_)) = datagram::tell_times(&self.way.socket);
    }

    /// Takes what comes in a row from one sender at once, where the kernel can.
    pub(super) fn hear_trains(&self) {
        if self.kind == Kind::Udp {
            let (Ok(()) | Err(_)) = datagram::hear_trains(&self.way.socket);
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

    /// How many more the kernel has dropped by now, where nothing will come any more that could tell.
    pub(super) fn last_drops(&self) -> u32 {
        let Ok(total) = datagram::dropped(&self.way.socket) else { return 0 };
        total.wrapping_sub(self.dropped.swap(total, Ordering::Relaxed))
    }

    /// Fills `room` with what has come; `true` where that is all.
    pub(super) fn poll_fill(&self, room: &mut Room, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let mut guard = ready!(self.way.socket.poll_read_ready(cx))?;
            match room.fill(&self.way.socket, self.kind) {
                Ok(is_all) => {
                    // What comes next comes as a new event. Where several came at once, more are on their way, and to
                    // ask once too often costs less than an event.
                    if is_all && room.arrivals.len() <= 1 {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(is_all));
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => guard.clear_ready(),
                    Some(Errno::INTR) => {}
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }
}

/// Room for a batch of datagrams, used again for each. What it never needed costs no memory.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: Box<[u8]>,
    /// How long one datagram may be.
    size: usize,
    /// From where one begins to where the next does.
    stride: usize,
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
    /// As much room as there is in a buffer of several times 64 KiB.
    pub(super) fn lent(bytes: Box<[u8]>) -> Self {
        let wanted = bytes.len() / SIZE_INET;
        Self { bytes, size: SIZE_INET, stride: SIZE_INET, wanted, arrivals: Vec::new() }
    }

    pub(super) fn into_bytes(self) -> Box<[u8]> {
        self.bytes
    }

    /// Receives once; `true` where not all of the room was needed, and so nothing more has come.
    pub(super) fn fill(&mut self, socket: &Watched, kind: Kind) -> io::Result<bool> {
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
        let Self { size, stride, wanted, .. } = *self;
        let places = self.bytes.chunks_mut(stride);
        let places = places.map(|place| place.get_mut(..size).unwrap_or_default()).take(wanted);
        let (arrivals, mut begins) = (&mut self.arrivals, (0..).step_by(stride));
        let came = datagram::receive_all(socket, places, |arrival| {
            let begin = begins.next().unwrap_or_default();
            arrivals.extend(arrival.datagrams().map(|(start, one)| (begin + start, one)));
        })?;
        if matches!(kind, Kind::Raw(_)) {
            for (start, arrival) in &mut self.arrivals {
                let header = kind.header(arrival, self.bytes.get(*start..).unwrap_or_default());
                let header = header.min(arrival.length);
                (*start, arrival.length) = (*start + header, arrival.length - header);
            }
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
            (self.size, self.stride, self.wanted) = (size, size + STAGGER, count);
            self.bytes = vec![0; self.stride * count].into();
        }
    }

    /// What came last, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arrival, &[u8])> + Clone {
        (0..).map_while(|at| self.get(at))
    }

    /// One of what came last.
    pub(super) fn get(&self, at: usize) -> Option<(&Arrival, &[u8])> {
        let (start, arrival) = self.arrivals.get(at)?;
        Some((arrival, self.bytes.get(*start..*start + arrival.length)?))
    }
}
