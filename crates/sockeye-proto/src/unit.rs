//! Durations, sizes and file modes as people type them, and as we print them.
//!
//! What [`print_duration`] prints reads back as the same value; other measures are rounded for people.

use std::time::Duration;

/// The longest duration that is taken: a hundred years, so that adding one to a clock cannot overflow.
pub const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration: a number, with a fraction or not, and one of `ns us ms s m h d`. A bare number is seconds.
///
/// `None` for anything else, and for more than [`LONGEST`].
pub fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let nanos: u128 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty()
        || whole.len() > 19
        || fraction.len() > 9
        || (number.contains('.') && fraction.is_empty())
    {
        return None;
    }
    let mut total = whole.parse::<u128>().ok()?.checked_mul(nanos)?;
    if !fraction.is_empty() {
        let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
        total += fraction.parse::<u128>().ok()? * nanos / scale;
    }
    let taken =
        Duration::new(u64::try_from(total / 1_000_000_000).ok()?, u32::try_from(total % 1_000_000_000).ok()?);
    (taken <= LONGEST).then_some(taken)
}

/// Prints a duration in the largest unit that keeps it whole, up to seconds: `90s`, `1500ms`.
pub fn print_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, name) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")] {
        if nanos.is_multiple_of(unit) {
            return format!("{}{name}", nanos / unit);
        }
    }
    format!("{nanos}ns")
}

/// A measured length of time as people want to read it: to the microsecond below 10 ms, to the millisecond above.
pub fn rounded(measured: Duration) -> Duration {
    let unit = if measured < Duration::from_millis(10) { 1 } else { 1000 };
    Duration::from_micros(u64::try_from(measured.as_micros()).unwrap_or(u64::MAX) / unit * unit)
}

/// The day of a moment, in seconds since 1970 began, in UTC: `2024-05-01`.
pub fn print_day(seconds: u64) -> String {
    // Years begin in March here, so that the day of a leap year is their last; an era is 400 of them.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, past) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{}-{month:02}-{of_month:02}", era * 400 + year + past)
}

/// How long something has lasted, in its two largest units: `7s`, `3m12s`, `5h03m`, `12d04h`.
pub fn print_age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// A count of bytes, to a tenth of the largest unit (of 1,024) of which there is one: `512 B`, `1.2 MiB`.
pub fn print_size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut units = [(10, "KiB"), (20, "MiB"), (30, "GiB"), (40, "TiB"), (50, "PiB")].into_iter();
    let tenths = |shift: u32| (u128::from(bytes) * 10 + (1u128 << shift) / 2) >> shift;
    // What would be rounded to 1024.0 of a unit is one of the next.
    let (shift, name) = units.find(|(shift, _)| tenths(*shift) < 10_240).unwrap_or((60, "EiB"));
    format!("{}.{} {name}", tenths(shift) / 10, tenths(shift) % 10)
}

/// What went one way, and how fast: `1.2 MiB in (3.4 MiB/s)`. Of less than a KiB a rate says nothing.
pub fn print_flow(bytes: u64, way: &str, lasted: Duration) -> String {
    let nanos = lasted.as_nanos();
    let flow = format!("{} {way}", print_size(bytes));
    if bytes < 1024 || nanos == 0 {
        return flow;
    }
    let rate = u64::try_from(u128::from(bytes) * 1_000_000_000 / nanos).unwrap_or(u64::MAX);
    format!("{flow} ({}/s)", print_size(rate))
}

/// Reads a count of bytes: a number and nothing, `B`, `k M G` or `KiB MiB GiB` (1,024), or `kB KB MB GB` (1,000).
///
/// `None` for anything else, and for what 64 bits do not hold.
pub fn size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let unit: u64 = match unit {
        "" | "B" => 1,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads a speed in bytes a second, at least 1: of bytes or bits, with `/s` or without, such as `64k/s`, `80Mbit/s`.
///
/// `None` for anything else, and for what 64 bits do not hold.
pub fn speed(text: &str) -> Option<u64> {
    let amount = text.strip_suffix("/s").unwrap_or(text);
    let bytes = match amount.strip_suffix("bit") {
        Some(bits) => {
            let unit = bits.trim_start_matches(|c: char| c.is_ascii_digit());
            let scale = match unit {
                "" => 1,
                "k" => 1_000,
                "M" => 1_000_000,
                "G" => 1_000_000_000,
                _ => return None,
            };
            bits.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(scale)? / 8
        }
        None => size(amount)?,
    };
    (bytes > 0).then_some(bytes)
}

/// Reads a whole number that is not negative: decimal digits, or `0x` and hexadecimal ones.
///
/// `None` for anything else, and for what 64 bits do not hold.
pub fn count(text: &str) -> Option<u64> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    let is_number = digits.bytes().all(|b| char::from(b).is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| is_number)
}

/// Reads the permissions of a file in octal, `0` to `7777`.
pub fn mode(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 5 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_day_is_that_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_714_521_600, "2024-05-01"),
            (1_735_689_599, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(print_day(seconds), day, "{seconds}");
        }
    }

    #[test]
    fn durations_are_read_as_people_type_them() {
        for (text, want) in [
            ("3", Some(Duration::from_secs(3))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("250ms", Some(Duration::from_millis(250))),
            ("2m", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("0", Some(Duration::ZERO)),
            ("", None),
            ("s", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("1 s", None),
            ("1w", None),
            ("999999999999d", None),
            ("1.2.3", None),
        ] {
            assert_eq!(duration(text), want, "{text:?}");
        }
    }

    #[test]
    fn sizes_say_which_thousand_they_mean() {
        for (text, want) in [
            ("0", Some(0)),
            ("64k", Some(65_536)),
            ("1MiB", Some(1_048_576)),
            ("1MB", Some(1_000_000)),
            ("12B", Some(12)),
            ("k", None),
            ("1.5k", None),
            ("1T", None),
            ("18446744073709551615G", None),
        ] {
            assert_eq!(size(text), want, "{text:?}");
        }
    }

    #[test]
    fn measures_are_printed_for_people() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_258_291, "1.2 MiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(print_size(bytes), want);
        }
        for (seconds, want) in
            [(0, "0s"), (59, "59s"), (60, "1m00s"), (18_180, "5h03m"), (1_051_200, "12d04h")]
        {
            assert_eq!(print_age(Duration::from_secs(seconds)), want);
        }
        let second = Duration::from_secs(1);
        assert_eq!(print_flow(1 << 20, "in", second / 2), "1.0 MiB in (2.0 MiB/s)");
        assert_eq!(print_flow(1023, "out", second), "1023 B out");
        assert_eq!(print_flow(1 << 20, "in", Duration::ZERO), "1.0 MiB in");
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(mode("0600"), Some(0o600));
        assert_eq!(mode("777"), Some(0o777));
        assert_eq!(mode("8"), None);
        assert_eq!(mode("+7"), None);
        assert_eq!(mode("17777"), None);
        assert_eq!(mode(""), None);
    }

    proptest! {
        #[test]
        fn a_printed_duration_reads_back(nanos in 0..LONGEST.as_nanos()) {
            let exact = Duration::new(
                u64::try_from(nanos / 1_000_000_000).unwrap(),
                u32::try_from(nanos % 1_000_000_000).unwrap(),
            );
            prop_assert_eq!(duration(&print_duration(exact)), Some(exact));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = (duration(&text), size(&text), count(&text), mode(&text));
        }
    }
}
