//! `raw:PROTOCOL:host` and `raw-l:PROTOCOL:address`: messages right above IP (raw(7)).
//!
//! There are no ports. Whoever dials hears all that its host sends from that address in this protocol, and a listener
//! knows its peers by their addresses alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SocketType};
use sockeye_proto::address::{
    Address, Form, Host, Kind, OptionGrammar, Port, Protocol, Role, SchemeGrammar, Side, Target, Value,
};
use sockeye_proto::race::order;
use sockeye_proto::shape::Shape;
use sockeye_sys::datagram::send_with_header;
use sockeye_sys::readiness::Watched;

use super::datagram::{self, Bound, DatagramListener, Dialled, Raw};
use super::{Scheme, inet, socket, udp, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::option::{self, Phase};
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

pub(super) static RAW: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "raw",
        aliases: &[],
        target: Form::ProtocolHost,
        shape: Shape::Messages,
        dials: true,
        listens: true,
        options: &[
            OptionGrammar {
                name: "hdrincl",
                aliases: &[],
                schemes: &[],
                side: Side::Dial,
                kind: Kind::Switch,
                help: "messages begin with the IP header; no unless set",
            },
            udp::OPEN,
        ],
    },
    help: "right above IP, by protocol; takes root or cap_net_raw",
    example: "raw:icmp:localhost",
    max_message: Some(65_515),
    half_close: false,
    idle: Some(Duration::from_secs(60)),
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

/// ICMP belongs to IPv4, and its sibling to IPv6: nobody answers the one on the other (RFC 4443, section 1).
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// What is sent on it has a header always, and nothing is received (raw(7)).
const ALWAYS_WITH_HEADER: u8 = 255;

/// Where other names of protocols are listed.
const PROTOCOLS: &str = "/etc/protocols";

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move {
        let dialled = connect(address, ctx).await;
        dialled.map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()))
    })
}

/// The first address of the host to which there is a way; whether anybody is there, IP does not tell.
async fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let (protocol, found) = ends(address, ctx).await?;
    let is_on = |name| address.options().value(name) == Some(&Value::Switch(true));
    let raw = Raw { protocol, has_header: is_on("hdrincl") || protocol == ALWAYS_WITH_HEADER };
    let mut failed = Cause::OtherFamily;
    for to in order(&found) {
        match attempt(to, raw, is_on("open"), address) {
            Ok(socket) => {
                let kind = datagram::Kind::Raw(raw);
                let mut peer = Peer::new(RAW.grammar.name);
                peer.local = kind.endpoint(Endpoint::from_kernel(net::getsockname(&socket)?));
                peer.remote = Endpoint::Raw(protocol, to);
                if let Some(listener) = ctx.caller.as_ref().map(|caller| caller.local) {
                    keep_apart(listener, peer.local)?;
                }
                return Ok(Dialled::new(socket, kind, &peer, ctx)?.conn(peer, raw.most(to.ip())));
            }
            Err(cause) => failed = cause,
        }
    }
    Err(failed)
}

/// What came back would come to the listener of a relay too, which would take it for a newcomer's and send it there
/// again, for ever.
fn keep_apart(listener: Endpoint, dialled: Endpoint) -> io::Result<()> {
    match (listener, dialled) {
        (Endpoint::Raw(of, at), Endpoint::Raw(protocol, own))
            if of == protocol && (own.ip() == at.ip() || own.ip().is_unspecified()) =>
        {
            let why =
                format!("{listener} would hear the answers too: speak from another address, with bind=");
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
        _ => Ok(()),
    }
}

fn attempt(
    to: SocketAddr,
    raw: Raw,
    is_open: bool,
    address: &Address,
) -> std::result::Result<Watched, Cause> {
    let socket = open(to, raw.protocol, address)?;
    if raw.has_header {
        send_with_header(&socket, to.is_ipv6())?;
    }
    match address.options().value("bind") {
        Some(Value::Address(source)) if source.port() > 0 => {
            let why = format!("raw sockets have no ports: write bind={}", source.ip());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why).into());
        }
        Some(Value::Address(source)) if source.is_ipv4() != to.is_ipv4() => {
            return Err(Errno::ADDRNOTAVAIL.into());
        }
        Some(Value::Address(source)) => net::bind(&socket, source)?,
        _ => {}
    }
    // Nobody answers from the address of a group or of a broadcast.
    let is_broadcast = address.options().value("broadcast") == Some(&Value::Switch(true));
    if !is_open && !is_broadcast && !to.ip().is_multicast() {
        net::connect(&socket, &to)?;
    }
    forget_strangers(&socket);
    Ok(Watched::for_reading(socket).map_err(|(_, error)| error)?)
}

/// A new socket, with the options that the address sets.
fn open(at: SocketAddr, protocol: u8, address: &Address) -> std::result::Result<OwnedFd, Cause> {
    let protocol = NonZero::new(protocol.into()).map(net::Protocol::from_raw);
    let socket = match net::socket_with(inet::family(at), SocketType::RAW, socket::FLAGS, protocol) {
        Err(Errno::PERM | Errno::ACCESS) => return Err(Cause::Lacks("cap_net_raw")),
        socket => socket?,
    };
    option::apply(socket.as_fd(), address, Phase::New)?;
    if address.role() == Role::Listen {
        datagram::make_room(&socket, address)?;
    }
    Ok(socket)
}

/// The protocol of an address, and the addresses that its host has for it, with port 0.
async fn ends(address: &Address, ctx: &Ctx) -> std::result::Result<(u8, Vec<SocketAddr>), Cause> {
    let Target::Protocol(protocol, host) = address.target() else { return Err(wrong_target()) };
    let number = number(protocol).await?;
    let found = match host {
        Host::Loopback => {
            let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
            let wanted = both.into_iter().filter(|ip| ctx.resolver.wants(*ip));
            wanted.map(|ip| SocketAddr::new(ip, 0)).collect()
        }
        Host::Any | Host::Ip(..) | Host::Name(_) => ctx.resolver.addresses(host, &Port::Number(0)).await?,
    };
    let other = match number {
        ICMP => "icmp goes over IPv4 alone: over IPv6 it is icmpv6",
        ICMPV6 => "icmpv6 goes over IPv6 alone: over IPv4 it is icmp",
        _ => return Ok((number, found)),
    };
    let found: Vec<_> = found.into_iter().filter(|at| at.is_ipv4() == (number == ICMP)).collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, other).into());
    }
    Ok((number, found))
}

async fn number(protocol: &Protocol) -> std::result::Result<u8, Cause> {
    if let Some(number) = protocol.known() {
        return Ok(number);
    }
    // Small systems have no list.
    let read = tokio::task::spawn_blocking(|| std::fs::read_to_string(PROTOCOLS).unwrap_or_default());
    let list = read.await.map_err(io::Error::from)?;
    protocol.listed_in(&list).ok_or_else(|| {
        let why = format!("{PROTOCOLS} has no {protocol}: write the number of the protocol");
        io::Error::new(io::ErrorKind::InvalidInput, why).into()
    })
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    Box::pin(async move {
        let listened = listen_all(address, ctx).await;
        listened.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))
    })
}

async fn listen_all(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let (protocol, at) = ends(address, ctx).await?;
    let kind = datagram::Kind::Raw(Raw { protocol, has_header: false });
    let mut sockets = Vec::new();
    for local in &at {
        match bind(*local, protocol, address) {
            Err(Cause::Io(error)) if local.is_ipv6() && !sockets.is_empty() && inet::is_absent(&error) => {}
            bound => sockets.push(Bound::new(bound?, kind)?),
        }
    }
    let limits = RAW.limits(address, &ctx.limits);
    Ok(Box::new(DatagramListener::new(sockets, None, &limits, ctx)))
}

fn bind(local: SocketAddr, protocol: u8, address: &Address) -> std::result::Result<OwnedFd, Cause> {
    // What comes to one of all addresses could be what we have sent from another.
    if local.ip().is_unspecified() {
        return Err(Errno::ADDRNOTAVAIL.into());
    }
    let socket = open(local, protocol, address)?;
    net::bind(&socket, &local)?;
    forget_strangers(&socket);
    Ok(socket)
}

/// The most that may have come before: more than the room of a listener holds, of which each takes half a KiB.
const MOST_STRANGERS: usize = 16_384;

/// Drops what came before the socket was told whom to hear, until when it heard everybody.
fn forget_strangers(socket: &OwnedFd) {
    for _ in 0..MOST_STRANGERS {
        if net::recv(socket, &mut [0_u8; 0], RecvFlags::DONTWAIT) == Err(Errno::AGAIN) {
            break;
        }
    }
}
