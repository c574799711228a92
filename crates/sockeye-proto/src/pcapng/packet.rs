//! A packet: headers of IP and of what is above it, with their checksums.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Direction, Stamp, enhanced};

/// Both ends of what is shown, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    ours: SocketAddr,
    theirs: SocketAddr,
}

impl Ends {
    /// Where one is IPv4 and the other IPv6, both are shown as IPv6.
    pub fn new(ours: SocketAddr, theirs: SocketAddr) -> Self {
        let mapped = |at: SocketAddr| match at.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), at.port()),
            IpAddr::V6(_) => at,
        };
        if ours.is_ipv4() == theirs.is_ipv4() {
            Self { ours, theirs }
        } else {
            Self { ours: mapped(ours), theirs: mapped(theirs) }
        }
    }

    /// Who sends in that direction, and to whom.
    fn way(self, direction: Direction) -> (SocketAddr, SocketAddr) {
        match direction {
            Direction::In => (self.theirs, self.ours),
            Direction::Out => (self.ours, self.theirs),
        }
    }
}

/// What carries a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A protocol right above IP, by its number.
    Ip(u8),
    /// UDP.
    Udp,
}

/// Appends a packet with one datagram, which was sent so long after 1970. What an IP packet has no room for is left out,
/// and the packet says how long it was.
pub fn datagram(
    (ends, carrier): (Ends, Carrier),
    direction: Direction,
    payload: &[u8],
    at: Duration,
    comment: Option<&str>,
    out: &mut Vec<u8>,
) {
    let shown = payload.get(..MOST).unwrap_or(payload);
    let stamp = Stamp { at, direction, comment };
    let (from, to) = ends.way(direction);
    enhanced(&stamp, payload.len() - shown.len(), out, |out| match carrier {
        Carrier::Ip(protocol) => ip((from, to), protocol, shown.len(), out, |out| out.extend(shown)),
        Carrier::Udp => udp((from, to), shown, out),
    });
}

/// The most bytes that a packet has room for beside its headers: IP counts them with 16 bits, and its header has 20 and
/// that of TCP another 20.
pub(super) const MOST: usize = 65_535 - 40;

/// What a segment of TCP says beside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
}

/// The flags of a segment (RFC 9293, section 3.1).
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const PSH: u8 = 8;
pub(super) const ACK: u8 = 16;

/// Appends a segment of TCP, of at most [`MOST`] bytes.
pub(super) fn segment(stamp: &Stamp<'_>, ends: Ends, segment: Segment, payload: &[u8], out: &mut Vec<u8>) {
    let (from, to) = ends.way(stamp.direction);
    enhanced(stamp, 0, out, |out| {
        ip((from, to), TCP, TCP_HEADER + payload.len(), out, |out| {
            let begin = out.len();
            out.extend(from.port().to_be_bytes());
            out.extend(to.port().to_be_bytes());
            out.extend(segment.number.to_be_bytes());
            out.extend(segment.acknowledged.to_be_bytes());
            // A header of five words, the largest window, and room for the checksum.
            out.extend([5 << 4, segment.flags, 0xff, 0xff, 0, 0, 0, 0]);
            out.extend_from_slice(payload);
            let checksum = transport_checksum(from, to, TCP, out.get(begin..).unwrap_or_default());
            put_u16(out, begin + 16, checksum);
        });
    });
}

/// A datagram of UDP (RFC 768).
fn udp((from, to): (SocketAddr, SocketAddr), payload: &[u8], out: &mut Vec<u8>) {
    ip((from, to), UDP, UDP_HEADER + payload.len(), out, |out| {
        let begin = out.len();
        out.extend(from.port().to_be_bytes());
        out.extend(to.port().to_be_bytes());
        out.extend(length(UDP_HEADER + payload.len()).to_be_bytes());
        out.extend([0; 2]);
        out.extend_from_slice(payload);
        let checksum = transport_checksum(from, to, UDP, out.get(begin..).unwrap_or_default());
        // Nought would say that there is none.
        put_u16(out, begin + 6, if checksum == 0 { 0xffff } else { checksum });
    });
}

/// A packet of IPv4 (RFC 791) or IPv6 (RFC 8200) around the `size` bytes that `above` appends.
fn ip(
    (from, to): (SocketAddr, SocketAddr),
    protocol: u8,
    size: usize,
    out: &mut Vec<u8>,
    above: impl FnOnce(&mut Vec<u8>),
) {
    let begin = out.len();
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend([4 << 4 | 5, 0]);
            out.extend(length(20 + size).to_be_bytes());
            // No identification, which a packet needs not that is never taken apart, and room for the checksum.
            out.extend([0, 0, 0x40, 0, HOPS, protocol, 0, 0]);
            out.extend(from.octets());
            out.extend(to.octets());
            let checksum = folded(sum(out.get(begin..).unwrap_or_default()));
            put_u16(out, begin + 10, checksum);
        }
        (from, to) => {
            out.extend([6 << 4, 0, 0, 0]);
            out.extend(length(size).to_be_bytes());
            out.extend([protocol, HOPS]);
            out.extend(octets(from));
            out.extend(octets(to));
        }
    }
    above(out);
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The checksum of TCP and UDP, with the header that is thought before theirs (RFC 9293, section 3.1).
fn transport_checksum(from: SocketAddr, to: SocketAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let addresses = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => sum(&from.octets()) + sum(&to.octets()),
        (from, to) => sum(&octets(from)) + sum(&octets(to)),
    };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    folded(addresses + u64::from(protocol) + length + sum(bytes))
}

/// The sum of 16-bit words, the last filled up with a zero byte (RFC 1071).
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
        [high] => u64::from(*high) << 8,
        _ => 0,
    });
    words.sum()
}

/// The complement of a sum whose carries are added to it.
fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

fn put_u16(out: &mut [u8], at: usize, value: u16) {
    if let Some(place) = out.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const HOPS: u8 = 64;
