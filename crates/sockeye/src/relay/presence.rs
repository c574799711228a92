//! Whether the peer of a command is still there: a command does not run on for somebody who has left for good.

use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::conn::Conn;
use crate::owner;

/// How often the kernel is asked: it tells nobody that a peer that had ended its side has left altogether.
const LOOK: Duration = Duration::from_millis(500);

/// How long a command whose peer has left may take nothing more before it is ended: many a peer sends and leaves at
/// once, and what it sent is still to be worked on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks after one side. An end of file says only that no more will come, and an answer may still be waited for; so
/// the other side may work on it as long as it likes, but not once nobody can read it any more.
#[derive(Debug, Default)]
pub(super) struct Presence {
    looks: Option<Interval>,
    /// Once the peer has left: when the command last took something, and how many bytes it had then.
    last: Option<(Instant, u64)>,
}

impl Presence {
    /// Whether the peer has left, as far as this can be told (on Unix sockets and on TCP over loopback), and the command,
    /// which has `taken` so many bytes, has had time to work on what it got. Else the task is woken for the next look.
    pub(super) fn poll_left(&mut self, peer: &Conn, taken: u64, cx: &mut Context<'_>) -> bool {
        let looks = self.looks.get_or_insert_with(|| {
            let mut looks = interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        });
        let mut is_over = false;
        while looks.poll_tick(cx).is_ready() {
            let has_left =
                self.last.is_some() || peer.is_hung_up() || owner::is_gone(peer.peer()) == Some(true);
            if has_left {
                let (since, before) = *self.last.get_or_insert((Instant::now(), taken));
                is_over = before == taken && since.elapsed() >= PATIENCE;
                if before != taken {
                    self.last = Some((Instant::now(), taken));
                }
            }
        }
        is_over
    }
}
