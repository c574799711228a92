//! `udp:host:port` and `udp-l:port`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, SocketType, netdevice, sockopt};
use sockeye_proto::address::{
    Address, Form, Host, Kind, OptionGrammar, Role, SchemeGrammar, Side, Target, Value,
};
use sockeye_proto::race::order;
use sockeye_proto::shape::Shape;
use sockeye_sys::datagram::hear_joined_alone;
use sockeye_sys::readiness::Watched;

use super::datagram::{self, Bound, DatagramListener, Dialled, Fallback, MOST_V4, most_inet};
use super::{Scheme, inet, socket, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

pub(super) const OPEN: OptionGrammar = OptionGrammar {
    name: "open",
    aliases: &[],
    schemes: &[],
    side: Side::Dial,
    kind: Kind::Switch,
    help: "hear everybody, and not only who is dialled; no unless set",
};

pub(super) static UDP: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "udp",
        aliases: &[],
        target: Form::HostPort { default_port: None },
        shape: Shape::Messages,
        dials: true,
        listens: true,
        options: &[
            OptionGrammar {
                name: "join",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Group,
                help: "hear a multicast group, and be one of several who do",
            },
            OPEN,
        ],
    },
    help: "UDP; a listener has a connection for each peer",
    example: "udp:localhost:53",
    max_message: Some(MOST_V4),
    half_close: false,
    idle: Some(Duration::from_secs(60)),
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move {
        let dialled = connect(address, ctx).await;
        dialled.map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()))
    })
}

/// The first address of the name to which there is a way; whether anybody is there, UDP does not tell.
async fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let Target::HostPort(host, port) = address.target() else { return Err(wrong_target()) };
    let mut failed = Cause::OtherFamily;
    let mut found = order(&ctx.resolver.addresses(host, port).await?).into_iter();
    while let Some(to) = found.next() {
        match attempt(to, address) {
            Ok(socket) => return Ok(conn(socket, to, found.collect(), address, ctx)?),
            Err(error) => failed = error.into(),
        }
    }
    Err(failed)
}

fn conn(
    socket: Watched,
    to: SocketAddr,
    others: Vec<SocketAddr>,
    address: &Address,
    ctx: &Ctx,
) -> io::Result<Conn> {
    let mut peer = Peer::new(UDP.grammar.name);
    peer.local = Endpoint::from_kernel(net::getsockname(&socket)?);
    peer.remote = Endpoint::Inet(to);
    // What fits the first must fit those that may take its place.
    let most = others.iter().chain([&to]).map(|to| most_inet(to.ip())).min().unwrap_or(MOST_V4);
    let again = address.clone();
    let fallback = Fallback::new(others, Box::new(move |to| attempt(to, &again)));
    let dialled = Dialled::new(socket, datagram::Kind::Udp, &peer, ctx)?;
    Ok(dialled.with_fallback(fallback).conn(peer, most))
}

fn attempt(to: SocketAddr, address: &Address) -> io::Result<Watched> {
    let options = address.options();
    let is_on = |name| options.value(name) == Some(&Value::Switch(true));
    if let Some((group, _)) = joins(address)
        && group.is_ipv4() != to.is_ipv4()
    {
        return Err(deaf(to.ip(), group, "join a group of the same family"));
    }
    let socket = open(to, address)?;
    let source = inet::source(to, address)?;
    if let Some(source) = source {
        net::bind(&socket, &source)?;
        // The way to a group is not chosen by the address that we are bound to.
        if let IpAddr::V4(ip) = source.ip()
            && to.ip().is_multicast()
            && !ip.is_unspecified()
        {
            sockopt::set_ip_multicast_if(&socket, &ip)?;
        }
    }
    // Nobody answers from the address of a group or of a broadcast.
    if is_on("open") || is_on("broadcast") || to.ip().is_multicast() {
        if source.is_none() {
            net::bind(&socket, &SocketAddr::new(inet::unspecified(to), 0))?;
        }
    } else {
        net::connect(&socket, &to)?;
        // The kernel may choose the very port that is dialled: a socket that is connected to itself hears nobody but us.
        if Endpoint::from_kernel(net::getsockname(&socket)?) == Endpoint::Inet(to) {
            return Err(Errno::CONNREFUSED.into());
        }
    }
    Watched::for_reading(socket).map_err(|(_, error)| error)
}

/// A new socket, with the options that the address sets.
fn open(at: SocketAddr, address: &Address) -> io::Result<OwnedFd> {
    let socket = socket::open(inet::family(at), SocketType::DGRAM, address)?;
    if address.role() == Role::Listen {
        datagram::make_room(&socket, address)?;
    }
    if address.role() == Role::Listen || joins(address).is_some() {
        hear_joined_alone(&socket, at.is_ipv6())?;
    }
    if let Some((group, interface)) = joins(address) {
        // Several who hear a group on one machine share its port, which is what this allows.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if group.is_ipv4() == at.is_ipv4() {
            join(&socket, group, interface, address.role())?;
        }
    }
    Ok(socket)
}

fn joins(address: &Address) -> Option<(IpAddr, Option<&str>)> {
    match address.options().value("join") {
        Some(Value::Group(group, interface)) => Some((*group, interface.as_deref())),
        _ => None,
    }
}

/// The last scope of a group that does not reach beyond a link (RFC 4291, section 2.7).
const LINK: u16 = 2;

/// A group of one link is an address only together with that link (RFC 4007).
fn on_its_link(local: SocketAddr, socket: &OwnedFd, address: &Address) -> io::Result<SocketAddr> {
    match (local, joins(address)) {
        (SocketAddr::V6(local), Some((_, interface))) if local.ip().is_multicast() => {
            let scope = if local.scope_id() > 0 { local.scope_id() } else { index(socket, interface)? };
            if scope == 0 && local.ip().segments()[0] & 0xf <= LINK {
                let why = format!("each link has its own {}: write join={0}@INTERFACE", local.ip());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            Ok(SocketAddrV6::new(*local.ip(), local.port(), 0, scope).into())
        }
        _ => Ok(local),
    }
}

/// The number of an interface; 0 leaves the choice to the kernel.
fn index(socket: &OwnedFd, interface: Option<&str>) -> io::Result<u32> {
    let Some(name) = interface else { return Ok(0) };
    let unknown = |errno| io::Error::new(io::Error::from(errno).kind(), format!("no interface {name:?}"));
    netdevice::name_to_index(socket, name).map_err(unknown)
}

/// Hears a group, and where an interface is named, speaks to groups on that one too.
fn join(socket: &OwnedFd, group: IpAddr, interface: Option<&str>, role: Role) -> io::Result<()> {
    let index = index(socket, interface)?;
    match group {
        IpAddr::V4(group) => {
            let any = Ipv4Addr::UNSPECIFIED;
            sockopt::set_ip_add_membership_with_ifindex(socket, &group, &any, index)?;
            if index > 0 && role == Role::Dial {
                sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index)?;
            }
        }
        IpAddr::V6(group) => {
            sockopt::set_ipv6_add_membership(socket, &group, index)?;
            if index > 0 && role == Role::Dial {
                sockopt::set_ipv6_multicast_if(socket, index)?;
            }
        }
    }
    Ok(())
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    Box::pin(async move {
        let listened = listen_all(address, ctx).await;
        listened.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))
    })
}

async fn listen_all(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let at = match (joins(address), address.target()) {
        // A port alone would be loopback, where no group is heard: the group's own address hears it and nothing else.
        (Some((group, _)), Target::HostPort(Host::Loopback, port)) => {
            vec![SocketAddr::new(group, ctx.resolver.port(port).await?)]
        }
        _ => inet::locals(address, ctx).await?,
    };
    if let (Some((group, _)), Some(first)) = (joins(address), at.first())
        && !at.iter().any(|local| hears(local.ip(), group))
    {
        return Err(deaf(first.ip(), group, "write the port alone, or any:").into());
    }
    let sockets = inet::bind_all(&at, SocketType::DGRAM, ctx, |local| bind(local, address, ctx))?;
    let bound = |socket| Bound::new(socket, datagram::Kind::Udp);
    let sockets = sockets.into_iter().map(bound).collect::<io::Result<Vec<_>>>()?;
    let limits = UDP.limits(address, &ctx.limits);
    Ok(Box::new(DatagramListener::new(sockets, None, &limits, ctx)))
}

/// Whether a socket that is bound to this address can hear the group.
fn hears(local: IpAddr, group: IpAddr) -> bool {
    local == group || (local.is_unspecified() && local.is_ipv4() == group.is_ipv4())
}

fn deaf(on: IpAddr, group: IpAddr, hint: &str) -> io::Error {
    let why = format!("a socket on {on} does not hear {group}: {hint}");
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn bind(local: SocketAddr, address: &Address, ctx: &Ctx) -> io::Result<OwnedFd> {
    if let Some(socket) = socket::handed(SocketType::DGRAM, Endpoint::Inet(local), address, ctx)? {
        return Ok(socket);
    }
    let socket = open(local, address)?;
    net::bind(&socket, &on_its_link(local, &socket, address)?)?;
    Ok(socket)
}
