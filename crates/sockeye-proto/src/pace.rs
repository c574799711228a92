//! A pace that is kept: so many bytes a second, and a little more at once.
//!
//! Whoever moves bytes says how many they were, and is told when the next may follow. That is paid for afterwards, so
//! nobody must know beforehand how much a read or a message will bring, and nothing is held while somebody waits.

use std::time::Duration;

/// A bucket that is filled at a steady rate, and that may go into debt.
///
/// What is taken by somebody who waits as long as [`Pace::take`] says is, over any length of time, at most what the rate
/// allows for it, the 20 ms of a full bucket, and the last piece; a piece of bytes should be [`Pace::piece`] at most. Where
/// several share one, each waits behind what was taken before, and every one may have a last piece.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Bytes a second.
    rate: u64,
    /// What may be taken at once, in bytes times nanoseconds a second, so that nothing is ever rounded.
    credit: i128,
    /// When that was reckoned.
    at: Duration,
}

impl Pace {
    /// A full bucket. `rate` is in bytes a second; 0 counts as 1.
    pub fn new(rate: u64) -> Self {
        let rate = rate.max(1);
        Self { rate, credit: full(rate), at: Duration::ZERO }
    }

    /// The most bytes to take at once, where they can be divided: 10 ms' worth, and never 0.
    pub fn piece(&self) -> usize {
        usize::try_from(self.rate / 100).unwrap_or(usize::MAX).max(1)
    }

    /// Takes `bytes`, which were moved at `now`, and says when the next may be: `now` while the bucket is not empty, and
    /// else when its debt is paid. Both times are since a moment that the caller chooses; one before an earlier call
    /// counts as that.
    pub fn take(&mut self, bytes: usize, now: Duration) -> Duration {
        let nanos = now.saturating_sub(self.at).as_nanos();
        self.at = now.max(self.at);
        let earned = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_mul(self.rate.into());
        self.credit = self.credit.saturating_add(earned).min(full(self.rate));
        self.credit -= i128::try_from(bytes).unwrap_or(i128::MAX).saturating_mul(SECOND);
        self.at.saturating_add(self.debt())
    }

    /// How long it takes to earn what was taken too much.
    fn debt(&self) -> Duration {
        let nanos = self.credit.min(0).unsigned_abs().div_ceil(self.rate.into());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// A full bucket: 20 ms' worth, which is more than a timer is late, and too little to be seen in a second's count.
fn full(rate: u64) -> i128 {
    i128::from(rate) * (SECOND / 50)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What somebody moves within `limit` who waits as told, in pieces of at most `most` bytes, and `late` each time.
    fn moved(rate: u64, most: usize, late: Duration, limit: Duration) -> u64 {
        let (mut pace, mut now, mut moved) = (Pace::new(rate), Duration::from_secs(7), 0);
        let end = now + limit;
        while now < end {
            let piece = pace.piece().min(most);
            moved += u64::try_from(piece).unwrap();
            let next = pace.take(piece, now);
            now = if next > now { next + late } else { now };
        }
        moved
    }

    #[test]
    fn a_second_has_what_was_asked_for_also_with_timers_that_are_late() {
        for rate in [100, 64 << 10, 1 << 20, 1_000_000_000, 100_000_000_000] {
            for late in [0, 1, 9] {
                let came = moved(rate, 256 << 10, Duration::from_millis(late), Duration::from_secs(1));
                assert!(
                    came * 100 >= rate * 97 && came * 100 <= rate * 104,
                    "{came} of {rate}, {late} ms late"
                );
            }
        }
    }

    #[test]
    fn who_waited_long_gets_a_little_more_and_no_more_than_that() {
        let mut pace = Pace::new(1000);
        let hour = Duration::from_secs(3600);
        assert_eq!(pace.take(20, hour), hour);
        assert_eq!(pace.take(1, hour), hour + Duration::from_millis(1));
        // A message is not divided: what follows waits for all of it.
        assert_eq!(pace.take(5000, hour), hour + Duration::from_millis(5001));
        let late = hour + Duration::from_secs(60);
        assert_eq!(pace.take(21, late), late + Duration::from_millis(1));
        // A clock that goes back earns nothing.
        assert_eq!(pace.take(0, hour), late + Duration::from_millis(1));
    }

    proptest! {
        #[test]
        fn over_any_window_no_more_goes_than_the_rate_a_bucket_and_a_piece(
            rate in 1_u64..10_000_000,
            steps in prop::collection::vec((0_usize..100_000, 0_u64..50_000_000), 1..60),
        ) {
            let (mut pace, mut now, mut went) = (Pace::new(rate), Duration::ZERO, Vec::new());
            for (bytes, pause) in steps {
                now += Duration::from_nanos(pause);
                went.push((now, bytes));
                now = pace.take(bytes, now);
            }
            for (from, (begin, _)) in went.iter().enumerate() {
                let mut total = 0_u128;
                for (at, bytes) in went.iter().skip(from) {
                    let allowed = u128::from(rate) * ((*at - *begin).as_nanos() + 20_000_000);
                    prop_assert!(total * 1_000_000_000 <= allowed, "{} bytes by {:?}", total, *at - *begin);
                    total += u128::try_from(*bytes).unwrap();
                }
            }
        }

        #[test]
        fn nobody_waits_longer_than_what_was_taken_takes(
            rate in 1_u64..u64::MAX, pieces in prop::collection::vec(0_usize..1_000_000_000, 1..20),
        ) {
            let (mut pace, mut now) = (Pace::new(rate), Duration::ZERO);
            for bytes in pieces {
                let next = pace.take(bytes, now);
                let most = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(rate));
                prop_assert!((next - now).as_nanos() <= most, "{bytes} bytes wait for {:?}", next - now);
                now = next;
            }
        }

        #[test]
        fn no_number_overflows(rate: u64, bytes: usize, nanos: u64) {
            let mut pace = Pace::new(rate);
            for _ in 0..9 {
                pace.take(bytes, Duration::from_nanos(nanos));
                pace.take(bytes, Duration::MAX);
            }
        }
    }
}
