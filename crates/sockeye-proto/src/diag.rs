//! Asking the kernel about one socket of this machine: the request and the answer of sock_diag(7), as bytes.
//!
//! A socket is named by both of its ends, so that one answer comes and no table is walked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The socket that has these very ends.
    Tcp,
    /// The socket that hears what is sent from the other end to its own.
    Udp,
}

/// What the kernel says of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// There is none with these ends.
    Nothing,
    /// It is no process's any more, and lives on only until the connection is over.
    Orphan,
    /// It belongs to this user.
    Of {
        /// As the reader's user namespace numbers users.
        user: u32,
    },
}

/// The bytes of a request.
pub const REQUEST: usize = HEADER + 56;
/// The bytes of an answer that are read; it may be longer.
pub const ANSWER: usize = HEADER + 72;

const HEADER: usize = 16;
/// `SOCK_DIAG_BY_FAMILY`, `NLMSG_ERROR`, `NLM_F_REQUEST`.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const IS_REQUEST: u16 = 1;
const ENOENT: i32 = 2;
/// `AF_INET` and `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;
/// The states of a TCP socket that listens, and of one whose first word was not answered yet.
const LISTENS: u8 = 10;
const CONNECTS: u8 = 2;

/// The loopback interface, which is the first of every network namespace.
const LOOPBACK: u32 = 1;

/// Asks about the socket whose own end is `own`, and whose other end is `other`. Both are loopback addresses of one
/// family; IPv4 in IPv6 is IPv4. The answer has the same number.
pub fn request(transport: Transport, own: SocketAddr, other: SocketAddr, number: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REQUEST);
    bytes.extend(u32::try_from(REQUEST).unwrap_or_default().to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(IS_REQUEST.to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend([0; 4]);
    let (family, protocol) = (family(own), if transport == Transport::Tcp { 6 } else { 17 });
    bytes.extend([family, protocol, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(ends(transport, own, other));
    // Without an interface the kernel passes over a socket that is bound to one (SO_BINDTODEVICE). No cookie.
    bytes.extend(LOOPBACK.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

/// Ports and addresses of a request: the kernel takes those of UDP the other way round (`udp_dump_one`).
fn ends(transport: Transport, own: SocketAddr, other: SocketAddr) -> Vec<u8> {
    let (first, second) = if transport == Transport::Tcp { (own, other) } else { (other, own) };
    let ports = [first.port(), second.port()].map(u16::to_be_bytes);
    [&ports.concat()[..], &address(first), &address(second)].concat()
}

/// Reads what came for the request of that number; `None` where it is no answer to it, or none that makes sense.
pub fn answer(
    bytes: &[u8],
    transport: Transport,
    own: SocketAddr,
    other: SocketAddr,
    number: u32,
) -> Option<Found> {
    if word(bytes, 8)? != number {
        return None;
    }
    match u16::from_ne_bytes(field(bytes, 4)?) {
        ERROR => (i32::from_ne_bytes(field(bytes, HEADER)?) == -ENOENT).then_some(Found::Nothing),
        BY_FAMILY => {
            let [_, state, ..]: [u8; 4] = field(bytes, HEADER)?;
            let ports: [u8; 4] = field(bytes, HEADER + 4)?;
            let addresses: [u8; 32] = field(bytes, HEADER + 8)?;
            let (user, inode) = (word(bytes, HEADER + 64)?, word(bytes, HEADER + 68)?);
            let wanted = [&own.port().to_be_bytes()[..], &other.port().to_be_bytes()].concat();
            let is_it = match transport {
                // Where no socket has these ends, the kernel answers with one that listens on the port, which may be
                // anybody's. One that still connects is not the peer either: a socket that is bound to an interface
                // hides its ends from the kernel's choice of ports, so that another user's may come to have them too
                // until it is refused.
                Transport::Tcp => {
                    ![LISTENS, CONNECTS].contains(&state)
                        && ports[..] == wanted
                        && holds(&addresses, own, other)
                }
                Transport::Udp => ports.get(..2) == wanted.get(..2),
            };
            Some(match (is_it, inode) {
                (false, _) => Found::Nothing,
                // The kernel says user 0 of these.
                (true, 0) => Found::Orphan,
                (true, _) => Found::Of { user },
            })
        }
        _ => None,
    }
}

/// Whether an answer names these ends. A socket of IPv6 that speaks IPv4 may be named in either way.
fn holds(addresses: &[u8; 32], own: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = addresses.split_at(16);
    let is = |said: &[u8], end: SocketAddr| {
        let mapped = match end.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        said == address(end) || said == mapped.octets()
    };
    is(first, own) && is(second, other)
}

fn family(end: SocketAddr) -> u8 {
    if end.ip().to_canonical().is_ipv4() { INET } else { INET6 }
}

fn address(end: SocketAddr) -> [u8; 16] {
    match end.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mut bytes = Ipv6Addr::UNSPECIFIED.octets();
            let (first, _) = bytes.split_at_mut(Ipv4Addr::UNSPECIFIED.octets().len());
            first.copy_from_slice(&ip.octets());
            bytes
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NUMBER: u32 = 7;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What the kernel answers of a socket with these ends.
    fn answered(state: u8, own: SocketAddr, other: SocketAddr, user: u32, inode: u32) -> Vec<u8> {
        let mut bytes = request(Transport::Tcp, own, other, NUMBER);
        let ends = bytes.split_off(HEADER + 8);
        bytes.truncate(HEADER);
        bytes.extend([family(own), state, 0, 0]);
        bytes.extend(ends);
        bytes.extend([0; 12]);
        bytes.extend(user.to_ne_bytes());
        bytes.extend(inode.to_ne_bytes());
        assert_eq!(bytes.len(), ANSWER);
        bytes
    }

    #[test]
    fn an_orphan_is_not_roots_and_a_listener_on_the_port_is_not_the_peer() {
        let (own, other) = (at("127.0.0.1:4000"), at("127.0.0.1:80"));
        let read = |bytes: &[u8]| answer(bytes, Transport::Tcp, own, other, NUMBER);
        assert_eq!(read(&answered(1, own, other, 1000, 9)), Some(Found::Of { user: 1000 }));
        assert_eq!(read(&answered(5, own, other, 0, 0)), Some(Found::Orphan));
        assert_eq!(read(&answered(10, own, at("0.0.0.0:0"), 1000, 9)), Some(Found::Nothing));
        assert_eq!(read(&answered(10, own, other, 1000, 9)), Some(Found::Nothing));
        assert_eq!(read(&answered(2, own, other, 1000, 9)), Some(Found::Nothing));
        assert_eq!(read(&answered(1, other, own, 1000, 9)), Some(Found::Nothing));
        assert_eq!(read(&answered(1, own, at("127.0.0.2:80"), 1000, 9)), Some(Found::Nothing));
        let mapped = (at("[::ffff:127.0.0.1]:4000"), at("[::ffff:127.0.0.1]:80"));
        let said = answered(1, own, other, 1000, 9);
        assert_eq!(answer(&said, Transport::Tcp, mapped.0, mapped.1, NUMBER), Some(Found::Of { user: 1000 }));
        assert_eq!(answer(&said, Transport::Tcp, own, other, NUMBER + 1), None);
    }

    #[test]
    fn an_error_is_no_socket_only_where_the_kernel_says_that_there_is_none() {
        let error = |errno: i32| {
            let mut bytes = request(Transport::Tcp, at("[::1]:1"), at("[::1]:2"), NUMBER);
            bytes[4..6].copy_from_slice(&ERROR.to_ne_bytes());
            bytes[HEADER..HEADER + 4].copy_from_slice(&(-errno).to_ne_bytes());
            answer(&bytes, Transport::Tcp, at("[::1]:1"), at("[::1]:2"), NUMBER)
        };
        assert_eq!((error(ENOENT), error(13), error(0)), (Some(Found::Nothing), None, None));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120), number in any::<u32>()) {
            for transport in [Transport::Tcp, Transport::Udp] {
                answer(&bytes, transport, at("127.0.0.1:1"), at("127.0.0.1:2"), number);
            }
        }

        /// A cut answer is none, and a user comes only from an answer that is all there.
        #[test]
        fn a_cut_answer_is_none(user in any::<u32>(), length in 0_usize..ANSWER) {
            let (own, other) = (at("[::1]:4000"), at("[::1]:80"));
            let bytes = answered(1, own, other, user, 9);
            prop_assert_eq!(answer(&bytes, Transport::Tcp, own, other, NUMBER), Some(Found::Of { user }));
            prop_assert_eq!(answer(&bytes[..length], Transport::Tcp, own, other, NUMBER), None);
        }
    }
}
