//! Ranges of numbers in a text, which stand for as many texts: `web[01-03,9]` for `web01`, `web02`, `web03` and `web9`.

use std::fmt;

/// The most texts that one may stand for.
pub const MOST: usize = 1 << 16;

/// What is wrong with the ranges of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeError {
    /// This range ends with a smaller number than it begins with.
    Descending(String),
    /// These brackets hold digits and no numbers or ranges between commas.
    Malformed(String),
    /// They stand for more than [`MOST`] texts, or have numbers beyond 2³².
    TooMany,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descending(range) => write!(f, "the range {range} begins with its larger number"),
            Self::Malformed(brackets) => write!(f, "[{brackets}] is no list of numbers and ranges"),
            Self::TooMany => write!(f, "its ranges stand for more than {MOST} addresses"),
        }
    }
}

/// Every text that `text` stands for; itself where it has no range. Where there are several ranges the last one varies
/// fastest.
///
/// Brackets are a range where they hold digits, commas and hyphens alone: those of an IPv6 address hold colons, and stay.
/// Numbers are written with as many digits as the first of their range, where that begins with 0.
///
/// # Errors
/// A range that goes down or is none, or more than [`MOST`] texts.
pub fn expand(text: &str) -> Result<Vec<String>, RangeError> {
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some((before, inside, behind)) = next_range(rest) {
        let numbers = numbers(inside)?;
        if all.len().saturating_mul(numbers.len()) > MOST {
            return Err(RangeError::TooMany);
        }
        let with_numbers = |text: &String| {
            let text = format!("{text}{before}");
            numbers.iter().map(move |number| format!("{text}{number}")).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with_numbers).collect();
        rest = behind;
    }
    all.iter_mut().for_each(|text| text.push_str(rest));
    Ok(all)
}

/// The first brackets that are a range: what stands before, in and behind them.
fn next_range(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('[').find_map(|(at, _)| {
        let (inside, behind) = text.get(at + 1..)?.split_once(']')?;
        let is_range = inside.starts_with(|c: char| c.is_ascii_digit())
            && inside.bytes().all(|byte| byte.is_ascii_digit() || b",-".contains(&byte));
        is_range.then_some((text.get(..at)?, inside, behind))
    })
}

/// The numbers between brackets, as they are written.
fn numbers(inside: &str) -> Result<Vec<String>, RangeError> {
    let mut all = Vec::new();
    for item in inside.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(first) || !is_number(last) {
            return Err(RangeError::Malformed(inside.to_owned()));
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| RangeError::TooMany);
        let (from, to) = (number(first)?, number(last)?);
        if to < from {
            return Err(RangeError::Descending(item.to_owned()));
        }
        if usize::try_from(to - from).map_or(true, |more| all.len().saturating_add(more) >= MOST) {
            return Err(RangeError::TooMany);
        }
        let width = if first.starts_with('0') { first.len() } else { 0 };
        all.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_stands_for_its_numbers_and_other_brackets_for_themselves() {
        for (text, all) in [
            ("tcp:web:22", &["tcp:web:22"][..]),
            ("tcp:web[01-03,30]:22", &["tcp:web01:22", "tcp:web02:22", "tcp:web03:22", "tcp:web30:22"]),
            ("w[8-11]", &["w8", "w9", "w10", "w11"]),
            ("r[1-2]n[0,5]", &["r1n0", "r1n5", "r2n0", "r2n5"]),
            ("tcp:[::1]:80", &["tcp:[::1]:80"]),
            ("tcp:[fe80::1%2]:[1-2]", &["tcp:[fe80::1%2]:1", "tcp:[fe80::1%2]:2"]),
            ("[007]", &["007"]),
            ("unix:/x[a] [", &["unix:/x[a] ["]),
            ("[]", &["[]"]),
            ("[[1-2]]", &["[1]", "[2]"]),
        ] {
            assert_eq!(expand(text).unwrap(), all, "{text}");
        }
        for (text, error) in [
            ("w[3-1]", RangeError::Descending("3-1".to_owned())),
            ("w[1-]", RangeError::Malformed("1-".to_owned())),
            ("w[1,,2]", RangeError::Malformed("1,,2".to_owned())),
            ("w[1-2-3]", RangeError::Malformed("1-2-3".to_owned())),
            ("w[0-65536]", RangeError::TooMany),
            ("w[0-999][0-999]", RangeError::TooMany),
            ("w[99999999999]", RangeError::TooMany),
        ] {
            assert_eq!(expand(text), Err(error), "{text}");
        }
        assert_eq!(expand("[0-65535]").unwrap().len(), MOST);
    }

    proptest! {
        #[test]
        fn a_range_has_every_number_from_its_first_to_its_last(from in 0_u32..9999, more in 0_u32..300, width in 0_usize..6) {
            let all = expand(&format!("a[{from:0width$}-{}]b", from + more)).unwrap();
            prop_assert_eq!(all.len(), usize::try_from(more).unwrap() + 1);
            for (number, text) in (from..).zip(&all) {
                let digits = text.strip_prefix('a').and_then(|text| text.strip_suffix('b')).unwrap();
                prop_assert_eq!(digits.parse::<u32>(), Ok(number));
                prop_assert!(from == 0 || digits.len() >= width);
            }
        }

        #[test]
        fn any_text_stands_for_a_bounded_number_of_texts(text in "[a0-9,\\[\\]:-]{0,40}") {
            if let Ok(all) = expand(&text) {
                prop_assert!((1..=MOST).contains(&all.len()));
            }
        }
    }
}
