//! What can go wrong with TLS, in words.

use std::fmt;

use sockeye_proto::address::Pin;
use sockeye_proto::printable;

/// Why TLS failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The peer ended it, and said why.
    Alert(Alert),
    /// `sni=`, or the host of the address, is nothing that a certificate could be for.
    BadName(String),
    /// The peer's certificate is not what it should be.
    Certificate(CertificateFault),
    /// It was cut: the end of the stream came without the end that TLS has (`close_notify`, RFC 8446 section 6.1).
    Cut,
    /// The peer left before the handshake was done.
    Deserted,
    /// It sends back what we send.
    Echoed,
    /// So much was sent with one key that no more may be: only TLS 1.3 can change it.
    Exhausted,
    /// A file of certificates or keys.
    File(String, FileFault),
    /// The peer has shown no certificate, and must.
    NoCertificate,
    /// Both sides have lists of protocols (ALPN, RFC 7301), with none in common.
    NoCommonProtocol,
    /// No version of TLS, or no cipher, is in both sides' lists.
    NoCommonVersion,
    /// The file of the identity that we made ourselves.
    Identity(String, FileFault),
    /// The address has no host whose name the certificate could be checked for.
    NoName,
    /// What came first is no TLS: at most the first 64 bytes.
    PlainText(Vec<u8>),
    /// The peer, or somebody between, broke the rules of the protocol.
    Protocol(String),
}

/// What is wrong with a peer's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It cannot be read.
    Broken,
    /// It was valid until that day, `2024-05-01` in UTC.
    Expired(String),
    /// It is not valid before that day.
    NotYet(String),
    /// Anything else.
    Other(String),
    /// It is for another purpose, such as signing mail, or for clients only.
    Purpose,
    /// It was revoked.
    Revoked,
    /// It is not signed by whom it says.
    Unsigned,
    /// It was issued by nobody whom we trust.
    Untrusted {
        /// Who issued it.
        issuer: String,
        /// Whether that is itself.
        is_self_issued: bool,
        /// Its key.
        pin: Option<Pin>,
    },
    /// It is for other names.
    WrongName {
        /// The name that it should be for.
        wanted: String,
        /// Those that it is for.
        names: Vec<String>,
    },
    /// It has another key than those that are pinned.
    WrongPin(Pin),
}

/// What is wrong with a file of certificates or keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFault {
    /// It is a key, and no certificate goes with it.
    KeyAlone,
    /// The key in it is not that of the certificate.
    Mismatch,
    /// There is no certificate in it.
    NoCertificate,
    /// There is no private key in it, or one that is encrypted.
    NoKey,
    /// It is no PEM.
    NoPem,
    /// It cannot be read.
    Unreadable(String),
    /// The key or certificate in it is of a kind that we do not know.
    Unsupported,
}

/// An alert: how a side says why it ends (RFC 8446 section 6), by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert(pub u8);

impl Alert {
    /// Whether another certificate of ours, or one at all, is what the peer wants.
    pub fn wants_certificate(self) -> bool {
        self.is_about_certificate() || self.0 == 116
    }

    /// Whether it is about a certificate that was shown, ours.
    fn is_about_certificate(self) -> bool {
        matches!(self.0, 42..=46 | 48 | 49)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            10 => "it did not expect what we sent",
            20 | 21 | 51 => "what we sent arrived damaged",
            22 => "a record of ours was too long",
            40 => "it found nothing to agree on with us",
            42 => "it cannot read it",
            43 => "it takes none of its kind",
            44 => "it was revoked",
            45 => "it has expired",
            46 => "it does not like it",
            47 | 50 => "it does not understand what we sent",
            48 => "it does not know who issued it",
            49 => "it may not come in",
            70 => "it speaks no version of TLS that we speak",
            71 => "our ciphers are too weak for it",
            80 => "something failed on its side",
            86 => "we fell back to an old version",
            90 => "it was cancelled there",
            100 => "we may not negotiate again",
            109 | 110 => "an extension is missing or not wanted",
            112 => "it does not know the name that we asked for",
            115 => "it does not know our key",
            116 => "it wants a client certificate",
            120 => "it speaks none of the protocols that we asked for",
            number => return write!(f, "alert {number}"),
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) if alert.is_about_certificate() => {
                write!(f, "the peer refused our certificate: {alert}")
            }
            Self::Alert(alert) => write!(f, "the peer ended it: {alert}"),
            Self::BadName(name) => write!(f, "{} is no name of a host", printable::line(name.as_bytes())),
            Self::Certificate(fault) => write!(f, "{fault}"),
            Self::Cut => f.write_str("the connection was cut: what came before may not be all"),
            Self::Deserted => f.write_str("the peer left in the middle of the handshake"),
            Self::Echoed => f.write_str("the peer speaks no TLS: it sends back what it is sent"),
            Self::Exhausted => f.write_str("too much was sent with one key"),
            Self::File(path, fault) => write!(f, "{}: {fault}", printable::line(path.as_bytes())),
            Self::NoCertificate => f.write_str("the peer has shown no certificate"),
            Self::NoCommonProtocol => f.write_str("there is no protocol in common (alpn=)"),
            Self::NoCommonVersion => f.write_str("there is no version or cipher of TLS in common"),
            Self::Identity(path, fault) => {
                write!(f, "our own identity, {}: {fault}", printable::line(path.as_bytes()))
            }
            Self::NoName => f.write_str("there is no host whose name the certificate could be checked for"),
            Self::PlainText(first) => {
                write!(f, "the peer speaks no TLS: it begins with \"{}\"", printable::line(first))
            }
            Self::Protocol(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for TlsFault {}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the certificate cannot be read"),
            Self::Expired(day) => write!(f, "the certificate expired on {day}"),
            Self::NotYet(day) => write!(f, "the certificate is not valid before {day}"),
            Self::Other(what) => write!(f, "the certificate was refused: {what}"),
            Self::Purpose => f.write_str("the certificate is for another purpose"),
            Self::Revoked => f.write_str("the certificate was revoked"),
            Self::Unsigned => f.write_str("the certificate is not signed by whom it says"),
            Self::Untrusted { issuer, is_self_issued: true, .. } => {
                write!(f, "the certificate is issued by itself, {}", safe(issuer))
            }
            Self::Untrusted { issuer, .. } => {
                write!(f, "the certificate is issued by {}, whom nothing here trusts", safe(issuer))
            }
            Self::WrongName { wanted, names } if names.is_empty() => {
                write!(f, "the certificate is for no name, and not for {}", safe(wanted))
            }
            Self::WrongName { wanted, names } => {
                let told: Vec<String> = names.iter().take(NAMES_TOLD).map(|name| safe(name)).collect();
                write!(f, "the certificate is for {}", told.join(", "))?;
                match names.len().saturating_sub(NAMES_TOLD) {
                    0 => {}
                    more => write!(f, " and {more} more")?,
                }
                write!(f, ", and not for {}", safe(wanted))
            }
            Self::WrongPin(pin) => write!(f, "the certificate does not have the pinned key, but {pin}"),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyAlone => "a key needs a certificate: cert=",
            Self::Mismatch => "the key is not that of the certificate",
            Self::NoCertificate => "there is no certificate in it",
            Self::NoKey => "there is no key in it that could be read without a password",
            Self::NoPem => "it is no PEM",
            Self::Unreadable(why) => why,
            Self::Unsupported => "what is in it is of a kind that we do not know",
        })
    }
}

/// Whoever made a certificate chose the names in it.
fn safe(name: &str) -> String {
    printable::line(name.as_bytes())
}

/// A certificate may be for hundreds of names.
const NAMES_TOLD: usize = 4;
