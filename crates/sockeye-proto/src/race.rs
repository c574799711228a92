//! In which order the addresses of a name are tried (RFC 8305, "happy eyeballs").

use std::net::SocketAddr;
use std::time::Duration;

/// How long an attempt has for itself before the next one starts beside it (RFC 8305, section 5, recommends 250 ms).
pub const HEAD_START: Duration = Duration::from_millis(250);

/// Most addresses of one name that are tried. A name server that answers with thousands costs no more than this.
pub const MOST: usize = 16;

/// Sorts what a resolver gave: the family of its first answer first, then the families in turn, without repeats.
///
/// The resolver has sorted by RFC 6724 already; all that changes is that no family is tried twice in a row while the
/// other has an address left, so that one broken family costs one [`HEAD_START`] and not one for each address.
pub fn order(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !unique.contains(address) {
            unique.push(*address);
        }
    }
    let first_is_v6 = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (leading, other): (Vec<_>, Vec<_>) = unique.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut leading = leading.into_iter();
    let mut ordered = Vec::new();
    loop {
        let (a, b) = (leading.next(), other.next());
        if a.is_none() && b.is_none() {
            break;
        }
        ordered.extend(a.into_iter().chain(b));
    }
    ordered.truncate(MOST);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_first_answer_stays_first() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "[::1]:1"]);
        assert_eq!(order(&found), addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        let found = addresses(&["1.1.1.1:1", "[::1]:1"]);
        assert_eq!(order(&found), found);
        assert_eq!(order(&[]), []);
    }

    #[test]
    fn a_name_with_thousands_of_addresses_is_cut() {
        let many: Vec<SocketAddr> = (0..5000u16).map(|p| SocketAddr::from(([127, 0, 0, 1], p))).collect();
        assert_eq!(order(&many).len(), MOST);
    }
}
