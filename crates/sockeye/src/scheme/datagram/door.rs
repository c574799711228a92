//! Where the newcomers of a listener wait to be accepted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::inbox::Inbox;

/// The fewest who wait before it is worth looking through them.
const SWEEP: usize = 64;

/// Those who are inside, and whom nobody has accepted yet.
#[derive(Debug)]
pub(super) struct Door {
    is_open: bool,
    /// In order of arrival; some are over by now.
    waiting: VecDeque<Arc<Inbox>>,
    /// How many may wait before those who are over are thrown out.
    sweep_at: usize,
    accepting: Option<Waker>,
}

impl Door {
    /// Open, and nobody waits.
    pub(super) fn new() -> Self {
        Self { is_open: true, waiting: VecDeque::new(), sweep_at: SWEEP, accepting: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Lines somebody up, and says whom to wake.
    ///
    /// # Errors
    /// The door was shut meanwhile.
    pub(super) fn line_up(&mut self, newcomer: Arc<Inbox>) -> Result<Option<Waker>, Arc<Inbox>> {
        if !self.is_open {
            return Err(newcomer);
        }
        if self.waiting.len() >= self.sweep_at {
            self.waiting.retain(|inbox| inbox.ended().is_none());
            self.sweep_at = SWEEP.max(2 * self.waiting.len());
        }
        self.waiting.push_back(newcomer);
        Ok(self.accepting.take())
    }

    /// The next who is still there.
    pub(super) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Arc<Inbox>> {
        while let Some(newcomer) = self.waiting.pop_front() {
            if newcomer.ended().is_none() {
                return Poll::Ready(newcomer);
            }
        }
        self.accepting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Lets nobody in any more, and gives up those who wait.
    pub(super) fn shut(&mut self) -> VecDeque<Arc<Inbox>> {
        self.is_open = false;
        std::mem::take(&mut self.waiting)
    }
}
