//! What a connection needs from the world around it: passed along, never global.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sockeye_proto::reflect::Outsiders;
use tokio_util::task::TaskTracker;

use crate::buffer::Buffers;
use crate::clock::Clock;
use crate::event::Events;
use crate::handed::Handed;
use crate::memory::Memory;
use crate::peer::Peer;
use crate::pipe::Pipes;
use crate::reload::Reloads;
use crate::resolve::Resolver;
use crate::state::State;
use crate::stop::Stop;
use crate::tally::{Tallies, Tally};

/// The world of a connection. Clones share everything but the limits.
#[derive(Debug, Clone, Default)]
pub struct Ctx {
    /// The request to stop, when it comes.
    pub stop: Stop,
    /// Tasks that a connection starts beside itself. Whoever accepted the connection waits for them, for a bounded
    /// time: they end by themselves when [`Stop::hurried`] comes.
    pub tasks: TaskTracker,
    /// The time of day.
    pub clock: Clock,
    /// Names into addresses.
    pub resolver: Resolver,
    /// Limits in number and time.
    pub limits: Limits,
    /// Who is told what happens.
    pub events: Events,
    /// What every listener does, counted.
    pub tallies: Tallies,
    /// That of the listener that this is about: whose connection it is, or who is to begin.
    pub tally: Arc<Tally>,
    /// Buffers for bytes that are on their way.
    pub buffers: Buffers,
    /// Pipes for bytes that the kernel moves past us.
    pub pipes: Pipes,
    /// The network inside this process.
    pub memory: Memory,
    /// Sockets that are bound already: a listener of the same address takes one of these.
    pub handed: Handed,
    /// Where what is to outlive this process is kept.
    pub state: State,
    /// What was made from files, to make it anew.
    pub reloads: Reloads,
    /// The peer for whose connection something is dialled. Commands that are started for it are told who it is, in
    /// `SOCKEYE_PEER`, `SOCKEYE_LOCAL` and `SOCKEYE_UID`, of which those that are not known are unset.
    pub caller: Option<Arc<Peer>>,
}

/// Limits in number and time. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one listener that are open at once; further ones wait in the kernel's queue.
    pub max_conns: usize,
    /// End the listener after its first connection.
    pub once: bool,
    /// Connections of one peer that are open at once; further ones are refused. A peer is an address of IPv4, a /64 of
    /// IPv6, or a user on a Unix socket.
    pub max_per_peer: Option<u32>,
    /// Newcomers a second of one peer, and as many at once of one that did not come for a second; further ones are
    /// refused.
    pub rate_conns: Option<u32>,
    /// Whose connections are accepted.
    pub newcomers: Newcomers,
    /// What becomes of datagram peers beyond this machine and private networks: anybody can ask in their name.
    pub outsiders: Outsiders,
    /// Until a dialled connection is open, name look-up included.
    pub connect: Option<Duration>,
    /// Until the layers of an accepted connection are on.
    pub handshake: Option<Duration>,
    /// Until the first bytes of a newcomer tell which of several at one address it has come for.
    pub sniff: Option<Duration>,
    /// With nothing read or written, after which a connection is ended.
    pub idle: Option<Duration>,
    /// How long connections may finish on their own once a stop is asked for, before they are hurried.
    pub drain: Option<Duration>,
    /// How long they then have before they are aborted.
    pub hurry: Duration,
    /// The pause after a failed accept, before the next try.
    pub accept_pause: Duration,
    /// The soft limit of open files that commands get, for a process that has raised its own: programs that expect the
    /// usual one fail with a larger one (select(2)). `None` is that of this process.
    pub open_files: Option<u64>,
}

/// Whose connections a listener accepts, beside what `allow=` and `deny=` of its address say.
///
/// Whose a connection is, the kernel tells of Unix sockets, and of TCP and UDP on loopback: the user who opened the
/// socket at the other end. A program that forwards connections is its own user's, whoever uses it. Of UDP it is the user
/// who has the sender's port when the datagram is read, which is weaker: see that what runs something has connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Newcomers {
    /// Anybody's; nobody is asked whose they are unless a rule does.
    #[default]
    Anyone,
    /// Anybody's, and [`crate::Peer::user`] says whose, where that can be told.
    Identified,
    /// Our own effective user's, root's, who may act as any user anyway, and those of users whom `allow=` names; nobody's
    /// of whom it cannot be told. For what runs programs or writes files. An address that others than users of this
    /// machine reach cannot be listened on then, unless `allow=` names certificates: these say who it is, and those whom
    /// one names come in from anywhere.
    Ours,
}

/// As documented in the README: 10,000 connections, 30 s to connect, 10 s for a handshake, 1 s to say something, 30 s to drain.
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_conns: 10_000,
            once: false,
            max_per_peer: None,
            rate_conns: None,
            newcomers: Newcomers::Anyone,
            outsiders: Outsiders::Refused,
            connect: Some(Duration::from_secs(30)),
            handshake: Some(Duration::from_secs(10)),
            sniff: Some(Duration::from_secs(1)),
            idle: None,
            drain: Some(Duration::from_secs(30)),
            hurry: Duration::from_secs(2),
            accept_pause: Duration::from_millis(100),
            open_files: None,
        }
    }
}

impl Ctx {
    /// A context whose stop can come earlier than this one's, and whose tasks are waited for apart.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { stop: self.stop.child(), tasks: TaskTracker::new(), ..self.clone() }
    }
}

/// Runs `future` under a limit; `Err` with the limit where it ran out. Cancel safe if `future` is.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    future: impl Future<Output = T>,
) -> Result<T, Duration> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.map_err(|_| limit),
        None => Ok(future.await),
    }
}
