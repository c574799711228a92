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
    let chain = certificates(certificate)?;
    let path = key.unwrap_or(certificate);
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsFault::File(path.into(), FileFault::NoKey),
        error => of_pem(path, &error),
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
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| of_pem(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsFault::File(path.into(), FileFault::NoCertificate));
    }
    Ok(certificates)
}

fn of_pem(path: &str, error: &pem::Error) -> TlsFault {
    let fault = match error {
        pem::Error::Io(error) => FileFault::Unreadable(crate::error::words(error)),
        _ => FileFault::NoPem,
    };
    TlsFault::File(path.into(), fault)
}
