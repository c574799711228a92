//! What a certificate of the other side must be.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use sockeye_proto::address::Pin;
use sockeye_proto::certificate::Certificate;

use crate::error::{CertificateFault, TlsFault};

/// What a server must show.
#[derive(Debug)]
pub(super) enum Demand {
    /// Anything: `verify=no`.
    Nothing,
    /// One of these keys, whoever vouches for it.
    Pinned(Vec<Pin>),
    /// A certificate for its name, from somebody whom we trust; or one of these, for its name.
    Vouched(Arc<WebPkiServerVerifier>, Vec<CertificateDer<'static>>),
}

/// Holds servers to a [`Demand`]. That they have the key of what they show is verified in any case.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) demand: Demand,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.demand {
            Demand::Nothing => Ok(ServerCertVerified::assertion()),
            Demand::Pinned(pins) => {
                let pin = pin(end_entity).ok_or(CertificateError::BadEncoding)?;
                if pins.contains(&pin) {
                    return Ok(ServerCertVerified::assertion());
                }
                Err(told(CertificateFault::WrongPin(pin)))
            }
            Demand::Vouched(roots, named) => {
                let verified =
                    roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
                if is_named(&verified, named, end_entity) {
                    let parsed = ParsedCertificate::try_from(end_entity)?;
                    verify_server_name(&parsed, server_name).map(|()| ServerCertVerified::assertion())
                } else {
                    verified
                }
                .map_err(|error| explained(error, end_entity))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Holds clients to a certificate of issuers whom we trust.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) issued: Arc<dyn ClientCertVerifier>,
    /// Certificates that may be shown themselves.
    pub(super) named: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issued.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.issued.verify_client_cert(end_entity, intermediates, now);
        if is_named(&verified, &self.named, end_entity) {
            return Ok(ClientCertVerified::assertion());
        }
        verified.map_err(|error| explained(error, end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}

/// Whether a certificate was refused for nothing but that it might vouch for others, and is one of those that were named
/// as trusted. What is made by hand (`openssl req -x509`) is both, and is its own issuer; its dates were looked at before.
fn is_named<T>(
    verified: &Result<T, Error>,
    named: &[CertificateDer<'_>],
    certificate: &CertificateDer<'_>,
) -> bool {
    matches!(verified, Err(Error::InvalidCertificate(CertificateError::Other(_))))
        && named.iter().any(|known| known == certificate)
}

/// Adds what people ask next: for which names it is, or who issued it.
fn explained(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let Error::InvalidCertificate(fault) = &error else { return error };
    let Some(read) = Certificate::read(certificate) else { return error };
    match fault {
        CertificateError::NotValidForNameContext { expected, .. } => {
            // The common name of a subject counts for nobody any more (RFC 9525 section 2).
            let presented = if read.has_alternatives() { read.names() } else { Vec::new() };
            let expected = expected.clone();
            CertificateError::NotValidForNameContext { expected, presented }.into()
        }
        // One that vouches for itself often says that it may vouch for others, which has another reason to be refused.
        CertificateError::Other(_) if !read.is_self_issued() => error,
        CertificateError::UnknownIssuer | CertificateError::Other(_) => {
            let is_self_issued = read.is_self_issued();
            told(CertificateFault::Untrusted { issuer: read.issuer(), is_self_issued, pin: pin(certificate) })
        }
        _ => error,
    }
}

/// Rustls has no words for it: it goes through as it is.
fn told(fault: CertificateFault) -> Error {
    CertificateError::Other(OtherError(Arc::new(TlsFault::Certificate(fault)))).into()
}

/// The hash of a certificate's key.
pub(super) fn pin(certificate: &[u8]) -> Option<Pin> {
    let sha256 = TLS13_AES_128_GCM_SHA256.tls13()?.common.hash_provider;
    let hash = sha256.hash(Certificate::read(certificate)?.key());
    hash.as_ref().try_into().ok().map(Pin)
}
