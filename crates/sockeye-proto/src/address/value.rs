//! What an option is set to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::pin::Pin;
use super::rate::{self, Rate};
use super::raw::{self, RawOption};
use super::request::Part;
use crate::admission::{self, Whom};
use crate::dscp;
use crate::fault::Fault;
use crate::frame::{FRAMINGS, Framing, FramingRow};
use crate::unit;

/// What an option takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name of a protocol that TLS agrees on (ALPN, RFC 7301): `h2`; at most 255 bytes. May be set several times.
    Alpn,
    /// An IP address of this machine, with or without a port: `127.0.0.1`, `[::1]:4000`.
    Address,
    /// One of a list of words.
    Choice(&'static [&'static str]),
    /// A class of traffic, by its name or number: `ef`, `46`. One of [`dscp::NAMES`], or 0 to 63.
    CodePoint,
    /// A whole number within these bounds, in decimal digits or behind `0x` in hexadecimal ones.
    Count {
        /// The least that is taken.
        least: u64,
        /// The most that is taken.
        most: u64,
    },
    /// What a bad network does: `loss:5%`. One of [`FAULTS`](crate::fault::FAULTS). May be set several times.
    Fault,
    /// How messages are made of bytes: `line`, `fixed=512`. One of [`FRAMINGS`].
    Frame,
    /// A multicast group, and the interface to hear it on: `239.1.2.3`, `ff02::1@eth0`.
    Group,
    /// The name of a network interface: `eth0`.
    Interface,
    /// Octal permissions of a file: `0660`.
    Mode,
    /// A part of a request of HTTP; some may be set several times.
    Request(Part),
    /// Bytes or bits a second, both ways or each: `10MB/s`, `in:80Mbit/s`.
    Rate,
    /// A length of time in whole seconds, from one up to so many.
    Seconds(u32),
    /// Bytes: `64k`, `1MiB`, `10MB`. At most what a signed 32-bit number holds, which is what the kernel takes.
    Size,
    /// The key of a certificate by its hash: `sha256/AAAA…=`. May be set several times.
    Pin,
    /// An option of sockets that has no name here: `tcp:18:x00000010`. May be set several times, each to one value.
    SocketOption,
    /// Nothing, `yes` or `no`.
    Switch,
    /// Any text that is not empty; this says what it is, `a path`, and may end with an example: `a path such as /x`.
    Text(&'static str),
    /// A time limit: `1.5s`, `250ms`, `2m`, or `off`.
    Time,
    /// Who comes: an IP address, a range, a user. May be set several times.
    Whom,
    /// A variable of an environment: `NAME=VALUE`. Such an option may be set more than once, with other names.
    Variable,
    /// The size of a terminal in columns and rows: `80x24`.
    Window,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An IP address, and a port or 0.
    Address(SocketAddr),
    /// One of the words of [`Kind::Choice`].
    Choice(&'static str),
    /// A number within the bounds of [`Kind::Count`], or that of a [`Kind::CodePoint`].
    Count(u64),
    /// A fault.
    Fault(Fault),
    /// A framing.
    Frame(Framing),
    /// A multicast group, and the name of an interface where one is named.
    Group(IpAddr, Option<String>),
    /// Permissions.
    Mode(u32),
    /// The key of a certificate.
    Pin(Pin),
    /// Bytes a second.
    Rate(Rate),
    /// Bytes.
    Size(u64),
    /// An option of sockets by its numbers.
    SocketOption(RawOption),
    /// On or off.
    Switch(bool),
    /// Text, the name of an interface, or a part of a request.
    Text(String),
    /// A limit, or `None` for `off`.
    Time(Option<Duration>),
    /// Who comes.
    Whom(Whom),
    /// A variable's name, which is not empty and has no `=`, and its value; no zero byte in either.
    Variable(String, String),
    /// Columns and rows.
    Window(u16, u16),
}

impl Kind {
    /// Whether an address may set it several times.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Request(part) => part.repeats(),
            _ => matches!(
                self,
                Self::Alpn | Self::Fault | Self::Pin | Self::SocketOption | Self::Variable | Self::Whom
            ),
        }
    }

    /// Reads a value; `None` as text is an option without `=`.
    ///
    /// # Errors
    /// What was expected.
    pub fn read(&self, text: Option<&str>) -> Result<Value, String> {
        let expected = || Err(format!("expected {}", self.expects()));
        let Some(text) = text else {
            return if *self == Self::Switch { Ok(Value::Switch(true)) } else { expected() };
        };
        let value = match self {
            Self::Address => address(text).map(Value::Address),
            Self::Alpn => (1..=255).contains(&text.len()).then(|| Value::Text(text.to_owned())),
            Self::Choice(words) => words.iter().find(|word| **word == text).map(|word| Value::Choice(word)),
            Self::CodePoint => dscp::read(text).map(|code| Value::Count(code.into())),
            Self::Count { least, most } => {
                unit::count(text).filter(|count| (least..=most).contains(&count)).map(Value::Count)
            }
            Self::Fault => return Fault::read(text).map(Value::Fault),
            Self::Frame => Framing::read(text).map(Value::Frame),
            Self::Group => group(text),
            Self::Interface => is_interface(text).then(|| Value::Text(text.to_owned())),
            Self::Mode => unit::mode(text).map(Value::Mode),
            Self::Pin => Pin::read(text).map(Value::Pin),
            Self::Request(part) => part.takes(text).then(|| Value::Text(text.to_owned())),
            Self::Rate => Rate::read(text).map(Value::Rate),
            Self::Seconds(most) => {
                let time = unit::duration(text).filter(|time| time.subsec_nanos() == 0);
                let time = time.filter(|time| (1..=u64::from(*most)).contains(&time.as_secs()));
                time.map(|time| Value::Time(Some(time)))
            }
            Self::Size => unit::size(text).filter(|size| i32::try_from(*size).is_ok()).map(Value::Size),
            Self::SocketOption => RawOption::read(text).map(Value::SocketOption),
            Self::Switch => match text {
                "yes" => Some(Value::Switch(true)),
                "no" => Some(Value::Switch(false)),
                _ => None,
            },
            Self::Text(_) => (!text.is_empty()).then(|| Value::Text(text.to_owned())),
            Self::Time if text == "off" => Some(Value::Time(None)),
            Self::Time => {
                let limit = unit::duration(text).filter(|limit| !limit.is_zero());
                limit.map(|limit| Value::Time(Some(limit)))
            }
            Self::Whom => return Whom::read(text).map(Value::Whom),
            Self::Variable => variable(text),
            Self::Window => window(text),
        };
        value.map_or_else(expected, Ok)
    }

    /// What the option takes, as a help line says it.
    pub fn expects(&self) -> String {
        match self {
            Self::Address => "an IP address, with or without a port, such as 127.0.0.1 or [::1]:4000".into(),
            Self::Alpn => "a protocol such as h2 or http/1.1".into(),
            Self::Choice(words) => words.join(" or "),
            Self::CodePoint => "a number from 0 to 63, or a name such as ef, af41 or cs5".into(),
            Self::Count { least, most: u64::MAX } => format!("a number from {least}"),
            Self::Count { least, most } => format!("a number from {least} to {most}"),
            Self::Fault => "a fault such as delay:50ms, in:loss:5% or cut:rst:10k".into(),
            Self::Frame => {
                let framings: Vec<String> = FRAMINGS.iter().map(FramingRow::usage).collect();
                format!("one of {}", framings.join(" "))
            }
            Self::Group => "a multicast group such as 239.1.2.3, ff02::1 or 239.1.2.3@eth0".into(),
            Self::Interface => "the name of an interface such as eth0".into(),
            Self::Mode => "octal permissions such as 0660".into(),
            Self::Pin => "sha256/ and the base64 of 32 bytes".into(),
            Self::Request(part) => part.expects().into(),
            Self::Rate => rate::EXPECTED.into(),
            Self::Seconds(most) => format!("whole seconds such as 10s, from 1s to {most}s"),
            Self::Size => "bytes such as 65536, 64k or 1MB".into(),
            Self::SocketOption => raw::EXPECTED.into(),
            Self::Switch => "yes or no".into(),
            Self::Text(what) => (*what).into(),
            Self::Time => "a time such as 1.5s, 250ms or 2m, or off".into(),
            Self::Variable => "a variable, NAME=VALUE".into(),
            Self::Whom => admission::EXPECTED.into(),
            Self::Window => "columns and rows such as 80x24".into(),
        }
    }

    /// Something that it takes, for a page that shows how it is set.
    pub fn example(&self) -> String {
        match self {
            Self::Address => "127.0.0.1".into(),
            Self::Alpn => "h2".into(),
            Self::Choice(words) => words.first().copied().unwrap_or_default().into(),
            Self::CodePoint => "ef".into(),
            Self::Count { least, .. } => least.to_string(),
            Self::Fault => "delay:50ms".into(),
            Self::Frame => "line".into(),
            Self::Group => "239.1.2.3".into(),
            Self::Interface => "lo".into(),
            Self::Mode => "0600".into(),
            Self::Pin => Pin([0; 32]).to_string(),
            Self::Request(part) => part.example().into(),
            Self::Rate => "10MB/s".into(),
            Self::Seconds(_) => "10s".into(),
            Self::SocketOption => "socket:12:1".into(),
            Self::Size => "256k".into(),
            Self::Switch => "no".into(),
            Self::Text(what) => what.rsplit(' ').next().unwrap_or("text").into(),
            Self::Time => "60s".into(),
            Self::Variable => "LC_ALL=C".into(),
            Self::Whom => "root".into(),
            Self::Window => "80x24".into(),
        }
    }

    /// What stands behind `=` in a help line; empty for a switch.
    pub fn placeholder(&self) -> String {
        match self {
            Self::Address => "IP[:PORT]".into(),
            Self::Alpn => "PROTOCOL".into(),
            Self::Choice(words) => words.join("|"),
            Self::CodePoint => "CLASS".into(),
            Self::Count { .. } => "N".into(),
            Self::Fault => "[in:|out:]FAULT".into(),
            Self::Frame => "FRAME".into(),
            Self::Group => "GROUP[@INTERFACE]".into(),
            Self::Interface => "INTERFACE".into(),
            Self::Mode => "MODE".into(),
            Self::Pin => "PIN".into(),
            Self::Rate => "RATE".into(),
            Self::SocketOption => "LEVEL:NUMBER:VALUE".into(),
            Self::Request(part) => part.placeholder().into(),
            Self::Size => "SIZE".into(),
            Self::Switch => String::new(),
            Self::Text(what) => what.split(' ').nth(1).unwrap_or("TEXT").to_uppercase(),
            Self::Seconds(_) | Self::Time => "TIME".into(),
            Self::Variable => "NAME=VALUE".into(),
            Self::Whom => "WHOM".into(),
            Self::Window => "COLUMNSxROWS".into(),
        }
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0));
    alone.or_else(|_| text.parse()).ok()
}

/// Names of interfaces are short and hold no slash, colon or space (the kernel's `dev_valid_name`).
fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || "/:\0".contains(c))
}

fn group(text: &str) -> Option<Value> {
    let (ip, interface) = text.split_once('@').map_or((text, None), |(ip, name)| (ip, Some(name)));
    let bare = ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(ip);
    let ip: IpAddr = bare.parse().ok().filter(IpAddr::is_multicast)?;
    interface.is_none_or(is_interface).then(|| Value::Group(ip, interface.map(str::to_owned)))
}

fn variable(text: &str) -> Option<Value> {
    let (name, value) = text.split_once('=')?;
    let is_sound = !name.is_empty() && !text.contains('\0');
    is_sound.then(|| Value::Variable(name.to_owned(), value.to_owned()))
}

fn window(text: &str) -> Option<Value> {
    let (columns, rows) = text.split_once('x')?;
    let count = |digits: &str| digits.parse().ok().filter(|n| *n > 0 && !digits.starts_with('+'));
    Some(Value::Window(count(columns)?, count(rows)?))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) if address.port() == 0 => write!(f, "{}", address.ip()),
            Self::Address(address) => write!(f, "{address}"),
            Self::Choice(word) => f.write_str(word),
            Self::Count(count) => write!(f, "{count}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Frame(framing) => write!(f, "{framing}"),
            Self::Group(ip, None) => write!(f, "{ip}"),
            Self::Group(ip, Some(interface)) => write!(f, "{ip}@{interface}"),
            Self::Mode(mode) => write!(f, "{mode:04o}"),
            Self::Pin(pin) => write!(f, "{pin}"),
            Self::Rate(rate) => write!(f, "{rate}"),
            Self::Size(size) => write!(f, "{size}"),
            Self::SocketOption(option) => write!(f, "{option}"),
            Self::Switch(on) => f.write_str(if *on { "yes" } else { "no" }),
            Self::Text(text) => f.write_str(text),
            Self::Time(None) => f.write_str("off"),
            Self::Time(Some(limit)) => f.write_str(&unit::print_duration(*limit)),
            Self::Whom(whom) => write!(f, "{whom}"),
            Self::Variable(name, value) => write!(f, "{name}={value}"),
            Self::Window(columns, rows) => write!(f, "{columns}x{rows}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_multicast_address_and_may_name_an_interface() {
        for (text, group, interface) in [
            ("239.1.2.3", "239.1.2.3", None),
            ("224.0.0.1@eth0", "224.0.0.1", Some("eth0")),
            ("ff02::1", "ff02::1", None),
            ("[ff02::1]", "ff02::1", None),
            ("[FF05::2]@br-1.7", "ff05::2", Some("br-1.7")),
            ("239.255.255.255@fifteen-letters", "239.255.255.255", Some("fifteen-letters")),
            ("ff02::1@a@b", "ff02::1", Some("a@b")),
        ] {
            let want = Value::Group(group.parse().unwrap(), interface.map(str::to_owned));
            assert_eq!(Kind::Group.read(Some(text)), Ok(want), "{text}");
        }
        for text in [
            "",
            "@eth0",
            "10.0.0.1",
            "223.255.255.255",
            "240.0.0.1",
            "fe80::1",
            "group",
            "239.1.2.3:5353",
            "ff02::1%eth0",
            "239.1.2.3@",
            "239.1.2.3@sixteen-letters-",
            "239.1.2.3@eth/0",
            "239.1.2.3@eth:0",
            "239.1.2.3@eth 0",
        ] {
            let refused = Kind::Group.read(Some(text)).unwrap_err();
            assert!(refused.starts_with("expected a multicast group"), "{text:?}: {refused}");
        }
        assert!(Kind::Group.read(None).is_err());
    }

    #[test]
    fn a_variable_has_a_name_and_any_value() {
        let read = |text| Kind::Variable.read(Some(text));
        let variable = |name: &str, value: &str| Ok(Value::Variable(name.into(), value.into()));
        assert_eq!(read("A=b=c, d"), variable("A", "b=c, d"));
        assert_eq!(read("A="), variable("A", ""));
        for text in ["", "A", "=b", "A=\0"] {
            assert_eq!(read(text), Err("expected a variable, NAME=VALUE".into()), "{text:?}");
        }
    }

    #[test]
    fn a_count_is_decimal_or_hexadecimal_and_within_its_bounds() {
        let read = |text| Kind::Count { least: 1, most: 255 }.read(Some(text));
        for (text, count) in [("1", 1), ("255", 255), ("0x10", 16), ("0xfF", 255), ("010", 10)] {
            assert_eq!(read(text), Ok(Value::Count(count)), "{text}");
        }
        for text in ["", "0", "256", "0x", "0x100", "-1", "+1", "x10", "0x+1", "1e2"] {
            assert_eq!(read(text), Err("expected a number from 1 to 255".into()), "{text:?}");
        }
    }

    #[test]
    fn seconds_are_whole_and_within_their_bound() {
        let read = |text| Kind::Seconds(90).read(Some(text));
        for (text, seconds) in [("1", 1), ("90s", 90), ("1m", 60), ("1.0s", 1), ("2000ms", 2)] {
            assert_eq!(read(text), Ok(Value::Time(Some(Duration::from_secs(seconds)))), "{text}");
        }
        for text in ["", "0", "91", "1.5s", "250ms", "2m", "off"] {
            let expected = "expected whole seconds such as 10s, from 1s to 90s";
            assert_eq!(read(text), Err(expected.into()), "{text:?}");
        }
    }

    #[test]
    fn an_interface_has_the_name_of_one() {
        let read = |text: &str| Kind::Interface.read(Some(text));
        for text in ["lo", "eth0", "br-1.7", "fifteen-letters"] {
            assert_eq!(read(text), Ok(Value::Text(text.to_owned())));
        }
        for text in ["", "sixteen-letters-", "eth/0", "eth:0", "eth 0", "a\0"] {
            let expected = "expected the name of an interface such as eth0";
            assert_eq!(read(text), Err(expected.into()), "{text:?}");
        }
    }

    #[test]
    fn a_window_has_columns_and_rows() {
        let read = |text| Kind::Window.read(Some(text));
        assert_eq!(read("80x24"), Ok(Value::Window(80, 24)));
        for text in ["", "80", "80x", "x24", "0x24", "80x65536", "+80x24", "80x24x2"] {
            assert_eq!(read(text), Err("expected columns and rows such as 80x24".into()), "{text:?}");
        }
    }
}
