//! Names into addresses.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sockeye_proto::address::{Host, Port};
pub use sockeye_sys::lookup::{Family, LookupErrorKind, Names};
use sockeye_sys::lookup::{LookupError, lookup};

use crate::error::Cause;

/// How names are looked up. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    /// Which addresses are wanted: `-4`, `-6`.
    pub family: Family,
    /// Whether names are looked up at all: `-n`.
    pub names: Names,
    /// Names that are not looked up, because their addresses are known. The port of the target replaces theirs.
    pub known: Arc<HashMap<String, Vec<IpAddr>>>,
}

impl Resolver {
    /// The addresses of a host and port, in the order in which the system would try them; at least one.
    ///
    /// Numbers need no lookup. A name is looked up on a thread of its own, which outlives a caller who gives up: the
    /// C library cannot be interrupted, only its own limits end it (resolv.conf(5)). Cancel safe.
    pub(crate) async fn addresses(&self, host: &Host, port: &Port) -> Result<Vec<SocketAddr>, Cause> {
        if let (Host::Ip(ip, None), Port::Number(port)) = (host, port) {
            return if self.wants(*ip) {
                Ok(vec![SocketAddr::new(*ip, *port)])
            } else {
                Err(Cause::OtherFamily)
            };
        }
        let host = match host {
            Host::Any => "0.0.0.0".to_owned(),
            Host::Ip(ip, Some(zone)) => format!("{ip}%{zone}"),
            Host::Ip(ip, None) => ip.to_string(),
            Host::Loopback => "127.0.0.1".to_owned(),
            Host::Name(name) => name.clone(),
        };
        if let (Some(ips), Port::Number(port)) = (self.known.get(&host), port) {
            let found: Vec<_> =
                ips.iter().filter(|ip| self.wants(**ip)).map(|ip| SocketAddr::new(*ip, *port)).collect();
            return if found.is_empty() { Err(Cause::OtherFamily) } else { Ok(found) };
        }
        let (family, names, service) = (self.family, self.names, port.to_string());
        let found = tokio::task::spawn_blocking(move || {
            let found = lookup(&host, &service, family, names);
            // The C library says the same of a name that is not there and of one that has no such address.
            let is_missing = found.as_ref().is_err_and(|error| error.kind() == LookupErrorKind::NoSuchHost);
            let other = || lookup(&host, &service, Family::Any, names).is_ok();
            if is_missing && family != Family::Any && other() { Ok(Vec::new()) } else { found }
        })
        .await;
        let found: Result<Vec<SocketAddr>, LookupError> = found.map_err(std::io::Error::from)?;
        let found = found?;
        if found.is_empty() { Err(Cause::OtherFamily) } else { Ok(found) }
    }

    /// The number of a port.
    pub(crate) async fn port(&self, port: &Port) -> Result<u16, Cause> {
        if let Port::Number(number) = port {
            return Ok(*number);
        }
        let any = Self { family: Family::Any, ..self.clone() };
        let found = any.addresses(&Host::Loopback, port).await?;
        Ok(found.first().map_or(0, SocketAddr::port))
    }

    /// Whether addresses of this family are wanted.
    pub(crate) fn wants(&self, ip: IpAddr) -> bool {
        match self.family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }
}
