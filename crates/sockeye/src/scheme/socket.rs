//! Connected sockets over readiness: one type for the streams behind `tcp:`, `unix:` and `vsock:`, dialled or accepted,
//! and one way to connect, and to accept, them and `unix-seq:`.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt};
use sockeye_proto::address::Address;
use sockeye_sys::readiness::Watched;

use super::datagram::{self, Dialled, most_unix};
use crate::conn::{Bytes, Conn, is_hung_up};
use crate::ctx::Ctx;
use crate::entrance::{Entrance, Pass};
use crate::error::{Error, Op, Result};
use crate::listener::Listener;
use crate::option::{self, Phase};
use crate::peer::{Endpoint, Peer};

/// How every socket is made: it never blocks, and no child inherits it.
pub(super) const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

fn watch(socket: OwnedFd) -> io::Result<Watched> {
    Watched::new(socket).map_err(|(_, error)| error)
}

/// A connected stream socket.
#[derive(Debug)]
pub(super) struct Socket {
    fd: Watched,
    kind: Kind,
    /// Whether the last write found no room: who closes it now cuts off what was to follow.
    is_blocked: bool,
    /// Says that the peer has left, when the socket is closed.
    _pass: Option<Box<Pass>>,
}

/// Which kind of stream it is, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Unix,
    /// Sequenced packets: a connection like the others, and messages like a datagram socket's.
    UnixSeq,
    Vsock,
}

impl Kind {
    /// The name of its scheme.
    fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::UnixSeq => "unix-seq",
            Self::Vsock => "vsock",
        }
    }

    pub(super) fn socket_type(self) -> SocketType {
        match self {
            Self::Tcp | Self::Unix | Self::Vsock => SocketType::STREAM,
            Self::UnixSeq => SocketType::SEQPACKET,
        }
    }

    /// The connection of a connected socket.
    fn conn(self, socket: Watched, peer: Peer, pass: Option<Pass>, ctx: &Ctx) -> io::Result<Conn> {
        match self {
            Self::Tcp | Self::Unix | Self::Vsock => Ok(Conn::bytes(
                Socket { fd: socket, kind: self, is_blocked: false, _pass: pass.map(Box::new) },
                peer,
            )),
            Self::UnixSeq => {
                let most = most_unix(&socket)?;
                let dialled = Dialled::new(socket, datagram::Kind::UnixSeq, &peer, ctx)?;
                Ok(dialled.with_pass(pass).conn(peer, most))
            }
        }
    }
}

impl Socket {
    /// Whether a short read has emptied the kernel's buffer, so that the next news comes as a new event, and asking
    /// before it would only cost a call. Not so where a read stops early: a Unix socket's at descriptors that are
    /// passed, and TCP's at urgent data, which telnet sends. Who once sent urgent data is read with care ever after.
    fn short_read_is_all(&self) -> bool {
        self.kind == Kind::Tcp && !self.fd.is_urgent()
    }
}

impl Bytes for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            match net::recv(self.fd.as_fd(), &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((read, _)) => {
                    if 0 < read && read < buffer.len() && self.short_read_is_all() {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_blocked = true;
        loop {
            let mut guard = ready!(self.fd.poll_write_ready(cx))?;
            match net::send(self.fd.as_fd(), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(written) => {
                    if written < bytes.len() {
                        guard.clear_ready();
                    }
                    self.is_blocked = false;
                    return Poll::Ready(Ok(written));
                }
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }

    fn poll_shutdown_write(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match net::shutdown(self.fd.as_fd(), Shutdown::Write) {
            // The peer reset the connection: there is nobody to tell, and reading says so.
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        })
    }

    fn abort(&mut self) {
        reset(self.fd.as_fd());
    }

    fn is_hung_up(&self) -> bool {
        is_hung_up(self.fd.as_fd())
    }

    fn bare(&self) -> Option<&Watched> {
        Some(&self.fd)
    }
}

/// Whoever has to end a connection in the middle of a write, for instance because a limit has run out, need not think of
/// [`Bytes::abort`].
impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_blocked {
            self.abort();
        }
    }
}

/// Has the coming close reset the connection: a socket that lingers for no time does (socket(7), SO_LINGER).
fn reset(socket: BorrowedFd<'_>) {
    #[expect(
        clippy::let_underscore_must_use,
        reason = "on a dead socket, or without resets, the close must do"
    )]
    let _: rustix::io::Result<()> = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// A new socket, with the options that the address sets.
pub(super) fn open(family: AddressFamily, what: SocketType, address: &Address) -> io::Result<OwnedFd> {
    let protocol = option::protocol(address);
    let socket = net::socket_with(family, what, FLAGS, protocol).map_err(|errno| match protocol {
        Some(_) => option::refused("mptcp", errno.into()),
        None => errno.into(),
    })?;
    option::apply(socket.as_fd(), address, Phase::New)?;
    Ok(socket)
}

/// The socket that whoever started us bound to that name, as we would have made it: listening, and with the options that
/// the address sets.
pub(super) fn handed(
    kind: SocketType,
    local: Endpoint,
    address: &Address,
    ctx: &Ctx,
) -> io::Result<Option<OwnedFd>> {
    let Some(socket) = ctx.handed.bound_to(kind, local).transpose()? else { return Ok(None) };
    adopt(&socket, address)?;
    Ok(Some(socket))
}

/// Makes a socket that somebody else bound one of ours.
pub(super) fn adopt(socket: &OwnedFd, address: &Address) -> io::Result<()> {
    rustix::io::ioctl_fionbio(socket, true)?;
    let has_queue = sockopt::socket_type(socket)? != SocketType::DGRAM;
    let backlog = address.options().value("backlog");
    if has_queue && (backlog.is_some() || !sockopt::socket_acceptconn(socket)?) {
        net::listen(socket, super::tcp::backlog(address))?;
    }
    option::apply(socket.as_fd(), address, Phase::New)
}

/// Waits until a socket that is connecting is connected, and names both of its ends. One that connects with the first
/// bytes that are written does not know whom it leads to: that is `deferred`. Cancel safe: dropping it closes the socket.
pub(super) async fn connected(
    socket: OwnedFd,
    kind: Kind,
    deferred: Option<Endpoint>,
    ctx: &Ctx,
) -> io::Result<Conn> {
    let socket = watch(socket)?;
    // Asked first, since who is on this machine has answered by now, and then there is nothing to wait for.
    loop {
        let named = net::getpeername(socket.as_fd()).ok();
        let named = named.map(|remote| remote.map_or(Endpoint::Unnamed, Endpoint::from_kernel));
        if let Some(remote) = named.or(deferred) {
            let mut peer = Peer::new(kind.scheme());
            peer.remote = remote;
            peer.local = Endpoint::from_kernel(net::getsockname(socket.as_fd())?);
            return kind.conn(socket, peer, None, ctx);
        }
        let mut guard = socket.writable().await?;
        if let Err(errno) = sockopt::socket_error(socket.as_fd())? {
            return Err(errno.into());
        }
        guard.clear_ready();
    }
}

/// Listening sockets that belong to one address: one for each family, or one path.
pub(super) struct SocketListener {
    kind: Kind,
    /// Where the kernel does not hand down all its options, which are set on what is accepted then.
    address: Option<Address>,
    sockets: Vec<Listening>,
    /// The socket that is asked first: they take turns, so that a flood on one does not starve the others.
    first: usize,
    entrance: Option<Arc<Entrance>>,
    ctx: Ctx,
}

struct Listening {
    socket: Watched,
    local: Endpoint,
    /// Whether each connection has this local address, so that it need not be asked for.
    local_is_exact: bool,
}

impl SocketListener {
    /// Takes over sockets that listen. Must be called on a runtime.
    pub(super) fn new(kind: Kind, sockets: Vec<OwnedFd>, address: &Address, ctx: &Ctx) -> io::Result<Self> {
        let mut listening = Vec::new();
        for socket in sockets {
            let local = Endpoint::from_kernel(net::getsockname(&socket)?);
            let local_is_exact = !matches!(local, Endpoint::Inet(address) if address.ip().is_unspecified());
            listening.push(Listening { socket: watch(socket)?, local, local_is_exact });
        }
        let address = option::concerns_accepted(address).then(|| address.clone());
        Ok(Self { kind, address, sockets: listening, first: 0, entrance: None, ctx: ctx.clone() })
    }

    /// The connection of who has connected; `None` if refused.
    fn accepted(
        &self,
        socket: OwnedFd,
        remote: Option<net::SocketAddrAny>,
        at: &Listening,
    ) -> io::Result<Option<Conn>> {
        let mut peer = Peer::new(self.kind.scheme());
        peer.remote = remote.map_or(Endpoint::Unnamed, Endpoint::from_kernel);
        peer.local =
            if at.local_is_exact { at.local } else { Endpoint::from_kernel(net::getsockname(&socket)?) };
        // A socket for both families, which only others make: rules and people know IPv4 as what it is.
        (peer.remote, peer.local) = (peer.remote.canonical(), peer.local.canonical());
        let pass = match &self.entrance {
            None => None,
            Some(entrance) => {
                let pass = entrance.admit(&mut peer, socket.as_fd());
                if pass.is_none() {
                    reset(socket.as_fd());
                    return Ok(None);
                }
                pass
            }
        };
        if let Some(address) = &self.address {
            option::apply_to_accepted(socket.as_fd(), address)?;
        }
        self.kind.conn(watch(socket)?, peer, pass, &self.ctx).map(Some)
    }

    /// The next who comes in. Those who are refused before are so many as the runtime lets one task do at a time.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        let count = self.sockets.len();
        self.first = self.first.wrapping_add(1);
        let mut turn = 0;
        while turn < count {
            let Some(at) = self.sockets.get(self.first.wrapping_add(turn) % count) else { break };
            let Poll::Ready(taken) = at.poll_accept(cx) else {
                turn += 1;
                continue;
            };
            let conn = taken.and_then(|(socket, remote)| self.accepted(socket, remote, at));
            if let Some(conn) = conn.transpose() {
                return Poll::Ready(conn.map_err(|error| {
                    Error::new(Op::Accept, error).on(format_args!("{}:{}", self.kind.scheme(), at.local))
                }));
            }
        }
        Poll::Pending
    }
}

impl Listening {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(OwnedFd, Option<net::SocketAddrAny>)>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            match net::acceptfrom_with(&self.socket, FLAGS) {
                Ok(accepted) => return Poll::Ready(Ok(accepted)),
                Err(Errno::AGAIN) => guard.clear_ready(),
                // The last ones are troubles of the one newcomer, which accept(2) says to take as if it had not come.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::NETDOWN | Errno::PROTO | Errno::NOPROTOOPT | Errno::HOSTDOWN | Errno::NONET) => {}
                Err(Errno::HOSTUNREACH | Errno::OPNOTSUPP | Errno::NETUNREACH | Errno::PERM) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }
}

impl Listener for SocketListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        let next = self.poll_next(cx);
        if let Some(entrance) = &self.entrance {
            entrance.poll_tell(cx);
        }
        next
    }

    fn guard_with(&mut self, entrance: Option<Arc<Entrance>>) {
        if let Some(before) = std::mem::replace(&mut self.entrance, entrance) {
            before.tell_rest();
        }
    }

    fn stop_accepting(&mut self) {
        self.sockets.clear();
        self.guard_with(None);
    }

    fn locals(&self) -> Vec<Peer> {
        let local = |at: &Listening| Peer { local: at.local, ..Peer::new(self.kind.scheme()) };
        self.sockets.iter().map(local).collect()
    }

    fn sockets(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.iter().map(|at| at.socket.as_fd()).collect()
    }
}
