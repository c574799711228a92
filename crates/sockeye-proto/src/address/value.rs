//! What an option is set to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::admission::{self, Whom};
use crate::frame::{FRAMINGS, Framing, FramingRow};
use crate::unit;

/// What an option takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IP address of this machine, with or without a port: `127.0.0.1`, `[::1]:4000`.
    Address,
    /// One of a list of words.
    Choice(&'static [&'static str]),
    /// A whole number within these bounds.
    Count {
        /// The least that is taken.
        least: u64,
        /// The most that is taken.
        most: u64,
    },
    /// How messages are made of bytes: `line`, `fixed=512`. One of [`FRAMINGS`].
    Frame,
    /// A multicast group, and the interface to hear it on: `239.1.2.3`, `ff02::1@eth0`.
    Group,
    /// Octal permissions of a file: `0660`.
    Mode,
    /// Bytes: `64k`, `1MiB`, `10MB`. At most what a signed 32-bit number holds, which is what the kernel takes.
    Size,
    /// Nothing, `yes` or `no`.
    Switch,
    /// Any text that is not empty; the word says what it is.
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
    /// A number within the bounds of [`Kind::Count`].
    Count(u64),
    /// A framing.
    Frame(Framing),
    /// A multicast group, and the name of an interface where one is named.
    Group(IpAddr, Option<String>),
    /// Permissions.
    Mode(u32),
    /// Bytes.
    Size(u64),
    /// On or off.
    Switch(bool),
    /// Text.
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
        matches!(self, Self::Variable | Self::Whom)
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
            Self::Choice(words) => words.iter().find(|word| **word == text).map(|word| Value::Choice(word)),
            Self::Count { least, most } => {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let count = text.parse().ok().filter(|n| digits && (least..=most).contains(&n));
                count.map(Value::Count)
            }
            Self::Frame => Framing::read(text).map(Value::Frame),
            Self::Group => group(text),
            Self::Mode => unit::mode(text).map(Value::Mode),
            Self::Size => unit::size(text).filter(|size| i32::try_from(*size).is_ok()).map(Value::Size),
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
            Self::Choice(words) => words.join(" or "),
            Self::Count { least, most: u64::MAX } => format!("a number from {least}"),
            Self::Count { least, most } => format!("a number from {least} to {most}"),
            Self::Frame => {
                let framings: Vec<String> = FRAMINGS.iter().map(FramingRow::usage).collect();
                format!("one of {}", framings.join(" "))
            }
            Self::Group => "a multicast group such as 239.1.2.3, ff02::1 or 239.1.2.3@eth0".into(),
            Self::Mode => "octal permissions such as 0660".into(),
            Self::Size => "bytes such as 65536, 64k or 1MB".into(),
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
            Self::Choice(words) => words.first().copied().unwrap_or_default().into(),
            Self::Count { least, .. } => least.to_string(),
            Self::Frame => "line".into(),
            Self::Group => "239.1.2.3".into(),
            Self::Mode => "0600".into(),
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
            Self::Choice(words) => words.join("|"),
            Self::Count { .. } => "N".into(),
            Self::Frame => "FRAME".into(),
            Self::Group => "GROUP[@INTERFACE]".into(),
            Self::Mode => "MODE".into(),
            Self::Size => "SIZE".into(),
            Self::Switch => String::new(),
            Self::Text(what) => what.rsplit(' ').next().unwrap_or("TEXT").to_uppercase(),
            Self::Time => "TIME".into(),
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
fn group(text: &str) -> Option<Value> {
    let (ip, interface) = text.split_once('@').map_or((text, None), |(ip, name)| (ip, Some(name)));
    let bare = ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(ip);
    let ip: IpAddr = bare.parse().ok().filter(IpAddr::is_multicast)?;
    let is_name = |name: &str| {
        (1..=15).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || "/:".contains(c))
    };
    interface.is_none_or(is_name).then(|| Value::Group(ip, interface.map(str::to_owned)))
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
            Self::Frame(framing) => write!(f, "{framing}"),
            Self::Group(ip, None) => write!(f, "{ip}"),
            Self::Group(ip, Some(interface)) => write!(f, "{ip}@{interface}"),
            Self::Mode(mode) => write!(f, "{mode:04o}"),
            Self::Size(size) => write!(f, "{size}"),
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
    fn a_window_has_columns_and_rows() {
        let read = |text| Kind::Window.read(Some(text));
        assert_eq!(read("80x24"), Ok(Value::Window(80, 24)));
        for text in ["", "80", "80x", "x24", "0x24", "80x65536", "+80x24", "80x24x2"] {
            assert_eq!(read(text), Err("expected columns and rows such as 80x24".into()), "{text:?}");
        }
    }
}
