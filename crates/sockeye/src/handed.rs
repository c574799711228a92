//! Descriptors that whoever started us opened for us: sockets that are bound already (sd_listen_fds(3)).

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{self, SocketType, sockopt};
use sockeye_proto::printable;
use sockeye_sys::inherited;

use crate::peer::{Endpoint, Peer};

/// Descriptors that were handed down, each of which stays open here, so that whoever comes between two listeners on it
/// waits and is not refused. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Handed(Arc<[Descriptor]>);

#[derive(Debug)]
struct Descriptor {
    number: RawFd,
    name: String,
    file: OwnedFd,
    /// Where it is bound, and waits for others; unnamed where it is connected, or no socket.
    local: Endpoint,
    /// `None` where it is no socket.
    kind: Option<SocketType>,
    is_used: AtomicBool,
}

impl Handed {
    /// Takes over the descriptors from `first` on, one for each name, and marks them close-on-exec.
    ///
    /// # Errors
    /// One of them is not open, or is somebody's already.
    pub fn take(first: RawFd, names: &[String]) -> io::Result<Self> {
        let numbered = names.iter().zip(first..);
        let taken = numbered.map(|(name, number)| {
            let file = inherited::take(number)?;
            let kind = sockopt::socket_type(&file).ok();
            let local = match (net::getpeername(&file), net::getsockname(&file)) {
                (Err(_), Ok(local)) => Endpoint::from_kernel(local),
                _ => Endpoint::Unnamed,
            };
            let is_used = AtomicBool::new(false);
            Ok(Descriptor { number, name: name.clone(), file, local, kind, is_used })
        });
        Ok(Self(taken.collect::<io::Result<Vec<_>>>()?.into()))
    }

    /// The socket that is bound to that very name.
    pub(crate) fn bound_to(&self, kind: SocketType, local: Endpoint) -> Option<io::Result<OwnedFd>> {
        if local == Endpoint::Unnamed {
            return None;
        }
        self.find(|descriptor| descriptor.kind == Some(kind) && descriptor.local == local)
    }

    /// Whether a socket is bound to that port on every address of IPv6, and so on every one of IPv4 too.
    pub(crate) fn has_both_families(&self, kind: SocketType, port: u16) -> bool {
        let all = Endpoint::Inet(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
        self.0.iter().any(|descriptor| {
            let is_there = descriptor.kind == Some(kind) && descriptor.local == all;
            is_there && sockopt::ipv6_v6only(&descriptor.file).is_ok_and(|only| !only)
        })
    }

    /// The descriptor of that number.
    pub(crate) fn numbered(&self, number: RawFd) -> Option<io::Result<OwnedFd>> {
        self.find(|descriptor| descriptor.number == number)
    }

    /// The descriptor of that name, the first of several.
    pub(crate) fn named(&self, name: &str) -> Option<io::Result<OwnedFd>> {
        self.find(|descriptor| descriptor.name == name)
    }

    /// Those that nothing was opened on: number, name, and where they are bound.
    pub fn unused(&self) -> Vec<String> {
        let unused = self.0.iter().filter(|descriptor| !descriptor.is_used.load(Ordering::Relaxed));
        unused.map(Descriptor::told).collect()
    }

    fn find(&self, is_meant: impl Fn(&Descriptor) -> bool) -> Option<io::Result<OwnedFd>> {
        let found = self.0.iter().find(|descriptor| is_meant(descriptor))?;
        found.is_used.store(true, Ordering::Relaxed);
        Some(found.file.try_clone())
    }
}

impl Descriptor {
    fn told(&self) -> String {
        let name = printable::line(self.name.as_bytes());
        let scheme = match (self.local, self.kind) {
            (Endpoint::Inet(_), Some(SocketType::DGRAM)) => "udp",
            (Endpoint::Inet(_), _) => "tcp",
            (Endpoint::Raw(..), _) => "raw",
            (Endpoint::Unix(_), Some(SocketType::DGRAM)) => "unix-dgram",
            (Endpoint::Unix(_), Some(SocketType::SEQPACKET)) => "unix-seq",
            (Endpoint::Unix(_), _) => "unix",
            (Endpoint::Vsock(..), _) => "vsock",
            (Endpoint::Unnamed, _) => return format!("{} ({name})", self.number),
        };
        format!("{} ({name}, {})", self.number, Peer { local: self.local, ..Peer::new(scheme) })
    }
}
