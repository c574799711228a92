//! How fast a connection may be: `10MB/s`, `80Mbit/s`, or each way its own, `in:1MB/s+out:64k/s`.

use std::fmt;

use crate::unit;

/// Bytes a second, each way; `None` is no limit, and never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Of what comes from the peer.
    pub inward: Option<u64>,
    /// Of what goes to it.
    pub outward: Option<u64>,
}

/// What such an option takes.
pub(super) const EXPECTED: &str = "a rate such as 64k/s, 10MB/s or 80Mbit/s, or in:1MB/s+out:64k/s";

impl Rate {
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some(both) = unit::speed(text) {
            return Some(Self { inward: Some(both), outward: Some(both) });
        }
        let mut rate = Self { inward: None, outward: None };
        for part in text.split('+') {
            let (way, limit) = part.split_once(':')?;
            let place = match way {
                "in" => &mut rate.inward,
                "out" => &mut rate.outward,
                _ => return None,
            };
            if place.replace(unit::speed(limit)?).is_some() {
                return None;
            }
        }
        Some(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.inward, self.outward) {
            (Some(inward), Some(outward)) if inward == outward => write!(f, "{inward}/s"),
            (Some(inward), Some(outward)) => write!(f, "in:{inward}/s+out:{outward}/s"),
            (Some(inward), None) => write!(f, "in:{inward}/s"),
            (None, Some(outward)) => write!(f, "out:{outward}/s"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rate_is_of_bytes_or_bits_and_of_both_ways_or_of_each() {
        for (text, inward, outward) in [
            ("64k/s", Some(65_536), Some(65_536)),
            ("10MB", Some(10_000_000), Some(10_000_000)),
            ("80Mbit/s", Some(10_000_000), Some(10_000_000)),
            ("9bit", Some(1), Some(1)),
            ("in:1kB/s", Some(1000), None),
            ("out:1/s", None, Some(1)),
            ("out:1/s+in:8kbit/s", Some(1000), Some(1)),
        ] {
            assert_eq!(Rate::read(text), Some(Rate { inward, outward }), "{text}");
        }
        for text in [
            "",
            "0",
            "7bit",
            "/s",
            "bit",
            "1/m",
            "1kB/s/s",
            "in:",
            "in:1+in:2",
            "up:1",
            "1+2",
            "in:1+2",
            "-1",
        ] {
            assert_eq!(Rate::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(inward in 0_u64.., outward in 0_u64..) {
            let some = |limit: u64| (limit > 0).then_some(limit);
            for rate in [
                Rate { inward: some(inward), outward: some(outward) },
                Rate { inward: some(inward), outward: some(inward) },
            ] {
                let back = Rate::read(&rate.to_string());
                prop_assert_eq!(back, (rate.inward.is_some() || rate.outward.is_some()).then_some(rate));
            }
        }

        #[test]
        fn no_text_panics(text in "(in:|out:)?[0-9]{0,21}(k|M|G|é)?(bit|B)?(/s)?\\+?\\PC{0,6}") {
            Rate::read(&text);
        }
    }
}
