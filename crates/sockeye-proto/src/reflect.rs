//! Whom a datagram service answers, so that it is of no use against others.
//!
//! The sender of a datagram is whoever it says. Who forges a victim's address has our answers sent to the victim: the
//! larger they are, the better for the attacker; and two services that answer each other go on for ever. So peers
//! beyond this machine and private networks are answered only where that was asked for, never with more bytes than
//! they sent, never on a port whose service would answer back, and each only so often.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Answers a second that one outsider gets.
pub const RATE: u32 = 100;
const EACH: Duration = Duration::from_nanos(1_000_000_000 / RATE as u64);
/// Answers at once that an outsider gets who was silent before.
pub const BURST: u32 = 200;

/// Ports whose services answer what they are sent: echo, discard (some answer errors), daytime, qotd, chargen, time,
/// domain, tftp, ntp, snmp, ldap, ssdp, mdns and memcached, which have all been part of such attacks.
const ANSWERING: [u16; 14] = [7, 9, 13, 17, 19, 37, 53, 69, 123, 161, 389, 1900, 5353, 11211];

/// Outsiders share this many counters, by a secret hash of their address: the memory is the same however many come.
const COUNTERS: usize = 4096;

/// Whether an address belongs to this machine, to a private network (RFC 1918, 4193, 6598) or to this link (RFC 3927,
/// 4291).
pub fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Who counts as one with an address: a whole network on IPv6, where each user has one (RFC 6177).
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !(u128::MAX >> 56)).into(),
    }
}

/// What becomes of peers beyond this machine and private networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Outsiders {
    /// They are neither heard nor answered.
    #[default]
    Refused,
    /// They are heard now and then, and answered with at most as many bytes as they sent.
    Guarded,
    /// They are peers like all others: whoever asks for that answers for it.
    Welcome,
}

/// The rules, and what they remember. Time is what has passed since any moment, and must not go back.
#[derive(Debug)]
pub struct Guard {
    policy: Outsiders,
    shuns_ports: bool,
    counters: Box<[Counter]>,
    secret: RandomState,
}

/// A bucket of answers that fills with time.
#[derive(Debug, Clone, Copy)]
struct Counter {
    left: u32,
    filled_at: Duration,
}

impl Guard {
    /// The rules of a policy.
    pub fn new(policy: Outsiders) -> Self {
        let count = if policy == Outsiders::Guarded { COUNTERS } else { 0 };
        let full = Counter { left: BURST, filled_at: Duration::ZERO };
        Self { policy, shuns_ports: true, counters: vec![full; count].into(), secret: RandomState::new() }
    }

    /// The same for a service that answers no answers, so that no port can keep it busy: all are heard.
    #[must_use]
    pub fn hearing_all_ports(self) -> Self {
        Self { shuns_ports: false, ..self }
    }

    /// Whether ports are not heard whose services answer what they are sent.
    pub fn shuns_ports(&self) -> bool {
        self.shuns_ports
    }

    /// The policy that they follow.
    pub fn policy(&self) -> Outsiders {
        self.policy
    }

    /// Whether what this sender says is to be heard.
    pub fn hears(&mut self, from: SocketAddr, now: Duration) -> bool {
        match self.policy {
            Outsiders::Welcome => true,
            _ if is_near(from.ip()) => true,
            Outsiders::Refused => false,
            Outsiders::Guarded => {
                let is_loop = self.shuns_ports && ANSWERING.contains(&from.port());
                !is_loop && self.counter(from.ip()).is_some_and(|counter| counter.take(now))
            }
        }
    }

    fn counter(&mut self, ip: IpAddr) -> Option<&mut Counter> {
        let count = u64::try_from(self.counters.len()).unwrap_or(u64::MAX).max(1);
        let hash = self.secret.hash_one(network(ip)) % count;
        self.counters.get_mut(usize::try_from(hash).unwrap_or_default())
    }
}

impl Outsiders {
    /// Whether so many bytes in all may go to who has sent so many.
    pub fn lets_send(self, to: IpAddr, asked: u64, answers: u64) -> bool {
        match self {
            Self::Welcome => true,
            Self::Guarded | Self::Refused => answers <= asked || is_near(to),
        }
    }
}

impl Counter {
    fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled_at);
        let earned = u32::try_from(passed.as_nanos() / EACH.as_nanos()).unwrap_or(u32::MAX);
        if earned >= BURST {
            (self.left, self.filled_at) = (BURST, now);
        } else {
            // What is left of the time counts for the next.
            self.left = (self.left + earned).min(BURST);
            self.filled_at += EACH * earned;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_near_is_known_by_the_address() {
        for near in ["127.0.0.9", "10.1.2.3", "172.31.0.1", "192.168.0.1", "169.254.1.1", "100.64.0.1", "::1"]
        {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for near in ["fe80::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn outsiders_are_answered_only_when_that_is_asked_for_and_never_with_more_than_they_sent() {
        let now = Duration::ZERO;
        let mut closed = Guard::new(Outsiders::Refused);
        assert!(closed.hears(at("127.0.0.1:5"), now) && !closed.hears(at("8.8.8.8:5000"), now));
        let mut open = Guard::new(Outsiders::Guarded);
        assert!(open.hears(at("8.8.8.8:5000"), now) && open.hears(at("127.0.0.1:7"), now));
        assert!(Guard::new(Outsiders::Guarded).hearing_all_ports().hears(at("8.8.8.8:123"), now));
        assert!(!open.hears(at("8.8.8.8:7"), now) && !open.hears(at("[2001:db8::1]:123"), now));
        let (far, near) = ("8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap());
        assert!(Outsiders::Guarded.lets_send(far, 10, 10) && !Outsiders::Guarded.lets_send(far, 10, 11));
        assert!(Outsiders::Guarded.lets_send(near, 0, 1000) && Outsiders::Welcome.lets_send(far, 0, 1000));
        assert!(Guard::new(Outsiders::Welcome).hears(at("8.8.8.8:7"), now));
    }

    #[test]
    fn an_outsider_is_answered_so_often_and_its_whole_network_counts_as_one() {
        let heard = |guard: &mut Guard, from: &str, seconds: u64| {
            (0..1000).filter(|_| guard.hears(at(from), Duration::from_secs(seconds))).count()
        };
        let mut v4 = Guard::new(Outsiders::Guarded);
        assert_eq!(heard(&mut v4, "8.8.8.8:5000", 10), 200);
        assert_eq!(heard(&mut v4, "8.8.8.8:6000", 10), 0);
        assert_eq!(heard(&mut v4, "8.8.8.8:5000", 11), 100);
        assert_eq!(heard(&mut v4, "8.8.8.8:5000", 99), 200);
        assert_eq!(heard(&mut v4, "127.0.0.1:5000", 99), 1000);
        // Half as often again as the rate: two of three are answered, and no fraction of the time is lost.
        let mut busy = Guard::new(Outsiders::Guarded);
        let each = Duration::from_micros(6_667);
        let answered = (0..3000).filter(|n| busy.hears(at("8.8.8.8:5000"), each * *n)).count();
        assert!((2190..=2210).contains(&answered), "{answered}");
        let mut v6 = Guard::new(Outsiders::Guarded);
        assert_eq!(heard(&mut v6, "[2001:db8::1]:5000", 100), 200);
        assert_eq!(heard(&mut v6, "[2001:db8:0:ff::2]:5000", 100), 0);
    }
}
