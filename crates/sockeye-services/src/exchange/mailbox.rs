//! What waits for one peer: others post, and the task of the peer's connection takes.
//!
//! Posting never waits for the peer. It is said whether there was room, and who posts decides what that means.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use sockeye::proto::queue::{Full, OVERHEAD, Queue};
use sockeye::{Content, Message};
use tokio::time::Instant;

/// A message that is shared by all who are to hear it.
#[derive(Debug, Clone)]
pub struct Payload {
    bytes: Arc<[u8]>,
    content: Content,
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self { bytes: text.as_bytes().into(), content: Content::Text }
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), content: Content::Unknown }
    }
}

impl From<&Message> for Payload {
    fn from(message: &Message) -> Self {
        Self { bytes: message.payload.as_slice().into(), content: message.content }
    }
}

/// As it is sent.
impl<'a> From<&'a Payload> for sockeye::Payload<'a> {
    fn from(payload: &'a Payload) -> Self {
        Self { bytes: &payload.bytes, content: payload.content }
    }
}

/// How many bytes may wait for one peer, beside what is being sent to it just now. Each message counts
/// [`sockeye::proto::queue::OVERHEAD`] more than its payload; one that is larger than this for itself waits alone.
pub const ROOM: usize = 1 << 20;

/// A peer that takes nothing for so long is not waited for.
const STEP: Duration = Duration::from_secs(1);

/// The messages that wait for one peer, at most [`ROOM`].
#[derive(Debug)]
pub struct Mailbox(Mutex<State>);

#[derive(Debug)]
struct State {
    queue: Queue<Payload>,
    /// Of the task that takes.
    waker: Option<Waker>,
    /// Whether the peer itself is what holds that task up. If not, and something waits, then the task is about to run.
    is_stuck: bool,
    /// When messages were last taken.
    taken: Instant,
    end: Option<End>,
}

/// Why nothing is taken any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The peer has left.
    Left,
    /// It took too little of what was sent.
    TooSlow,
}

/// What became of messages that were posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Posted {
    /// All wait for the peer, or have driven out older ones.
    All,
    /// So many of them do. For the next there is no room, but the peer is not to blame: its task has not had its turn
    /// yet. The rest is to be posted again, after a turn.
    Busy(usize),
    /// There was no room, because the peer takes too little; one message or more were refused.
    Full,
    /// The peer has left.
    Gone,
}

impl Mailbox {
    /// An empty one, and what becomes of messages that find it full.
    pub fn new(full: Full) -> Self {
        let queue = Queue::new(ROOM, full);
        Self(Mutex::new(State { queue, waker: None, is_stuck: false, taken: Instant::now(), end: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts messages behind those that wait, and wakes the peer's task where it had nothing to do.
    pub fn post(&self, messages: &[Payload]) -> Posted {
        let mut state = self.state();
        if state.end.is_some() {
            return Posted::Gone;
        }
        let (had_none, dropped) = (state.queue.is_empty(), state.queue.dropped());
        let mut posted = Posted::All;
        for (at, message) in messages.iter().enumerate() {
            if !state.is_stuck && !state.queue.has_room(message.len()) {
                posted = Posted::Busy(at);
                break;
            }
            if state.queue.push(message.clone(), message.len()).is_err() {
                posted = Posted::Full;
                break;
            }
        }
        // A task that has something to do runs without being woken again. That messages are dropped for the first time
        // is news to it, though.
        let is_news = had_none || (dropped == 0 && state.queue.dropped() > 0);
        let waker = is_news.then(|| state.waker.take()).flatten();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        posted
    }

    /// Whether more than half of the room is taken although the peer takes some, within each second as much as is sent
    /// at once: it is no slow peer, but those who post are quicker.
    pub(crate) fn is_behind(&self) -> bool {
        let state = self.state();
        !state.queue.has_room(ROOM / 2) && state.taken.elapsed() < STEP
    }

    /// Ends the peer because it took too little: its task breaks the connection off.
    pub(crate) fn end_slow(&self) {
        self.end(End::TooSlow);
    }

    /// Nothing is taken any more.
    pub(super) fn leave(&self) {
        self.end(End::Left);
    }

    fn end(&self, end: End) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        while state.queue.pop().is_some() {}
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// For the peer's task, at the beginning of each of its turns: how many messages were dropped until now, or why
    /// it is to end. The task is woken for what comes next.
    pub(super) fn look(&self, cx: &Context<'_>) -> Result<u64, End> {
        let mut state = self.state();
        state.is_stuck = false;
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker @ None => *waker = Some(cx.waker().clone()),
        }
        state.end.map_or(Ok(state.queue.dropped()), Err)
    }

    /// Takes the oldest messages, of so many bytes or a little more.
    pub(super) fn take(&self, bytes: usize, into: &mut VecDeque<Payload>) {
        let (mut state, mut taken) = (self.state(), 0);
        while taken < bytes
            && let Some(message) = state.queue.pop()
        {
            taken += message.len() + OVERHEAD;
            into.push_back(message);
        }
        if taken > 0 {
            state.taken = Instant::now();
        }
    }

    /// The peer takes no more for now: what finds the mailbox full from here on is its own loss.
    pub(super) fn hold_up(&self) {
        self.state().is_stuck = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(count: usize, bytes: usize) -> Vec<Payload> {
        vec![vec![0; bytes].as_slice().into(); count]
    }

    #[test]
    fn room_is_refused_only_where_the_peer_holds_its_task_up() {
        let (mailbox, all) = (Mailbox::new(Full::RefuseNewest), messages(3, ROOM / 2 - OVERHEAD));
        assert_eq!(mailbox.post(&all), Posted::Busy(2));
        assert_eq!(mailbox.post(&all), Posted::Busy(0));
        mailbox.hold_up();
        assert_eq!(mailbox.post(&all), Posted::Full);
        let mut taken = VecDeque::new();
        mailbox.take(1, &mut taken);
        assert_eq!((taken.len(), mailbox.post(&all)), (1, Posted::Full));
        mailbox.leave();
        assert_eq!(mailbox.post(&all), Posted::Gone);
    }

    #[test]
    fn what_drives_out_older_messages_is_taken_and_counted() {
        let (mailbox, all) = (Mailbox::new(Full::DropOldest), messages(5, ROOM / 2 - OVERHEAD));
        mailbox.hold_up();
        assert_eq!(mailbox.post(&all), Posted::All);
        assert_eq!(mailbox.look(&Context::from_waker(Waker::noop())), Ok(3));
    }
}
