//! Messages that the target of a course does not carry: counted, and told without letting one peer flood the log.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::event::{Event, Events, Wants};
use crate::peer::Peer;

/// How long the next telling waits.
const PAUSE: Duration = Duration::from_secs(1);

/// What one course could not pass on.
pub(super) struct Undelivered {
    events: Events,
    last: Option<Last>,
    untold: u64,
    told: Option<Instant>,
}

struct Last {
    from: Arc<Peer>,
    to: Arc<Peer>,
    error: Error,
}

impl Undelivered {
    pub(super) fn new(events: &Events) -> Self {
        Self { events: events.clone(), last: None, untold: 0, told: None }
    }

    /// Counts a message, and tells if enough time has passed.
    pub(super) fn count(&mut self, from: &Arc<Peer>, to: &Arc<Peer>, error: Error) {
        self.last = Some(Last { from: from.clone(), to: to.clone(), error });
        self.untold += 1;
        if self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.tell();
        }
    }

    /// Sends what the target holds back. One of those that is not for it is counted; the others have gone.
    pub(super) fn poll_flush(
        &mut self,
        source: &Conn,
        target: &mut Conn,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        match ready!(target.poll_flush(cx)) {
            Err(error) if error.is_refusal() => {
                self.count(source.peer(), target.peer(), error);
                Poll::Ready(Ok(()))
            }
            flushed => Poll::Ready(flushed),
        }
    }

    /// Why the last of them was not passed on, where there was any.
    pub(super) fn take(&mut self) -> Option<Error> {
        self.tell();
        self.last.take().map(|last| last.error)
    }

    fn tell(&mut self) {
        let messages = std::mem::take(&mut self.untold);
        if let Some(Last { from, to, error }) = self.last.as_ref().filter(|_| messages > 0) {
            self.told = Some(Instant::now());
            self.events.tell(Wants::Trouble, || {
                let (from, to, error) = (from.clone(), to.clone(), error.clone());
                Event::Undelivered { from, to, messages, error }
            });
        }
    }
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        self.tell();
    }
}
