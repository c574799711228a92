//! `unix:/run/x` and `unix:@name`, dialled and listened on.

mod path;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix};
use sockeye_proto::address::{Address, Form, Kind, OptionGrammar, SchemeGrammar, Side, Target};
use sockeye_proto::shape::Shape;

pub(super) use self::path::Claim;
use super::socket::{self, FLAGS, SocketListener, connected};
use super::{Scheme, tcp, wrong_target};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::entrance::Entrance;
use crate::error::{Cause, Error, Op, Result};
use crate::listener::Listener;
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

const fn grammar(name: &'static str, aliases: &'static [&'static str], shape: Shape) -> SchemeGrammar {
    let options = &[MODE, OWNER];
    SchemeGrammar { name, aliases, target: Form::SocketPath, shape, dials: true, listens: true, options }
}

pub(super) const MODE: OptionGrammar = OptionGrammar {
    name: "mode",
    aliases: &[],
    schemes: &[],
    side: Side::Listen,
    kind: Kind::Mode,
    help: "permissions of the path; 0600 unless set",
};

pub(super) const OWNER: OptionGrammar = OptionGrammar {
    name: "owner",
    aliases: &[],
    schemes: &[],
    side: Side::Listen,
    kind: Kind::Text("an owner"),
    help: "who owns the path: USER, USER:GROUP or :GROUP; us unless set",
};

pub(super) static UNIX: Scheme = Scheme {
    grammar: grammar("unix", &["unix-stream"], Shape::Bytes),
    help: "Unix stream sockets: a path, or @ and an abstract name",
    example: "unix:/run/app.sock",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

pub(super) static UNIX_SEQ: Scheme = Scheme {
    grammar: grammar("unix-seq", &["unix-seqpacket"], Shape::Messages),
    help: "Unix sequenced packets: messages on a connection",
    example: "unix-seq:/run/app.sock",
    max_message: None,
    half_close: true,
    idle: None,
    dials_once: |_| false,
    runs: false,
    dial,
    listen,
};

/// The kind of socket that an address asks for.
fn kind(address: &Address) -> socket::Kind {
    match address.scheme().shape {
        Shape::Bytes => socket::Kind::Unix,
        Shape::Messages => socket::Kind::UnixSeq,
    }
}

/// The pause before a listener whose queue is full is tried again; the kernel tells nobody when it has room.
const FULL_PAUSE: Duration = Duration::from_millis(10);

fn dial<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    Box::pin(async move {
        let dialled = connect(address, ctx).await;
        dialled.map_err(|cause| Error::new(Op::Dial, cause).on(address.bare_word()))
    })
}

async fn connect(address: &Address, ctx: &Ctx) -> std::result::Result<Conn, Cause> {
    let name = kernel_name(address)?;
    loop {
        let socket = socket::open(AddressFamily::UNIX, kind(address).socket_type(), address)?;
        match net::connect(&socket, &name) {
            Ok(()) | Err(Errno::INPROGRESS) => return Ok(connected(socket, kind(address), None, ctx).await?),
            Err(Errno::AGAIN) => tokio::time::sleep(FULL_PAUSE).await,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

pub(super) fn kernel_name(address: &Address) -> std::result::Result<SocketAddrUnix, Cause> {
    match address.target() {
        Target::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name.as_bytes())?),
        Target::Path(path) => Ok(SocketAddrUnix::new(path.as_str())?),
        _ => Err(wrong_target()),
    }
}

fn listen<'a>(address: &'a Address, ctx: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    let listened = bind(address, ctx);
    let listened = listened.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()));
    Box::pin(std::future::ready(listened))
}

/// Binds a socket to the name of a listener's address; a path is claimed.
pub(super) fn claim(
    address: &Address,
    socket: &OwnedFd,
    name: &SocketAddrUnix,
) -> std::result::Result<Option<Claim>, Cause> {
    match address.target() {
        Target::Path(path) => Ok(Some(Claim::bind(Path::new(path), socket, name, address.options())?)),
        _ => {
            net::bind(socket, name)?;
            Ok(None)
        }
    }
}

fn bind(address: &Address, ctx: &Ctx) -> std::result::Result<Box<dyn Listener>, Cause> {
    let name = kernel_name(address)?;
    let bound = Endpoint::from_kernel(name.clone().into());
    if let Some(socket) = socket::handed(kind(address).socket_type(), bound, address, ctx)? {
        // The path is its maker's: it is not ours to remove.
        return Ok(Box::new(SocketListener::new(kind(address), vec![socket], address, ctx)?));
    }
    let socket = socket::open(AddressFamily::UNIX, kind(address).socket_type(), address)?;
    let claim = claim(address, &socket, &name)?;
    net::listen(&socket, tcp::backlog(address))?;
    let sockets = SocketListener::new(kind(address), vec![socket], address, ctx)?;
    Ok(Box::new(UnixListener { claim, sockets }))
}

/// A listener, and its claim on a path, which ends when it stops accepting.
struct UnixListener {
    /// Dropped before the socket: who finds the path in between is refused, and not left waiting.
    claim: Option<Claim>,
    sockets: SocketListener,
}

impl Listener for UnixListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        self.sockets.poll_accept(cx)
    }

    fn guard_with(&mut self, entrance: Option<Arc<Entrance>>) {
        self.sockets.guard_with(entrance);
    }

    fn stop_accepting(&mut self) {
        // The path goes before the socket does: whoever finds it in between is refused, not left waiting.
        self.claim = None;
        self.sockets.stop_accepting();
    }

    fn locals(&self) -> Vec<Peer> {
        self.sockets.locals()
    }

    fn sockets(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.sockets()
    }
}

/// The path beside a socket's that is locked while somebody listens there.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
