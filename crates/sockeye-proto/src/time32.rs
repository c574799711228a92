//! The time protocol (RFC 868): seconds since 1900 began in UTC, as 32 bits.
//!
//! They begin anew in February 2036 and every 136 years from then on, so that who reads them has to know the time within
//! 68 years.

use std::time::{Duration, SystemTime};

/// From 1900 to 1970.
const TO_1970: i64 = 2_208_988_800;

/// The seconds of a moment, as they are sent.
pub fn encode(moment: SystemTime) -> [u8; 4] {
    let since_1900 = seconds(moment).wrapping_add(TO_1970);
    let [.., a, b, c, d] = since_1900.to_be_bytes();
    [a, b, c, d]
}

/// The moment that was meant, of all that are sent like this the nearest to `near`. `None` where that is beyond what a
/// [`SystemTime`] can be.
pub fn decode(sent: [u8; 4], near: SystemTime) -> Option<SystemTime> {
    let (sent, here) = (u32::from_be_bytes(sent), u32::from_be_bytes(encode(near)));
    let ahead = i64::from(sent.wrapping_sub(here).cast_signed());
    let moment = seconds(near).checked_add(ahead)?;
    let since_1970 = Duration::from_secs(moment.unsigned_abs());
    if moment < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(since_1970)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(since_1970)
    }
}

/// Whole seconds since 1970 began; that of a moment before it is the one that has begun.
fn seconds(moment: SystemTime) -> i64 {
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            -(whole + i64::from(before.subsec_nanos() > 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn moments_of_the_rfc_are_its_numbers() {
        for (unix, sent) in
            [(0, 2_208_988_800_u32), (189_302_400, 2_398_291_200), (326_764_800, 2_535_753_600)]
        {
            assert_eq!(u32::from_be_bytes(encode(at(unix))), sent);
        }
        let in_1900 = SystemTime::UNIX_EPOCH - Duration::from_secs(2_208_988_799);
        assert_eq!(encode(in_1900), [0, 0, 0, 1]);
    }

    #[test]
    fn after_february_2036_it_begins_anew_and_is_read_by_what_is_near() {
        assert_eq!((encode(at(2_085_978_495)), encode(at(2_085_978_496))), ([255; 4], [0; 4]));
        assert_eq!(decode([0, 0, 0, 9], at(2_085_978_400)), Some(at(2_085_978_505)));
        assert_eq!(decode([255; 4], at(2_085_978_600)), Some(at(2_085_978_495)));
    }

    proptest! {
        #[test]
        fn a_moment_is_read_as_it_was_within_68_years(unix in 0_u64..1 << 34, off in -(1_i64 << 31)..1 << 31) {
            prop_assume!(unix.checked_add_signed(off).is_some());
            prop_assert_eq!(decode(encode(at(unix.checked_add_signed(off).unwrap())), at(unix)), Some(at(unix.checked_add_signed(off).unwrap())));
        }

        #[test]
        fn no_four_bytes_panic(sent: [u8; 4], unix: u32, nanos in 0_u32..1_000_000_000) {
            let since = Duration::new(unix.into(), nanos);
            prop_assert!(decode(sent, SystemTime::UNIX_EPOCH + since).is_some());
            prop_assert!(decode(sent, SystemTime::UNIX_EPOCH - since).is_some());
        }
    }
}
