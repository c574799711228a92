//! The time of day, as a connection sees it.

use std::time::SystemTime;

use sockeye_sys::clock::{Keeping, keeping};

/// Where the time of day comes from: the machine, or what a test says.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: fn() -> SystemTime,
    keeping: fn() -> Option<Keeping>,
}

impl Clock {
    /// A clock that asks `wall` each time.
    pub const fn new(wall: fn() -> SystemTime) -> Self {
        Self { wall, keeping: || keeping().ok() }
    }

    /// The same clock, which is kept as `keeping` says each time.
    #[must_use]
    pub const fn kept(self, keeping: fn() -> Option<Keeping>) -> Self {
        Self { keeping, ..self }
    }

    /// The time of day now. It may jump; for lengths of time use [`tokio::time::Instant`].
    pub fn wall(&self) -> SystemTime {
        (self.wall)()
    }

    /// How well the clock is kept, as the kernel knows it; `None` where it does not say, as in some sandboxes. A system
    /// call.
    pub fn keeping(&self) -> Option<Keeping> {
        (self.keeping)()
    }
}

/// The clock of this machine.
impl Default for Clock {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
        Self::new(SystemTime::now)
    }
}
