//! How long the other side may be silent: `ping=`.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The silence of one peer.
pub(super) struct Silence {
    limit: Duration,
    /// When something last came.
    since: Instant,
    /// When it was asked, where nothing has come since.
    asked: Option<Instant>,
    over: Pin<Box<Sleep>>,
}

impl Silence {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), asked: None, over: Box::pin(sleep(limit)) }
    }

    /// Something came.
    pub(super) fn is_broken(&mut self) {
        (self.since, self.asked) = (Instant::now(), None);
    }

    /// Ready once the limit has passed in silence, and the peer can be asked: then with nothing; and again where another
    /// one has passed since: then with how long it was silent in all. Who is in the middle of being sent something
    /// cannot be asked, and its silence means nothing yet.
    pub(super) fn poll(&mut self, can_ask: bool, cx: &mut Context<'_>) -> Poll<Option<Duration>> {
        loop {
            ready!(self.over.as_mut().poll(cx));
            let from = self.asked.unwrap_or(self.since);
            if from.elapsed() < self.limit {
                self.over.as_mut().reset(from + self.limit);
            } else if self.asked.is_some() {
                return Poll::Ready(Some(self.limit * 2));
            } else {
                self.over.as_mut().reset(Instant::now() + self.limit);
                if can_ask {
                    self.asked = Some(Instant::now());
                    return Poll::Ready(None);
                }
            }
        }
    }
}
