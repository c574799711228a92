//! What rustls says is wrong, as what we say.

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error, HandshakeType, PeerIncompatible};
use sockeye_proto::unit::print_day;

use crate::error::{Alert, CertificateFault, TlsFault};

/// What it means for people.
pub(super) fn of(error: &Error) -> TlsFault {
    match error {
        Error::AlertReceived(alert) => TlsFault::Alert(Alert(u8::from(*alert))),
        Error::InappropriateHandshakeMessage { got_type: HandshakeType::ClientHello, .. } => TlsFault::Echoed,
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoApplicationProtocol => TlsFault::NoCommonProtocol,
        Error::NoCertificatesPresented => TlsFault::NoCertificate,
        Error::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => TlsFault::NoCommonVersion,
        other => TlsFault::Protocol(other.to_string()),
    }
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    let fault = match error {
        CertificateError::BadEncoding => CertificateFault::Broken,
        CertificateError::BadSignature => CertificateFault::Unsigned,
        CertificateError::ExpiredContext { not_after, .. } => CertificateFault::Expired(day(*not_after)),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::Purpose
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            CertificateFault::WrongName { wanted: expected.to_str().into_owned(), names: presented.clone() }
        }
        CertificateError::NotValidYetContext { not_before, .. } => CertificateFault::NotYet(day(*not_before)),
        CertificateError::Other(other) => match other.0.downcast_ref::<TlsFault>() {
            Some(fault) => return fault.clone(),
            None => CertificateFault::Other(other.to_string()),
        },
        CertificateError::Revoked => CertificateFault::Revoked,
        other => CertificateFault::Other(other.to_string()),
    };
    TlsFault::Certificate(fault)
}

fn day(time: UnixTime) -> String {
    print_day(time.as_secs())
}
