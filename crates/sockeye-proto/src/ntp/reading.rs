//! What the answers of one server come to (RFC 5905, sections 8 and 10).

use std::time::{Duration, SystemTime};

use super::{Kiss, Packet, Status, Timestamp};

/// What one question and its answer tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How far the server's clock is ahead of ours, in nanoseconds.
    pub offset_ns: i64,
    /// The time on the way, both ways together, in nanoseconds; never less than 0.
    pub delay_ns: i64,
    /// How far the clocks may be off for not being read exactly.
    pub dispersion: Duration,
    /// When the answer was heard, on the caller's count of time.
    pub at: Duration,
}

/// What a server's answers come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// How far the server's clock is ahead of ours, in nanoseconds: of the sample with the least delay, since what holds up
    /// a packet most often holds up one way only.
    pub offset_ns: i64,
    /// The delay of that sample, in nanoseconds.
    pub delay_ns: i64,
    /// How far the other samples are from that one (their root mean square).
    pub jitter: Duration,
    /// How far the clocks may be off for not being read exactly, and for drifting since.
    pub dispersion: Duration,
    /// How far the offset may be wrong at most, as far as the server knows how wrong it is itself (section 11.2).
    pub distance: Duration,
    /// How the server's clock is doing, as it says.
    pub status: Status,
    /// How many answers this is made of.
    pub samples: usize,
    /// How many questions nobody answered.
    pub lost: usize,
    /// How many datagrams were no answers to what was asked.
    pub doubts: usize,
    /// What it asked for in the end instead of telling the time.
    pub kiss: Option<Kiss>,
}

/// How fast two clocks may drift apart, in parts of a million (section 7.2, PHI).
const DRIFT_PPM: u32 = 15;

/// The least that two delays count for together: what is nearer than half of this is taken to agree, since no network is
/// quite as quick to as fro (ntpd's `mindist`).
const LEAST_DELAY: Duration = Duration::from_millis(1);

impl Sample {
    /// Of an answer to what left at `sent`, that came at `came`, both by the clock that is compared.
    pub fn of(answer: &Packet, sent: SystemTime, came: SystemTime, now: Duration) -> Self {
        let (sent, came) = (Timestamp::of(sent), Timestamp::of(came));
        let (there, back) = (answer.receive.nanos_since(sent), answer.transmit.nanos_since(came));
        let away = came.nanos_since(sent);
        let inside = answer.transmit.nanos_since(answer.receive);
        let delay_ns = away.saturating_sub(inside).max(0);
        let waited = Duration::from_nanos(away.unsigned_abs());
        Self {
            // Each is less than 2^61, so that the sum fits.
            offset_ns: (there + back) / 2,
            delay_ns,
            dispersion: precision(answer.precision) + drift(waited),
            at: now,
        }
    }
}

impl Reading {
    /// Of all the samples, and what the server last said of itself; `None` without any.
    pub(super) fn of(samples: &[Sample], last: &Status, now: Duration) -> Option<Self> {
        let mut by_delay: Vec<&Sample> = samples.iter().collect();
        by_delay.sort_by_key(|sample| sample.delay_ns);
        let best = by_delay.first()?;
        let (jitter, dispersion) = (jitter(&by_delay, best.offset_ns), dispersion(&by_delay, now));
        let (root_delay, root_dispersion) = (last.root_delay.duration(), last.root_dispersion.duration());
        let delay = root_delay + Duration::from_nanos(best.delay_ns.unsigned_abs());
        Some(Self {
            offset_ns: best.offset_ns,
            delay_ns: best.delay_ns,
            jitter,
            dispersion,
            distance: delay.max(LEAST_DELAY) / 2 + root_dispersion + dispersion + jitter,
            status: *last,
            samples: samples.len(),
            lost: 0,
            doubts: 0,
            kiss: None,
        })
    }
}

/// The root mean square of what the others are from the best (section 10).
fn jitter(by_delay: &[&Sample], best_ns: i64) -> Duration {
    let others = by_delay.len().saturating_sub(1);
    if others == 0 {
        return Duration::ZERO;
    }
    #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
    let (squares, others) = (
        by_delay.iter().map(|sample| (sample.offset_ns.saturating_sub(best_ns) as f64).powi(2)).sum::<f64>(),
        others as f64,
    );
    Duration::try_from_secs_f64((squares / others).sqrt() / 1e9).unwrap_or(Duration::MAX)
}

/// Each sample counts for half as much as the one before it (section 10).
fn dispersion(by_delay: &[&Sample], now: Duration) -> Duration {
    let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
    for sample in by_delay {
        let age = now.saturating_sub(sample.at);
        sum += weight * (sample.dispersion + drift(age)).as_secs_f64();
        weights += weight;
        weight /= 2.0;
    }
    Duration::try_from_secs_f64(sum / weights).unwrap_or_default()
}

fn drift(over: Duration) -> Duration {
    // In this order, since a duration is too long to be multiplied first.
    over / 1_000_000 * DRIFT_PPM
}

/// Of a power of two: from 2^-32 s to a day, which is what a clock can be off.
fn precision(power: i8) -> Duration {
    Duration::from_secs_f64(f64::from(power.clamp(-32, 16)).exp2())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(offset_ns: i64, delay_ns: i64) -> Sample {
        Sample { offset_ns, delay_ns, dispersion: Duration::from_micros(1), at: Duration::ZERO }
    }

    #[test]
    fn the_quickest_answer_counts_and_the_others_say_how_much_they_differ() {
        let samples = [sample(500, 90), sample(100, 10), sample(-300, 50)];
        let status = Status::unsynchronised(0);
        let reading = Reading::of(&samples, &status, Duration::from_secs(10)).unwrap();
        assert_eq!((reading.offset_ns, reading.delay_ns, reading.samples), (100, 10, 3));
        assert_eq!(reading.jitter, Duration::from_nanos(400));
        assert_eq!(reading.dispersion, Duration::from_micros(151));
        assert_eq!(reading.distance, Duration::from_nanos(500_000 + 151_000 + 400));
        assert_eq!(Reading::of(&[], &status, Duration::ZERO), None);
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd_to_be_reckoned_with(
            bytes in prop::collection::vec(any::<u8>(), super::super::SIZE), sent: u32, took: u32,
        ) {
            let packet = Packet::read(&bytes).unwrap();
            let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(sent.into());
            let came = sent + Duration::from_micros(took.into());
            let sample = Sample::of(&packet, sent, came, Duration::ZERO);
            prop_assert!(sample.delay_ns >= 0);
            let reading = Reading::of(&[sample, sample], &packet.status(), Duration::from_secs(1)).unwrap();
            prop_assert!(reading.distance >= reading.status.root_dispersion.duration() && reading.jitter == Duration::ZERO);
        }
    }
}
