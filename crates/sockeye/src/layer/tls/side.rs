//! What all connections of one address share: whom we trust, who we are, and what resumes a session.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, KeyLogFile, RootCertStore, ServerConfig, SupportedProtocolVersion};
use sockeye_proto::address::{Address, Host, Pin, Role, Settings, Target, Value};

use super::identity;
use super::own::Own;
use super::verifier::{Clients, Demand, Verifier};
use crate::clock::Clock;
use crate::error::{FileFault, TlsFault};

/// Which side we are on, prepared.
pub(super) enum Ours {
    Client { config: Arc<ClientConfig>, name: ServerName<'static>, trust: Trust },
    Server(Box<ServerConfig>, Arc<CertifiedKey>),
}

/// What is known of a server that we talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing.
    None,
    /// That it has a key that we know.
    Pinned,
    /// That somebody whom we trust vouches for its name.
    Vouched,
}

impl Ours {
    /// Whether the peer may be anybody, because the address says so.
    pub(super) fn is_unverified(&self) -> bool {
        matches!(self, Self::Client { trust: Trust::None, .. })
    }

    /// As the layer at `place` of an address asks for it.
    pub(super) fn of(address: &Address, place: usize, clock: Clock, own: &Own) -> Result<Self, TlsFault> {
        static NONE: OnceLock<Settings> = OnceLock::new();
        let options = address.layers().get(place).map(|layer| layer.options());
        let options = options.unwrap_or_else(|| NONE.get_or_init(Settings::default));
        let basis =
            Basis { options, provider: Arc::new(aws_lc_rs::default_provider()), time: Arc::new(Time(clock)) };
        match address.role() {
            Role::Dial => basis.client(address),
            Role::Listen => basis.server(own),
        }
    }
}

struct Basis<'a> {
    options: &'a Settings,
    provider: Arc<CryptoProvider>,
    time: Arc<Time>,
}

impl Basis<'_> {
    fn client(self, address: &Address) -> Result<Ours, TlsFault> {
        let demand = self.demand()?;
        let trust = match demand {
            Demand::Nothing => Trust::None,
            Demand::Pinned(_) => Trust::Pinned,
            Demand::Vouched(..) => Trust::Vouched,
        };
        let name = self.name(address, trust == Trust::Vouched)?;
        let verifier = Arc::new(Verifier { demand, provider: self.provider.clone() });
        let config = ClientConfig::builder_with_details(self.provider.clone(), self.time.clone())
            .with_protocol_versions(self.versions())
            .map_err(|error| super::fault::of(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match self.identity()? {
            Some(identity) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn();
        config.enable_sni = name.is_some();
        config.enable_secret_extraction = true;
        config.key_log = Arc::new(KeyLogFile::new());
        let name = name.unwrap_or_else(unnamed);
        Ok(Ours::Client { config: Arc::new(config), name, trust })
    }

    fn server(self, own: &Own) -> Result<Ours, TlsFault> {
        let identity = match self.identity()? {
            Some(identity) => identity,
            None => own.identity(&self.provider)?,
        };
        let config = ServerConfig::builder_with_details(self.provider.clone(), self.time.clone())
            .with_protocol_versions(self.versions())
            .map_err(|error| super::fault::of(&error))?;
        let config = match self.text("client-ca") {
            Some(path) => {
                let (roots, named) = roots_of(path)?;
                let issued =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
                let issued = issued.build().map_err(|_| unsupported(path))?;
                config.with_client_cert_verifier(Arc::new(Clients { issued, named }))
            }
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(Arc::new(Hello::new(identity.clone())));
        config.alpn_protocols = self.alpn();
        config.enable_secret_extraction = true;
        config.key_log = Arc::new(KeyLogFile::new());
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| super::fault::of(&error))?;
        Ok(Ours::Server(Box::new(config), identity))
    }

    fn demand(&self) -> Result<Demand, TlsFault> {
        let pins: Vec<Pin> = self.options.values("pin").filter_map(pin).collect();
        if self.options.value("verify") == Some(&Value::Switch(false)) {
            return Ok(Demand::Nothing);
        }
        if !pins.is_empty() {
            return Ok(Demand::Pinned(pins));
        }
        let ((roots, named), source) = match self.text("ca") {
            Some(path) => (roots_of(path)?, path),
            None => ((platform_roots(), Vec::new()), "the system's certificates"),
        };
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone()).build();
        let verifier = verifier.map_err(|_| TlsFault::File(source.into(), FileFault::NoCertificate))?;
        Ok(Demand::Vouched(verifier, named))
    }

    /// The name to ask for; where the certificate is not checked for one, none is needed.
    fn name(&self, address: &Address, is_needed: bool) -> Result<Option<ServerName<'static>>, TlsFault> {
        let host = match address.target() {
            Target::HostPort(Host::Ip(ip, _), _) => Some(ip.to_string()),
            Target::HostPort(Host::Name(name), _) => Some(name.clone()),
            _ => None,
        };
        let Some(name) = self.text("sni").map(str::to_owned).or(host) else {
            return if is_needed { Err(TlsFault::NoName) } else { Ok(None) };
        };
        match ServerName::try_from(name.clone()) {
            Ok(name) => Ok(Some(name)),
            Err(_) if is_needed || self.text("sni").is_some() => Err(TlsFault::BadName(name)),
            Err(_) => Ok(None),
        }
    }

    fn identity(&self) -> Result<Option<Arc<CertifiedKey>>, TlsFault> {
        let key = self.text("key");
        match self.text("cert") {
            Some(certificate) => identity::read(certificate, key, &self.provider).map(Some),
            None => match key {
                Some(key) => Err(TlsFault::File(key.into(), FileFault::KeyAlone)),
                None => Ok(None),
            },
        }
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];
        static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        if self.options.value("min") == Some(&Value::Choice("1.3")) { &NEW } else { &ALL }
    }

    fn alpn(&self) -> Vec<Vec<u8>> {
        self.options.values("alpn").map(|value| value.to_string().into_bytes()).collect()
    }

    fn text(&self, option: &str) -> Option<&str> {
        match self.options.value(option) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

fn pin(value: &Value) -> Option<Pin> {
    match value {
        Value::Pin(pin) => Some(*pin),
        _ => None,
    }
}

/// Issuers that a file names, and the certificates themselves.
fn roots_of(path: &str) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsFault> {
    let (mut roots, named) = (RootCertStore::empty(), identity::certificates(path)?);
    let (taken, _) = roots.add_parsable_certificates(named.iter().cloned());
    if taken == 0 { Err(unsupported(path)) } else { Ok((roots, named)) }
}

fn unsupported(path: &str) -> TlsFault {
    TlsFault::File(path.into(), FileFault::Unsupported)
}

/// The machine's own, or those that SSL_CERT_FILE and SSL_CERT_DIR name. What cannot be read is left out: the others
/// vouch all the same.
fn platform_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// A name for a server that is asked for none; it is not sent, and only sessions are kept under it.
fn unnamed() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}

/// What a client says first: shows our certificate, and remembers which name was asked for, which rustls does not tell
/// later where it is used without buffers of its own.
#[derive(Debug)]
pub(super) struct Hello {
    identity: Arc<CertifiedKey>,
    name: OnceLock<String>,
}

impl Hello {
    pub(super) fn new(identity: Arc<CertifiedKey>) -> Self {
        Self { identity, name: OnceLock::new() }
    }

    /// The name that was asked for (RFC 6066 section 3).
    pub(super) fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }
}

impl ResolvesServerCert for Hello {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(name) = hello.server_name() {
            self.name.get_or_init(|| name.to_owned());
        }
        Some(self.identity.clone())
    }
}

/// Our clock, for dates in certificates.
#[derive(Debug)]
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.wall().duration_since(std::time::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}
