//! What waits for one peer of a listener: the task that reads puts in, and the peer's connection takes out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use super::peers::Key;
use crate::entrance::Pass;
use crate::peer::Endpoint;

/// What a datagram costs beside its bytes, so that a flood of empty ones is bounded too.
const EACH: usize = 128;

/// For how many datagrams an empty queue keeps room.
const KEPT: usize = 16;

/// A datagram that waits for its peer's connection.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) payload: Box<[u8]>,
    /// Which of our addresses it was sent to, on a socket of several.
    pub(super) to: Option<IpAddr>,
    /// When the kernel took it, where it tells.
    pub(super) at: Option<SystemTime>,
    pub(super) cut: bool,
    pub(super) dropped_before: u32,
}

impl Parcel {
    /// What it counts in a queue.
    pub(super) fn cost(&self) -> usize {
        self.payload.len() + EACH
    }
}

/// What waits for one peer.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) key: Key,
    /// Which of our addresses it spoke to first.
    pub(super) local: Endpoint,
    /// Says that the peer has left, when its connection is gone.
    _pass: Option<Pass>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parcels: VecDeque<Parcel>,
    /// What they cost together.
    held: usize,
    missed: u32,
    end: Option<End>,
    is_hastened: bool,
    receiver: Option<Waker>,
}

/// Why no more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Another peer has its place.
    Evicted,
    /// It is taken to have left, or its connection is gone.
    Over,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits.
    Taken,
    /// There is no room for it.
    Full,
    /// The peer is not here any more.
    Over,
}

/// What nobody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unread {
    pub(super) parcels: u64,
    pub(super) cost: usize,
}

/// What a connection finds.
pub(super) enum Found {
    Parcel(Parcel),
    End(End),
    /// Nothing yet; and whether the peer is to be done soon.
    Nothing {
        is_hastened: bool,
    },
}

impl Inbox {
    pub(super) fn new(key: Key, local: Endpoint, pass: Option<Pass>) -> Self {
        Self { key, local, _pass: pass, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a datagram, where no more than `most` waits then. A first one may be as large as `alone`.
    pub(super) fn put(&self, mut parcel: Parcel, most: usize, alone: usize) -> Put {
        let receiver = {
            let mut state = self.lock();
            let (together, limit) = (state.held + parcel.cost(), if state.held == 0 { alone } else { most });
            if state.end.is_some() {
                return Put::Over;
            }
            if together > limit {
                state.missed = state.missed.saturating_add(1);
                return Put::Full;
            }
            parcel.dropped_before = std::mem::take(&mut state.missed);
            state.held = together;
            state.parcels.push_back(parcel);
            state.receiver.take()
        };
        receiver.into_iter().for_each(Waker::wake);
        Put::Taken
    }

    /// Takes the oldest; where there is nothing, the task is woken for what comes next.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Found {
        let mut state = self.lock();
        if let Some(parcel) = state.parcels.pop_front() {
            state.held = state.held.saturating_sub(parcel.cost());
            if state.parcels.is_empty() && state.parcels.capacity() > KEPT {
                state.parcels = VecDeque::new();
            }
            return Found::Parcel(parcel);
        }
        if let Some(end) = state.end {
            return Found::End(end);
        }
        state.receiver = Some(cx.waker().clone());
        Found::Nothing { is_hastened: state.is_hastened }
    }

    /// No more comes. Says what is thrown away with it.
    pub(super) fn end(&self, end: End) -> Unread {
        let (receiver, parcels, cost) = {
            let mut state = self.lock();
            state.end.get_or_insert(end);
            (state.receiver.take(), std::mem::take(&mut state.parcels), std::mem::take(&mut state.held))
        };
        receiver.into_iter().for_each(Waker::wake);
        Unread { parcels: u64::try_from(parcels.len()).unwrap_or(u64::MAX), cost }
    }

    /// As [`Inbox::end`] where nothing waits; `Pending` where something does after all.
    pub(super) fn poll_end(&self) -> Poll<()> {
        let mut state = self.lock();
        if !state.parcels.is_empty() {
            return Poll::Pending;
        }
        state.end.get_or_insert(End::Over);
        Poll::Ready(())
    }

    /// The peer has only so long left as it has something to say.
    pub(super) fn hasten(&self) {
        let receiver = {
            let mut state = self.lock();
            state.is_hastened = true;
            state.receiver.take()
        };
        receiver.into_iter().for_each(Waker::wake);
    }

    /// Why no more comes, once that is so.
    pub(super) fn ended(&self) -> Option<End> {
        self.lock().end
    }
}

#[cfg(test)]
mod tests {
    use sockeye_sys::datagram::Name;

    use super::*;

    fn inbox() -> Inbox {
        Inbox::new((0, Name::Unnamed, None, None), Endpoint::Unnamed, None)
    }

    fn parcel(length: usize) -> Parcel {
        Parcel { payload: vec![0; length].into(), to: None, at: None, cut: false, dropped_before: 0 }
    }

    /// Takes the oldest, and says how many were missed before it.
    fn take(inbox: &Inbox) -> Option<u32> {
        match inbox.poll_take(&Context::from_waker(Waker::noop())) {
            Found::Parcel(parcel) => Some(parcel.dropped_before),
            Found::End(_) | Found::Nothing { .. } => None,
        }
    }

    #[test]
    fn a_flood_of_empty_datagrams_is_bounded_and_leaves_no_room_behind_once_it_is_read() {
        let (inbox, most) = (inbox(), 5000 * EACH);
        let taken = (0..6000).filter(|_| inbox.put(parcel(0), most, most) == Put::Taken).count();
        assert_eq!(taken, 5000);
        assert!(inbox.lock().parcels.capacity() >= 5000);
        assert_eq!(std::iter::from_fn(|| take(&inbox)).count(), 5000);
        assert!(inbox.lock().parcels.capacity() <= KEPT && inbox.lock().held == 0);
        // What few datagrams need is kept, so that the next do not have to ask for it.
        inbox.put(parcel(0), most, most);
        let capacity = inbox.lock().parcels.capacity();
        assert_eq!(
            (take(&inbox), capacity > 0, inbox.lock().parcels.capacity()),
            (Some(1000), true, capacity)
        );
    }

    #[test]
    fn several_share_a_limit_and_one_alone_has_its_own() {
        let (inbox, most, alone) = (inbox(), 4 * EACH, 10 * EACH);
        assert_eq!(inbox.put(parcel(9 * EACH + 1), most, alone), Put::Full);
        assert_eq!(inbox.put(parcel(9 * EACH), most, alone), Put::Taken);
        assert_eq!(inbox.put(parcel(0), most, alone), Put::Full);
        assert_eq!(take(&inbox), Some(1));
        for length in [EACH, EACH] {
            assert_eq!(inbox.put(parcel(length), most, alone), Put::Taken);
        }
        assert_eq!(inbox.put(parcel(0), most, alone), Put::Full);
        assert_eq!(take(&inbox), Some(1));
        assert_eq!(inbox.put(parcel(EACH + 1), most, alone), Put::Full);
        assert_eq!(inbox.put(parcel(EACH), most, alone), Put::Taken);
        assert_eq!((take(&inbox), take(&inbox), take(&inbox)), (Some(0), Some(2), None));
    }

    #[test]
    fn who_is_gone_gets_nothing_more_and_what_it_did_not_read_is_counted() {
        let inbox = inbox();
        for _ in 0..3 {
            assert_eq!(inbox.put(parcel(10), 1000, 1000), Put::Taken);
        }
        assert_eq!(take(&inbox), Some(0));
        assert_eq!(inbox.end(End::Evicted), Unread { parcels: 2, cost: 2 * (10 + EACH) });
        assert_eq!(inbox.end(End::Over), Unread::default());
        assert_eq!(inbox.put(parcel(0), 1000, 1000), Put::Over);
        assert_eq!((inbox.ended(), take(&inbox)), (Some(End::Evicted), None));
    }
}
