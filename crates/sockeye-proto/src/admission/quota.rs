//! How many of each peer are inside, and how often they come.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Refusal;
use super::rate::Rate;

/// What counts as one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A machine that shares our host, by its number.
    Machine(u32),
    /// A user, on Unix sockets.
    User(u32),
    /// An address of IPv4.
    V4(Ipv4Addr),
    /// A network of IPv6, by its first 64 bits: whoever has one has all of its addresses (RFC 6177).
    V6(u64),
}

impl From<IpAddr> for Key {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(u64::try_from(ip.to_bits() >> 64).unwrap_or_default()),
        }
    }
}

/// Who is inside, and who came in the last second.
///
/// What it remembers is bounded: of those inside by how many there are, and of those who came by a table in which the
/// oldest make room, so that an attacker with any number of addresses takes nobody else's place.
#[derive(Debug)]
pub struct Quota {
    most: Option<u32>,
    inside: HashMap<Key, u32>,
    rate: Option<(u32, Rate)>,
}

impl Quota {
    /// At most `most` of a peer inside at once, and `rate` newcomers of it a second, from 1 on; `None` is no limit.
    pub fn new(most: Option<u32>, rate: Option<u32>) -> Self {
        Self { most, inside: HashMap::new(), rate: rate.map(|rate| (rate, Rate::new(rate))) }
    }

    /// From here on these are the limits, as in [`Quota::new`]. Who is inside stays, and counts.
    pub fn limit(&mut self, most: Option<u32>, rate: Option<u32>) {
        self.most = most;
        if self.rate.as_ref().map(|(rate, _)| *rate) != rate {
            self.rate = rate.map(|rate| (rate, Rate::new(rate)));
        }
    }

    /// Counts a newcomer, who is inside from here on. `now` is what has passed since any moment, and must not go back.
    ///
    /// # Errors
    /// One peer too many, or too often; then it is not counted.
    pub fn admit(&mut self, key: Key, now: Duration) -> Result<(), Refusal> {
        let inside = self.inside.get(&key).copied().unwrap_or_default();
        if self.most.is_some_and(|most| inside >= most) {
            return Err(Refusal::TooMany);
        }
        if self.rate.as_mut().is_some_and(|(_, rate)| !rate.takes(key, now)) {
            return Err(Refusal::TooOften);
        }
        // Also without a limit: one may be set later.
        self.inside.insert(key, inside.saturating_add(1));
        Ok(())
    }

    /// Somebody who was admitted is outside again.
    pub fn leave(&mut self, key: Key) {
        if let Some(inside) = self.inside.get_mut(&key) {
            *inside = inside.saturating_sub(1);
            if *inside == 0 {
                self.inside.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(ip: &str) -> Key {
        ip.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_address_of_ipv4_and_a_network_of_ipv6_are_one_peer() {
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
    }

    #[test]
    fn who_is_refused_by_number_does_not_count_as_having_come() {
        let mut quota = Quota::new(Some(1), Some(2));
        let (peer, now) = (key("10.0.0.1"), Duration::ZERO);
        assert_eq!(quota.admit(peer, now), Ok(()));
        for _ in 0..5 {
            assert_eq!(quota.admit(peer, now), Err(Refusal::TooMany));
        }
        quota.leave(peer);
        assert_eq!(quota.admit(peer, now), Ok(()));
        quota.leave(peer);
        assert_eq!(quota.admit(peer, now), Err(Refusal::TooOften));
        assert!(quota.inside.is_empty());
        assert_eq!(quota.admit(peer, Duration::from_millis(500)), Ok(()));
    }

    #[test]
    fn those_inside_count_when_the_limits_change() {
        let mut quota = Quota::new(None, Some(1));
        let (peer, other, now) = (key("10.0.0.1"), key("10.0.0.2"), Duration::ZERO);
        assert_eq!(quota.admit(peer, now), Ok(()));
        quota.limit(Some(1), Some(1));
        assert_eq!(quota.admit(peer, now), Err(Refusal::TooMany));
        quota.leave(peer);
        assert_eq!(quota.admit(peer, now), Err(Refusal::TooOften), "the same rate goes on");
        quota.limit(None, None);
        for _ in 0..3 {
            assert_eq!(quota.admit(other, now), Ok(()));
        }
    }

    proptest! {
        /// Against a plain list of who is inside.
        #[test]
        fn it_agrees_with_a_plain_list(
            most in 1_u32..4, steps in prop::collection::vec((0_u32..5, any::<bool>()), 0..200),
        ) {
            let (mut quota, mut inside) = (Quota::new(Some(most), None), Vec::new());
            for (user, comes) in steps {
                let count = inside.iter().filter(|known| **known == user).count();
                if comes {
                    let has_room = count < usize::try_from(most).unwrap();
                    prop_assert_eq!(quota.admit(Key::User(user), Duration::ZERO).is_ok(), has_room);
                    inside.extend(has_room.then_some(user));
                } else if let Some(at) = inside.iter().position(|known| *known == user) {
                    inside.remove(at);
                    quota.leave(Key::User(user));
                }
                let users: std::collections::BTreeSet<_> = inside.iter().collect();
                prop_assert_eq!(quota.inside.len(), users.len());
            }
        }
    }
}
