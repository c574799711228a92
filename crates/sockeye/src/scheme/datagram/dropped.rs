//! Counting datagrams that were lost, and telling of them at most once a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::event::{Dropped, Event, Events, Wants};
use crate::tally::Tally;

/// How long the next telling waits: a flood of losses must not become a flood of events.
const PAUSE: Duration = Duration::from_secs(1);

/// What was lost on one socket and not yet told.
#[derive(Debug)]
pub(super) struct Losses {
    socket: Arc<str>,
    events: Events,
    tally: Arc<Tally>,
    dropped: Dropped,
    told: Option<Instant>,
}

impl Losses {
    pub(super) fn new(socket: &str, ctx: &Ctx) -> Self {
        let (events, tally) = (ctx.events.clone(), ctx.tally.clone());
        Self { socket: socket.into(), events, tally, dropped: Dropped::default(), told: None }
    }

    /// From here on what happens is counted and told where this context says.
    pub(super) fn follow(&mut self, ctx: &Ctx) {
        (self.events, self.tally) = (ctx.events.clone(), ctx.tally.clone());
    }

    /// Counts, and tells if enough time has passed.
    pub(super) fn add(&mut self, lost: Dropped) {
        if lost != Dropped::default() {
            self.dropped.add(&lost);
            self.tally.drop_datagrams(&lost);
            if self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
                self.tell();
            }
        }
    }

    /// When what was counted may be told; `None` where there is nothing.
    pub(super) fn due(&self) -> Option<Instant> {
        self.told.filter(|_| self.dropped != Dropped::default()).map(|told| told + PAUSE)
    }

    /// Tells what was counted and not yet told.
    pub(super) fn tell(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped != Dropped::default() {
            self.told = Some(Instant::now());
            let socket = self.socket.clone();
            self.events.tell(Wants::Trouble, || Event::Dropped { socket, dropped });
        }
    }
}

impl Drop for Losses {
    fn drop(&mut self) {
        self.tell();
    }
}
