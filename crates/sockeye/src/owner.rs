//! Whose socket is at the other end, as the kernel of this machine knows.
//!
//! Of Unix sockets it is kept with the connection. Of TCP and UDP on loopback the kernel's table of sockets has the other
//! end too; it is asked for that one socket, and answers at once. Beyond loopback nothing is asked: an address of ours
//! proves nothing that a router could not forge.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use sockeye_proto::admission::Owner;
use sockeye_proto::diag::{self, Found, Transport};

use crate::conn::is_hung_up;
use crate::peer::{Endpoint, Peer};

/// What is read of one answer; a longer one is cut behind what we look at.
const ROOM: usize = 512;

/// How many answers to earlier questions are skipped, which a failed read may have left.
const SKIPPED: usize = 16;

/// Whose the sockets of this machine are.
#[derive(Debug)]
pub(crate) struct Owners {
    table: Table,
    /// Whether a number of a user means this one user: see [`is_every_user_known`].
    are_all_known: bool,
}

impl Owners {
    /// # Errors
    /// The kernel has no such table for us, or too many files are open.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { table: Table::open()?, are_all_known: is_every_user_known() })
    }

    /// Whose the other end of an accepted connection is; `None` where it is nobody's of this machine, as far as can be
    /// told.
    pub(crate) fn of_conn(&mut self, peer: &Peer, socket: BorrowedFd<'_>) -> Option<Owner> {
        // The kernel keeps nobody's number with it, and says so with one that looks like a user's.
        if matches!(peer.remote, Endpoint::Vsock(..)) {
            return None;
        }
        if !matches!(peer.remote, Endpoint::Inet(_)) {
            // Who connected, whoever has the socket by now (unix(7), SO_PEERCRED).
            let user = sockopt::socket_peercred(socket).map(|peer| peer.uid.as_raw());
            return Some(user.map_or(Owner::Unknown, |user| self.known(user)));
        }
        let owner = self.of_inet(Transport::Tcp, peer.remote, peer.local)?;
        // Had the peer broken off, another could have its port by now, and be taken for it. While our end is connected
        // nobody else has these ends.
        Some(if is_hung_up(socket) { Owner::Gone } else { owner })
    }

    /// Whose a datagram is, where `user` is what the kernel said with it; `None` as for connections.
    ///
    /// Of UDP it is whose the sender's port is now. Nobody is connected, so that each datagram is to be asked about; and
    /// a port that changes hands before it is, or that two users share (SO_REUSEADDR on both sockets), deceives.
    pub(crate) fn of_datagram(&mut self, from: Endpoint, to: Endpoint, user: Option<u32>) -> Option<Owner> {
        if !matches!(from, Endpoint::Inet(_)) {
            return Some(user.map_or(Owner::Unknown, |user| self.known(user)));
        }
        self.of_inet(Transport::Udp, from, to)
    }

    /// Who comes to a loopback address from another one is of this machine too, and could hide behind that address from
    /// a rule that denies it.
    fn of_inet(&mut self, transport: Transport, from: Endpoint, to: Endpoint) -> Option<Owner> {
        let Some((own, other)) = loopback(from, to) else {
            return is_loopback(to).then_some(Owner::Unknown);
        };
        Some(self.of_socket(transport, own, other))
    }

    fn of_socket(&mut self, transport: Transport, own: SocketAddr, other: SocketAddr) -> Owner {
        match self.table.ask(transport, own, other) {
            Ok(Some(Found::Of { user })) => self.known(user),
            Ok(Some(Found::Nothing | Found::Orphan)) => Owner::Gone,
            Ok(None) | Err(_) => Owner::Unknown,
        }
    }

    fn known(&self, user: u32) -> Owner {
        if user == OVERFLOW && !self.are_all_known { Owner::Unknown } else { Owner::User(user) }
    }
}

/// The kernel's table of sockets.
#[derive(Debug)]
struct Table {
    kernel: OwnedFd,
    asked: u32,
}

impl Table {
    fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kernel = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
        Ok(Self { kernel, asked: 0 })
    }

    /// The kernel has answered when it has taken the question, so nothing is waited for.
    fn ask(
        &mut self,
        transport: Transport,
        own: SocketAddr,
        other: SocketAddr,
    ) -> rustix::io::Result<Option<Found>> {
        self.asked = self.asked.wrapping_add(1);
        let request = diag::request(transport, own, other, self.asked);
        net::send(&self.kernel, &request, SendFlags::DONTWAIT)?;
        let mut room = [0; ROOM];
        for _ in 0..SKIPPED {
            let (came, _) = net::recv(&self.kernel, &mut room, RecvFlags::DONTWAIT)?;
            let came = room.get(..came).unwrap_or_default();
            let found = diag::answer(came, transport, own, other, self.asked);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// Whether the peer of a TCP connection has closed its socket altogether, and not only ended its side; `None` where
/// that cannot be told: beyond loopback, on other schemes, and where too many files are open.
///
/// It answers at once. A peer on a Unix socket that is gone hangs up instead: [`crate::Conn::is_hung_up`].
pub fn is_gone(peer: &Peer) -> Option<bool> {
    let (own, other) = loopback(peer.remote, peer.local).filter(|_| peer.scheme == "tcp")?;
    let found = Table::open().ok()?.ask(Transport::Tcp, own, other);
    found.ok()?.map(|found| !matches!(found, Found::Of { .. }))
}

/// The ends of the peer's socket, its own first, where both are loopback addresses.
fn loopback(peer: Endpoint, ours: Endpoint) -> Option<(SocketAddr, SocketAddr)> {
    match (peer, ours) {
        (Endpoint::Inet(own), Endpoint::Inet(other)) if is_loopback(peer) && is_loopback(ours) => {
            Some((own, other))
        }
        _ => None,
    }
}

fn is_loopback(end: Endpoint) -> bool {
    matches!(end, Endpoint::Inet(end) if end.ip().to_canonical().is_loopback())
}

/// What the kernel says of users that our user namespace has no number for (user_namespaces(7)).
const OVERFLOW: u32 = 65_534;

/// Whether our user namespace has a number for every user. Else [`OVERFLOW`] may be anybody, and whoever is let in by it
/// could be too.
fn is_every_user_known() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}
