//! Printing an address so that it parses to the same.

use std::fmt;

use super::escape::escape;
use super::value::Value;
use super::vocabulary::{OptionGrammar, Role, Written};
use super::{Address, Host, Port, Settings, Target};

impl Address {
    /// The word: everything but what [`Address::options_beside`] gives.
    pub fn word(&self) -> String {
        let mut word = self.bare_word();
        if !self.scheme.target.runs_to_the_end() {
            for (name, value) in self.written_options() {
                word.push(',');
                word.push_str(&name);
                match value {
                    Value::Switch(true) => {}
                    value => {
                        word.push('=');
                        word.push_str(&escape(&value.to_string()));
                    }
                }
            }
        }
        word
    }

    /// The options that cannot stand in the word, each a `key=value` to be given beside it.
    pub fn options_beside(&self) -> Vec<String> {
        if !self.scheme.target.runs_to_the_end() {
            return Vec::new();
        }
        self.written_options().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Layers, scheme and target, without any option: what a person would call the address.
    pub fn bare_word(&self) -> String {
        let mut word = String::new();
        for layer in self.layers.iter().filter(|layer| layer.grammar.written == Written::InFront) {
            word.push_str(layer.grammar.name);
            word.push('+');
        }
        word.push_str(self.scheme.name);
        if self.role == Role::Listen {
            word.push_str("-l");
        }
        match &self.target {
            Target::Nothing => {}
            Target::Word(command) => {
                word.push(':');
                word.push_str(command);
            }
            target => {
                word.push(':');
                word.push_str(&escape(&target.to_string()));
            }
        }
        word
    }

    /// Each option with the name that finds its owner again: qualified where an outer element knows it too.
    fn written_options(&self) -> impl Iterator<Item = (String, &Value)> {
        let layers = self.layers.iter().enumerate().flat_map(move |(depth, layer)| {
            let owner = layer.grammar.name;
            layer.options.iter().map(move |(name, value)| (self.qualified(depth, owner, name), value))
        });
        let own = self.options.iter();
        layers.chain(
            own.map(move |(name, value)| (self.qualified(self.layers.len(), self.scheme.name, name), value)),
        )
    }

    fn qualified(&self, depth: usize, owner: &str, name: &str) -> String {
        let outer = self.layers.iter().take(depth);
        if outer
            .flat_map(|layer| layer.grammar.options)
            .any(|row| row.name == name || row.aliases.contains(&name))
        {
            format!("{owner}.{name}")
        } else {
            name.to_owned()
        }
    }
}

/// The address on one line, as a person would type it; `-o` stands before each option beside the word.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())?;
        self.options_beside().iter().try_for_each(|option| write!(f, " -o {option}"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Descriptor(number) => write!(f, "{number}"),
            Self::HostPort(Host::Loopback, port) => write!(f, "{port}"),
            Self::HostPort(host, port) => write!(f, "{host}:{port}"),
            Self::Machine(cid, port) => write!(f, "{cid}:{port}"),
            Self::Protocol(protocol, Host::Loopback) => write!(f, "{protocol}"),
            Self::Protocol(protocol, host) => write!(f, "{protocol}:{host}"),
            Self::Name(text) | Self::Path(text) | Self::Word(text) => f.write_str(text),
            Self::Nothing => Ok(()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Ip(ip, Some(zone)) => write!(f, "[{ip}%{zone}]"),
            Self::Ip(ip, None) if ip.is_ipv6() => write!(f, "[{ip}]"),
            Self::Ip(ip, None) => write!(f, "{ip}"),
            Self::Loopback => f.write_str("localhost"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Service(name) => f.write_str(name),
        }
    }
}

impl Settings {
    /// Sets an option; `false` where it is set already, and its kind does not repeat. Variables and
    /// options by their numbers are set once each, and so are faults one way.
    pub(super) fn set(&mut self, row: &'static OptionGrammar, value: Value) -> bool {
        let is_same = |other: &Value| match (&value, other) {
            (Value::Fault(one), Value::Fault(other)) => one.excludes(other),
            (Value::SocketOption(one), Value::SocketOption(other)) => one.place() == other.place(),
            (Value::Variable(one, _), Value::Variable(other, _)) => one == other,
            _ => !row.kind.repeats(),
        };
        if self.values(row.name).any(is_same) {
            return false;
        }
        self.0.push((row.name, value));
        true
    }
}
