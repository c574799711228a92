//! What the options of an address say of its WebSockets.

use std::io::{Error as IoError, ErrorKind};
use std::time::Duration;

use sockeye_proto::address::{Address, Host, Port, Role, Settings as Options, Target, Value};
use sockeye_proto::frame::MAX_MESSAGE;
use sockeye_proto::websocket::Party;
use sockeye_proto::websocket::handshake::{Ask, authorization, is_visible};

use crate::error::{Error, Op, Result, words};
use crate::peer::{Endpoint, Peer};

/// What all connections of an address have in common.
pub(super) struct Settings {
    pub(super) party: Party,
    /// What a client asks for; its host is in `host`.
    pub(super) ask: Ask,
    host: HostName,
    /// The path that is served; `None` is every one.
    pub(super) path: Option<String>,
    /// The pages that may come in, where that is said.
    pub(super) origins: Vec<String>,
    /// What is spoken, the best first.
    pub(super) subprotocols: Vec<String>,
    /// How long a peer may be silent before it is asked.
    pub(super) ping: Option<Duration>,
    /// The most bytes of one message.
    pub(super) most: usize,
    pub(super) unsaid: Unsaid,
}

/// How a message is sent of which nobody said what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsaid {
    Binary,
    /// As text where it is UTF-8, and else as binary.
    Either,
    Text,
}

/// What a server is called.
enum HostName {
    Known(String),
    /// Its port is a name, and shows on the connection.
    BeforePort(String, u16),
}

impl Settings {
    pub(super) fn of(address: &Address, place: usize) -> Result<Self> {
        let (op, party) = match address.role() {
            Role::Dial => (Op::Dial, Party::Client),
            Role::Listen => (Op::Listen, Party::Server),
        };
        let none = Options::default();
        let options = address.layers().get(place).map_or(&none, |layer| layer.options());
        let read = Self::read(address, place, party, options);
        read.map_err(|error| Error::new(op, error).on(address.bare_word()))
    }

    fn read(
        address: &Address,
        place: usize,
        party: Party,
        options: &Options,
    ) -> std::result::Result<Self, IoError> {
        let (origins, subprotocols) = (texts(options, "origin"), texts(options, "subprotocol"));
        let path = texts(options, "path").pop();
        let mut ask = Ask::default();
        if party == Party::Client {
            let origin = match &origins[..] {
                [_, _, ..] => return Err(invalid("a client comes from one origin=".into())),
                [any] if any == "any" => {
                    return Err(invalid("origin=any is for addresses that are listened on".into()));
                }
                origin => origin.first().cloned(),
            };
            let fields = texts(options, "header").into_iter().chain(secret(options)?).collect();
            let (path, subprotocols) = (path.clone().unwrap_or_else(|| "/".into()), subprotocols.clone());
            ask = Ask { path, host: String::new(), origin, subprotocols, fields };
        }
        Ok(Self {
            party,
            ask,
            host: HostName::of(address, place, options)?,
            path,
            origins,
            subprotocols,
            ping: match options.value("ping") {
                Some(Value::Time(time)) => *time,
                _ => None,
            },
            most: match options.value("max-message") {
                Some(Value::Size(size)) => usize::try_from(*size).unwrap_or(usize::MAX),
                _ => MAX_MESSAGE,
            },
            unsaid: match options.value("as") {
                Some(Value::Choice("text")) => Unsaid::Text,
                Some(Value::Choice("binary")) => Unsaid::Binary,
                _ => Unsaid::Either,
            },
        })
    }

    /// What a client asks for on that connection.
    pub(super) fn ask(&self, peer: &Peer) -> Ask {
        let host = match (&self.host, peer.remote) {
            (HostName::BeforePort(name, usual), Endpoint::Inet(at)) if at.port() != *usual => {
                format!("{name}:{}", at.port())
            }
            (HostName::Known(name) | HostName::BeforePort(name, _), _) => name.clone(),
        };
        Ask { host, ..self.ask.clone() }
    }
}

impl HostName {
    fn of(address: &Address, place: usize, options: &Options) -> std::result::Result<Self, IoError> {
        if let Some(host) = texts(options, "host").pop() {
            return Ok(Self::Known(host));
        }
        // Where there is no host, as on a Unix socket, it is this machine.
        let Target::HostPort(host, port) = address.target() else {
            return Ok(Self::Known("localhost".into()));
        };
        let host = match host {
            // A zone means nothing to others (RFC 6874).
            Host::Ip(ip, Some(_)) => Host::Ip(*ip, None),
            host => host.clone(),
        };
        let name = host.to_string();
        if !is_visible(&name) {
            return Err(invalid(format!("the request cannot name {name:?}: host= says it in ASCII")));
        }
        let beneath = address.layers().iter().skip(place + 1);
        let is_secure = beneath.map(|layer| layer.grammar().name).any(|name| name == "tls");
        let usual = if is_secure { 443 } else { 80 };
        Ok(match port {
            Port::Number(number) if *number == usual => Self::Known(name),
            Port::Number(number) => Self::Known(format!("{name}:{number}")),
            Port::Service(_) => Self::BeforePort(name, usual),
        })
    }
}

fn texts(options: &Options, name: &str) -> Vec<String> {
    let text = |value: &Value| if let Value::Text(text) = value { Some(text.clone()) } else { None };
    options.values(name).filter_map(text).collect()
}

/// The field that says who we are, with what `auth=` leads to.
fn secret(options: &Options) -> std::result::Result<Option<String>, IoError> {
    let Some(place) = texts(options, "auth").pop() else { return Ok(None) };
    let failed = |error: &IoError| IoError::new(error.kind(), format!("auth={place}: {}", words(error)));
    let secret = match place.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).map_err(|error| invalid(format!("auth={place}: {error}")))?
        }
        Some((_, path)) => std::fs::read_to_string(path).map_err(|error| failed(&error))?,
        None => String::new(),
    };
    let secret = secret.trim_end_matches(['\r', '\n']);
    let field = format!("Authorization: {}", authorization(secret));
    if secret.is_empty() || secret.contains(char::is_control) {
        return Err(invalid(format!("auth={place}: that is one line, user:password or a token")));
    }
    Ok(Some(field))
}

fn invalid(why: String) -> IoError {
    IoError::new(ErrorKind::InvalidInput, why)
}
