//! When to try again what failed: after waits that grow, with chance in them, until a limit has run out.

use std::time::Duration;

/// The first wait.
pub const FIRST: Duration = Duration::from_millis(100);

/// The longest wait. Each is twice as long as the one before, up to this.
pub const LONGEST: Duration = Duration::from_secs(10);

/// How long a connection that is lost must have been open to be a new beginning.
pub const HOLDS: Duration = Duration::from_secs(1);

/// The tries to open one connection, or to open it anew.
///
/// Waits are up to a quarter shorter or longer, as chance has it: else all who lost the same server would come back in
/// the same moment, each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    limit: Duration,
    /// When it was lost, or first tried.
    since: Duration,
    waits: u32,
}

impl Retry {
    /// Tries until so long after `now`, when the connection was first tried. Time counts from a moment of the caller's.
    pub fn new(limit: Duration, now: Duration) -> Self {
        Self { limit, since: now, waits: 0 }
    }

    /// How long to wait before the next try; `None` once the limit has run out. The last wait is cut, so that the last
    /// try is made as the limit runs out. `chance` is any number, each as likely.
    pub fn wait(&mut self, now: Duration, chance: u32) -> Option<Duration> {
        let left = self.limit.saturating_sub(self.lasted(now));
        if left.is_zero() {
            return None;
        }
        let next = self.next();
        self.waits = self.waits.saturating_add(1);
        let by_chance = (next / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX));
        Some((next - next / 4 + by_chance).min(left))
    }

    /// The connection that was opened at `opened` is lost. One that held for as long as [`HOLDS`] is a loss of its own; else
    /// all goes on as if it had never been open, so that a server which ends every connection at once is not asked for
    /// ever, nor ever faster.
    pub fn lose(&mut self, opened: Duration, now: Duration) {
        if now.saturating_sub(opened) >= HOLDS {
            *self = Self::new(self.limit, now);
        }
    }

    /// How often was waited.
    pub fn waits(&self) -> u32 {
        self.waits
    }

    /// How long it has been tried.
    pub fn lasted(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// The next wait, without chance.
    fn next(&self) -> Duration {
        FIRST.saturating_mul(1 << self.waits.min(16)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIDDLE: u32 = u32::MAX / 2;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut retry = Retry::new(seconds(1000.0), Duration::ZERO);
        let waits = (0..9).map(|_| retry.wait(Duration::ZERO, MIDDLE).unwrap().as_secs_f64());
        let rounded: Vec<f64> = waits.map(|wait| (wait * 100.0).round() / 100.0).collect();
        assert_eq!(rounded, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]);
        assert_eq!(retry.waits(), 9);
    }

    #[test]
    fn a_connection_that_held_is_a_loss_of_its_own_and_one_that_did_not_is_none() {
        let mut retry = Retry::new(seconds(1.0), Duration::ZERO);
        retry.wait(Duration::ZERO, MIDDLE).unwrap();
        retry.lose(seconds(0.1), seconds(0.9));
        assert_eq!((retry.waits(), retry.lasted(seconds(0.9))), (1, seconds(0.9)));
        assert_eq!(retry.wait(seconds(1.0), MIDDLE), None);
        retry.lose(seconds(4.0), seconds(5.0));
        assert_eq!((retry.waits(), retry.lasted(seconds(5.0))), (0, Duration::ZERO));
        assert!(retry.wait(seconds(5.0), MIDDLE).is_some());
    }

    proptest! {
        #[test]
        fn every_wait_is_within_a_quarter_and_the_last_try_is_made_as_the_limit_runs_out(
            limit in 1_u64..5_000_000,
            chances in prop::collection::vec(any::<u32>(), 1..1000),
        ) {
            let limit = Duration::from_millis(limit);
            let begin = seconds(7.0);
            let mut retry = Retry::new(limit, begin);
            let (mut now, mut base) = (begin, FIRST);
            for chance in chances {
                let Some(wait) = retry.wait(now, chance) else {
                    prop_assert_eq!(now, begin + limit);
                    return Ok(());
                };
                let is_last = now + wait == begin + limit;
                prop_assert!(wait >= base.mul_f64(0.749) || is_last, "{:?} of {:?}", wait, base);
                prop_assert!(wait <= base.mul_f64(1.251), "{:?} of {:?}", wait, base);
                prop_assert!(now + wait <= begin + limit);
                now += wait;
                base = (base * 2).min(LONGEST);
            }
        }

        #[test]
        fn a_server_that_ends_every_connection_at_once_is_given_up_in_time(chances in prop::collection::vec(any::<u32>(), 99)) {
            let mut retry = Retry::new(seconds(60.0), Duration::ZERO);
            let mut now = Duration::ZERO;
            for chance in chances {
                let Some(wait) = retry.wait(now, chance) else { return Ok(()) };
                now += wait;
                retry.lose(now, now);
            }
            prop_assert!(false, "still trying after {:?}", now);
        }
    }
}
