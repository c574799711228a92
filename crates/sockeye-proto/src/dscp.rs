//! Classes of traffic: the code points of the DS field (RFC 2474), by name and number.

use crate::unit;

/// The names that the registry of the IANA has, each with its number.
pub const NAMES: &[(&str, u8)] = &[
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
    ("voice-admit", 44),
    ("le", 1),
];

/// The largest code point: there are six bits.
const MOST: u64 = 63;

/// Reads a name, in letters of either case, or a number from 0 to 63.
pub fn read(text: &str) -> Option<u8> {
    let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, code)| *code);
    named.or_else(|| unit::count(text).filter(|code| *code <= MOST).and_then(|code| code.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_name_or_a_number_of_six_bits() {
        for (text, code) in
            [("ef", Some(46)), ("AF41", Some(34)), ("cs7", Some(56)), ("63", Some(63)), ("0x2e", Some(46))]
        {
            assert_eq!(read(text), code, "{text}");
        }
        for text in ["", "64", "-1", "af44", "cs8", "e f", "46.0"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_two_names_are_one_class_and_each_fits() {
        for (at, (name, code)) in NAMES.iter().enumerate() {
            assert!(u64::from(*code) <= MOST, "{name}");
            let rest = NAMES.iter().skip(at + 1);
            assert!(rest.clone().all(|(other, number)| other != name && number != code), "{name}");
        }
    }
}
