//! How many commands run, in all and of each peer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sockeye::Ctx;
use sockeye::process::Program;
use sockeye::proto::admission::{Key, Quota};
use sockeye::proto::exec::{Refusal, Request};

use super::policy::{No, Policy};

/// The commands that run.
#[derive(Debug)]
pub(crate) struct House {
    most: u32,
    inside: Mutex<(u32, Quota)>,
}

/// The place that a command takes. Dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    house: Arc<House>,
    key: Key,
}

impl House {
    /// So many at once in all, and of one peer.
    pub(crate) fn new(most: u32, most_per_peer: u32) -> Arc<Self> {
        Arc::new(Self { most, inside: Mutex::new((0, Quota::new(Some(most_per_peer), None))) })
    }

    /// Takes in a command that a peer asks for: what runs, and its place.
    ///
    /// # Errors
    /// We are about to stop, or there is no place left, or the policy does not allow it.
    pub(crate) fn admit(
        self: &Arc<Self>,
        request: Request,
        key: Key,
        policy: &Policy,
        ctx: &Ctx,
    ) -> Result<(Program, Place), No> {
        if ctx.stop.is_draining() {
            return Err(No::new(Refusal::Failed, "the server is about to stop"));
        }
        let place = self.enter(key)?;
        Ok((policy.program(request)?, place))
    }

    /// Takes a place for a command of that peer.
    ///
    /// # Errors
    /// There is none left.
    fn enter(self: &Arc<Self>, key: Key) -> Result<Place, No> {
        let too_many = |whose: &str, flag: &str| {
            No::new(Refusal::TooMany, format!("as many commands run{whose} as may ({flag})"))
        };
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, quota) = &mut *inside;
        if *count >= self.most {
            return Err(too_many("", "the server's --commands"));
        }
        quota
            .admit(key, Duration::ZERO)
            .map_err(|_| too_many(" for you", "the server's --commands-per-peer"))?;
        *count += 1;
        Ok(Place { house: self.clone(), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.house.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.0 = inside.0.saturating_sub(1);
        inside.1.leave(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_gets_so_many_places_and_all_together_so_many() {
        let house = House::new(3, 2);
        let (one, other) = (Key::User(1), Key::User(2));
        let places: Vec<Place> = [one, one].map(|key| house.enter(key).unwrap()).into();
        assert!(house.enter(one).unwrap_err().text.contains("per-peer"));
        let third = house.enter(other).unwrap();
        assert!(house.enter(other).unwrap_err().text.contains("--commands)"));
        drop(places);
        let again: Vec<Place> = [one, one].map(|key| house.enter(key).unwrap()).into();
        assert!(house.enter(one).is_err());
        drop((third, again));
    }
}
