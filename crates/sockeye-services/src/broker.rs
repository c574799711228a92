//! The broker: what one peer says, all others hear.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye::proto::queue::Full;
use sockeye::{BoxFuture, Conn, Ctx, Result, Service};
use tokio::time::{Sleep, sleep};

use crate::exchange::{Mailbox, Payload, Posted, exchange};

/// Gives every message of a peer to all others who are there at that time, in the order in which it came.
///
/// Nobody waits for a peer that reads too little: what finds more than [`crate::ROOM`] waiting for it ends that peer,
/// or drops its oldest messages. Only where more than half of the others take what they can and are still behind, who
/// speaks is not heard until they have caught up. It wants connections that carry messages.
#[derive(Debug)]
pub struct Broker {
    full: Full,
    members: Mutex<Members>,
}

/// Copied when somebody comes or leaves, so that whoever speaks may look through it without holding others up.
type Members = Arc<[Arc<Mailbox>]>;

impl Broker {
    /// A broker without members, and what a message does that finds too much waiting for one: with
    /// [`Full::RefuseNewest`] that peer is broken off, and with [`Full::DropOldest`] it misses some.
    pub fn new(full: Full) -> Self {
        Self { full, members: Mutex::new(Arc::new([])) }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self) -> Member<'_> {
        let mailbox = Arc::new(Mailbox::new(self.full));
        let mut members = self.members();
        *members = members.iter().chain([&mailbox]).cloned().collect();
        Member { broker: self, mailbox, handing: None }
    }
}

impl Service for Broker {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut member = self.join();
            let mailbox = member.mailbox.clone();
            exchange(conn, &mailbox, |cx, heard| member.poll_hand_on(heard, cx).map(Ok), ctx).await
        })
    }
}

/// One who takes part, until it is dropped.
struct Member<'a> {
    broker: &'a Broker,
    mailbox: Arc<Mailbox>,
    /// What is being handed on: to whom, and how far that is.
    handing: Option<Handing>,
}

struct Handing {
    to: Members,
    /// The next of them, and which of the messages is the next for that one.
    member: usize,
    message: usize,
    /// Until it is looked again whether the others keep up.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Member<'_> {
    /// Gives `heard` to all others, and lets them keep up.
    fn poll_hand_on(&mut self, heard: &mut Vec<Payload>, cx: &mut Context<'_>) -> Poll<()> {
        let to = || Handing { to: self.broker.members().clone(), member: 0, message: 0, pause: None };
        let handing = self.handing.get_or_insert_with(to);
        ready!(handing.poll_post(&self.mailbox, heard, cx));
        ready!(handing.poll_keep_pace(&self.mailbox, cx));
        self.handing = None;
        heard.clear();
        Poll::Ready(())
    }
}

impl Handing {
    /// Posts to all but `own`. Pending, it waits for tasks of ours that have not had their turn, and never for a peer.
    fn poll_post(&mut self, own: &Arc<Mailbox>, heard: &[Payload], cx: &Context<'_>) -> Poll<()> {
        while let Some(other) = self.to.get(self.member) {
            if !Arc::ptr_eq(other, own) {
                match other.post(heard.get(self.message..).unwrap_or_default()) {
                    Posted::All | Posted::Gone => {}
                    Posted::Full => other.end_slow(),
                    Posted::Busy(posted) => {
                        self.message += posted;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
            (self.member, self.message) = (self.member + 1, 0);
        }
        Poll::Ready(())
    }

    /// Pending while more than half of the others are behind, though they take what they can: then they are not slow,
    /// but who speaks is too quick for the room.
    fn poll_keep_pace(&mut self, own: &Arc<Mailbox>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let others = || self.to.iter().filter(|other| !Arc::ptr_eq(other, own));
            if others().filter(|other| other.is_behind()).count() <= others().count() / 2 {
                return Poll::Ready(());
            }
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
    }
}

/// How long who speaks too quickly pauses: the others take less than what waits for them in that time.
const PAUSE: Duration = Duration::from_millis(1);

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut members = self.broker.members();
        *members = members.iter().filter(|other| !Arc::ptr_eq(other, &self.mailbox)).cloned().collect();
    }
}
