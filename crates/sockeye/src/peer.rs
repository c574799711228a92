//! Who is at the other end of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustix::net::{SocketAddrAny, SocketAddrUnix};
use sockeye_proto::address::{Cid, Protocol, escape};
use sockeye_proto::printable;
use sockeye_sys::datagram::Name;
pub use sockeye_sys::datagram::UnixName;
use sockeye_sys::vsock;

/// One end of a connection, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Endpoint {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// A protocol right above IP, by its number, and an IP address, whose port is 0.
    Raw(u8, SocketAddr),
    /// The path or abstract name of a Unix socket.
    Unix(UnixName),
    /// It has no name: most Unix sockets that connect, pipes, files.
    #[default]
    Unnamed,
    /// A machine that shares a host with this one, and a port of it.
    Vsock(Cid, u32),
}

/// The other end of a connection: what authorisation looks at, and what is told to people.
///
/// Filled from the bottom up: by the scheme, then by each layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The name of the scheme that opened the connection.
    pub scheme: &'static str,
    /// What it is called, where that is not what the kernel calls it: as it was dialled, in the caller's spelling.
    pub name: Option<Arc<str>>,
    /// The other end.
    pub remote: Endpoint,
    /// Our end.
    pub local: Endpoint,
    /// The user at the other end, where the kernel knows and anybody asked: a rule, or [`crate::Limits::newcomers`].
    pub user: Option<u32>,
    /// What TLS told of the other end, where the connection came through it.
    pub tls: Option<Arc<Tls>>,
    /// The layers that the connection came through, innermost first.
    pub through: Vec<&'static str>,
}

/// What TLS told of the other end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tls {
    /// The certificates that it has shown, its own first, each in DER (X.690); none where it has shown none. They were
    /// verified unless `verify=no` says otherwise.
    pub chain: Vec<Vec<u8>>,
    /// The names that its own certificate is for, as that says them: DNS names, IP addresses, and the common name of its
    /// subject where it has no others. Empty where it was not verified: nobody is to rely on those.
    pub names: Vec<String>,
    /// The version, such as `1.3`.
    pub version: &'static str,
    /// The protocol that was agreed on (ALPN, RFC 7301).
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for (SNI, RFC 6066 section 3), on our side as a server.
    pub server_name: Option<String>,
}

impl Peer {
    /// A peer of that scheme, of whom nothing more is known.
    pub fn new(scheme: &'static str) -> Self {
        Self {
            scheme,
            name: None,
            remote: Endpoint::Unnamed,
            local: Endpoint::Unnamed,
            user: None,
            tls: None,
            through: Vec::new(),
        }
    }
}

impl Peer {
    /// The address that was reached, of those that a name may have; else what it is called.
    pub fn reached(&self) -> String {
        match self.remote {
            Endpoint::Unnamed => self.to_string(),
            remote => format!("{}:{remote}", self.scheme),
        }
    }
}

/// Its name; else that of the other end, and of ours where the other has no name.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(&printable::line(name.as_bytes()));
        }
        match (self.remote, self.local) {
            (Endpoint::Unnamed, Endpoint::Unnamed) => f.write_str(self.scheme),
            (Endpoint::Unnamed, local) => write!(f, "{}:{local}", self.scheme),
            (remote, _) => write!(f, "{}:{remote}", self.scheme),
        }
    }
}

impl Endpoint {
    /// A Unix socket bound to that path; unnamed where the path is longer than the kernel takes.
    pub fn path(path: &Path) -> Self {
        let bytes = path.as_os_str().as_encoded_bytes();
        UnixName::new(bytes).map_or(Self::Unnamed, Self::Unix)
    }

    /// Its IP address, where it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Inet(at) | Self::Raw(_, at) => Some(at.ip()),
            Self::Unix(_) | Self::Unnamed | Self::Vsock(..) => None,
        }
    }

    /// The same with another IP address, where it has one.
    pub(crate) fn with_ip(self, ip: IpAddr) -> Self {
        match self {
            Self::Inet(at) => Self::Inet(SocketAddr::new(ip, at.port())),
            Self::Raw(protocol, _) => Self::Raw(protocol, SocketAddr::new(ip, 0)),
            Self::Unix(_) | Self::Unnamed | Self::Vsock(..) => self,
        }
    }

    /// IPv4 in IPv6 as what it is.
    pub(crate) fn canonical(self) -> Self {
        match self {
            Self::Inet(SocketAddr::V6(v6)) => match v6.ip().to_ipv4_mapped() {
                Some(v4) => Self::Inet((v4, v6.port()).into()),
                None => self,
            },
            Self::Inet(SocketAddr::V4(_)) => self,
            Self::Raw(..) | Self::Unix(_) | Self::Unnamed | Self::Vsock(..) => self,
        }
    }

    /// What the kernel returned; families that are not here have no name.
    pub(crate) fn from_kernel(address: SocketAddrAny) -> Self {
        if let Ok(inet) = SocketAddr::try_from(address.clone()) {
            return Self::Inet(inet);
        }
        if let Some(name) = vsock::Name::read(&address) {
            return Self::Vsock(Cid(name.cid), name.port);
        }
        let Ok(unix) = SocketAddrUnix::try_from(address) else {
            return Self::Unnamed;
        };
        let name = match (unix.path(), unix.abstract_name()) {
            (Some(path), _) => UnixName::new(path.to_bytes()),
            // A socket without a name has an abstract one of no length.
            (None, Some(name)) if !name.is_empty() => UnixName::new(&[&[0], name].concat()),
            (None, _) => None,
        };
        name.map_or(Self::Unnamed, Self::Unix)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "{address}"),
            Self::Raw(protocol, SocketAddr::V4(at)) => write!(f, "{}:{}", Protocol::of(*protocol), at.ip()),
            Self::Raw(protocol, SocketAddr::V6(at)) => {
                write!(f, "{}:[{}", Protocol::of(*protocol), at.ip())?;
                if at.scope_id() > 0 {
                    write!(f, "%{}", at.scope_id())?;
                }
                f.write_str("]")
            }
            Self::Unix(name) => f.write_str(&printed(name)),
            Self::Unnamed => f.write_str("unnamed"),
            Self::Vsock(cid, port) => write!(f, "{cid}:{port}"),
        }
    }
}

/// The path, or `@` and the abstract name, as an address writes them, and made safe for a terminal: whoever
/// binds a socket chooses these bytes.
fn printed(name: &UnixName) -> String {
    match name.as_bytes() {
        [0, name @ ..] => format!("@{}", escape(&printable::line(name))),
        path => escape(&printable::line(path)),
    }
}

/// As the kernel tells it with a datagram.
impl From<Name> for Endpoint {
    fn from(name: Name) -> Self {
        match name {
            Name::Inet(address) => Self::Inet(address),
            Name::Unix(name) => Self::Unix(name),
            Name::Unnamed => Self::Unnamed,
        }
    }
}

/// As the kernel takes it with a datagram.
impl From<Endpoint> for Name {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Inet(address) | Endpoint::Raw(_, address) => Self::Inet(address),
            Endpoint::Unix(name) => Self::Unix(name),
            Endpoint::Unnamed | Endpoint::Vsock(..) => Self::Unnamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_addresses_write_them_and_safely() {
        let mut peer = Peer::new("unix");
        assert_eq!(peer.to_string(), "unix");
        peer.local = Endpoint::path(Path::new("/run/x"));
        assert_eq!(peer.to_string(), "unix:/run/x");
        peer.remote = Endpoint::Unix(UnixName::new(b"\0a\x1b[2J").unwrap());
        assert_eq!(peer.to_string(), "unix:@a\\x1b[2J");
        for (protocol, at, printed) in [
            (1, "127.0.0.1:0", "raw:icmp:127.0.0.1"),
            (58, "[::1]:0", "raw:icmpv6:[::1]"),
            (253, "[fe80::1%7]:0", "raw:253:[fe80::1%7]"),
        ] {
            let end = Endpoint::Raw(protocol, at.parse().unwrap());
            assert_eq!(Peer { remote: end, ..Peer::new("raw") }.to_string(), printed);
        }
        let machine = |cid| Peer { remote: Endpoint::Vsock(cid, 1024), ..Peer::new("vsock") };
        assert_eq!(machine(Cid::HOST).to_string(), "vsock:2:1024");
        assert_eq!(machine(Cid::ANY).to_string(), "vsock:any:1024");
        peer.name = Some("unix:x".into());
        assert_eq!(peer.to_string(), "unix:x");
        assert_eq!(Endpoint::path(Path::new(&"a".repeat(109))), Endpoint::Unnamed);
    }
}
