//! Exact counts of what each listener does, and who is inside: the source of metrics and reports.
//!
//! Events may be lost on the way to whoever reads them, so nothing here is counted from events.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::counts::{Counts, Volume};
use crate::event::Dropped;
use crate::peer::Peer;

/// What one listener has done so far, and who is inside.
///
/// One lock for all of it, taken when a connection begins and when it ends, and for each batch of datagrams: the counts
/// then agree with each other at any moment.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    /// Without those who are inside.
    over: Totals,
    /// By number, in the order in which they came.
    inside: BTreeMap<u64, Inside>,
}

/// A connection that is open.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The other end.
    pub peer: Arc<Peer>,
    /// What went over it so far.
    pub counts: Arc<Counts>,
    /// When it was accepted.
    pub began: Instant,
}

/// Sums over the life of a listener. None of them ever shrinks, but `open`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Those that are open.
    pub open: u64,
    /// Those that came to a bad end.
    pub failed: u64,
    /// Newcomers that were sent away, by why.
    pub refused: BTreeMap<&'static str, u64>,
    /// Tries to accept that failed.
    pub accept_failures: u64,
    /// What went over all connections, those that are open included, and in datagrams that were answered without one.
    pub volume: Volume,
    /// Datagrams that were lost.
    pub dropped: Dropped,
}

impl Totals {
    /// Adds those of another listener.
    pub fn add(&mut self, more: &Self) {
        self.accepted += more.accepted;
        self.open += more.open;
        self.failed += more.failed;
        more.refused.iter().for_each(|(why, count)| *self.refused.entry(why).or_default() += count);
        self.accept_failures += more.accept_failures;
        self.volume.add(&more.volume);
        self.dropped.add(&more.dropped);
    }
}

impl Tally {
    /// The sums at this moment.
    pub fn totals(&self) -> Totals {
        let ledger = self.ledger();
        let mut totals = ledger.over.clone();
        totals.open = u64::try_from(ledger.inside.len()).unwrap_or(u64::MAX);
        ledger.inside.values().for_each(|inside| totals.volume.add(&inside.counts.volume()));
        totals
    }

    /// Up to `most` connections that are open, with their numbers, the first of them that is above `after`. Asked for
    /// again and again, so that a listing of thousands holds up nobody.
    pub fn inside(&self, after: u64, most: usize) -> Vec<(u64, Inside)> {
        let ledger = self.ledger();
        let rest = ledger.inside.range((Bound::Excluded(after), Bound::Unbounded));
        rest.take(most).map(|(id, inside)| (*id, inside.clone())).collect()
    }

    /// Counts a newcomer that was sent away.
    pub fn refuse(&self, why: &'static str) {
        *self.ledger().over.refused.entry(why).or_default() += 1;
    }

    /// A connection was accepted.
    pub(crate) fn begin(&self, id: u64, inside: Inside) {
        let mut ledger = self.ledger();
        ledger.over.accepted += 1;
        ledger.inside.insert(id, inside);
    }

    /// Its layers are on: what counts is what goes over them.
    pub(crate) fn change(&self, id: u64, inside: Inside) {
        if let Some(before) = self.ledger().inside.get_mut(&id) {
            *before = inside;
        }
    }

    /// A connection is over.
    pub(crate) fn end(&self, id: u64, has_failed: bool) {
        let mut ledger = self.ledger();
        ledger.over.failed += u64::from(has_failed);
        if let Some(inside) = ledger.inside.remove(&id) {
            ledger.over.volume.add(&inside.counts.volume());
        }
    }

    /// A try to accept failed.
    pub(crate) fn fail_to_accept(&self) {
        self.ledger().over.accept_failures += 1;
    }

    /// Datagrams came, and were answered without a connection.
    pub(crate) fn answer(&self, volume: &Volume) {
        self.ledger().over.volume.add(volume);
    }

    /// Datagrams were lost.
    pub(crate) fn drop_datagrams(&self, dropped: &Dropped) {
        self.ledger().over.dropped.add(dropped);
    }

    /// Nothing in here can be half done, so what a panic left behind is as good as before.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tallies of all listeners. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tallies(Arc<Mutex<Vec<Listed>>>);

/// Listeners of one service at one place: several where one followed another.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What is served.
    pub service: Arc<str>,
    /// Where: each address as the kernel names it, with a space between them.
    pub listener: Arc<str>,
    /// What they did.
    pub tallies: Vec<Arc<Tally>>,
}

impl Listed {
    /// The sums of all of them.
    pub fn totals(&self) -> Totals {
        sum(self.tallies.iter().map(|tally| tally.totals()))
    }
}

impl Tallies {
    /// All that ever listened, in the order in which they began.
    pub fn list(&self) -> Vec<Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sums over all listeners.
    pub fn sum(&self) -> Totals {
        sum(self.list().iter().map(Listed::totals))
    }

    /// Adds that of a listener that begins. A counter never goes back: where another listened before for the same
    /// service, its sums go on, and once it is over they are all that is kept of it.
    pub(crate) fn add(&self, service: &str, locals: &[Peer], tally: Arc<Tally>) {
        let listener = locals.iter().map(Peer::to_string).collect::<Vec<_>>().join(" ");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|listed| *listed.service == *service && *listed.listener == *listener) {
            Some(listed) => {
                listed.tallies.retain(|before| {
                    let is_over = Arc::strong_count(before) == 1;
                    if is_over {
                        tally.ledger().over.add(&before.totals());
                    }
                    !is_over
                });
                listed.tallies.push(tally);
            }
            None => {
                all.push(Listed { service: service.into(), listener: listener.into(), tallies: vec![tally] })
            }
        }
    }
}

fn sum(all: impl Iterator<Item = Totals>) -> Totals {
    all.fold(Totals::default(), |mut sum, totals| {
        sum.add(&totals);
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Inside {
        Inside { peer: Arc::new(Peer::new("mem")), counts: Arc::default(), began: Instant::now() }
    }

    #[test]
    fn what_went_over_a_connection_counts_while_it_is_open_and_after() {
        let (tally, guest) = (Tally::default(), guest());
        tally.begin(1, guest.clone());
        guest.counts.add_message_received(3);
        let open = tally.totals();
        assert_eq!((open.accepted, open.open, open.failed), (1, 1, 0));
        guest.counts.add_sent(4);
        tally.end(1, true);
        let over = tally.totals();
        assert_eq!((over.accepted, over.open, over.failed), (1, 0, 1));
        let volume = Volume { received: 3, sent: 4, messages_received: 1, messages_sent: 0 };
        assert_eq!((open.volume.received, over.volume), (3, volume));
    }

    #[test]
    fn those_inside_are_listed_piece_by_piece() {
        let tally = Tally::default();
        (1..=5).for_each(|id| tally.begin(id, guest()));
        let ids = |after| tally.inside(after, 2).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!((ids(0), ids(2), ids(4), ids(5)), (vec![1, 2], vec![3, 4], vec![5], vec![]));
    }

    #[test]
    fn a_listener_that_follows_another_goes_on_where_that_ended() {
        let (all, local) = (Tallies::default(), [Peer::new("mem")]);
        let first = Arc::new(Tally::default());
        all.add("echo", &local, first.clone());
        first.refuse("allow");
        let second = Arc::new(Tally::default());
        all.add("echo", &local, second.clone());
        second.refuse("allow");
        let sums = || all.list().iter().map(|listed| listed.totals().refused["allow"]).collect::<Vec<_>>();
        assert_eq!((sums(), all.list()[0].tallies.len()), (vec![2], 2));
        drop((first, second));
        all.add("echo", &local, Arc::default());
        assert_eq!((sums(), all.list()[0].tallies.len()), (vec![2], 1));
        all.add("upper", &local, Arc::default());
        assert_eq!(all.list().len(), 2);
    }
}
