//! Datagram sockets: dialled, and listened on with a peer for each sender.
//!
//! A listener's socket is never connected. Connecting one to its first peer, and opening another for the next, hands
//! each datagram that is queued already to a stranger.

mod answer;
mod bound;
mod dialled;
mod door;
mod dropped;
mod fallback;
mod held;
mod inbox;
mod listener;
mod outgoing;
mod peer;
mod peers;
mod reader;
mod way;

pub(super) use self::bound::Bound;
pub(super) use self::dialled::Dialled;
pub(super) use self::fallback::Fallback;
pub(super) use self::listener::DatagramListener;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

use sockeye_proto::address::Address;
use sockeye_sys::datagram::{Arrival, Name};

use crate::peer::Endpoint;

/// What the length field of UDP leaves, in IPv4 within a packet of 65,535 bytes (RFC 768, RFC 791).
pub(super) const MOST_V4: usize = 65_507;
/// As [`MOST_V4`]; the header of IPv6 is not counted in its length field (RFC 8200).
const MOST_V6: usize = 65_527;

/// The longest datagram of a Unix socket that is received whole: what no default of a kernel lets anybody send.
const MOST_UNIX: usize = 16 << 20;

/// Kinds of datagram socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Raw(Raw),
    Udp,
    UnixDgram,
    /// Connected, and with an end.
    UnixSeq,
}

/// A socket right above IP, whose peers have no ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) protocol: u8,
    /// Whether a message begins with the header of IP: what goes, and on IPv4 what comes. The kernel shows that of IPv6
    /// to nobody.
    pub(super) has_header: bool,
}

impl Kind {
    /// The name of its scheme.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Raw(_) => "raw",
            Self::Udp => "udp",
            Self::UnixDgram => "unix-dgram",
            Self::UnixSeq => "unix-seq",
        }
    }

    /// Whether it stands on IP: then a datagram has a bound, and who is to read it holds nobody up.
    fn is_on_ip(self) -> bool {
        matches!(self, Self::Raw(_) | Self::Udp)
    }

    /// What the kernel's name of such a socket means: where others have a port, raw ones have the protocol, or nothing.
    pub(super) fn endpoint(self, name: Endpoint) -> Endpoint {
        match (self, name) {
            (Self::Raw(raw), Endpoint::Inet(mut at)) => {
                at.set_port(0);
                Endpoint::Raw(raw.protocol, at)
            }
            _ => name,
        }
    }

    /// How many bytes of what came are a header that nobody asked for.
    fn header(self, arrival: &Arrival, packet: &[u8]) -> usize {
        match (self, arrival.from, packet.first()) {
            // Its length in words of 32 bits (RFC 791, section 3.1).
            (Self::Raw(Raw { has_header: false, .. }), Name::Inet(from), Some(first)) if from.is_ipv4() => {
                usize::from(first & 0xf) * 4
            }
            _ => 0,
        }
    }
}

impl Raw {
    /// The most that a message to an address of this family holds. With a header the kernel makes no fragments, and
    /// takes no more than the interface does in one packet.
    pub(super) fn most(self, ip: IpAddr) -> usize {
        let header = if ip.is_ipv4() { 20 } else { 40 };
        match (ip.is_ipv4(), self.has_header) {
            (true, false) => LENGTH - header,
            (true, true) | (false, false) => LENGTH,
            (false, true) => LENGTH + header,
        }
    }
}

/// What the length field of IP counts at most: with the header in IPv4, without it in IPv6.
const LENGTH: usize = 65_535;

/// Room of a listener for what comes before we get to it, unless `rcvbuf=` is set: the kernel's own, for some 250 small
/// datagrams, is too little where a thousand peers start at once. Without a right to more it is cut to
/// net.core.rmem_max.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Gives the socket of a listener room for what all peers send.
pub(super) fn make_room(socket: &impl AsFd, address: &Address) -> io::Result<()> {
    if address.options().value("rcvbuf").is_none() {
        net::sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER)
            .or_else(|_no_right| net::sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER))?;
    }
    Ok(())
}

/// The most that a datagram to an address of this family holds.
pub(super) fn most_inet(ip: IpAddr) -> usize {
    if ip.is_ipv4() { MOST_V4 } else { MOST_V6 }
}

/// The most that a Unix socket takes in one datagram: its send buffer, less what the kernel keeps of it
/// (`unix_dgram_sendmsg`).
pub(super) fn most_unix(socket: &impl AsFd) -> io::Result<usize> {
    Ok(net::sockopt::socket_send_buffer_size(socket)?.saturating_sub(32))
}

/// How long the next datagram of a Unix socket is, which the kernel alone knows.
fn next_length(socket: &impl AsFd) -> io::Result<usize> {
    let flags = RecvFlags::PEEK | RecvFlags::TRUNC | RecvFlags::DONTWAIT;
    let (_, length) = net::recv(socket, &mut [0_u8; 0], flags)?;
    Ok(length.min(MOST_UNIX))
}

/// Whether a datagram cannot go because of its length.
fn is_too_long(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MSGSIZE)
}
