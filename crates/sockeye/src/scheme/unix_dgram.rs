//! `unix-dgram:/run/x` and `unix-dgram:@name`, dialled and listened on.

use std::path::Path;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};
use sockeye_proto::address::{Address, Form, Kind, OptionGrammar, SchemeGrammar, Side, Value};
use sockeye_proto::shape::Shape;
use sockeye_sys::readiness::Watched;

use super::datagram::{self, Bound, DatagramListener, Dialled, most_unix};
use super::unix::{Claim, MODE, OWNER, claim, kernel_name};
use super::{Scheme, socket};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

pub(super) static UNIX_DGRAM: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "unix-dgram",
        aliases: &[],
        target: Form::SocketPath,
        shape: Shape::Messages,
        dials: true,
        listens: true,
        options: &[
            OptionGrammar {
                name: "bind",
                aliases: &[],
                schemes: &[],
                side: Side::Dial,
                kind: Kind::Text("a path"),
                help: "where answers come to; a free abstract name unless set",
            },
            MODE,
            OWNER,
        ],
    },
    help: "Unix datagram sockets",
    example: "unix-dgram:/run/app.sock",
    max_message: None,
    half_close: false,
    idle: Some(Duration::from_secs(60)),
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    let dialled = connect(address, ctx).map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()));
    Box::pin(std::future::ready(dialled))
}

fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let name = kernel_name(address)?;
    let socket = socket::open(AddressFamily::UNIX, SocketType::DGRAM, address)?;
    // Without a name of our own nobody could answer.
    let claim = match address.options().value("bind") {
        Some(Value::Text(path)) => {
            let own = SocketAddrUnix::new(path.as_str())?;
            Some(Claim::bind(Path::new(path), &socket, &own, address.options())?)
        }
        // The kernel chooses an abstract name that nobody has, and which is gone with the socket.
        _ => {
            net::bind(&socket, &SocketAddrUnix::new_unnamed())?;
            None
        }
    };
    // Connected, so that nobody else may send to us (unix(7)).
    net::connect(&socket, &name)?;
    let mut peer = Peer::new(UNIX_DGRAM.grammar.name);
    peer.local = Endpoint::from_kernel(net::getsockname(&socket)?);
    peer.remote = Endpoint::from_kernel(name.into());
    let most = most_unix(&socket)?;
    let socket = Watched::new(socket).map_err(|(_, error)| error)?;
    let dialled = Dialled::new(socket, datagram::Kind::UnixDgram, &peer, ctx)?;
    Ok(dialled.with_claim(claim).conn(peer, most))
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    let listened = bind(address, ctx).map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()));
    Box::pin(std::future::ready(listened))
}

fn bind(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let name = kernel_name(address)?;
    let bound = Endpoint::from_kernel(name.clone().into());
    let (socket, claim) = match socket::handed(SocketType::DGRAM, bound, address, ctx)? {
        // The path is its maker's: it is not ours to remove.
        Some(socket) => (socket, None),
        None => {
            let socket = socket::open(AddressFamily::UNIX, SocketType::DGRAM, address)?;
            let claim = claim(address, &socket, &name)?;
            (socket, claim)
        }
    };
    let sockets = vec![Bound::new(socket, datagram::Kind::UnixDgram)?];
    let limits = UNIX_DGRAM.limits(address, &ctx.limits);
    Ok(Box::new(DatagramListener::new(sockets, claim, &limits, ctx)))
}
