//! The broker: what one peer says, all others hear.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use sockeye::proto::queue::Full;
use sockeye::{BoxFuture, Conn, Ctx, Result, Service};

use crate::exchange::{Mailbox, Payload, Posted, exchange};

/// Gives every message of a peer to all others who are there at that time, in the order in which it came.
///
/// Nobody waits for a peer that reads too little: what finds more than [`crate::ROOM`] waiting for it ends that peer,
/// or drops its oldest messages. It wants connections that carry messages, and is not for a single datagram.
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
}

impl Member<'_> {
    /// Gives `heard` to all others. It never waits for a peer: pending, it waits for tasks of ours that have not had
    /// their turn.
    fn poll_hand_on(&mut self, heard: &mut Vec<Payload>, cx: &Context<'_>) -> Poll<()> {
        let to = || Handing { to: self.broker.members().clone(), member: 0, message: 0 };
        let mut handing = self.handing.take().unwrap_or_else(to);
        while let Some(other) = handing.to.get(handing.member) {
            if !Arc::ptr_eq(other, &self.mailbox) {
                match other.post(heard.get(handing.message..).unwrap_or_default()) {
                    Posted::All | Posted::Gone => {}
                    Posted::Full => other.end_slow(),
                    Posted::Busy(posted) => {
                        handing.message += posted;
                        self.handing = Some(handing);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
            (handing.member, handing.message) = (handing.member + 1, 0);
        }
        heard.clear();
        Poll::Ready(())
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut members = self.broker.members();
        *members = members.iter().filter(|other| !Arc::ptr_eq(other, &self.mailbox)).cloned().collect();
    }
}
