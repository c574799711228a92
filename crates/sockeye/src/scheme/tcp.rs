//! `tcp:host:port` and `tcp-l:port`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, sockopt};
use sockeye_proto::address::{Address, Form, Host, SchemeGrammar, Target, Value};
use sockeye_proto::shape::Shape;

use super::race::race;
use super::socket::{self, Socket, SocketListener, connected};
use super::{Scheme, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

pub(super) static TCP: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "tcp",
        aliases: &[],
        target: Form::HostPort { default_port: None },
        shape: Shape::Bytes,
        dials: true,
        listens: true,
        options: &[],
    },
    help: "TCP; names with several addresses are raced",
    example: "tcp:localhost:80",
    max_message: None,
    half_close: true,
    dials_once: |_| false,
    dial,
    listen,
};

/// Connections that may wait to be accepted, unless `backlog=` is set; the kernel cuts it to net.core.somaxconn.
pub(super) const BACKLOG: i32 = 4096;

/// How often a port that the kernel chose for one family may be taken in the other before it is told.
const PORT_TRIES: usize = 16;

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move {
        let dialled = connect(address, ctx).await;
        dialled.map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()))
    })
}

async fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let Target::HostPort(host, port) = address.target() else { return Err(wrong_target()) };
    let source = match address.options().value("bind") {
        Some(Value::Address(source)) => Some(*source),
        _ => None,
    };
    let found = ctx.resolver.addresses(host, port).await?;
    let attempt = |to| attempt(to, address, source);
    let unreachable = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable)
    };
    match race(&found, attempt, unreachable).await {
        Ok((socket, peer)) => Ok(Conn::bytes(socket, peer)),
        Err(error) => Err(error.map_or(Cause::OtherFamily, Cause::Io)),
    }
}

async fn attempt(
    to: SocketAddr,
    address: &Address,
    source: Option<SocketAddr>,
) -> io::Result<(Socket, Peer)> {
    let socket = open(to, address)?;
    if let Some(source) = source {
        if source.is_ipv4() != to.is_ipv4() {
            return Err(Errno::ADDRNOTAVAIL.into());
        }
        net::bind(&socket, &source)?;
    }
    match net::connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let (socket, ends) = connected(socket, socket::Kind::Tcp).await?;
    // The kernel may choose the very port that is dialled, on loopback: TCP then connects the socket to itself, and
    // we would talk to nobody but us.
    if matches!(ends.remote, Endpoint::Inet(_)) && ends.remote == ends.local {
        return Err(Errno::CONNREFUSED.into());
    }
    Ok((socket, ends))
}

fn open(at: SocketAddr, address: &Address) -> io::Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket::open(family, address)?;
    // Urgent data stays in its place among the rest, so that nothing is lost on the way through a relay.
    sockopt::set_socket_oobinline(&socket, true)?;
    Ok(socket)
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    Box::pin(async move {
        let listened = listen_all(address, ctx).await;
        listened.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))
    })
}

async fn listen_all(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let Target::HostPort(host, port) = address.target() else { return Err(wrong_target()) };
    let pair = |v4: Ipv4Addr, v6: Ipv6Addr| [IpAddr::from(v4), IpAddr::from(v6)];
    let implied = match host {
        Host::Any => Some(pair(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED)),
        Host::Loopback => Some(pair(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)),
        Host::Ip(..) | Host::Name(_) => None,
    };
    let at: Vec<SocketAddr> = match implied {
        Some(ips) => {
            let port = ctx.resolver.port(port).await?;
            ips.into_iter().filter(|ip| ctx.resolver.wants(*ip)).map(|ip| SocketAddr::new(ip, port)).collect()
        }
        None => ctx.resolver.addresses(host, port).await?,
    };
    let sockets = bind_all(&at, address)?;
    Ok(Box::new(SocketListener::new(socket::Kind::Tcp, sockets, address, ctx.identify)?))
}

/// Listens on every address, with one port for all of them. A family that this machine does not have is left out as
/// long as another is there.
fn bind_all(at: &[SocketAddr], address: &Address) -> io::Result<Vec<OwnedFd>> {
    let is_chosen_by_kernel = at.first().is_some_and(|first| first.port() == 0);
    let mut tries = if is_chosen_by_kernel { PORT_TRIES } else { 1 };
    loop {
        let mut bound: Vec<OwnedFd> = Vec::new();
        let (mut port, mut failed, mut absent) = (None, None, None);
        for local in at {
            let local = SocketAddr::new(local.ip(), port.unwrap_or(local.port()));
            match bind(local, address) {
                Ok((socket, chosen)) => {
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
fn is_absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}

fn bind(local: SocketAddr, address: &Address) -> io::Result<(OwnedFd, u16)> {
    let socket = open(local, address)?;
    if local.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    net::bind(&socket, &local)?;
    net::listen(&socket, backlog(address))?;
    let port = match Endpoint::from_kernel(net::getsockname(&socket)?) {
        Endpoint::Inet(chosen) => chosen.port(),
        Endpoint::Unix(_) | Endpoint::Unnamed => local.port(),
    };
    Ok((socket, port))
}

pub(super) fn backlog(address: &Address) -> i32 {
    match address.options().value("backlog") {
        Some(Value::Count(count)) => i32::try_from(*count).unwrap_or(i32::MAX),
        _ => BACKLOG,
    }
}
