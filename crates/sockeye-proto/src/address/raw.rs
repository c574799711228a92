//! An option of sockets by its numbers, for what has no name of its own.

use std::fmt;

use crate::unit;

/// What is expected of such an option's text.
pub(super) const EXPECTED: &str =
    "LEVEL:NUMBER:VALUE, with socket, ip, ipv6, tcp, udp or a number, and bytes as x0a0b";

/// The most bytes of a value.
const LONGEST: usize = 256;

/// An option of sockets, and what it is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOption {
    /// The protocol that it belongs to.
    pub level: Level,
    /// Its number there; not negative.
    pub number: i32,
    /// Its value.
    pub value: RawValue,
}

/// The protocol that an option belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// `socket`: every socket, socket(7).
    Socket,
    /// `ip`: ip(7).
    Ip,
    /// `ipv6`: ipv6(7).
    Ipv6,
    /// `tcp`: tcp(7).
    Tcp,
    /// `udp`: udp(7).
    Udp,
    /// Any other, by its number, which is not negative.
    Number(i32),
}

/// The value of an option by its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValue {
    /// A whole number of the size that C's `int` has.
    Int(i32),
    /// These bytes, of which there are at least one and at most 256.
    Bytes(Vec<u8>),
}

impl Level {
    const NAMED: [Self; 5] = [Self::Socket, Self::Ip, Self::Ipv6, Self::Tcp, Self::Udp];

    fn read(text: &str) -> Option<Self> {
        let named = Self::NAMED.into_iter().find(|level| level.to_string() == text);
        named.or_else(|| natural(text).map(Self::Number))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket => f.write_str("socket"),
            Self::Ip => f.write_str("ip"),
            Self::Ipv6 => f.write_str("ipv6"),
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl RawOption {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (level, rest) = text.split_once(':')?;
        let (number, value) = rest.split_once(':')?;
        let level = Level::read(level)?;
        Some(Self { level, number: natural(number)?, value: RawValue::read(value)? })
    }

    /// Where the kernel has it: two of one place are the same option.
    pub(super) fn place(&self) -> (Level, i32) {
        (self.level, self.number)
    }

    /// Its level and number, as they are written.
    pub(super) fn place_text(&self) -> String {
        format!("{}:{}", self.level, self.number)
    }
}

impl RawValue {
    fn read(text: &str) -> Option<Self> {
        let Some(digits) = text.strip_prefix('x') else { return int(text).map(Self::Int) };
        let is_whole = !digits.is_empty() && digits.len().is_multiple_of(2) && digits.len() / 2 <= LONGEST;
        let nibbles =
            digits.chars().map(|digit| digit.to_digit(16).and_then(|nibble| nibble.try_into().ok()));
        let nibbles = nibbles.collect::<Option<Vec<u8>>>().filter(|_| is_whole)?;
        Some(Self::Bytes(
            nibbles.chunks(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble)).collect(),
        ))
    }
}

/// A number that an `int` holds and that is not negative.
fn natural(text: &str) -> Option<i32> {
    unit::count(text)?.try_into().ok()
}

/// A number that an `int` holds, or in hexadecimal digits the bits of one.
fn int(text: &str) -> Option<i32> {
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Some(_) => None,
        None => u32::try_from(unit::count(text)?).ok().map(u32::cast_signed),
    }
}

impl fmt::Display for RawOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.place_text())?;
        match &self.value {
            RawValue::Int(number) => write!(f, "{number}"),
            RawValue::Bytes(bytes) => {
                f.write_str("x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_option_by_its_numbers_has_three_parts() {
        for (text, level, number, value) in [
            ("socket:9:1", Level::Socket, 9, RawValue::Int(1)),
            ("tcp:18:0x10", Level::Tcp, 18, RawValue::Int(16)),
            ("41:67:-1", Level::Number(41), 67, RawValue::Int(-1)),
            ("ip:1:0xffffffff", Level::Ip, 1, RawValue::Int(-1)),
            ("ipv6:0x10:x", Level::Ipv6, 16, RawValue::Bytes(vec![])),
            ("udp:103:x0a0B", Level::Udp, 103, RawValue::Bytes(vec![10, 11])),
        ] {
            let want = RawOption { level, number, value };
            let want = (want.value != RawValue::Bytes(vec![])).then_some(want);
            assert_eq!(RawOption::read(text), want, "{text}");
        }
        for text in [
            "",
            "tcp",
            "tcp:1",
            "tcp::1",
            ":1:1",
            "tcp:1:",
            "tcp:nodelay:1",
            "sctp:1:1",
            "-1:1:1",
            "tcp:-1:1",
            "tcp:1:1:1",
            "tcp:1:x0",
            "tcp:1:x0g",
            "tcp:1:4294967296",
            "tcp:1:-2147483649",
            "tcp:1:--1",
            "tcp:2147483648:1",
            "tcp:1:xä",
        ] {
            assert_eq!(RawOption::read(text), None, "{text:?}");
        }
        let of = |bytes: usize| RawOption::read(&format!("tcp:1:x{}", "00".repeat(bytes)));
        assert!(of(LONGEST).is_some() && of(LONGEST + 1).is_none());
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(
            level in 0..=Level::NAMED.len(),
            number in 0..i32::MAX,
            int in any::<i32>(),
            bytes in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let level = Level::NAMED.get(level).map_or(Level::Number(number), |level| *level);
            let value = if bytes.is_empty() { RawValue::Int(int) } else { RawValue::Bytes(bytes) };
            let option = RawOption { level, number, value };
            prop_assert_eq!(RawOption::read(&option.to_string()), Some(option));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = RawOption::read(&text);
        }
    }
}
