//! What a certificate says of itself (X.509, RFC 5280): whom it is for, who issued it, and its key.
//!
//! Nothing here is verified. It is for people, who are told what was refused, and for names of what was verified already.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A certificate in DER (X.690).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads one; `None` where it is none.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let mut to_be_signed = expect(&mut expect(&mut &*der, SEQUENCE)?, SEQUENCE)?;
        let fields = &mut to_be_signed;
        if fields.first() == Some(&VERSION) {
            element(fields)?;
        }
        let (_serial, _algorithm) = (element(fields)?, expect(fields, SEQUENCE)?);
        let issuer = expect(fields, SEQUENCE)?;
        let _validity = expect(fields, SEQUENCE)?;
        let subject = expect(fields, SEQUENCE)?;
        let before = *fields;
        expect(fields, SEQUENCE)?;
        let key = before.get(..before.len() - fields.len())?;
        let mut extensions = &[][..];
        while !fields.is_empty() {
            let (tag, content) = element(fields)?;
            if tag == EXTENSIONS {
                extensions = expect(&mut &*content, SEQUENCE)?;
            }
        }
        Some(Self { issuer, subject, key, extensions })
    }

    /// Who issued it, as `CN=Example CA, O=Example`. Whatever is in it was chosen by whoever made the certificate.
    pub fn issuer(&self) -> String {
        printed(self.issuer)
    }

    /// Whom it was issued to, written as [`Certificate::issuer`] is.
    pub fn subject(&self) -> String {
        printed(self.subject)
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Its `SubjectPublicKeyInfo` in DER, whose hash is its [`Pin`](crate::address::Pin).
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The names that it is for: DNS names and IP addresses; where it has none of them, the common name of its subject.
    pub fn names(&self) -> Vec<String> {
        let names = self.alternatives().unwrap_or_default();
        if names.is_empty() { common_name(self.subject).into_iter().collect() } else { names }
    }

    /// Whether it has names that count: a common name is none any more (RFC 9525, section 2).
    pub fn has_alternatives(&self) -> bool {
        self.alternatives().is_some_and(|names| !names.is_empty())
    }

    /// Of its subjectAltName (RFC 5280 section 4.2.1.6), names of these two kinds.
    fn alternatives(&self) -> Option<Vec<String>> {
        let mut extensions = self.extensions;
        while !extensions.is_empty() {
            let mut extension = expect(&mut extensions, SEQUENCE)?;
            if expect(&mut extension, OBJECT)? != SUBJECT_ALT_NAME {
                continue;
            }
            // Before the value may stand whether it is critical.
            let value = std::iter::from_fn(|| element(&mut extension)).find(|(tag, _)| *tag == OCTETS)?.1;
            let mut names = expect(&mut &*value, SEQUENCE)?;
            let each = std::iter::from_fn(|| element(&mut names));
            return Some(each.filter_map(|(tag, name)| alternative(tag, name)).collect());
        }
        None
    }
}

fn alternative(tag: u8, name: &[u8]) -> Option<String> {
    match tag {
        DNS_NAME => Some(String::from_utf8_lossy(name).into_owned()),
        IP_ADDRESS => {
            let v4 = <[u8; 4]>::try_from(name).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
            let v6 = || <[u8; 16]>::try_from(name).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
            v4.or_else(|_| v6()).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// A name, as `CN=…, O=…`: those of its attributes that people know.
fn printed(name: &[u8]) -> String {
    let known = attributes(name).filter_map(|(kind, value)| {
        let (_, label) = ATTRIBUTES.iter().find(|(known, _)| *known == kind)?;
        Some(format!("{label}={value}"))
    });
    let mut known: Vec<String> = known.collect();
    // It is encoded from the country inwards, and said from whom it is about outwards (RFC 4514 section 2.1).
    known.reverse();
    if known.is_empty() { "nobody it names".to_owned() } else { known.join(", ") }
}

fn common_name(name: &[u8]) -> Option<String> {
    attributes(name).filter(|(kind, _)| *kind == COMMON_NAME).map(|(_, value)| value).last()
}

/// The attributes of a name (RFC 5280 section 4.1.2.4), up to the first that cannot be read.
fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], String)> {
    let (mut sets, mut set) = (name, &[][..]);
    std::iter::from_fn(move || {
        while set.is_empty() {
            set = expect(&mut sets, SET)?;
        }
        let mut pair = expect(&mut set, SEQUENCE)?;
        let kind = expect(&mut pair, OBJECT)?;
        let (tag, value) = element(&mut pair)?;
        let value = if tag == BMP_STRING {
            let units: Vec<u16> = value
                .chunks_exact(2)
                .map(|two| two.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)))
                .collect();
            String::from_utf16_lossy(&units)
        } else {
            String::from_utf8_lossy(value).into_owned()
        };
        Some((kind, value))
    })
}

/// Takes an element that has that tag, and gives its content.
fn expect<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    element(bytes).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// Takes an element, of a tag below 31 and a length of at most four bytes: there are no others in what is read here.
fn element<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ ..=0x7f => (short, rest),
        long @ 0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(long - 0x80)?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((*tag, content))
}

const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Context-specific tags of RFC 5280.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The attributes of names that are told, with their short names (RFC 4514 section 3).
const ATTRIBUTES: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of openssl, for fuzzing too.
    fn seed(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/certificate/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    #[test]
    fn a_certificate_tells_its_names_its_issuer_and_its_key() {
        for (name, issuer, names) in [
            ("common-name", "CN=a", &["a"][..]),
            ("three-attributes", "CN=b, O=Beispiel, C=DE", &["b"]),
            ("names", "CN=x", &["a.example", "*.b.example"]),
            ("addresses", "CN=x", &["127.0.0.1", "::1"]),
            ("other-names", "CN=x", &["x"]),
            ("critical", "CN=x", &["c"]),
            ("utf8", "CN=Prüfung", &["Prüfung"]),
            ("bmp", "CN=Жук", &["Жук"]),
            ("nobody", "nobody it names", &[]),
        ] {
            let der = seed(name);
            let read = Certificate::read(&der).unwrap();
            assert_eq!(
                (read.issuer().as_str(), read.names().as_slice()),
                (issuer, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..]),
                "{name}"
            );
            assert!(read.is_self_issued() && read.key().starts_with(&[0x30, 0x59]), "{name}");
        }
        let der = seed("issued");
        let read = Certificate::read(&der).unwrap();
        assert_eq!((read.issuer().as_str(), read.subject().as_str()), ("CN=Test CA, O=X", "CN=s"));
        assert!(!read.is_self_issued());
    }

    #[test]
    fn what_is_cut_or_of_no_known_length_is_none() {
        let der = seed("issued");
        assert!((0..der.len()).all(|length| Certificate::read(&der[..length]).is_none()));
        assert!(
            ["empty", "cut", "long-length", "indefinite"]
                .iter()
                .all(|name| Certificate::read(&seed(name)).is_none())
        );
    }

    proptest! {
        #[test]
        fn one_with_other_bytes_in_it_is_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
        ) {
            let mut der = seed("addresses");
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            if let Some(read) = Certificate::read(&der) {
                prop_assert!(read.names().len() <= der.len());
                prop_assert!(!read.issuer().is_empty() && !read.subject().is_empty());
            }
        }
    }
}
