//! The one way to stop: refuse newcomers, drain, hurry, and then abort.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// A request to stop that grows more urgent: first *drain* (take nobody new, let those inside finish), then *hurry*
/// (end as soon as what is in hand is done). Whoever still runs after that is aborted by its owner.
///
/// Clones share one request. A [`Stop::child`] is stopped with its parent, and can be stopped alone.
#[derive(Debug, Clone)]
pub struct Stop {
    drain: CancellationToken,
    hurry: CancellationToken,
    /// The drain of the first of all that it follows.
    first: CancellationToken,
    /// Whether those that it follows, and last this one, were asked to hurry: looked at without a lock, by every
    /// connection, each time it waits.
    to_hurry: Arc<[Arc<AtomicBool>]>,
}

impl Stop {
    /// Asks to drain. Asking twice changes nothing.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Asks to hurry, and to drain.
    pub fn hurry(&self) {
        self.drain();
        if let Some(own) = self.to_hurry.last() {
            own.store(true, Ordering::Release);
        }
        self.hurry.cancel();
    }

    /// Waits until draining is asked for. Cancel safe.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Waits until hurrying is asked for. Cancel safe.
    pub fn hurried(&self) -> Hurried<'_> {
        Hurried { stop: self, waiting: None }
    }

    /// Whether draining is asked for.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether this one was asked to drain, and the first that it follows was not: others go on.
    pub(crate) fn is_draining_alone(&self) -> bool {
        self.is_draining() && !self.first.is_cancelled()
    }

    /// A stop that follows this one, and that can come earlier.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            drain: self.drain.child_token(),
            hurry: self.hurry.child_token(),
            first: self.first.clone(),
            to_hurry: self.to_hurry.iter().cloned().chain([Arc::default()]).collect(),
        }
    }
}

impl Default for Stop {
    fn default() -> Self {
        let drain = CancellationToken::new();
        let to_hurry = [Arc::default()].into();
        Self { first: drain.clone(), drain, hurry: CancellationToken::new(), to_hurry }
    }
}

/// Ready once hurrying is asked for. Polling it again with the same waker takes no lock.
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Hurried<'a> {
    stop: &'a Stop,
    waiting: Option<(Pin<Box<WaitForCancellationFuture<'a>>>, Waker)>,
}

impl Future for Hurried<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let stop = self.stop;
        if stop.to_hurry.iter().any(|asked| asked.load(Ordering::Acquire)) {
            return Poll::Ready(());
        }
        match &mut self.waiting {
            // The flag was set before anybody is woken, so there is nothing to see behind the lock.
            Some((_, waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            waiting => {
                let mut asked = Box::pin(stop.hurry.cancelled());
                let asked_now = asked.as_mut().poll(cx);
                *waiting = Some((asked, cx.waker().clone()));
                asked_now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_follows_its_parent_and_not_the_other_way_round() {
        let parent = Stop::default();
        let (one, other) = (parent.child(), parent.child());
        one.hurry();
        one.hurried().await;
        assert!(one.is_draining() && !parent.is_draining() && !other.is_draining());
        assert!(one.is_draining_alone() && one.child().is_draining_alone() && !other.is_draining_alone());
        parent.hurry();
        assert!(!one.is_draining_alone() && !parent.is_draining_alone());
        other.draining().await;
        other.hurried().await;
    }
}
