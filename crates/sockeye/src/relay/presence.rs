//! Whether the peer of a command is still there: a command does not run on for somebody who has left for good.

use std::task::Context;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::conn::Conn;
use crate::owner;

/// How often the kernel is asked: it tells nobody that a peer that had ended its side has left altogether.
const LOOK: Duration = Duration::from_millis(500);

/// Looks after one side. An end of file says only that no more will come, and an answer may still be waited for; so
/// the other side may work on it as long as it likes, but not once nobody can read it any more.
#[derive(Debug, Default)]
pub(super) struct Presence(Option<Interval>);

impl Presence {
    /// Whether the peer has left, as far as this can be told: on Unix sockets and on TCP over loopback. Where it is
    /// there the task is woken for the next look.
    pub(super) fn poll_left(&mut self, peer: &Conn, cx: &mut Context<'_>) -> bool {
        let looks = self.0.get_or_insert_with(|| {
            let mut looks = interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        });
        let mut has_left = false;
        while looks.poll_tick(cx).is_ready() {
            has_left |= peer.is_hung_up() || owner::is_gone(peer.peer()) == Some(true);
        }
        has_left
    }
}
