//! `vsock:CID:port` and `vsock-l:port`: streams between machines that share one host (vsock(7)).

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketType};
use sockeye_proto::address::{
    Address, Cid, Form, Kind, OptionGrammar, Role, SchemeGrammar, Side, Target, Value,
};
use sockeye_proto::shape::Shape;
use sockeye_sys::vsock::{ANY_PORT, Name, connect_with_patience, set_buffer};

use super::socket::{self, SocketListener, connected};
use super::{Scheme, tcp, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::peer::Endpoint;
use crate::service::BoxFuture;

pub(super) static VSOCK: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "vsock",
        aliases: &[],
        target: Form::Machine,
        shape: Shape::Bytes,
        dials: true,
        listens: true,
        options: &[OptionGrammar {
            name: "rcvbuf",
            aliases: &[],
            schemes: &[],
            side: Side::Both,
            kind: Kind::Size,
            help: "how much may wait for us, from 128 on; 256k unless set",
        }],
    },
    help: "between a host, CID 2, and its guests; any:PORT to be reached",
    example: "vsock:2:1024",
    max_message: None,
    half_close: true,
    idle: None,
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

async fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let name = kernel_name(address)?;
    let socket = open(address)?;
    let opened = match net::connect(&socket, &name) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {
            connected(socket, socket::Kind::Vsock, None, ctx).await
        }
        Err(errno) => Err(errno.into()),
    };
    opened.map_err(|error| match Errno::from_io_error(&error) {
        // What is no answer on TCP is the one of a machine on which nobody listens there.
        Some(Errno::CONNRESET) => Errno::CONNREFUSED.into(),
        // A host says so where it has no such guest, and a guest of itself, where it lacks the module vsock_loopback.
        Some(Errno::NODEV) => io::Error::new(io::ErrorKind::NotFound, "nothing leads to this CID").into(),
        _ => error.into(),
    })
}

fn kernel_name(address: &Address) -> std::result::Result<Name, Cause> {
    match address.target() {
        Target::Machine(Cid(cid), 0) => Ok(Name { cid: *cid, port: ANY_PORT }),
        Target::Machine(Cid(cid), port) => Ok(Name { cid: *cid, port: *port }),
        _ => Err(wrong_target()),
    }
}

fn open(address: &Address) -> io::Result<OwnedFd> {
    let socket = socket::open(AddressFamily::VSOCK, socket::Kind::Vsock.socket_type(), address);
    let socket = socket.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::AFNOSUPPORT) => {
            io::Error::new(io::ErrorKind::Unsupported, "the kernel has no vsock: its module is missing")
        }
        _ => error,
    })?;
    if let Some(Value::Size(bytes)) = address.options().value("rcvbuf") {
        set_buffer(&socket, *bytes)?;
    }
    if address.role() == Role::Dial {
        // `connect=` is the limit.
        connect_with_patience(&socket)?;
    }
    Ok(socket)
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    let listened = bind(address, ctx).map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()));
    Box::pin(std::future::ready(listened))
}

fn bind(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let name = kernel_name(address)?;
    let bound = Endpoint::Vsock(Cid(name.cid), name.port);
    let socket = match socket::handed(SocketType::STREAM, bound, address, ctx)? {
        Some(socket) => socket,
        None => {
            let socket = open(address)?;
            net::bind(&socket, &name)?;
            net::listen(&socket, tcp::backlog(address))?;
            socket
        }
    };
    Ok(Box::new(SocketListener::new(socket::Kind::Vsock, vec![socket], address, ctx)?))
}
