//! What `raw:` addresses name: a protocol right above IP, and a host.

use std::fmt;

use super::target::{Fault, Host, Target, fault, host};
use super::vocabulary::Role;

/// A protocol above IP, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// Its number in the header of IPv4, or in the last next-header field of IPv6.
    Number(u8),
    /// Its name, as in protocols(5).
    Name(String),
}

/// Names that are known without protocols(5), which small systems do not have.
const COMMON: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("vrrp", 112),
    ("sctp", 132),
];

impl Protocol {
    /// Its number, where no list has to be read for it.
    pub fn known(&self) -> Option<u8> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(name) => {
                let row = COMMON.iter().find(|(common, _)| common.eq_ignore_ascii_case(name));
                row.map(|(_, number)| *number)
            }
        }
    }

    /// Its number in a list as protocols(5) has it: in each line a name, a number and other names; no case matters.
    pub fn listed_in(&self, protocols: &str) -> Option<u8> {
        let Self::Name(name) = self else { return self.known() };
        protocols.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_ascii_whitespace();
            let (first, number) = (words.next()?, words.next()?);
            let is_meant = std::iter::once(first).chain(words).any(|word| word.eq_ignore_ascii_case(name));
            if is_meant { number.parse().ok() } else { None }
        })
    }

    /// The protocol of that number, by its name where it is a common one.
    pub fn of(number: u8) -> Self {
        let row = COMMON.iter().find(|(_, common)| *common == number);
        row.map_or(Self::Number(number), |(name, _)| Self::Name((*name).to_owned()))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

pub(super) fn protocol_host(text: &str, role: Role) -> Result<Target, Fault> {
    let (protocol, rest) = match (text.split_once(':'), role) {
        (Some((protocol, rest)), _) => (protocol, rest),
        (None, Role::Listen) if !text.is_empty() => {
            return Ok(Target::Protocol(read(text)?, Host::Loopback));
        }
        (None, Role::Listen) => return fault("expected PROTOCOL:ADDRESS", "such as 253:127.0.0.1"),
        (None, Role::Dial) => return fault("expected PROTOCOL:HOST", "such as icmp:localhost"),
    };
    let protocol = read(protocol)?;
    if rest.is_empty() {
        return Err(Fault::new("the host is missing behind the colon"));
    }
    let at_end = |fault: Fault| Fault { end: Some(rest.to_owned()), ..fault };
    if let Some((before, _)) = rest.rsplit_once(':')
        && (before.ends_with(']') || !before.contains(':'))
    {
        let hint = Some(format!("write {protocol}:{before}"));
        return Err(at_end(Fault { hint, ..Fault::new("raw sockets have no ports") }));
    }
    let host = host(rest, role).map_err(at_end)?;
    let is_every = matches!(&host, Host::Any)
        || matches!(&host, Host::Ip(ip, _) if role == Role::Listen && ip.is_unspecified());
    if is_every {
        let hint = Some("name one of this machine's: ip addr".to_owned());
        let reason = "a listener on every address would hear its own words, too";
        return Err(at_end(Fault { hint, ..Fault::new(reason) }));
    }
    Ok(Target::Protocol(protocol, host))
}

fn read(text: &str) -> Result<Protocol, Fault> {
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(protocol) if number => return Ok(Protocol::Number(protocol)),
        _ if number => return Err(Fault::new(format!("protocol {text} is out of range: 0 to 255"))),
        _ => {}
    }
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    if text.len() <= 32 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(is_sound) {
        return Ok(Protocol::Name(text.to_owned()));
    }
    fault(format!("{text:?} is neither the number nor the name of a protocol"), "such as icmp, icmpv6 or 253")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_found_by_each_of_its_names() {
        let list = "# Internet protocols\nip\t0\tIP\t\t# pseudo\n\nospf 89 OSPFIGP\nodd\nbig 300 BIG\n#x 7\n";
        let number = |name: &str| Protocol::Name(name.into()).listed_in(list);
        assert_eq!(
            ["ip", "IP", "ospfigp", "Ospf", "odd", "big", "pseudo", "x", "89"].map(number),
            [Some(0), Some(0), Some(89), Some(89), None, None, None, None, None]
        );
        assert_eq!(Protocol::Name("ICMP".into()).known(), Some(1));
        assert_eq!(Protocol::Name("ip".into()).known(), None);
        assert_eq!(
            (Protocol::of(58), Protocol::of(253)),
            (read("icmpv6").ok().unwrap(), Protocol::Number(253))
        );
    }
}
