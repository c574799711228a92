//! Lengths of time as a table has them: three digits and a unit, of which the largest that keeps one before the point.

/// With a sign: how far a clock is ahead.
pub(super) fn signed(nanos: i64) -> String {
    let sign = match nanos.signum() {
        1 => "+",
        -1 => "-",
        _ => "",
    };
    format!("{sign}{}", plain(nanos.unsigned_abs()))
}

/// Without.
pub(super) fn plain(nanos: u64) -> String {
    let (scale, unit) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let (whole, rest) = (nanos / scale, nanos % scale);
    match whole {
        0..10 => format!("{whole}.{:02} {unit}", rest * 100 / scale),
        10..100 => format!("{whole}.{} {unit}", rest * 10 / scale),
        _ => format!("{whole} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown_of_the_largest_unit_that_fits() {
        for (nanos, want) in [
            (0, "0 ns"),
            (-999, "-999 ns"),
            (1_239, "+1.23 us"),
            (-45_678, "-45.6 us"),
            (456_789, "+456 us"),
            (-1_005_000, "-1.00 ms"),
            (12_345_678_901, "+12.3 s"),
            (i64::MIN, "-9223372036 s"),
        ] {
            assert_eq!(signed(nanos), want);
        }
    }
}
