//! The identity of a listener that was given none: made at first use, and kept. Nobody vouches for it, so clients know it
//! by its pin.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::DnsName;
use rustls::sign::CertifiedKey;

use super::identity;
use crate::ctx::Ctx;
use crate::error::{self, Error, FileFault, Op, TlsFault};
use crate::event::{Event, Events, Wants};
use crate::state::{Kept, State};

/// The file in the state folder that has the key and the certificate, in PEM.
const NAME: &str = "identity.pem";

/// Where it is kept, and who is told that it cannot be.
pub(super) struct Own {
    state: State,
    events: Events,
}

impl Own {
    pub(super) fn of(ctx: &Ctx) -> Self {
        Self { state: ctx.state.clone(), events: ctx.events.clone() }
    }

    /// The one that is kept; where there is none, a new one. One that is damaged is never replaced: clients know it.
    pub(super) fn identity(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsFault> {
        let Kept { content, path, unkept } = self.state.keep(NAME, make).map_err(|error| {
            let path = error.address().unwrap_or(NAME).to_owned();
            TlsFault::Identity(path, FileFault::Unreadable(error.cause().to_string()))
        })?;
        if let Some(error) = unkept {
            self.events.tell(Wants::Trouble, || Event::IdentityUnkept { error });
        }
        let path = path.map_or_else(|| NAME.to_owned(), |path| path.display().to_string());
        let pem = (&*path, &*content);
        identity::parse(pem, pem, provider).map_err(|fault| match fault {
            TlsFault::File(path, fault) => TlsFault::Identity(path, fault),
            other => other,
        })
    }
}

/// A key, and a certificate of it for this machine's names. It does not end: what is known by its key gains nothing by a
/// date, and a server that nobody looks after would stop on that day.
fn make() -> error::Result<Vec<u8>> {
    let made = || {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let system = rustix::system::uname();
        let host = system.nodename().to_str().ok().filter(|name| DnsName::try_from(*name).is_ok());
        let names = ["localhost", "127.0.0.1", "::1"].into_iter().chain(host).map(str::to_owned);
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, host.unwrap_or("localhost"));
        params.not_before = date_time_ymd(2000, 1, 1);
        // RFC 5280 section 4.1.2.5.
        params.not_after = date_time_ymd(9999, 12, 31);
        let certificate = params.self_signed(&key)?;
        Ok::<_, rcgen::Error>((key.serialize_pem() + &certificate.pem()).into_bytes())
    };
    made().map_err(|error| Error::new(Op::Write, io::Error::other(error)).on(NAME))
}
