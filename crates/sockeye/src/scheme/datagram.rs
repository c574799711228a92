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

/// What the length field of UDP leaves, in IPv4 within a packet of 65,535 bytes (RFC 768, RFC 791).
pub(super) const MOST_V4: usize = 65_507;
/// As [`MOST_V4`]; the header of IPv6 is not counted in its length field (RFC 8200).
const MOST_V6: usize = 65_527;

/// The longest datagram of a Unix socket that is received whole: what no default of a kernel lets anybody send.
const MOST_UNIX: usize = 16 << 20;

/// Kinds of datagram socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Udp,
    UnixDgram,
    /// Connected, and with an end.
    UnixSeq,
}

impl Kind {
    /// The name of its scheme.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::UnixDgram => "unix-dgram",
            Self::UnixSeq => "unix-seq",
        }
    }
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
