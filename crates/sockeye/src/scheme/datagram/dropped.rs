//! Counting datagrams that were lost, and telling of them at most once a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::event::{Dropped, Event, Events, Wants};

/// How long the next telling waits: a flood of losses must not become a flood of events.
const PAUSE: Duration = Duration::from_secs(1);

/// What was lost on one socket and not yet told.
#[derive(Debug)]
pub(super) struct Losses {
    socket: Arc<str>,
    events: Events,
    dropped: Dropped,
    told: Option<Instant>,
    /// What the kernel has counted so far.
    by_kernel: u32,
}

impl Losses {
    pub(super) fn new(socket: &str, events: &Events) -> Self {
        let events = events.clone();
        Self { socket: socket.into(), events, dropped: Dropped::default(), told: None, by_kernel: 0 }
    }

    /// Takes the kernel's own count, which only grows, and says by how much it has.
    pub(super) fn by_kernel(&mut self, total: Option<u32>) -> u32 {
        let total = total.unwrap_or(self.by_kernel);
        total.wrapping_sub(std::mem::replace(&mut self.by_kernel, total))
    }

    /// Counts, and tells if enough time has passed; `true` where something is left to be told later.
    pub(super) fn add(&mut self, lost: Dropped) -> bool {
        if lost != Dropped::default() {
            self.dropped.add(&lost);
            if self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
                self.tell();
            }
        }
        self.due().is_some()
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
