//! Waiting for something that no descriptor or condition variable announces.
//!
//! A test does not sleep and hope. It names what it waits for, and fails when the limit runs out.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once, 10 seconds.
///
/// Long enough for a loaded machine, short enough that a hanging test is noticed.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Returns as soon as `condition` holds; panics with `what` if it does not hold within `limit`.
///
/// The condition is asked every 5 milliseconds, and at least once.
#[track_caller]
pub fn wait_until(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_within(limit, condition), "waited {limit:?} for: {what}");
}

/// As `wait_until`, for callers that have more to say than `what` when the limit runs out.
pub(crate) fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() >= limit {
            return false;
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests poll, always under a limit")]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_ends_the_wait() {
        let mut asked = 0;
        wait_until(LIMIT, "the third question", || {
            asked += 1;
            asked == 3
        });
        assert_eq!(asked, 3);
    }

    #[test]
    #[should_panic(expected = "waited 20ms for: rain")]
    fn a_condition_that_never_holds_fails_with_its_name() {
        wait_until(Duration::from_millis(20), "rain", || false);
    }
}
