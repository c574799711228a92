//! Counting messages that did not reach a peer, and telling of them.

use std::sync::Arc;

use sockeye::{Error, Event, Events, Peer, Wants};

/// Messages that did not reach a peer which stays. The first is told at once, the others together when it leaves.
pub(super) struct Missed<'a> {
    peer: Arc<Peer>,
    events: &'a Events,
    untold: u64,
    last: Option<Error>,
}

impl<'a> Missed<'a> {
    pub(super) fn new(peer: &Arc<Peer>, events: &'a Events) -> Self {
        Self { peer: peer.clone(), events, untold: 0, last: None }
    }

    /// Counts messages that did not reach the peer, and why.
    pub(super) fn count(&mut self, messages: u64, why: Error) {
        let is_first = self.last.replace(why).is_none();
        self.untold += messages;
        if is_first {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let messages = std::mem::take(&mut self.untold);
        if let Some(error) = self.last.clone().filter(|_| messages > 0) {
            let peer = self.peer.clone();
            self.events.tell(Wants::Trouble, || Event::Missed { peer, messages, error });
        }
    }
}

impl Drop for Missed<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}
