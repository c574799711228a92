//! `tcp:host:port` and `tcp-l:port`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, SocketType, sockopt};
use sockeye_proto::address::{Address, Form, SchemeGrammar, Target, Value};
use sockeye_proto::shape::Shape;

use super::race::race;
use super::socket::{self, SocketListener, connected};
use super::{Scheme, inet, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::option::{self, Phase};
use crate::peer::Endpoint;
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
    idle: None,
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

/// Connections that may wait to be accepted, unless `backlog=` is set; the kernel cuts it to net.core.somaxconn.
pub(super) const BACKLOG: i32 = 4096;

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move {
        let dialled = connect(address, ctx).await;
        dialled.map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()))
    })
}

async fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let Target::HostPort(host, port) = address.target() else { return Err(wrong_target()) };
    let found = ctx.resolver.addresses(host, port).await?;
    let attempt = |to| attempt(to, address, ctx);
    let unreachable = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable)
    };
    match race(&found, attempt, unreachable).await {
        Ok(conn) => Ok(conn),
        Err(error) => Err(error.map_or(Cause::OtherFamily, Cause::from)),
    }
}

async fn attempt(to: SocketAddr, address: &Address, ctx: &Ctx) -> io::Result<Conn> {
    let socket = open(to, address)?;
    if let Some(source) = inet::source(to, address)? {
        net::bind(&socket, &source)?;
    }
    let deferred = match net::connect(&socket, &to) {
        // With `fastopen-connect` it is done before it has begun.
        Ok(()) => net::getpeername(&socket).is_err().then_some(Endpoint::Inet(to)),
        Err(Errno::INPROGRESS | Errno::INTR) => None,
        Err(errno) => return Err(errno.into()),
    };
    let conn = connected(socket, socket::Kind::Tcp, deferred, ctx).await?;
    if let Some(socket) = conn.socket() {
        option::apply(socket, address, Phase::Connected)?;
    }
    let ends = conn.peer();
    // The kernel may choose the very port that is dialled, on loopback: TCP then connects the socket to itself, and
    // we would talk to nobody but us.
    if matches!(ends.remote, Endpoint::Inet(_)) && ends.remote == ends.local {
        return Err(Errno::CONNREFUSED.into());
    }
    Ok(conn)
}

fn open(at: SocketAddr, address: &Address) -> io::Result<OwnedFd> {
    let socket = socket::open(inet::family(at), socket::Kind::Tcp.socket_type(), address)?;
    // Urgent data stays in its place among the rest, so that nothing is lost on the way through a relay. MPTCP has none.
    if option::protocol(address).is_none() {
        sockopt::set_socket_oobinline(&socket, true)?;
    }
    Ok(socket)
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    Box::pin(async move {
        let listened = listen_all(address, ctx).await;
        listened.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))
    })
}

async fn listen_all(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let at = inet::locals(address, ctx).await?;
    let sockets = inet::bind_all(&at, SocketType::STREAM, ctx, |local| bind(local, address, ctx))?;
    Ok(Box::new(SocketListener::new(socket::Kind::Tcp, sockets, address, ctx)?))
}

fn bind(local: SocketAddr, address: &Address, ctx: &Ctx) -> io::Result<OwnedFd> {
    if let Some(socket) = socket::handed(SocketType::STREAM, Endpoint::Inet(local), address, ctx)? {
        return Ok(socket);
    }
    let socket = open(local, address)?;
    net::bind(&socket, &local)?;
    net::listen(&socket, backlog(address))?;
    Ok(socket)
}

pub(super) fn backlog(address: &Address) -> i32 {
    match address.options().value("backlog") {
        Some(Value::Count(count)) => i32::try_from(*count).unwrap_or(i32::MAX),
        _ => BACKLOG,
    }
}
