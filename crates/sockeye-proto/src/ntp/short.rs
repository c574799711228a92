//! The short format: lengths of time in 32 bits (RFC 5905, section 6).

use std::time::Duration;

/// A length of time from 0 to almost 65,536 s, in units of 2^-16 s (15.3 µs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Short(u32);

impl Short {
    /// None at all.
    pub const ZERO: Self = Self(0);

    /// The number that stands in a packet.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The least that is not shorter: an error bound must not shrink. What is too long becomes the longest.
    pub fn of(length: Duration) -> Self {
        let units = (length.as_nanos() << 16).div_ceil(NANOS.into());
        Self(u32::try_from(units).unwrap_or(u32::MAX))
    }

    /// As a duration, rounded down to nanoseconds.
    pub fn duration(self) -> Duration {
        Duration::from_nanos((u64::from(self.0) * NANOS) >> 16)
    }

    pub(super) fn bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_that_do_not_fit_are_the_longest() {
        assert_eq!(Short::of(Duration::MAX), Short::from_bits(u32::MAX));
        assert_eq!(Short::of(Duration::from_nanos(1)), Short::from_bits(1));
        assert_eq!(Short::of(Duration::from_secs(3)), Short::from_bits(3 << 16));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again_and_no_length_shrinks(bits: u32, nanos in 0_u64..65_535 * NANOS) {
            let short = Short::from_bits(bits);
            prop_assert_eq!(Short::of(short.duration()), short);
            let length = Duration::from_nanos(nanos);
            let excess = Short::of(length).duration().saturating_sub(length);
            prop_assert!(excess < Duration::from_micros(16), "{excess:?}");
            prop_assert!(Short::of(length).duration() + Duration::from_nanos(1) >= length);
        }
    }
}
