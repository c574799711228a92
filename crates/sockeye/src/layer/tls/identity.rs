//! Who we are: a certificate and its key.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::error::{FileFault, TlsFault};

/// A certificate with its chain, and its key, out of files in PEM (RFC 7468). The key may be a PKCS#8, SEC1 or PKCS#1 one,
/// and may stand in the file of the certificate.
pub(super) fn read(
    certificate: &str,
    key: Option<&str>,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsFault> {
    let shown = content(certificate)?;
    let Some(path) = key else { return parse((certificate, &shown), (certificate, &shown), provider) };
    parse((certificate, &shown), (path, &content(path)?), provider)
}

/// The same out of what stands in these files, each behind its path.
pub(super) fn parse(
    (certificate, chain): (&str, &[u8]),
    (path, key): (&str, &[u8]),
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsFault> {
    let chain = certificates_in(certificate, chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsFault::File(path.into(), FileFault::NoKey),
        _ => TlsFault::File(path.into(), FileFault::NoPem),
    })?;
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsFault::File(path.into(), FileFault::Mismatch)
        }
        Error::InvalidCertificate(_) => TlsFault::File(certificate.into(), FileFault::Unsupported),
        _ => TlsFault::File(path.into(), FileFault::Unsupported),
    })
}

/// The certificates of a file, of which there is one at least.
pub(super) fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    certificates_in(path, &content(path)?)
}

fn certificates_in(path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = read.map_err(|_| TlsFault::File(path.into(), FileFault::NoPem))?;
    if certificates.is_empty() {
        return Err(TlsFault::File(path.into(), FileFault::NoCertificate));
    }
    Ok(certificates)
}

fn content(path: &str) -> Result<Vec<u8>, TlsFault> {
    let unreadable = |error| FileFault::Unreadable(crate::error::words(&error));
    std::fs::read(path).map_err(|error| TlsFault::File(path.into(), unreadable(error)))
}
