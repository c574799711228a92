//! The one accept loop: every listener and every service go through here.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::conn::Conn;
use crate::ctx::{Ctx, Limits, within};
use crate::error::{Cause, Error, Kind, Limit, Op, Result};
use crate::event::{Ended, Event, Wants};
use crate::idle::quiet;
use crate::layer::{self, Wrap};
use crate::listener::{Listener, accept};
use crate::open::Listening;
use crate::service::{BoxFuture, Service};
use crate::show::{ShownDatagrams, show};
use crate::tally::Inside;
use crate::terms::Terms;

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
/// Where nobody more may be inside, newcomers stay in the kernel's queue. A failed accept is told, and tried again after
/// a pause; it never ends a server. Handshakes run in the connection's own task.
///
/// `name` says what is served, for those who read events and [`Ctx::tallies`].
pub async fn serve(listening: Listening, service: Arc<dyn Service>, name: &str, ctx: &Ctx) -> Served {
    let (_unchanged, terms) = watch::channel(Terms::of(&listening, service, name, ctx));
    serve_on(listening, terms, ctx).await
}

/// As [`serve`], on terms that can change: whoever comes gets the last that were sent. Those who are inside go on as
/// they were let in.
///
/// Once the sender is dropped, nobody new is taken, and those inside have all the time they want, until a stop is asked
/// for.
pub async fn serve_on(listening: Listening, mut terms: watch::Receiver<Terms>, ctx: &Ctx) -> Served {
    let mut listener = listening.listener;
    let first = terms.borrow_and_update().clone();
    ctx.tallies.add(&first.name, &first.locals, first.tally.clone());
    let house = House {
        guest: Arc::new(Guest::new(first, &mut *listener, ctx.child())),
        tasks: JoinSet::new(),
        failures: 0,
        has_sessions: false,
        served: Served::default(),
    };
    house.run(listener, terms).await
}

/// Those who are inside, and what the next ones get.
struct House {
    guest: Arc<Guest>,
    tasks: JoinSet<Result<()>>,
    /// How often accepting has failed since it last worked.
    failures: u64,
    /// Whether there are connections: then there is no way back to answering datagrams without any.
    has_sessions: bool,
    served: Served,
}

impl House {
    async fn run(mut self, mut listener: Box<dyn Listener>, mut terms: watch::Receiver<Terms>) -> Served {
        loop {
            let changed = tokio::select! {
                biased;
                changed = terms.changed() => changed,
                () = self.attend(&mut *listener) => break,
            };
            if changed.is_err() {
                break;
            }
            let next = terms.borrow_and_update().clone();
            self.change(&mut *listener, next);
        }

        // Refuse newcomers at once.
        listener.stop_accepting();
        drop(listener);
        let ctx = self.guest.ctx.clone();
        // Until a stop is asked for, those inside have all the time they want.
        if !ctx.stop.is_draining() {
            tokio::select! {
                () = self.empty() => {}
                () = ctx.stop.draining() => {}
            }
        }
        // Let those inside finish, as long as the drain limit says or until somebody is in a hurry.
        if !self.tasks.is_empty() {
            let (listener, open) = (self.guest.name.clone(), self.tasks.len());
            let alone = ctx.stop.is_draining_alone();
            ctx.events.tell(Wants::Trouble, || Event::Stopping { listener, open, alone });
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

    /// Newcomers get other terms from now on.
    fn change(&mut self, listener: &mut dyn Listener, terms: Terms) {
        let ctx = self.guest.ctx.clone();
        if !Arc::ptr_eq(&ctx.tally, &terms.tally) {
            ctx.tallies.add(&terms.name, &terms.locals, terms.tally.clone());
        }
        self.guest = Arc::new(Guest::new(terms, listener, ctx));
    }

    /// Serves whoever comes, until it is asked to stop, or has taken its only one. Cancel safe.
    async fn attend(&mut self, listener: &mut dyn Listener) {
        if self.has_sessions || !self.answer_datagrams(listener).await {
            self.has_sessions = true;
            self.admit(listener).await;
        }
    }

    /// Hands datagrams to a service that needs no session until it is asked to stop; `false` where listener or service
    /// cannot. A failure is told, and after a pause it goes on.
    async fn answer_datagrams(&self, listener: &mut dyn Listener) -> bool {
        let Guest { service, wraps, name, ctx } = &*self.guest;
        let Some(datagrams) = service.as_datagrams().filter(|_| wraps.is_empty()) else { return false };
        let scheme = listener.locals().first().map_or("", |local| local.scheme);
        let shown = ShownDatagrams::new(datagrams, scheme);
        loop {
            let Some(pump) = listener.answer(&shown, ctx) else { return false };
            let error = tokio::select! {
                () = ctx.stop.draining() => return true,
                ended = pump => ended.err(),
            };
            let Some(error) = error else { return true };
            ctx.tally.fail_to_accept();
            ctx.events.tell(Wants::Trouble, || Event::AcceptFailed { listener: name.clone(), error });
            tokio::select! {
                () = ctx.stop.draining() => return true,
                () = sleep(ctx.limits.accept_pause) => {}
            }
        }
    }

    /// Takes connections until it is asked to stop, or has taken its only one.
    async fn admit(&mut self, listener: &mut dyn Listener) {
        let guest = self.guest.clone();
        let ctx = &guest.ctx;
        let mut draining = std::pin::pin!(ctx.stop.draining());
        loop {
            let has_room = self.tasks.len() < ctx.limits.max_conns;
            let next = tokio::select! {
                biased;
                () = &mut draining => return,
                Some(ended) = self.tasks.join_next() => {
                    self.served.count(ended);
                    continue;
                }
                next = accept(listener), if has_room => next,
            };
            match next {
                Ok(conn) => {
                    let failures = std::mem::take(&mut self.failures);
                    if failures > 0 {
                        let listener = guest.name.clone();
                        ctx.events.tell(Wants::Trouble, || Event::AcceptResumed { listener, failures });
                    }
                    self.served.accepted += 1;
                    self.tasks.spawn(guest.clone().host(conn));
                    if ctx.limits.once {
                        return;
                    }
                }
                // A peer that left while it waited is not our trouble.
                Err(error) if error.kind() == Kind::Reset => {}
                Err(error) => {
                    ctx.tally.fail_to_accept();
                    if self.failures == 0 {
                        let listener = guest.name.clone();
                        ctx.events.tell(Wants::Trouble, || Event::AcceptFailed { listener, error });
                    }
                    self.failures += 1;
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

/// What connections that came on the same terms share.
struct Guest {
    service: Arc<dyn Service>,
    wraps: Vec<Arc<dyn Wrap>>,
    name: Arc<str>,
    ctx: Ctx,
}

impl Guest {
    fn new(terms: Terms, listener: &mut dyn Listener, ctx: Ctx) -> Self {
        let Terms { service, wraps, limits, events, name, entrance, tally, .. } = terms;
        if let Some(entrance) = &entrance {
            entrance.begin();
        }
        listener.guard_with(entrance);
        let limits = Limits { idle: listener.keep_to(&limits), ..limits };
        Self { service, wraps, name, ctx: Ctx { limits, events, tally, ..ctx } }
    }

    /// The life of one connection.
    ///
    /// What an idle one holds is the size of this future, times thousands: what is needed for a moment, or by few, is
    /// boxed.
    async fn host(self: Arc<Self>, conn: Conn) -> Result<()> {
        let mut visit = Visit::begin(&self, &conn);
        let wrapped = if self.wraps.is_empty() {
            Ok(conn)
        } else {
            Box::pin(layer::wrap_newcomer(&self.wraps, conn, &self.ctx)).await
        };
        let ended = match wrapped {
            Ok(conn) => self.serve(conn, &mut visit).await,
            Err(error) => Err(error),
        };
        visit.ended = match &ended {
            Ok(()) => Ended::Done,
            Err(error) => match error.cause() {
                Cause::NotAdmitted(why) => Ended::Refused(*why),
                Cause::Stopped => Ended::Stopped,
                _ => Ended::Failed(error.clone()),
            },
        };
        ended
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
    inside: Inside,
    ended: Ended,
}

impl<'a> Visit<'a> {
    fn begin(guest: &'a Guest, conn: &Conn) -> Self {
        let id = guest.ctx.events.number();
        let inside = Inside { peer: conn.peer().clone(), counts: conn.counts(), began: Instant::now() };
        guest.ctx.events.tell(Wants::Connections, || Event::Opened {
            id,
            listener: guest.name.clone(),
            peer: inside.peer.clone(),
        });
        guest.ctx.tally.begin(id, inside.clone());
        Self { guest, id, inside, ended: Ended::Stopped }
    }

    /// The layers are on: what counts is what goes over them.
    fn enter(&mut self, conn: &Conn) {
        let counts = conn.counts();
        if !Arc::ptr_eq(&counts, &self.inside.counts) {
            (self.inside.peer, self.inside.counts) = (conn.peer().clone(), counts);
            self.guest.ctx.tally.change(self.id, self.inside.clone());
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
        let what = if self.ended.is_trouble() { Wants::Trouble } else { Wants::Connections };
        self.guest.ctx.events.tell(what, || Event::Closed {
            id: self.id,
            peer: self.inside.peer.clone(),
            received: self.inside.counts.received(),
            sent: self.inside.counts.sent(),
            lasted: self.inside.began.elapsed(),
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
