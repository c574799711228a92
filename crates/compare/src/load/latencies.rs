//! How long replies took, in little memory: each is counted among those of nearly the same time.

use std::time::Duration;

/// A step is at most 1/128 of the time that it stands for.
const STEPS_LOG2: u32 = 7;
const STEPS: u64 = 1 << STEPS_LOG2;

/// The counts of all times, by their step.
#[derive(Default)]
pub(crate) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        let step = step(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
        self.total += 1;
    }

    /// The time that so many of a hundred replies did not exceed; 0 where there are none.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let wanted = self.total.saturating_mul(percent).div_ceil(100);
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        Duration::from_nanos(step.map_or(0, begin))
    }
}

/// Where a time is counted: below `STEPS` each has a step of its own, and from there each power of two has `STEPS`.
fn step(nanos: u64) -> usize {
    let shift = nanos.max(STEPS).ilog2() - STEPS_LOG2;
    usize::try_from(u64::from(shift) * STEPS + (nanos >> shift)).unwrap_or(usize::MAX)
}

/// The shortest time of a step.
fn begin(step: usize) -> u64 {
    let step = step as u64;
    let shift = (step / STEPS).saturating_sub(1);
    (step - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_less_than_one_in_a_hundred_too_short() {
        for nanos in (0..64)
            .flat_map(|bit| [0, 1, 77].map(|more: u64| (1_u64 << bit).saturating_add(more << (bit / 2))))
        {
            let counted = begin(step(nanos));
            assert!(counted <= nanos && nanos - counted <= nanos / 100, "{nanos} is counted as {counted}");
        }
    }

    #[test]
    fn a_percentile_is_what_so_many_did_not_exceed() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(99), Duration::ZERO);
        for nanos in 1..=100 {
            latencies.add(Duration::from_nanos(nanos));
        }
        assert_eq!(latencies.percentile(50), Duration::from_nanos(50));
        assert_eq!(latencies.percentile(99), Duration::from_nanos(99));
        assert_eq!(latencies.percentile(100), Duration::from_nanos(100));
    }
}
