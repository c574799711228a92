//! The time of day, as a connection sees it.

use std::time::SystemTime;

/// Where the time of day comes from: the machine, or what a test says.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: fn() -> SystemTime,
}

impl Clock {
    /// A clock that asks `wall` each time.
    pub const fn new(wall: fn() -> SystemTime) -> Self {
        Self { wall }
    }

    /// The time of day now. It may jump; for lengths of time use [`tokio::time::Instant`].
    pub fn wall(&self) -> SystemTime {
        (self.wall)()
    }
}

/// The clock of this machine.
impl Default for Clock {
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
        Self::new(SystemTime::now)
    }
}
