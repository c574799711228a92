//! Which commands were asked for already, so that a request that comes twice runs once.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::Id;

/// How many ids are remembered: where there are more, the oldest is forgotten.
pub(super) const MOST: usize = 1 << 16;
/// For how long: far longer than a request is sent again ([`super::SILENCE`]), or lies in any queue.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// The ids of the commands that were asked for.
#[derive(Debug, Default)]
pub struct Seen {
    ids: HashSet<Id>,
    /// The same, oldest first, each with when it came.
    order: VecDeque<(Duration, Id)>,
}

impl Seen {
    /// Whether this id comes for the first time; from now on it does not. Time counts from a moment of the caller's.
    pub fn is_new(&mut self, id: &Id, now: Duration) -> bool {
        while let Some((_, oldest)) = self.order.front().filter(|(at, _)| now.saturating_sub(*at) > LONGEST) {
            self.ids.remove(oldest);
            self.order.pop_front();
        }
        if !self.ids.insert(*id) {
            return false;
        }
        self.order.push_back((now, *id));
        if self.order.len() > MOST
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}
