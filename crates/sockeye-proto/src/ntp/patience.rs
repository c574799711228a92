//! How often a server answers the same source.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::reflect::network;

/// Answers at once that a source gets which was silent before: as many clients may stand behind one address, or one that
/// begins sends several in a row.
pub const BURST: u32 = 16;

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The time.
    Answer,
    /// The advice to ask less often.
    Kiss,
    /// Nothing.
    Silence,
}

/// The sources that asked last, and how often. Its memory is the same however many come: 1 MiB for 32,768 of them. Where
/// more come, those are forgotten that have been silent longest, who then may ask as if for the first time: nobody is refused
/// in another's stead.
#[derive(Debug)]
pub struct Patience {
    interval: Duration,
    sets: Box<[[Source; WAYS]]>,
    secret: RandomState,
}

/// A source, known by a secret hash of its network.
#[derive(Debug, Clone, Copy, Default)]
struct Source {
    key: u64,
    /// When it may send [`BURST`] at once again.
    rested_at: Duration,
    /// How many it sent since the last that was due.
    too_many: u32,
}

/// Sources whose hashes are alike share a set of so many.
const WAYS: usize = 8;
const SETS: usize = 4096;
/// One in so many of those that come too often is answered all the same: who forges another's address could else have
/// it never answered.
const LEAK: u32 = 4;

impl Patience {
    /// Answers a source once in `interval` on the average.
    pub fn new(interval: Duration) -> Self {
        let sets = vec![[Source::default(); WAYS]; SETS].into();
        Self { interval, sets, secret: RandomState::new() }
    }

    /// What a request gets that comes at `now`, the time since any moment, which must not go back. On IPv6 a whole
    /// network is one source.
    pub fn hears(&mut self, from: IpAddr, now: Duration) -> Verdict {
        let interval = self.interval;
        let Some(source) = self.source(from) else { return Verdict::Answer };
        let rested_at = source.rested_at.max(now) + interval;
        if rested_at <= now + interval * BURST {
            (source.rested_at, source.too_many) = (rested_at, 0);
            return Verdict::Answer;
        }
        source.too_many = source.too_many.wrapping_add(1);
        match source.too_many {
            many if many % LEAK == LEAK - 1 => Verdict::Answer,
            // The advice is given at once, and then ever more rarely: who does not take it may not have asked.
            many if many.is_power_of_two() => Verdict::Kiss,
            _ => Verdict::Silence,
        }
    }

    /// The place of a source, which may be that of one that was silent longer.
    fn source(&mut self, from: IpAddr) -> Option<&mut Source> {
        let key = self.secret.hash_one(network(from));
        let set = usize::try_from(key).unwrap_or_default() % SETS;
        let set = self.sets.get_mut(set)?;
        // The last of the key's bits are the same in the whole set, and 0 stands for nobody.
        let key = key | 1;
        let source = set.iter_mut().min_by_key(|source| (source.key != key, source.rested_at))?;
        if source.key != key {
            *source = Source { key, ..Source::default() };
        }
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const SECOND: Duration = Duration::from_secs(1);

    fn count(verdicts: &[Verdict], wanted: Verdict) -> usize {
        verdicts.iter().filter(|verdict| **verdict == wanted).count()
    }

    #[test]
    fn who_asks_as_often_as_it_may_is_answered_each_time() {
        let mut patience = Patience::new(SECOND);
        assert!((0..16).all(|_| patience.hears(HERE.into(), SECOND) == Verdict::Answer));
        assert!((2..500).all(|second| patience.hears(HERE.into(), SECOND * second) == Verdict::Answer));
        assert_eq!(patience.hears(HERE.into(), SECOND * 499), Verdict::Kiss);
    }

    #[test]
    fn who_asks_too_often_is_told_so_and_now_and_then_answered() {
        let mut patience = Patience::new(SECOND);
        let got: Vec<Verdict> = (0..1016).map(|_| patience.hears(HERE.into(), SECOND)).collect();
        assert!(got[..16].iter().all(|verdict| *verdict == Verdict::Answer));
        assert_eq!(got[16], Verdict::Kiss);
        assert_eq!(count(&got[16..], Verdict::Answer), 250);
        assert_eq!(count(&got[16..], Verdict::Kiss), 10);
        // Others are not touched, and a network of IPv6 is one.
        assert_eq!(patience.hears(Ipv4Addr::new(192, 0, 2, 2).into(), SECOND), Verdict::Answer);
        let near: Vec<Verdict> = (0..17)
            .map(|host| patience.hears(format!("2001:db8::{host}").parse().unwrap(), SECOND))
            .collect();
        assert_eq!((near[15], near[16]), (Verdict::Answer, Verdict::Kiss));
    }

    #[test]
    fn any_number_of_sources_takes_nobodys_place() {
        let mut patience = Patience::new(SECOND);
        (0..20).for_each(|_| _ = patience.hears(HERE.into(), SECOND));
        for source in 0..200_000_u32 {
            assert_eq!(patience.hears(Ipv4Addr::from(source).into(), SECOND), Verdict::Answer);
        }
        assert_eq!(patience.sets.len() * WAYS, 32_768);
        // A few are remembered while they are all who come.
        let mut few = Patience::new(SECOND);
        for asked in 0..17 {
            for source in 0..1000_u32 {
                let verdict = few.hears(Ipv4Addr::from(source).into(), SECOND);
                assert_eq!(verdict == Verdict::Answer, asked < 16, "{asked} of {source}");
            }
        }
    }
}
