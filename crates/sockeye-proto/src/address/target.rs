//! What stands behind the colon of an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::machine::{Cid, machine};
use super::protocol::{Protocol, protocol_host};
use super::vocabulary::Role;
use crate::words;

/// How the target of a scheme is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The number of an open descriptor; listening, also the name that it was handed down with (sd_listen_fds(3)).
    Descriptor,
    /// `HOST:PORT`; the port may be missing where there is a default. Listening, `PORT` alone is loopback.
    HostPort {
        /// The port where none is written.
        default_port: Option<u16>,
    },
    /// `CID:PORT`, a machine and a port of it; listening, `PORT` alone is this machine, for itself.
    Machine,
    /// Any text that is not empty.
    Name,
    /// Nothing, not even a colon.
    Nothing,
    /// A path of a file.
    Path,
    /// `PROTOCOL:HOST`; listening, the protocol alone is loopback.
    ProtocolHost,
    /// A path of a Unix socket, or `@` and an abstract name; at most 107 bytes (unix(7)).
    SocketPath,
    /// All that is left of the word, with no options behind it: a command for a shell.
    Word,
    /// The same, which must be a program and its arguments: see [`words::split`].
    Words,
}

/// A target that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The abstract name of a Unix socket, without its `@`.
    Abstract(String),
    /// The number of an open descriptor.
    Descriptor(u32),
    /// A host and a port.
    HostPort(Host, Port),
    /// A machine, and a port of it; 0 lets the kernel choose, and only listens.
    Machine(Cid, u32),
    /// A name.
    Name(String),
    /// Nothing.
    Nothing,
    /// A path.
    Path(String),
    /// A protocol right above IP, and a host.
    Protocol(Protocol, Host),
    /// A command.
    Word(String),
}

/// A host, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// `any`: every address of this machine, v4 and v6. Only to listen on.
    Any,
    /// An address, and the zone of a link-local one (RFC 6874: `fe80::1%eth0`).
    Ip(IpAddr, Option<String>),
    /// No host was written: 127.0.0.1 and `::1`. Only to listen on.
    Loopback,
    /// A name to look up.
    Name(String),
}

/// A port, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// A number; 0 lets the kernel choose, and only listens.
    Number(u16),
    /// The name of a service, as in services(5).
    Service(String),
}

/// The longest path or abstract name of a Unix socket, in bytes (unix(7): 108 with the closing zero).
const LONGEST_SOCKET_PATH: usize = 107;

/// What is wrong with a target.
pub(super) struct Fault {
    pub(super) reason: String,
    /// What to write instead.
    pub(super) hint: Option<String>,
    /// The end of the target, where that alone is at fault.
    pub(super) end: Option<String>,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None, end: None }
    }
}

pub(super) fn fault<T>(reason: impl Into<String>, hint: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { hint: Some(hint.into()), ..Fault::new(reason) })
}

impl Form {
    /// Whether the target takes the rest of the word, commas included.
    pub fn runs_to_the_end(self) -> bool {
        matches!(self, Self::Word | Self::Words)
    }

    pub(super) fn read(self, text: &str, role: Role) -> Result<Target, Fault> {
        if text.contains('\0') {
            return Err(Fault::new("a zero byte cannot stand in an address"));
        }
        let missing = |what: &str| -> Result<Target, Fault> { Err(Fault::new(format!("expected {what}"))) };
        match self {
            Self::Descriptor => match text.parse::<u32>().ok().filter(|n| i32::try_from(*n).is_ok()) {
                Some(number) if !text.starts_with('+') => Ok(Target::Descriptor(number)),
                _ if role == Role::Listen && is_descriptor_name(text) => Ok(Target::Name(text.to_owned())),
                _ if role == Role::Listen => missing("the number or the name of a socket"),
                _ => missing("the number of an open descriptor"),
            },
            Self::HostPort { default_port } => host_port(text, role, default_port),
            Self::Machine => machine(text, role),
            Self::Name if text.is_empty() => missing("a name"),
            Self::Name => Ok(Target::Name(text.to_owned())),
            Self::Nothing if text.is_empty() => Ok(Target::Nothing),
            Self::Nothing => missing("nothing behind the name"),
            Self::Path if text.is_empty() => missing("a path"),
            Self::Path => Ok(Target::Path(text.to_owned())),
            Self::ProtocolHost => protocol_host(text, role),
            Self::SocketPath => socket_path(text),
            Self::Word if text.is_empty() => missing("a command"),
            Self::Word => Ok(Target::Word(text.to_owned())),
            Self::Words => match words::split(text) {
                Ok(_) => Ok(Target::Word(text.to_owned())),
                Err(error) => Err(Fault::new(error.to_string())),
            },
        }
    }
}

/// Whether a descriptor can have that name: up to 255 printable characters without a colon (sd_listen_fds(3)). One that
/// looks like a number would be taken for one.
fn is_descriptor_name(text: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    (1..=255).contains(&text.len()) && text.bytes().all(is_sound) && !text.bytes().all(|b| b.is_ascii_digit())
}

fn socket_path(text: &str) -> Result<Target, Fault> {
    let name = text.strip_prefix('@');
    let length = name.unwrap_or(text).len();
    if length == 0 {
        return Err(Fault::new("expected a path, or @ and an abstract name"));
    }
    if length > LONGEST_SOCKET_PATH {
        return fault(
            format!("{length} bytes are too long for a Unix socket, which takes {LONGEST_SOCKET_PATH}"),
            "use a shorter path, or one relative to the working folder",
        );
    }
    Ok(name.map_or_else(|| Target::Path(text.to_owned()), |name| Target::Abstract(name.to_owned())))
}

fn host_port(text: &str, role: Role, default_port: Option<u16>) -> Result<Target, Fault> {
    let colons = text.matches(':').count();
    if let Some(port) = default_port {
        if is_ipv6(text) {
            return fault("an IPv6 address without brackets may end in a port", format!("write [{text}]"));
        }
        if colons == 0 || text.ends_with(']') {
            return Ok(Target::HostPort(host(text, role)?, Port::Number(port)));
        }
    }
    let Some((before, after)) = text.rsplit_once(':').filter(|_| !text.ends_with(']')) else {
        return lone(text, role);
    };
    if is_ipv6(text) && !is_ipv6(before) {
        return fault("the port is missing", format!("write [{text}]:PORT"));
    }
    let port = read_port(after, role).map_err(|fault| Fault { end: Some(after.to_owned()), ..fault })?;
    if before.is_empty() {
        let instead = match role {
            Role::Dial => format!("localhost:{after} is this machine"),
            Role::Listen => format!("{after} alone is loopback, any:{after} every address"),
        };
        return fault("expected a host before the port", instead);
    }
    Ok(Target::HostPort(host(before, role)?, port))
}

/// Whether this is an IPv6 address without brackets, with or without a zone.
fn is_ipv6(text: &str) -> bool {
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// A target without a colon: a port to listen on, or a mistake.
fn lone(text: &str, role: Role) -> Result<Target, Fault> {
    if text.is_empty() {
        return Err(Fault::new("expected HOST:PORT"));
    }
    match role {
        // A host without a port is more likely meant than a service of such a name.
        Role::Listen if !text.contains(['.', '[']) && !["any", "localhost"].contains(&text) => {
            Ok(Target::HostPort(Host::Loopback, read_port(text, role)?))
        }
        Role::Dial if text.bytes().all(|b| b.is_ascii_digit()) => {
            fault("expected HOST:PORT", format!("localhost:{text} is this machine"))
        }
        _ => {
            host(text, Role::Listen).and_then(|_| fault("the port is missing", format!("write {text}:PORT")))
        }
    }
}

fn read_port(text: &str, role: Role) -> Result<Port, Fault> {
    if text.is_empty() {
        return Err(Fault::new("the port is missing behind the colon"));
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse() {
            Ok(0) if role == Role::Dial => Err(Fault::new("port 0 can be listened on, but not dialled")),
            Ok(number) => Ok(Port::Number(number)),
            Err(_) => Err(Fault::new(format!("port {text} is out of range: 0 to 65535"))),
        };
    }
    let name = text.len() <= 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    if name && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(Port::Service(text.to_owned()));
    }
    Err(Fault::new(format!("{text:?} is neither a port number nor the name of a service")))
}

pub(super) fn host(text: &str, role: Role) -> Result<Host, Fault> {
    let (bracketed, inner) = match text.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(inner) => (true, inner),
            None => return fault("the bracket of the IPv6 address is not closed", "write [ADDRESS]:PORT"),
        },
        None => (false, text),
    };
    if inner.contains(':') || bracketed {
        let (address, zone) = match inner.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (inner, None),
        };
        let zone_is_sound = zone.is_none_or(|z| !z.is_empty() && !z.contains([':', '[', ']', '/', '%']));
        return match address.parse::<Ipv6Addr>() {
            Ok(ip) if zone_is_sound => Ok(Host::Ip(ip.into(), zone.map(str::to_owned))),
            _ => Err(Fault::new(format!("{inner:?} is not an IPv6 address"))),
        };
    }
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(ip.into(), None));
    }
    if text == "any" || text == "*" {
        return match (text, role) {
            ("any", Role::Listen) => Ok(Host::Any),
            (_, Role::Listen) => fault("\"*\" is not a host", "any is every address"),
            (_, Role::Dial) => fault(format!("{text} can be listened on, but not dialled"), "name a host"),
        };
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(Fault::new(format!("{text:?} is not an IPv4 address")));
    }
    if text.is_empty()
        || text.len() > 253
        || text.contains(|c: char| c.is_whitespace() || c.is_control() || "/@[]%?#,".contains(c))
    {
        return Err(Fault::new(format!("{text:?} is not the name of a host")));
    }
    Ok(Host::Name(text.to_owned()))
}

/// The parts of what follows the colon of a URL: `//host[:port][/path][?query]`.
pub(super) fn url(text: &str, default_port: u16) -> Result<(Target, String), Fault> {
    let rest = text.strip_prefix("//").unwrap_or(text);
    let split = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(split).unwrap_or((rest, ""));
    if authority.contains('@') {
        return fault("a URL may not carry credentials: any user can see them", "leave them out");
    }
    if let Some(fragment) = path.find('#') {
        let shown = path.get(fragment..).unwrap_or("#");
        return Err(Fault::new(format!("{shown:?} is for browsers: it is never sent")));
    }
    let target = host_port(authority, Role::Dial, Some(default_port))?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((target, path))
}
