//! `fd:3` and `fd-l:3`: a descriptor that our parent left open for us.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd, RawFd};

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};
use sockeye_proto::address::{Address, Form, SchemeGrammar, Target};
use sockeye_proto::shape::Shape;
use sockeye_sys::inherited;

use super::descriptor::{Descriptors, Way};
use super::socket::{self, Kind, SocketListener};
use super::{Scheme, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::lent::Direction;
use crate::listener::Listener;
use crate::peer::Peer;
use crate::service::BoxFuture;

pub(super) static FD: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "fd",
        aliases: &[],
        target: Form::Descriptor,
        shape: Shape::Bytes,
        dials: true,
        listens: true,
        options: &[],
    },
    help: "a descriptor we were started with; fd-l:NAME by its name",
    example: "fd:3",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| true,
    runs: false,
    dial,
    listen,
};

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    let opened = open(address, ctx).map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()));
    Box::pin(std::future::ready(opened))
}

fn open(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let Target::Descriptor(number) = address.target() else { return Err(wrong_target()) };
    // The first three belong to the process for good: others write to them too.
    let file = match number {
        0 => rustix::stdio::stdin().try_clone_to_owned()?,
        1 => rustix::stdio::stdout().try_clone_to_owned()?,
        2 => rustix::stdio::stderr().try_clone_to_owned()?,
        number => inherited(*number, ctx)?,
    };
    let access = fcntl_getfl(&file)? & OFlags::RWMODE;
    let both = access == OFlags::RDWR;
    let (reading, writing) = if both {
        let again = file.as_fd().try_clone_to_owned()?;
        (Some(Way::new(again, Direction::Read)?), Some(Way::new(file, Direction::Write)?))
    } else if access == OFlags::RDONLY {
        (Some(Way::new(file, Direction::Read)?), None)
    } else {
        (None, Some(Way::new(file, Direction::Write)?))
    };
    let can_read = reading.is_some();
    let conn = Conn::bytes(Descriptors::new(reading, writing), Peer::new(FD.grammar.name));
    Ok(if can_read { conn } else { conn.without_reading() })
}

/// One that was handed down by agreement, or else that was simply left open.
fn inherited(number: u32, ctx: &Ctx) -> io::Result<OwnedFd> {
    let number = RawFd::try_from(number).unwrap_or(RawFd::MAX);
    ctx.handed.numbered(number).unwrap_or_else(|| inherited::take(number))
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    let listened = adopt(address, ctx).map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()));
    Box::pin(std::future::ready(listened))
}

/// Takes over a socket of streams that is bound already, whatever it is bound to.
fn adopt(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let socket = match address.target() {
        Target::Descriptor(number) => inherited(*number, ctx)?,
        Target::Name(name) => ctx.handed.named(name).unwrap_or_else(|| Err(Errno::NOENT.into()))?,
        _ => return Err(wrong_target()),
    };
    let is_stream = sockopt::socket_type(&socket)? == SocketType::STREAM;
    let kind = match sockopt::socket_domain(&socket)? {
        AddressFamily::INET | AddressFamily::INET6 if is_stream => Kind::Tcp,
        AddressFamily::UNIX if is_stream => Kind::Unix,
        AddressFamily::VSOCK if is_stream => Kind::Vsock,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a socket of streams").into()),
    };
    socket::adopt(&socket, address)?;
    Ok(Box::new(SocketListener::new(kind, vec![socket], address, ctx)?))
}
