//! The peers of a listener: who is inside, and what becomes of a datagram.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sockeye_proto::crowd::{Crowd, Strangers, Verdict};
use sockeye_sys::datagram::{Arrival, Name, Source};
use tokio::sync::Notify;

use super::bound::Bound;
use super::door::Door;
use super::inbox::{End, Inbox, Parcel, Put, Unread};
use crate::ctx::Limits;
use crate::entrance::Entrance;
use crate::event::Dropped;

/// What may wait for all peers of a listener together.
const ALL: usize = 64 << 20;

/// What may wait for one peer is this share of what is free: some 4 MiB where nobody else waits, since we empty the
/// kernel's buffer more quickly than a relay passes on what was in it. Those who do not read, and newcomers, of whom no
/// larger datagram is taken, leave fifteen times as much to those who do as each of them has.
const SHARE: usize = 16;

/// One conversation: the socket, who is at the other end, which of our addresses they speak to, and which user they are,
/// where anybody asks: a port or a path that another user has by now is another peer. Unix sockets without a name cannot
/// be told apart, nor answered: those of one user are one peer.
pub(super) type Key = (usize, Name, Option<Source>, Option<u32>);

/// What a listener, its task and its connections share.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) sockets: Vec<Bound>,
    crowd: Mutex<Crowd<Key, Arc<Inbox>>>,
    door: Mutex<Door>,
    /// What waits in all inboxes, as [`Parcel::cost`] counts.
    held: AtomicUsize,
    /// Datagrams that nobody read before their connection was over, and that are not told yet.
    unread: AtomicU64,
    /// Answers that were not sent because they are more than was asked with, and that are not told yet.
    withheld: AtomicU64,
    /// Those of newcomers.
    limits: Mutex<Limits>,
    /// What decides on newcomers, where there are rules.
    entrance: Mutex<Option<Arc<Entrance>>>,
    /// Told when somebody leaves, the door is shut, or there is something to tell.
    pub(super) left: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    pub(super) fn new(sockets: Vec<Bound>, limits: &Limits) -> Arc<Self> {
        let (most, strangers) = room(limits);
        Arc::new(Self {
            sockets,
            crowd: Mutex::new(Crowd::new(most, strangers)),
            door: Mutex::new(Door::new()),
            held: AtomicUsize::new(0),
            unread: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
            limits: Mutex::new(*limits),
            entrance: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// The limits of newcomers: after how long a silent one is taken to have left, and how much is sent to whom.
    pub(super) fn limits(&self) -> Limits {
        *lock(&self.limits)
    }

    /// What decides on newcomers, where there are rules.
    pub(super) fn entrance(&self) -> Option<Arc<Entrance>> {
        lock(&self.entrance).clone()
    }

    /// Decides on newcomers from now on.
    pub(super) fn guard_with(&self, entrance: Option<Arc<Entrance>>) {
        *lock(&self.entrance) = entrance;
    }

    /// Newcomers have other limits from now on.
    pub(super) fn keep_to(&self, limits: &Limits) {
        let (most, strangers) = room(limits);
        lock(&self.crowd).resize(most, strangers);
        *lock(&self.limits) = *limits;
    }

    /// The next newcomer who is still there.
    pub(super) fn poll_newcomer(&self, cx: &Context<'_>) -> Poll<Arc<Inbox>> {
        lock(&self.door).poll_next(cx)
    }

    /// Lets nobody in any more, and gives up those who wait at the door.
    pub(super) fn shut(&self) {
        let waiting = lock(&self.door).shut();
        waiting.iter().for_each(|inbox| self.leave(inbox));
        self.left.notify_one();
    }

    /// A peer is gone: whoever sends under its name from here on is a newcomer.
    pub(super) fn leave(&self, inbox: &Arc<Inbox>) {
        self.throw_away(inbox.end(End::Over));
        let left = lock(&self.crowd).leave(&inbox.key, |inside| Arc::ptr_eq(inside, inbox));
        if left.is_some() {
            self.left.notify_one();
        }
    }

    /// What waited for a peer is taken.
    pub(super) fn release(&self, cost: usize) {
        self.held.fetch_sub(cost, Ordering::Relaxed);
    }

    fn throw_away(&self, unread: Unread) {
        self.release(unread.cost);
        if unread.parcels > 0 {
            self.unread.fetch_add(unread.parcels, Ordering::Relaxed);
        }
    }

    /// An answer would have been more than its peer has sent.
    pub(super) fn withhold(&self) {
        self.withheld.fetch_add(1, Ordering::Relaxed);
        self.left.notify_one();
    }

    /// How many answers were withheld since this was last asked.
    pub(super) fn take_withheld(&self) -> u64 {
        self.withheld.swap(0, Ordering::Relaxed)
    }

    /// How many nobody has read since this was last asked.
    pub(super) fn take_unread(&self) -> u64 {
        self.unread.swap(0, Ordering::Relaxed)
    }

    /// Whether nobody is inside, and nobody more is let in.
    pub(super) fn is_deserted(&self) -> bool {
        !lock(&self.door).is_open() && lock(&self.crowd).is_empty()
    }

    /// Everybody has only so long left as they have something to say.
    pub(super) fn hasten_all(&self) {
        lock(&self.crowd).iter().for_each(|inbox| inbox.hasten());
    }

    /// Ends everybody who is inside.
    pub(super) fn end_all(&self) {
        let inside: Vec<_> = lock(&self.crowd).iter().cloned().collect();
        inside.iter().for_each(|inbox| self.leave(inbox));
    }

    /// Puts a datagram where its peer finds it, which may be a newcomer as far as the entrance says.
    pub(super) fn hand_out(
        &self,
        (at, socket): (usize, &Bound),
        (arrival, payload): (&Arrival, &[u8]),
        entrance: Option<&Arc<Entrance>>,
        lost: &mut Dropped,
    ) {
        let heard = entrance.map(|entrance| {
            let from = socket.kind.endpoint(arrival.from.into());
            (entrance, entrance.hear(from, socket.destination(arrival), arrival.user))
        });
        let (entrance, user) = match heard {
            None => (None, None),
            Some((entrance, Ok((user, counted)))) => (Some((entrance, counted)), user),
            Some((_, Err(_refused))) => {
                lost.kept_out += 1;
                return;
            }
        };
        lost.cut += u64::from(arrival.is_cut);
        let key = (at, arrival.from, arrival.destination.map(|to| to.source), user);
        let known = lock(&self.crowd).hear(&key).cloned();
        if let Some(inbox) = known {
            match self.put(&inbox, parcel(arrival, payload)) {
                Put::Taken => return,
                Put::Full => {
                    lost.queue_full += 1;
                    return;
                }
                // It has just left, and is back.
                Put::Over => self.leave(&inbox),
            }
        }
        let parcel = parcel(arrival, payload);
        let free = ALL.saturating_sub(self.held.load(Ordering::Relaxed));
        if !lock(&self.door).is_open() || parcel.cost() > free / SHARE {
            lost.refused += 1;
            return;
        }
        let pass = match entrance.map(|(entrance, counted)| entrance.enter(counted)).transpose() {
            Ok(pass) => pass,
            Err(_refused) => {
                lost.kept_out += 1;
                return;
            }
        };
        let inbox = Arc::new(Inbox::new(key, socket.destination(arrival), pass));
        let verdict = lock(&self.crowd).admit(key, inbox.clone());
        match verdict {
            Verdict::Admitted => {}
            Verdict::InsteadOf(evicted) => self.throw_away(evicted.end(End::Evicted)),
            Verdict::Refused => {
                lost.refused += 1;
                return;
            }
        }
        self.put(&inbox, parcel);
        let lined_up = lock(&self.door).line_up(inbox);
        match lined_up {
            Ok(accepting) => accepting.into_iter().for_each(Waker::wake),
            Err(inbox) => self.leave(&inbox),
        }
    }

    fn put(&self, inbox: &Inbox, parcel: Parcel) -> Put {
        let cost = parcel.cost();
        // Counted first: whoever takes it out may be quicker than we are.
        let held = self.held.fetch_add(cost, Ordering::Relaxed);
        let free = ALL.saturating_sub(held);
        // A first datagram may be longer: those of Unix sockets know no bound.
        let put = inbox.put(parcel, free / SHARE, free / 2);
        if put != Put::Taken {
            self.release(cost);
        }
        put
    }
}

/// How many may be inside. Where there is room for one alone, the first who comes is the one: a stray datagram must not
/// end it.
fn room(limits: &Limits) -> (usize, Strangers) {
    let most = if limits.once { 1 } else { limits.max_conns };
    (most, if most > 1 { Strangers::MakeRoom } else { Strangers::Stay })
}

fn parcel(arrival: &Arrival, payload: &[u8]) -> Parcel {
    let to = arrival.destination.map(|to| to.ip);
    Parcel { payload: payload.into(), to, at: arrival.at, cut: arrival.is_cut, dropped_before: 0 }
}
