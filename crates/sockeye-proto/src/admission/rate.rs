//! How often each peer may come: a bucket each that holds one second's worth, in a table that is bounded.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use super::Key;

/// What a full bucket has taken to fill.
const SECOND: Duration = Duration::from_secs(1);

/// How many peers each half of the table remembers: 65,536 together, some 3 MiB.
const HALF: usize = 32_768;

/// The buckets of all peers.
///
/// A bucket is full again after a second at most, and a full one need not be remembered: every second the older half of
/// the table is forgotten. Where more come meanwhile than a half holds, it is forgotten early. Then an attacker with more
/// addresses than that comes more often from each, and nobody is refused in another's stead.
#[derive(Debug)]
pub(super) struct Rate {
    /// How long a bucket takes to earn a newcomer.
    each: Duration,
    /// When a peer's bucket is full again.
    recent: HashMap<Key, Duration>,
    older: HashMap<Key, Duration>,
    /// When the recent half was begun.
    turned: Duration,
}

impl Rate {
    /// So many newcomers a second, and as many at once of a peer that did not come for a second.
    pub(super) fn new(rate: u32) -> Self {
        let (recent, older) = (HashMap::new(), HashMap::new());
        Self { each: SECOND / rate.max(1), recent, older, turned: Duration::ZERO }
    }

    /// Takes a newcomer out of its peer's bucket; `false` where there is none left.
    pub(super) fn takes(&mut self, key: Key, now: Duration) -> bool {
        if now.saturating_sub(self.turned) >= SECOND || self.recent.len() >= HALF {
            self.older = mem::take(&mut self.recent);
            self.turned = now;
        }
        let known = self.recent.get(&key).or_else(|| self.older.get(&key));
        let full_at = known.copied().unwrap_or_default().max(now) + self.each;
        let has_one = full_at <= now + SECOND;
        if has_one {
            self.recent.insert(key, full_at);
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_attacker_with_any_number_of_addresses_fills_no_memory_and_takes_nobodys_place() {
        let mut rate = Rate::new(1);
        for peer in 0..200_000 {
            assert!(rate.takes(Key::User(peer), Duration::ZERO));
            assert!(rate.recent.len() + rate.older.len() <= 2 * HALF);
        }
        assert!(!rate.takes(Key::User(199_999), Duration::ZERO));
        assert!(rate.takes(Key::User(300_000), Duration::ZERO));
        // What was so many is not kept.
        for second in 1..=3 {
            rate.takes(Key::User(0), SECOND * second);
        }
        assert!(rate.recent.len() + rate.older.len() <= 2);
    }

    #[test]
    fn a_bucket_holds_one_seconds_worth() {
        for count in [1, 3, 7, 100, 9_999] {
            let mut rate = Rate::new(count);
            for second in [10, 11, 15] {
                let now = SECOND * second;
                let came = (0..20_000).filter(|_| rate.takes(Key::User(1), now)).count();
                assert_eq!(came, usize::try_from(count).unwrap());
            }
        }
    }

    proptest! {
        /// Against one bucket a peer that is never forgotten.
        #[test]
        fn what_is_forgotten_makes_no_difference(
            count in 1_u32..6, steps in prop::collection::vec((0_u32..3, 0_u64..700), 0..200),
        ) {
            let (mut rate, mut buckets, mut now) = (Rate::new(count), HashMap::new(), Duration::ZERO);
            for (peer, pause) in steps {
                now += Duration::from_millis(pause);
                let full_at = buckets.entry(peer).or_insert(Duration::ZERO);
                let next = (*full_at).max(now) + SECOND / count;
                let has_one = next <= now + SECOND;
                if has_one {
                    *full_at = next;
                }
                prop_assert_eq!(rate.takes(Key::User(peer), now), has_one);
            }
        }
    }
}
