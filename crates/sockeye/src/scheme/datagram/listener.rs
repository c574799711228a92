//! A listener whose connections are the peers of its sockets.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::answer::{Batch, answer_all};
use super::bound::Bound;
use super::peer::PeerConn;
use super::peers::Peers;
use super::reader::read;
use crate::conn::Conn;
use crate::ctx::{Ctx, Limits};
use crate::entrance::Entrance;
use crate::error::Result;
use crate::listener::Listener;
use crate::peer::Peer;
use crate::scheme::unix::Claim;
use crate::service::{BoxFuture, Datagrams};

/// Sockets that belong to one address: one for each family, or one path.
pub(in crate::scheme) struct DatagramListener {
    /// Dropped before the sockets: who finds the path in between is refused.
    claim: Option<Claim>,
    peers: Arc<Peers>,
    ctx: Ctx,
    is_read: bool,
    /// One for each socket, where a service without sessions answers. They outlast it: another may follow.
    batches: Vec<Batch>,
}

impl DatagramListener {
    /// Takes over bound sockets. `limits` are those of the address.
    pub(in crate::scheme) fn new(
        sockets: Vec<Bound>,
        claim: Option<Claim>,
        limits: &Limits,
        ctx: &Ctx,
    ) -> Self {
        let peers = Peers::new(sockets, limits);
        Self { claim, peers, ctx: ctx.clone(), is_read: false, batches: Vec::new() }
    }
}

impl Listener for DatagramListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        if !std::mem::replace(&mut self.is_read, true) {
            self.batches = Vec::new();
            self.peers.sockets.iter().for_each(Bound::hear_trains);
            self.ctx.tasks.spawn(read(self.peers.clone(), self.ctx.clone()));
        }
        loop {
            let newcomer = ready!(self.peers.poll_newcomer(cx));
            if let Some(conn) = PeerConn::conn(self.peers.clone(), newcomer) {
                return Poll::Ready(Ok(conn));
            }
        }
    }

    fn guard_with(&mut self, entrance: Option<Arc<Entrance>>) {
        if entrance.is_some() {
            self.peers.sockets.iter().for_each(Bound::tell_users);
        }
        self.peers.guard_with(entrance);
    }

    /// The path goes at once; the sockets stay for those who are inside.
    fn stop_accepting(&mut self) {
        self.claim = None;
        self.peers.shut();
    }

    fn locals(&self) -> Vec<Peer> {
        self.peers.sockets.iter().map(Bound::peer).collect()
    }

    fn sockets(&self) -> Vec<BorrowedFd<'_>> {
        self.peers.sockets.iter().map(|bound| bound.way.socket.as_fd()).collect()
    }

    /// Ends a silent peer's messages itself, so that who serves it can end in order. Who is still there so much later
    /// does not end.
    fn keep_to(&mut self, limits: &Limits) -> Option<Duration> {
        self.peers.keep_to(limits);
        limits.idle.map(|idle| idle.saturating_add(idle.max(TO_END)))
    }

    /// Only on IP: the queue of a Unix socket is short, and an answer that finds it full must wait, which only a
    /// connection can without holding up the others.
    fn answer<'a>(
        &'a mut self,
        service: &'a dyn Datagrams,
        ctx: &'a Ctx,
    ) -> Option<BoxFuture<'a, Result<()>>> {
        let Self { peers, batches, .. } = self;
        let is_on_ip = peers.sockets.iter().all(|socket| socket.kind.is_on_ip());
        is_on_ip.then(|| -> BoxFuture<'a, Result<()>> {
            if service.asks_when() {
                peers.sockets.iter().for_each(Bound::tell_times);
            }
            if batches.is_empty() {
                batches.extend(peers.sockets.iter().map(|socket| Batch::new(socket, ctx)));
            }
            let entrance = peers.entrance();
            Box::pin(
                async move { answer_all(&peers.sockets, batches, entrance.as_ref(), service, ctx).await },
            )
        })
    }
}

/// How long who serves a datagram peer has at least to end, once that was silent for its limit: a relay waits a second
/// for the last words of the other side.
const TO_END: Duration = Duration::from_secs(5);

impl Drop for DatagramListener {
    fn drop(&mut self) {
        self.claim = None;
        self.batches.iter_mut().zip(&self.peers.sockets).for_each(|(batch, socket)| batch.end(socket));
        self.peers.shut();
    }
}
