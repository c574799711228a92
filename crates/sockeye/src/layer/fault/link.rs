//! A connection with faults on: what is under way each way, and the courier, who passes on what was sent.
//!
//! Who sends does not wait for what is under way, and may be gone before it has arrived. So a task of [`Ctx::tasks`] passes
//! it on; what comes is taken in by whoever reads.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::io::Errno;
use sockeye_proto::fault::{Deeds, Step};
use sockeye_proto::websocket::Close;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::conn::Io;
use crate::ctx::Ctx;
use crate::event::{Event, Events, Wants};
use crate::exit::Exit;
use crate::peer::Peer;
use crate::stop::Stop;

/// How long the courier goes on with what was sent by one who has closed since; then it is broken off.
const LINGERS: Duration = Duration::from_secs(30);

/// What is under way one way.
pub(super) trait Under: Send + 'static {
    /// Whether there is no fault that way.
    fn is_plain(&self) -> bool;
    /// Whether nothing is under way.
    fn is_empty(&self) -> bool;
    /// No more will come.
    fn end(&mut self, now: Duration);
    /// What happens next.
    fn step(&mut self, now: Duration) -> Step;
    /// Passes on what [`Step::Pass`] is about.
    fn poll_pass(
        &mut self,
        to: &mut Io,
        most: usize,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>;
    /// Whether one that could not be passed on leaves the others as they are.
    fn survives(&self) -> bool;
    /// What was done.
    fn deeds(&self) -> Deeds;
}

/// The user's end of a connection with faults on.
pub(super) struct Faulty<L: Under>(Arc<Mutex<Link<L>>>);

/// What the user and the courier share.
pub(super) struct Link<L: Under> {
    /// `None` once it is closed or reset.
    pub(super) beneath: Option<Io>,
    pub(super) incoming: L,
    pub(super) outgoing: L,
    /// Whether nothing more comes from beneath.
    pub(super) is_drained: bool,
    begun: Instant,
    awaited: Alarm,
    due: Alarm,
    is_unflushed: bool,
    /// Whether the user has ended its side.
    is_ending: bool,
    /// Whether the peer was told so.
    is_ended: bool,
    /// Why something could not be passed on, until the user hears it.
    failed: Option<io::Error>,
    is_broken: bool,
    is_aborted: bool,
    /// When the user closed it.
    closed: Option<Instant>,
    lingers: Alarm,
    courier: Option<Waker>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    peer: Arc<Peer>,
    events: Events,
}

/// A moment that is waited for, now and again.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

impl<L: Under> Faulty<L> {
    pub(super) fn new(beneath: Io, incoming: L, outgoing: L, peer: Arc<Peer>, ctx: &Ctx) -> Self {
        let has_courier = !outgoing.is_plain();
        let link = Arc::new(Mutex::new(Link {
            beneath: Some(beneath),
            incoming,
            outgoing,
            is_drained: false,
            begun: Instant::now(),
            awaited: Alarm::default(),
            due: Alarm::default(),
            is_unflushed: false,
            is_ending: false,
            is_ended: false,
            failed: None,
            is_broken: false,
            is_aborted: false,
            closed: None,
            lingers: Alarm::default(),
            courier: None,
            reader: None,
            writer: None,
            peer,
            events: ctx.events.clone(),
        }));
        if has_courier {
            ctx.tasks.spawn(carry(link.clone(), ctx.stop.clone()));
        }
        Self(link)
    }

    pub(super) fn link(&self) -> MutexGuard<'_, Link<L>> {
        lock(&self.0)
    }
}

fn lock<L: Under>(link: &Mutex<Link<L>>) -> MutexGuard<'_, Link<L>> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The courier: until all is passed on that was sent before the user closed, or that is broken off.
async fn carry<L: Under>(link: Arc<Mutex<Link<L>>>, stop: Stop) {
    let (mut hurried, mut is_hurried) = (pin!(stop.hurried()), false);
    poll_fn(|cx| {
        is_hurried = is_hurried || hurried.as_mut().poll(cx).is_ready();
        let link = &mut *lock(&link);
        if link.poll_carry(cx).is_pending() {
            let closed = ready!(link.closed.map_or(Poll::Pending, Poll::Ready));
            if !is_hurried {
                ready!(link.lingers.poll(closed + LINGERS, cx));
            }
            link.reset();
        }
        Poll::Ready(())
    })
    .await;
}

impl<L: Under> Drop for Faulty<L> {
    fn drop(&mut self) {
        let mut link = self.link();
        link.closed = Some(Instant::now());
        if link.is_aborted || link.is_carried() {
            link.beneath = None;
        }
        link.wake_courier();
    }
}

impl<L: Under> Link<L> {
    /// How long it has been open.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits for what comes in until then, or until something happens.
    pub(super) fn poll_awaited(&mut self, until: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        // Where the courier resets it, nobody else would say so.
        self.reader = Some(cx.waker().clone());
        match until.and_then(|until| self.begun.checked_add(until)) {
            Some(at) => self.awaited.poll(at, cx),
            None => Poll::Pending,
        }
    }

    /// Refuses to send where that is known to be of no use.
    pub(super) fn check_sending(&mut self) -> io::Result<()> {
        match (self.failed.take(), &self.beneath) {
            (Some(error), _) => Err(error),
            (None, None) => Err(reset()),
            (None, Some(_)) if self.is_broken => Err(Errno::PIPE.into()),
            (None, Some(_)) => Ok(()),
        }
    }

    /// Waits for room for what is sent.
    pub(super) fn poll_room<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Something was sent.
    pub(super) fn wake_courier(&mut self) {
        if let Some(courier) = self.courier.take() {
            courier.wake();
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.beneath {
            Some(io) if self.outgoing.is_plain() => io.poll_flush(cx),
            _ => Poll::Ready(self.check_sending()),
        }
    }

    pub(super) fn closing(&self) -> Option<Close> {
        match &self.beneath {
            Some(Io::Messages(io)) => io.closing(),
            Some(Io::Bytes(_)) | None => None,
        }
    }

    pub(super) fn set_closing(&mut self, close: &Close) {
        if let Some(Io::Messages(io)) = &mut self.beneath {
            io.set_closing(close);
        }
    }

    /// The end is as late as what was sent before it, and is waited for.
    pub(super) fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(io) = &mut self.beneath
            && self.outgoing.is_plain()
        {
            return io.poll_shutdown_write(cx);
        }
        self.check_sending()?;
        let now = self.now();
        if self.is_ended || self.outgoing.step(now) == Step::Silence {
            return Poll::Ready(Ok(()));
        }
        if !self.is_ending {
            self.is_ending = true;
            self.outgoing.end(now);
            self.wake_courier();
        }
        self.poll_room(cx)
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.beneath.as_ref().is_none_or(Io::is_hung_up)
    }

    pub(super) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.as_mut().map_or(Poll::Ready(None), |io| io.poll_exit(cx))
    }

    pub(super) fn abort(&mut self) {
        self.is_aborted = true;
        if let Some(io) = &mut self.beneath {
            io.abort();
        }
    }

    /// Breaks it off for both ends.
    pub(super) fn reset(&mut self) {
        if let Some(mut io) = self.beneath.take() {
            io.abort();
        }
        for waker in [self.courier.take(), self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Whether the courier has nothing left to do.
    fn is_carried(&self) -> bool {
        self.is_broken || (self.outgoing.is_empty() && !self.is_unflushed)
    }

    /// Passes on what may go now; ready once there will be nothing more.
    fn poll_carry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.courier = Some(cx.waker().clone());
        loop {
            if self.closed.is_some() && self.is_carried() {
                self.beneath = None;
            }
            let now = self.now();
            let Some(io) = self.beneath.as_mut().filter(|_| !self.is_broken) else { return Poll::Ready(()) };
            let (until, carried) = match self.outgoing.step(now) {
                Step::Pass(most) => {
                    self.is_unflushed = true;
                    (None, self.outgoing.poll_pass(io, most, now, cx))
                }
                Step::Reset => {
                    self.reset();
                    return Poll::Ready(());
                }
                _ if self.is_unflushed => {
                    let flushed = io.poll_flush(cx);
                    self.is_unflushed = flushed.is_pending();
                    (None, flushed)
                }
                Step::End if !self.is_ended => {
                    let ended = io.poll_shutdown_write(cx);
                    self.is_ended = ended.is_ready();
                    (None, ended)
                }
                Step::End | Step::Silence => return self.rest(),
                Step::Wait(None) => return self.rest(),
                Step::Wait(Some(until)) => {
                    let at = self.begun.checked_add(until);
                    let Some(at) = at else { return self.rest() };
                    (Some(at), Poll::Ready(Ok(())))
                }
            };
            if let Err(error) = ready!(carried) {
                self.is_broken = !self.outgoing.survives();
                self.failed = Some(error);
            }
            self.wake_writer();
            if let Some(at) = until {
                ready!(self.due.poll(at, cx));
            }
        }
    }

    fn rest(&mut self) -> Poll<()> {
        self.wake_writer();
        Poll::Pending
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl<L: Under> Drop for Link<L> {
    fn drop(&mut self) {
        let (came, went) = (self.incoming.deeds(), self.outgoing.deeds());
        if !came.is_none() || !went.is_none() {
            let peer = self.peer.clone();
            self.events.tell(Wants::Connections, || Event::Faulted { peer, came, went });
        }
    }
}

/// What both ends hear of a connection that was reset here.
pub(super) fn reset() -> io::Error {
    Errno::CONNRESET.into()
}
