//! What a rule names, as it is written: an address, a range of addresses, a user, or a name in a certificate.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whom `allow=` or `deny=` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whom {
    /// Who has shown a certificate for this name: `cert:alice`. What that says is not looked at here.
    Certificate(String),
    /// Who comes from these addresses.
    Network(Network),
    /// What belongs to the user with this number: `uid:1000`.
    Uid(u32),
    /// What belongs to the user of this name, which is not looked up here.
    User(String),
}

/// A range of IP addresses. IPv4 in IPv6 (`::ffff:10.0.0.1`) is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address.
    first: IpAddr,
    /// How many bits all of them share.
    prefix: u8,
}

/// The longest name that is taken, in bytes: useradd(8) takes 32 on Linux, directories more, and DNS 253.
const LONGEST_NAME: usize = 256;

impl Whom {
    /// Reads `10.0.0.1`, `::1`, `[::1]`, `10.0.0.0/8`, `2001:db8::/32`, `uid:1000`, `cert:alice` or the name of a user.
    ///
    /// # Errors
    /// A sentence that says what was expected, or what is wrong with a range.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some(number) = text.strip_prefix("uid:") {
            return number_of(number).map(Self::Uid).ok_or_else(expected);
        }
        if let Some(name) = text.strip_prefix("cert:") {
            let is_name =
                !name.trim().is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control);
            return if is_name { Ok(Self::Certificate(name.to_owned())) } else { Err(expected()) };
        }
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let bare = ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(ip);
        if let Ok(ip) = bare.parse() {
            return Network::read(ip, prefix).map(Self::Network);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Err(format!("a number is no user: write uid:{text}"));
        }
        if is_name(text) { Ok(Self::User(text.to_owned())) } else { Err(expected()) }
    }
}

/// What [`Whom::read`] takes.
pub(crate) const EXPECTED: &str = "an IP address, a range such as 10.0.0.0/8, a user, uid:N or cert:NAME";

fn expected() -> String {
    format!("expected {EXPECTED}")
}

fn number_of(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // All ones means no user at all (chown(2)).
    text.parse().ok().filter(|uid| is_number && *uid != u32::MAX)
}

/// Names are whatever the machine's directory has, but nothing that was meant as an address.
fn is_name(text: &str) -> bool {
    let is_an_address = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/:[]%=".contains(c);
    !is_an_address && text.len() <= LONGEST_NAME && !text.contains(is_odd)
}

impl Network {
    fn read(ip: IpAddr, prefix: Option<&str>) -> Result<Self, String> {
        let widest = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => widest,
            Some(text) => {
                let is_number = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
                let prefix = text.parse().ok().filter(|prefix| is_number && *prefix <= widest);
                prefix.ok_or_else(|| format!("expected a prefix from 0 to {widest} behind the slash"))?
            }
        };
        let network = match (ip, ip.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(ip)) if prefix >= 96 => Self { first: ip.into(), prefix: prefix - 96 },
            _ => Self { first: ip, prefix },
        };
        let first = network.masked();
        if first == network.first {
            Ok(network)
        } else {
            let meant = Self { first, ..network };
            Err(format!("{network} has bits behind its prefix: write {meant} or {}", network.first))
        }
    }

    /// Whether the address is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && Self { first: ip, ..*self }.masked() == self.first
    }

    fn masked(&self) -> IpAddr {
        let prefix = u32::from(self.prefix);
        match self.first {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                Ipv4Addr::from_bits(ip.to_bits() & mask).into()
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & mask).into()
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = if self.first.is_ipv4() { 32 } else { 128 };
        if self.prefix == widest {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}/{}", self.first, self.prefix)
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(name) => write!(f, "cert:{name}"),
            Self::Network(network) => write!(f, "{network}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::User(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_form_is_read_and_printed_in_its_shortest_way() {
        for (text, printed) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("::/0", "::/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("uid:0", "uid:0"),
            ("uid:01000", "uid:1000"),
            ("alice", "alice"),
            ("CORP\\alice", "CORP\\alice"),
            ("systemd-network", "systemd-network"),
            ("3com", "3com"),
            ("cert:alice", "cert:alice"),
            ("cert:Alice Example, Ltd.", "cert:Alice Example, Ltd."),
            ("cert:*.example.org", "cert:*.example.org"),
            ("cert:10.0.0.1", "cert:10.0.0.1"),
        ] {
            assert_eq!(Whom::read(text).map(|whom| whom.to_string()), Ok(printed.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_names_nobody_is_refused_with_what_to_write() {
        for (text, said) in [
            ("", "expected an IP address"),
            ("1000", "write uid:1000"),
            ("10.0.0", "expected an IP address"),
            ("10.0.0.256", "expected an IP address"),
            ("10.0.0.0/33", "expected a prefix from 0 to 32"),
            ("10.0.0.0/", "expected a prefix from 0 to 32"),
            ("10.0.0.0/+8", "expected a prefix from 0 to 32"),
            ("10.0.0.0/8/8", "expected a prefix from 0 to 32"),
            ("::/129", "expected a prefix from 0 to 128"),
            ("10.1.2.3/8", "10.1.2.3/8 has bits behind its prefix: write 10.0.0.0/8 or 10.1.2.3"),
            ("2001:db8::1/32", "write 2001:db8::/32 or 2001:db8::1"),
            ("fe80::1%eth0", "expected an IP address"),
            ("uid:", "expected an IP address"),
            ("uid:-1", "expected an IP address"),
            ("uid:4294967295", "expected an IP address"),
            ("a b", "expected an IP address"),
            ("cert:", "expected an IP address"),
            ("cert: ", "expected an IP address"),
            ("cert:a\nb", "expected an IP address"),
            ("alice/8", "expected an IP address"),
        ] {
            let refused = Whom::read(text).unwrap_err();
            assert!(refused.contains(said), "{text:?}: {refused}");
        }
    }

    fn network(text: &str) -> Network {
        match Whom::read(text) {
            Ok(Whom::Network(network)) => network,
            other => panic!("{text}: {other:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_range_has_the_addresses_that_share_its_first_bits_and_no_others(
            ip in any::<IpAddr>(), other in any::<IpAddr>(), prefix in 0_u8..=128,
        ) {
            let ip = ip.to_canonical();
            let widest = if ip.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.min(widest);
            let first = Network { first: ip, prefix }.masked();
            let range = network(&format!("{first}/{prefix}"));
            prop_assert_eq!(network(&range.to_string()), range);
            prop_assert!(range.contains(ip) && range.contains(first));
            let bits = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => format!("{:032b}", ip.to_bits()),
                IpAddr::V6(ip) => format!("{:0128b}", ip.to_bits()),
            };
            let (own, others) = (bits(first), bits(other.to_canonical()));
            let shared = own[..usize::from(prefix)] == others[..usize::from(prefix).min(others.len())];
            prop_assert_eq!(range.contains(other), own.len() == others.len() && shared);
            if let IpAddr::V4(ip) = ip {
                prop_assert!(range.contains(ip.to_ipv6_mapped().into()));
            }
        }
    }
}
