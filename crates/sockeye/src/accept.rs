//! The one accept loop: every listener and every service go through here.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::conn::Conn;
use crate::counts::Counts;
use crate::ctx::{Ctx, within};
use crate::error::{Cause, Error, Kind, Limit, Op, Result};
use crate::event::{Ended, Event, Wants};
use crate::idle::quiet;
use crate::layer::{self, Wrap};
use crate::listener::{Listener, accept};
use crate::open::Listening;
use crate::peer::Peer;
use crate::service::{BoxFuture, Service};
use crate::show::{ShownDatagrams, show};
use crate::tally::Inside;

/// What a listener did in its life.
#[derive(Debug, Default)]
pub struct Served {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Those that came to a bad end.
    pub failed: u64,
    /// The last of these ends.
    pub last_failure: Option<Error>,
    /// Those that were still inside when the drain limit of a stop ran out.
    pub outstayed: u64,
    /// Those that did not even end when hurried, and were aborted.
    pub aborted: u64,
}

/// Serves every connection of a listener until a stop is asked for, or, with `once`, the first has ended.
///
/// The slot is taken first, then the connection: a full house leaves newcomers in the kernel's queue. A failed accept
/// is told, and tried again after a pause; it never ends a server. Handshakes run in the connection's own task.
///
/// `name` says what is served, for those who read events and [`Ctx::tallies`].
pub async fn serve(listening: Listening, service: Arc<dyn Service>, name: &str, ctx: &Ctx) -> Served {
    let Listening { mut listener, wraps, limits, tally } = listening;
    let ctx = Ctx { limits, tally, ..ctx.child() };
    ctx.tallies.add(name, &listener.locals(), ctx.tally.clone());
    if let Some(served) = answer_datagrams(&mut *listener, &wraps, &*service, name, &ctx).await {
        return served;
    }
    let house = House {
        slots: Arc::new(Semaphore::new(limits.max_conns.min(Semaphore::MAX_PERMITS))),
        guest: Arc::new(Guest { service, wraps, name: name.into(), ctx: ctx.clone() }),
        tasks: JoinSet::new(),
        served: Served::default(),
    };
    house.run(listener, &ctx).await
}

/// Hands datagrams to a service that needs no session, where listener and service both can. A failure is told, and
/// after a pause it goes on.
async fn answer_datagrams(
    listener: &mut dyn Listener,
    wraps: &[Arc<dyn Wrap>],
    service: &dyn Service,
    name: &str,
    ctx: &Ctx,
) -> Option<Served> {
    let datagrams = service.as_datagrams().filter(|_| wraps.is_empty())?;
    let scheme = listener.locals().first().map_or("", |local| local.scheme);
    let shown = ShownDatagrams::new(datagrams, scheme);
    loop {
        let pump = listener.answer(&shown, ctx)?;
        let error = tokio::select! {
            () = ctx.stop.draining() => break,
            ended = pump => ended.err(),
        };
        let Some(error) = error else { break };
        ctx.tally.fail_to_accept();
        ctx.events.tell(Wants::Trouble, || Event::AcceptFailed { listener: name.into(), error });
        tokio::select! {
            () = ctx.stop.draining() => break,
            () = sleep(ctx.limits.accept_pause) => {}
        }
    }
    Some(Served::default())
}

/// Those who are inside, and what they need.
struct House {
    slots: Arc<Semaphore>,
    guest: Arc<Guest>,
    tasks: JoinSet<Result<()>>,
    served: Served,
}

impl House {
    async fn run(mut self, mut listener: Box<dyn Listener>, ctx: &Ctx) -> Served {
        self.admit(&mut *listener, ctx).await;

        // Refuse newcomers at once.
        listener.stop_accepting();
        drop(listener);
        // With `once`, the one inside has all the time it wants, until a stop is asked for.
        if !ctx.stop.is_draining() {
            tokio::select! {
                () = self.empty() => {}
                () = ctx.stop.draining() => {}
            }
        }
        // Let those inside finish, as long as the drain limit says or until somebody is in a hurry.
        if !self.tasks.is_empty() {
            let (listener, open) = (self.guest.name.clone(), self.tasks.len());
            ctx.events.tell(Wants::Trouble, || Event::Stopping { listener, open });
        }
        let drained = tokio::select! {
            drained = within(ctx.limits.drain, self.empty()) => drained.is_ok(),
            () = ctx.stop.hurried() => true,
        };
        if !drained {
            self.served.outstayed = u64::try_from(self.tasks.len()).unwrap_or(u64::MAX);
        }
        // Tell the services, and give them and what they started a bounded time to clean up.
        ctx.stop.hurry();
        ctx.tasks.close();
        let cleaned_up = async {
            self.empty().await;
            ctx.tasks.wait().await;
        };
        if timeout(ctx.limits.hurry, cleaned_up).await.is_err() {
            self.tasks.abort_all();
            self.empty().await;
            // What they let go of only now, such as commands, ends a little later.
            let (Ok(()) | Err(_)) = timeout(ctx.limits.hurry, ctx.tasks.wait()).await;
        }
        self.served
    }

    /// Takes connections until it is asked to stop, or has taken its only one.
    async fn admit(&mut self, listener: &mut dyn Listener, ctx: &Ctx) {
        let mut failures = 0u64;
        let mut draining = std::pin::pin!(ctx.stop.draining());
        loop {
            let next = tokio::select! {
                biased;
                () = &mut draining => return,
                Some(ended) = self.tasks.join_next() => {
                    self.served.count(ended);
                    continue;
                }
                next = take(listener, &self.slots) => next,
            };
            match next {
                Ok((conn, slot)) => {
                    if failures > 0 {
                        let listener = self.guest.name.clone();
                        ctx.events.tell(Wants::Trouble, || Event::AcceptResumed { listener, failures });
                        failures = 0;
                    }
                    self.served.accepted += 1;
                    self.tasks.spawn(self.guest.clone().host(conn, slot));
                    if ctx.limits.once {
                        return;
                    }
                }
                // A peer that left while it waited is not our trouble.
                Err(error) if error.kind() == Kind::Reset => {}
                Err(error) => {
                    ctx.tally.fail_to_accept();
                    if failures == 0 {
                        let listener = self.guest.name.clone();
                        ctx.events.tell(Wants::Trouble, || Event::AcceptFailed { listener, error });
                    }
                    failures += 1;
                    tokio::select! {
                        () = &mut draining => return,
                        () = sleep(ctx.limits.accept_pause) => {}
                    }
                }
            }
        }
    }

    /// Waits until nobody is inside. Cancel safe.
    async fn empty(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            self.served.count(ended);
        }
    }
}

/// The slot first, then the connection. Cancel safe: a slot that leads to no connection is given back.
async fn take(listener: &mut dyn Listener, slots: &Arc<Semaphore>) -> Result<(Conn, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await;
    let slot = slot.map_err(|closed| Error::new(Op::Accept, std::io::Error::other(closed)))?;
    Ok((accept(listener).await?, slot))
}

/// What every connection of a listener shares.
struct Guest {
    service: Arc<dyn Service>,
    wraps: Vec<Arc<dyn Wrap>>,
    name: Arc<str>,
    ctx: Ctx,
}

impl Guest {
    /// The life of one connection.
    ///
    /// What an idle one holds is the size of this future, times thousands: what is needed for a moment, or by few, is
    /// boxed.
    async fn host(self: Arc<Self>, conn: Conn, _slot: OwnedSemaphorePermit) -> Result<()> {
        let mut visit = Visit::begin(&self, &conn);
        let wrapped = if self.wraps.is_empty() { Ok(conn) } else { Box::pin(self.wrap(conn)).await };
        let ended = match wrapped {
            Ok(conn) => self.serve(conn, &mut visit).await,
            Err(error) => Err(error),
        };
        visit.ended = match &ended {
            Ok(()) => Ended::Done,
            Err(error) if matches!(error.cause(), Cause::Stopped) => Ended::Stopped,
            Err(error) => Ended::Failed(error.clone()),
        };
        ended
    }

    /// Puts the layers on.
    async fn wrap(&self, conn: Conn) -> Result<Conn> {
        let bare = conn.peer().clone();
        let wrapped = within(self.ctx.limits.handshake, layer::wrap_all(&self.wraps, conn, &self.ctx)).await;
        let late = |after| Err(Error::new(Op::Handshake, Cause::Limit(Limit::Handshake, after)).on(bare));
        wrapped.unwrap_or_else(late)
    }

    fn serve<'a>(&'a self, conn: Conn, visit: &mut Visit<'_>) -> BoxFuture<'a, Result<()>> {
        let ctx = &self.ctx;
        let conn = show(conn, &ctx.events);
        visit.enter(&conn);
        let Some(limit) = ctx.limits.idle else { return self.service.serve(conn, ctx) };
        let (counts, peer) = (conn.counts(), conn.peer().clone());
        let served = self.service.serve(conn, ctx);
        Box::pin(async move {
            tokio::select! {
                ended = served => ended,
                () = quiet([&counts], limit) => Err(Error::new(Op::Read, Cause::Limit(Limit::Idle, limit)).on(peer)),
            }
        })
    }
}

/// Tells when a connection began and how it ended, also when its task is aborted.
struct Visit<'a> {
    guest: &'a Guest,
    id: u64,
    peer: Arc<Peer>,
    counts: Arc<Counts>,
    began: Instant,
    ended: Ended,
}

impl<'a> Visit<'a> {
    fn begin(guest: &'a Guest, conn: &Conn) -> Self {
        let id = guest.ctx.events.number();
        let peer = conn.peer().clone();
        guest.ctx.events.tell(Wants::Connections, || Event::Opened {
            id,
            listener: guest.name.clone(),
            peer: peer.clone(),
        });
        let (counts, began) = (conn.counts(), Instant::now());
        guest.ctx.tally.begin(id, Inside { peer: peer.clone(), counts: counts.clone(), began });
        Self { guest, id, peer, counts, began, ended: Ended::Stopped }
    }

    /// The layers are on: what counts is what goes over them.
    fn enter(&mut self, conn: &Conn) {
        let counts = conn.counts();
        if !Arc::ptr_eq(&counts, &self.counts) {
            self.guest.ctx.tally.change(self.id, conn.peer(), &counts);
            self.counts = counts;
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ended = Ended::Panicked;
        }
        let has_failed = matches!(self.ended, Ended::Failed(_) | Ended::Panicked);
        self.guest.ctx.tally.end(self.id, has_failed);
        let what = match self.ended {
            Ended::Failed(_) | Ended::Panicked => Wants::Trouble,
            Ended::Done | Ended::Stopped => Wants::Connections,
        };
        self.guest.ctx.events.tell(what, || Event::Closed {
            id: self.id,
            peer: self.peer.clone(),
            received: self.counts.received(),
            sent: self.counts.sent(),
            lasted: self.began.elapsed(),
            ended: self.ended.clone(),
        });
    }
}

impl Served {
    fn count(&mut self, ended: std::result::Result<Result<()>, JoinError>) {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.failed += 1;
                self.last_failure = Some(error);
            }
            Err(aborted) if aborted.is_cancelled() => self.aborted += 1,
            // The panic was printed where it happened; the others are not touched.
            Err(_panicked) => self.failed += 1,
        }
    }
}
