//! Pins: the key that a certificate must have, by its hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The SHA-256 of a certificate's `SubjectPublicKeyInfo` in DER (RFC 7469 section 2.4): it stays what it is when the
/// certificate is renewed for the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// Reads `sha256/` and base64 (RFC 4648 section 4, with its padding), as curl and browsers write it.
    pub fn read(text: &str) -> Option<Self> {
        let hash = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        hash.try_into().ok().map(Self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

const PREFIX: &str = "sha256/";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pin_is_the_base64_of_a_whole_hash() {
        let text = "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let pin = Pin::read(text).unwrap();
        assert_eq!(pin.0.to_vec(), (0..32).collect::<Vec<u8>>());
        for wrong in [
            "",
            "sha256/",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "sha1/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
            "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
            "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
        ] {
            assert_eq!(Pin::read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_pin_that_is_printed_is_read_again(hash in any::<[u8; 32]>()) {
            prop_assert_eq!(Pin::read(&Pin(hash).to_string()), Some(Pin(hash)));
        }
    }
}
