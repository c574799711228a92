//! What went over a connection: counted by the connection, read by whoever wants to know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What went over a connection, above all its layers. Whoever holds it may look at any time.
#[derive(Debug)]
pub struct Counts {
    received: AtomicU64,
    sent: AtomicU64,
    messages_received: AtomicU64,
    messages_sent: AtomicU64,
    /// When one of the others last changed, in milliseconds of the coarse clock.
    touched: AtomicU64,
}

impl Counts {
    /// Bytes from the peer.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes to the peer.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages from the peer; 0 where it carries bytes.
    pub fn messages_received(&self) -> u64 {
        self.messages_received.load(Ordering::Relaxed)
    }

    /// Messages to the peer; 0 where it carries bytes.
    pub fn messages_sent(&self) -> u64 {
        self.messages_sent.load(Ordering::Relaxed)
    }

    /// All four at once.
    pub fn volume(&self) -> Volume {
        Volume {
            received: self.received(),
            sent: self.sent(),
            messages_received: self.messages_received(),
            messages_sent: self.messages_sent(),
        }
    }

    /// For how long nothing has gone over it, to some hundredths of a second.
    pub fn idle(&self) -> Duration {
        Duration::from_millis(coarse_millis().saturating_sub(self.touched.load(Ordering::Relaxed)))
    }

    /// Counts bytes that came.
    pub(crate) fn add_received(&self, bytes: usize) {
        add(&self.received, bytes);
        self.touch();
    }

    /// Counts bytes that went.
    pub(crate) fn add_sent(&self, bytes: usize) {
        add(&self.sent, bytes);
        self.touch();
    }

    /// Counts a message that came.
    pub(crate) fn add_message_received(&self, bytes: usize) {
        add(&self.messages_received, 1);
        self.add_received(bytes);
    }

    /// Counts a message that went.
    pub(crate) fn add_message_sent(&self, bytes: usize) {
        add(&self.messages_sent, 1);
        self.add_sent(bytes);
    }

    fn touch(&self) {
        self.touched.store(coarse_millis(), Ordering::Relaxed);
    }
}

impl Default for Counts {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            received: zero(),
            sent: zero(),
            messages_received: zero(),
            messages_sent: zero(),
            touched: AtomicU64::new(coarse_millis()),
        }
    }
}

/// How much went each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Bytes from peers.
    pub received: u64,
    /// Bytes to peers.
    pub sent: u64,
    /// Messages from peers.
    pub messages_received: u64,
    /// Messages to peers.
    pub messages_sent: u64,
}

impl Volume {
    /// Adds what went elsewhere.
    pub fn add(&mut self, more: &Self) {
        self.received += more.received;
        self.sent += more.sent;
        self.messages_received += more.messages_received;
        self.messages_sent += more.messages_sent;
    }
}

/// Only the connection itself writes, and it is in one task at a time, so no read-modify-write is needed.
fn add(counter: &AtomicU64, more: usize) {
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// A clock that costs no more than a look at memory, since every read and write of a connection asks it; exact to a
/// tick of the kernel, 10 ms at most (clock_gettime(2), CLOCK_MONOTONIC_COARSE).
fn coarse_millis() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    let millis = now.tv_sec.unsigned_abs().saturating_mul(1000);
    millis.saturating_add(now.tv_nsec.unsigned_abs() / 1_000_000)
}
