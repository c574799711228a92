//! What the schemes on IP have in common: which addresses a listener means, and one port for all of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketType};
use sockeye_proto::address::{Address, Host, Target, Value};

use super::wrong_target;
use crate::ctx::Ctx;
use crate::error::Cause;
use crate::peer::Endpoint;

/// How often a port that the kernel chose for one family may be taken in the other before it is told.
const PORT_TRIES: usize = 16;

/// The family of an address.
pub(super) fn family(of: SocketAddr) -> AddressFamily {
    if of.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

/// The addresses that a listener means: both loopback addresses where no host is written.
pub(super) async fn locals(address: &Address, ctx: &Ctx) -> Result<Vec<SocketAddr>, Cause> {
    let Target::HostPort(host, port) = address.target() else { return Err(wrong_target()) };
    let pair = |v4: Ipv4Addr, v6: Ipv6Addr| vec![IpAddr::from(v4), IpAddr::from(v6)];
    let hears_both = address.options().value("ipv6-only") == Some(&Value::Switch(false));
    let implied = match host {
        Host::Any if hears_both => vec![IpAddr::from(Ipv6Addr::UNSPECIFIED)],
        Host::Any => pair(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
        Host::Loopback => pair(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        Host::Ip(..) | Host::Name(_) => return ctx.resolver.addresses(host, port).await,
    };
    let port = ctx.resolver.port(port).await?;
    let wanted = implied.into_iter().filter(|ip| ctx.resolver.wants(*ip));
    Ok(wanted.map(|ip| SocketAddr::new(ip, port)).collect())
}

/// What a socket that is to lead `to` there is bound to: `bind=`, with the port of `source-port=`.
pub(super) fn source(to: SocketAddr, address: &Address) -> io::Result<Option<SocketAddr>> {
    let options = address.options();
    let port = match options.value("source-port") {
        Some(Value::Count(port)) => u16::try_from(*port).ok(),
        _ => None,
    };
    match options.value("bind") {
        Some(Value::Address(source)) if source.is_ipv4() == to.is_ipv4() => {
            let mut source = *source;
            source.set_port(port.unwrap_or(source.port()));
            Ok(Some(source))
        }
        Some(Value::Address(_)) => Err(Errno::ADDRNOTAVAIL.into()),
        _ => Ok(port.map(|port| SocketAddr::new(unspecified(to), port))),
    }
}

/// Any address of ours that is of the same family.
pub(super) fn unspecified(of: SocketAddr) -> IpAddr {
    if of.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Binds a socket to every address, with one port for all of them. A family that this machine does not have is left
/// out as long as another is there; so is IPv4 where a socket of `kind` was handed down that hears both.
pub(super) fn bind_all(
    at: &[SocketAddr],
    kind: SocketType,
    ctx: &Ctx,
    bind: impl Fn(SocketAddr) -> io::Result<OwnedFd>,
) -> io::Result<Vec<OwnedFd>> {
    let is_chosen_by_kernel = at.first().is_some_and(|first| first.port() == 0);
    let mut tries = if is_chosen_by_kernel { PORT_TRIES } else { 1 };
    loop {
        let mut bound: Vec<OwnedFd> = Vec::new();
        let (mut port, mut failed, mut absent) = (None, None, None);
        for local in at {
            if local.ip() == Ipv4Addr::UNSPECIFIED
                && at.len() > 1
                && ctx.handed.has_both_families(kind, local.port())
            {
                continue;
            }
            let local = SocketAddr::new(local.ip(), port.unwrap_or(local.port()));
            match bind(local).and_then(|socket| Ok((port_of(&socket)?, socket))) {
                Ok((chosen, socket)) => {
                    port = Some(chosen);
                    bound.push(socket);
                }
                Err(error) if local.is_ipv6() && is_absent(&error) => absent = Some(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        tries -= 1;
        match failed {
            None if !bound.is_empty() => return Ok(bound),
            Some(error) if error.kind() != io::ErrorKind::AddrInUse || tries == 0 => return Err(error),
            None => return Err(absent.unwrap_or_else(|| Errno::ADDRNOTAVAIL.into())),
            Some(_) => {}
        }
    }
}

/// Whether this machine has no such address, or not even the family.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}

fn port_of(socket: &OwnedFd) -> io::Result<u16> {
    match Endpoint::from_kernel(net::getsockname(socket)?) {
        Endpoint::Inet(bound) => Ok(bound.port()),
        Endpoint::Raw(..) | Endpoint::Unix(_) | Endpoint::Unnamed | Endpoint::Vsock(..) => {
            Err(Errno::AFNOSUPPORT.into())
        }
    }
}
