//! Records: what goes over the wire after the handshake, opened and sealed (RFC 8446 section 5, RFC 5246 section 6.2).

use std::ops::Range;

use aws_lc_rs::aead::{self, AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, NONCE_LEN, Nonce, make_tls12_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, SupportedCipherSuite};

/// The most that a record holds (RFC 8446 section 5.1).
pub(super) const MOST: usize = 16 << 10;

/// How much longer a record is than what it holds, at most: its header, the nonce of TLS 1.2, the kind of TLS 1.3 and the tag.
pub(super) const OVERHEAD: usize = HEADER + 8 + 1 + TAG;

/// What tells that nothing was changed, in all ciphers that there are.
const TAG: usize = 16;

/// The kind, the version and the length.
const HEADER: usize = 5;

/// What a sealed record may be longer than [`MOST`]: 2048 bytes in TLS 1.2, and 256 in TLS 1.3.
const EXPANSION: usize = 2048;

/// Whether these bytes can be the beginning of a record.
pub(super) fn is_record(bytes: &[u8]) -> bool {
    let fits = |(at, range): (usize, std::ops::RangeInclusive<u8>)| {
        bytes.get(at).is_none_or(|byte| range.contains(byte))
    };
    [(0, 20..=24), (1, 3..=3), (2, 0..=4)].into_iter().all(fits)
}

/// Whether there is a whole record at the front.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    matches!(length(bytes), Ok(Some(length)) if bytes.len() >= length)
}

/// The length of the record at the front, header and all, as far as that is there already.
///
/// # Errors
/// It is longer than a record may be, or is none.
pub(super) fn length(bytes: &[u8]) -> Result<Option<usize>, Error> {
    let [kind, major, _, high, low, ..] = *bytes else { return Ok(None) };
    if !(20..=23).contains(&kind) || major != 3 {
        return Err(Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MOST + EXPANSION { Err(Error::PeerSentOversizedRecord) } else { Ok(Some(HEADER + length)) }
}

/// Opens the peer's records.
pub(super) struct Opener {
    cipher: Box<dyn MessageDecrypter>,
    /// How many were opened with this key.
    sequence: u64,
    version: ProtocolVersion,
}

impl Opener {
    pub(super) fn new(
        suite: SupportedCipherSuite,
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
    ) -> Result<Self, Error> {
        let (key, iv) = parts(secrets)?;
        let cipher = match suite {
            SupportedCipherSuite::Tls12(suite) => {
                // The rest of it stands in the records.
                let agreed = iv.as_ref().get(..suite.aead_alg.key_block_shape().fixed_iv_len);
                suite.aead_alg.decrypter(key, agreed.ok_or(Error::DecryptError)?)
            }
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
        };
        Ok(Self { cipher, sequence, version: suite.version().version })
    }

    /// Opens a whole record where it lies. What it holds is in that range of it.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<(ContentType, Range<usize>), Error> {
        let Some((header, sealed)) = record.split_at_mut_checked(HEADER) else {
            return Err(Error::DecryptError);
        };
        let kind = ContentType::from(header.first().copied().unwrap_or_default());
        // In TLS 1.3 the outer kind says nothing, and is always this one (RFC 8446 section 5.2).
        if self.version == ProtocolVersion::TLSv1_3 && kind != ContentType::ApplicationData {
            return Err(Error::InappropriateMessage {
                expect_types: vec![ContentType::ApplicationData],
                got_type: kind,
            });
        }
        let start = sealed.as_ptr().addr();
        let sealed = InboundOpaqueMessage::new(kind, ProtocolVersion::TLSv1_2, sealed);
        let opened = self.cipher.decrypt(sealed, self.sequence)?;
        self.sequence += 1;
        let at = HEADER + opened.payload.as_ptr().addr().saturating_sub(start);
        Ok((opened.typ, at..at + opened.payload.len()))
    }
}

/// Seals ours, right where they are to lie. The keys of rustls would put each into an allocation of its own, and cannot
/// begin in the middle of a sequence, as these must.
pub(super) struct Sealer {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    form: Form,
    /// How many were sealed with this key.
    sequence: u64,
    /// How many may be.
    limit: u64,
}

/// How records are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// RFC 5246 section 6.2.3.3 and RFC 5288: eight bytes of the nonce stand in the record.
    Explicit,
    /// The same without those (RFC 7905).
    Implicit,
    /// RFC 8446 section 5.2: the kind is sealed, too.
    Sealed,
}

impl Sealer {
    pub(super) fn new(
        suite: SupportedCipherSuite,
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
    ) -> Result<Self, Error> {
        let algorithm = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { .. } => &AES_128_GCM,
            ConnectionTrafficSecrets::Aes256Gcm { .. } => &AES_256_GCM,
            _ => &CHACHA20_POLY1305,
        };
        let (key, iv) = parts(secrets)?;
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| Error::EncryptError)?;
        let (form, common) = match suite {
            SupportedCipherSuite::Tls12(suite) if algorithm == &CHACHA20_POLY1305 => {
                (Form::Implicit, &suite.common)
            }
            SupportedCipherSuite::Tls12(suite) => (Form::Explicit, &suite.common),
            SupportedCipherSuite::Tls13(suite) => (Form::Sealed, &suite.common),
        };
        let iv = iv.as_ref().try_into().map_err(|_| Error::EncryptError)?;
        Ok(Self { key: LessSafeKey::new(key), iv, form, sequence, limit: common.confidentiality_limit })
    }

    /// Whether the key has sealed nearly all that it may (RFC 8446 section 5.5). A few more are left, to say so.
    pub(super) fn is_worn(&self) -> bool {
        self.sequence >= self.limit.saturating_sub(SPARE)
    }

    /// Seals at most [`MOST`] bytes into `room`, which must have [`OVERHEAD`] more, and says how long that became.
    pub(super) fn seal(&mut self, kind: ContentType, plain: &[u8], room: &mut [u8]) -> Result<usize, Error> {
        if self.sequence >= self.limit {
            return Err(Error::EncryptError);
        }
        let nonce = Nonce::new(&self.iv.into(), self.sequence).0;
        let (before, behind): (&[u8], &[u8]) = match self.form {
            Form::Explicit => (nonce.get(4..).unwrap_or_default(), &[]),
            Form::Implicit => (&[], &[]),
            Form::Sealed => (&[], &[u8::from(kind)]),
        };
        let sealed = before.len() + plain.len() + behind.len() + TAG;
        let [high, low] = u16::try_from(sealed).map_err(|_| Error::EncryptError)?.to_be_bytes();
        let outer = if self.form == Form::Sealed { ContentType::ApplicationData } else { kind };
        let header = [u8::from(outer), 3, 3, high, low];

        let total = HEADER + sealed;
        let mut rest = room.get_mut(..total).ok_or(Error::EncryptError)?;
        let start = rest.len() - TAG - plain.len() - behind.len();
        for part in [&header, before, plain, behind] {
            let (to, after) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = after;
        }
        let (body, tag) =
            room.get_mut(start..total).unwrap_or_default().split_at_mut(plain.len() + behind.len());
        let (key, nonce) = (&self.key, aead::Nonce::assume_unique_for_key(nonce));
        let made = if self.form == Form::Sealed {
            key.seal_in_place_separate_tag(nonce, Aad::from(header), body)
        } else {
            let said = make_tls12_aad(self.sequence, kind, ProtocolVersion::TLSv1_2, plain.len());
            key.seal_in_place_separate_tag(nonce, Aad::from(said), body)
        };
        tag.copy_from_slice(made.map_err(|_| Error::EncryptError)?.as_ref());
        self.sequence += 1;
        Ok(total)
    }

    /// Whether the key can be changed.
    pub(super) fn renews(&self) -> bool {
        self.form == Form::Sealed
    }
}

/// Records that a worn key still seals: the last of a buffer, a change of keys or an alert.
const SPARE: u64 = 64;

fn parts(secrets: ConnectionTrafficSecrets) -> Result<(AeadKey, Iv), Error> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => Ok((key, iv)),
        _ => Err(Error::General("the cipher is not known here".into())),
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::cipher_suite::{
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };

    use super::*;

    /// A key, as a handshake leaves it after so many records.
    fn secrets(suite: SupportedCipherSuite, sequence: u64) -> (u64, ConnectionTrafficSecrets) {
        let (key, iv) = (AeadKey::from([7; 32]), Iv::new([9; NONCE_LEN]));
        let is_chacha =
            [TLS13_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256].contains(&suite);
        let secrets = if is_chacha {
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }
        } else {
            ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        };
        (sequence, secrets)
    }

    #[test]
    fn what_is_sealed_is_opened_in_its_order_and_nothing_else_is() {
        for suite in [
            TLS13_AES_256_GCM_SHA384,
            TLS13_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ] {
            let mut sealer = Sealer::new(suite, secrets(suite, 1)).unwrap();
            let mut opener = Opener::new(suite, secrets(suite, 1)).unwrap();
            let mut room = vec![0; MOST + OVERHEAD];
            for size in [0, 1, 100, MOST] {
                let plain: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
                let sealed = sealer.seal(ContentType::ApplicationData, &plain, &mut room).unwrap();
                assert_eq!(length(&room).unwrap(), Some(sealed));
                let (kind, held) = opener.open(&mut room[..sealed]).unwrap();
                assert_eq!((kind, &room[held]), (ContentType::ApplicationData, &plain[..]), "{suite:?}");
            }
            let sealed = sealer.seal(ContentType::ApplicationData, b"changed", &mut room).unwrap();
            room[sealed - 1] ^= 1;
            assert_eq!(opener.open(&mut room[..sealed]), Err(Error::DecryptError), "{suite:?}");
        }
    }

    #[test]
    fn a_key_seals_no_more_than_it_may() {
        let suite = TLS13_AES_256_GCM_SHA384;
        let limit = suite.tls13().unwrap().common.confidentiality_limit;
        let mut sealer = Sealer::new(suite, secrets(suite, limit - SPARE - 1)).unwrap();
        let mut room = [0; 1 + OVERHEAD];
        let mut seal = |sealer: &mut Sealer| sealer.seal(ContentType::ApplicationData, b"x", &mut room);
        assert!(!sealer.is_worn());
        assert!(seal(&mut sealer).is_ok() && sealer.is_worn());
        assert!((0..SPARE).all(|_| seal(&mut sealer).is_ok()));
        assert_eq!(seal(&mut sealer), Err(Error::EncryptError));
    }
}
