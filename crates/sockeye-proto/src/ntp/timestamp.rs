//! The timestamp: moments in 64 bits (RFC 5905, section 6).

use std::time::{Duration, SystemTime};

/// A moment, as the seconds since the begin of 1900 and 2^-32 parts of one (0.23 ns). The seconds begin anew every 136
/// years, first in February 2036: which era is meant is for whoever reads it to know ([`Timestamp::near`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// What stands for a moment that nobody knows.
    pub const UNKNOWN: Self = Self(0);

    /// The number that stands in a packet.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that stands in a packet.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A moment of any era, to the nanosecond. None is [`Timestamp::UNKNOWN`]: the one that would be is 0.2 ns later.
    pub fn of(moment: SystemTime) -> Self {
        let (seconds, nanos) = since_1900(moment);
        // Rounded up, so that reading it, which rounds down, gives the same nanosecond again.
        let fraction = (u64::from(nanos) << 32).div_ceil(NANOS);
        #[expect(clippy::cast_possible_truncation, reason = "the era is left out")]
        let seconds = u64::from(seconds as u32);
        Self((seconds << 32 | fraction).max(1))
    }

    /// The moment that is meant, to the nanosecond: of those that it may be, the one within 68 years of `now`. `None`
    /// where it is not known, or where the system has no word for that moment.
    pub fn near(self, now: SystemTime) -> Option<SystemTime> {
        if self == Self::UNKNOWN {
            return None;
        }
        let (now, _) = since_1900(now);
        #[expect(clippy::cast_possible_truncation, reason = "the era is what is looked for")]
        let later = (self.seconds().wrapping_sub(now as u32)).cast_signed();
        let seconds = now.checked_add(later.into())?.checked_sub(FROM_1900_TO_1970)?;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let begin = if seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(whole)?
        } else {
            SystemTime::UNIX_EPOCH.checked_add(whole)?
        };
        begin.checked_add(Duration::from_nanos(((self.0 & u64::from(u32::MAX)) * NANOS) >> 32))
    }

    /// How many nanoseconds it is later than `other`, where they are less than 68 years apart, whatever the eras;
    /// rounded down. Means nothing where one of them is not known.
    pub fn nanos_since(self, other: Self) -> i64 {
        let units = i128::from(self.0.wrapping_sub(other.0).cast_signed());
        #[expect(clippy::cast_possible_truncation, reason = "68 years have less than 2^63 nanoseconds")]
        let nanos = ((units * i128::from(NANOS)) >> 32) as i64;
        nanos
    }

    /// The seconds of its era.
    pub fn seconds(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;
/// 70 years, of which 17 have a day more.
const FROM_1900_TO_1970: i64 = (70 * 365 + 17) * 86_400;

/// The whole seconds since 1900, and the nanoseconds behind them.
fn since_1900(moment: SystemTime) -> (i64, u32) {
    let (seconds, nanos) = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
        Err(before) => {
            let until = before.duration();
            let seconds = i64::try_from(until.as_secs()).unwrap_or(i64::MAX);
            match until.subsec_nanos() {
                0 => (-seconds, 0),
                nanos => (-seconds - 1, 1_000_000_000 - nanos),
            }
        }
    };
    (seconds.saturating_add(FROM_1900_TO_1970), nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unix(seconds: i64, nanos: u64) -> SystemTime {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let begin = if seconds < 0 { SystemTime::UNIX_EPOCH - whole } else { SystemTime::UNIX_EPOCH + whole };
        begin + Duration::from_nanos(nanos)
    }

    #[test]
    fn moments_are_those_of_the_table_in_the_rfc() {
        // RFC 5905, figure 4.
        for (seconds, era, offset) in [
            (-2_208_988_800, 0, 0_u32),
            (0, 0, 2_208_988_800),
            (63_072_000, 0, 2_272_060_800),
            (946_598_400, 0, 3_155_587_200),
            (2_085_978_496, 1, 0),
        ] {
            let stamp = Timestamp::of(unix(seconds, 0));
            assert_eq!(stamp.seconds(), offset, "{seconds}");
            assert_eq!(i64::from(offset) + (era << 32) - FROM_1900_TO_1970, seconds);
            assert!(stamp != Timestamp::UNKNOWN && stamp.near(unix(seconds, 0)) == Some(unix(seconds, 0)));
        }
    }

    #[test]
    fn an_era_is_told_by_what_time_it_is_now() {
        let (before, after) = (unix(2_085_978_495, 999_999_999), unix(2_085_978_500, 5));
        for now in [before, after] {
            assert_eq!(Timestamp::of(before).near(now), Some(before));
            assert_eq!(Timestamp::of(after).near(now), Some(after));
        }
        assert_eq!(Timestamp::of(after).nanos_since(Timestamp::of(before)), 4_000_000_006);
        assert_eq!(Timestamp::of(before).nanos_since(Timestamp::of(after)), -4_000_000_007);
        assert_eq!(Timestamp::UNKNOWN.near(after), None);
    }

    proptest! {
        #[test]
        fn a_moment_comes_back_to_the_nanosecond_wherever_one_stands(
            moment in -100_000_000_000_i64..100_000_000_000, nanos in 0_u64..NANOS,
            away in i64::from(i32::MIN) + 1..i64::from(i32::MAX), now_nanos in 0_u64..NANOS,
        ) {
            let (moment, now) = (unix(moment, nanos), unix(moment + away, now_nanos));
            let stamp = Timestamp::of(moment);
            prop_assert_eq!(stamp.near(now), Some(moment));
            let apart = match now.duration_since(moment) {
                Ok(later) => i64::try_from(later.as_nanos()).unwrap(),
                Err(earlier) => -i64::try_from(earlier.duration().as_nanos()).unwrap(),
            };
            prop_assert!((Timestamp::of(now).nanos_since(stamp) - apart).abs() <= 1);
        }

        #[test]
        fn any_bits_are_a_moment_or_none(bits: u64, now in any::<i64>()) {
            let now = i32::try_from(now >> 32).unwrap();
            let moment = Timestamp::from_bits(bits).near(unix(now.into(), 0));
            if let Some(moment) = moment {
                let again = Timestamp::of(moment).bits();
                prop_assert!(bits.wrapping_sub(again) <= 4 || bits == 0, "{bits:x} {again:x}");
            }
            prop_assert_eq!(moment.is_none(), bits == 0);
        }
    }
}
