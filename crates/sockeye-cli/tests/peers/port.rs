//! Ports for programs that cannot let the kernel choose one.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, getsockname, listen, socket_with, sockopt,
};

/// A port of 127.0.0.1 that the kernel gives to nobody else, and on which nobody listens yet.
///
/// A socket that is bound and does not listen holds it. A program that sets SO_REUSEADDR can still listen there, as
/// every server does; whoever connects before is refused.
pub(super) struct Port {
    socket: OwnedFd,
    pub(super) number: u16,
}

impl Port {
    pub(super) fn reserve() -> Self {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, FLAGS, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let name = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        Self { socket, number: name.port() }
    }

    /// From here on whoever connects is not refused, and waits to be accepted.
    pub(super) fn listen(&self) {
        listen(&self.socket, 1).unwrap();
    }

    /// Whether somebody has come since, and waits to be accepted. Asks once for each.
    pub(super) fn has_visitor(&self) -> bool {
        accept_with(&self.socket, FLAGS).is_ok()
    }

    /// Whether somebody listens there.
    pub(super) fn is_listened_on(&self) -> bool {
        // See proc_pid_net(5): the local address in hexadecimal digits as the machine has it, and the state.
        let wanted = format!(":{:04X}", self.number);
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().skip(1).any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next().unwrap_or_default(), words.nth(1));
            local.ends_with(&wanted) && state == Some("0A")
        })
    }
}

/// Whether somebody listens on the Unix socket of this name: a path, or `@` and an abstract name.
pub(super) fn is_listened_on(name: &str) -> bool {
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    // The flag __SO_ACCEPTCON, and the name at the end.
    table.lines().any(|line| line.contains(" 00010000 ") && line.ends_with(&format!(" {name}")))
}

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
