//! The peers of a listener: who is inside, what waits for each, and the task that reads for all of them.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sockeye_proto::crowd::{Crowd, Verdict};
use sockeye_proto::reflect::is_near;
use sockeye_sys::datagram::{Arrival, Name, Source};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::dropped::Losses;
use super::peer::{Inbox, Parcel};
use super::port::{Port, Room};
use crate::ctx::Ctx;
use crate::error::{Error, Op};
use crate::event::{Dropped, Event, Wants};

/// What may wait for all peers of a listener together. Strangers, who were heard once, may fill half of it: a flood of
/// them leaves the other half to those who talk.
const ALL: usize = 64 << 20;

/// One conversation: the socket, who is at the other end, and which of our addresses they speak to. Unix sockets
/// without a name cannot be told apart, nor answered: they are one peer.
pub(super) type Key = (usize, Name, Option<Source>);

/// What a listener, its task and its connections share.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) ports: Vec<Port>,
    crowd: Mutex<Crowd<Key, Arc<Inbox>>>,
    door: Mutex<Door>,
    /// What waits in all inboxes, as [`Parcel::cost`] counts.
    held: AtomicUsize,
    /// After how long a silent peer is taken to have left.
    pub(super) idle: Option<Duration>,
    /// Told when somebody leaves, or the door is shut.
    left: Notify,
}

/// Where newcomers wait to be accepted.
#[derive(Debug)]
struct Door {
    is_open: bool,
    /// In order of arrival; some are over by now.
    waiting: VecDeque<Arc<Inbox>>,
    /// How many may wait before those who are over are thrown out.
    sweep_at: usize,
    accepting: Option<Waker>,
}

/// The fewest who wait before it is worth looking through them.
const SWEEP: usize = 64;

impl Door {
    /// Lines somebody up, and says whom to wake.
    fn line_up(&mut self, newcomer: Arc<Inbox>) -> Option<Waker> {
        if self.waiting.len() >= self.sweep_at {
            self.waiting.retain(|inbox| !inbox.is_over());
            self.sweep_at = SWEEP.max(2 * self.waiting.len());
        }
        self.waiting.push_back(newcomer);
        self.accepting.take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    pub(super) fn new(ports: Vec<Port>, idle: Option<Duration>, most: usize) -> Arc<Self> {
        Arc::new(Self {
            ports,
            crowd: Mutex::new(Crowd::new(most)),
            door: Mutex::new(Door {
                is_open: true,
                waiting: VecDeque::new(),
                sweep_at: SWEEP,
                accepting: None,
            }),
            held: AtomicUsize::new(0),
            idle,
            left: Notify::new(),
        })
    }

    /// The next newcomer who is still there.
    pub(super) fn poll_newcomer(&self, cx: &mut Context<'_>) -> Poll<Arc<Inbox>> {
        let mut door = lock(&self.door);
        while let Some(newcomer) = door.waiting.pop_front() {
            if !newcomer.is_over() {
                return Poll::Ready(newcomer);
            }
        }
        door.accepting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Lets nobody in any more, and forgets who waits at the door.
    pub(super) fn shut(&self) {
        let waiting = {
            let mut door = lock(&self.door);
            door.is_open = false;
            std::mem::take(&mut door.waiting)
        };
        waiting.iter().for_each(|inbox| self.leave(inbox));
        self.left.notify_one();
    }

    /// A peer is gone: whoever sends under its name from here on is a newcomer.
    pub(super) fn leave(&self, inbox: &Arc<Inbox>) {
        self.release(inbox.end());
        let left = lock(&self.crowd).leave(&inbox.key, |inside| Arc::ptr_eq(inside, inbox));
        if left.is_some() {
            self.left.notify_one();
        }
    }

    /// What was held for a peer is taken, or thrown away.
    pub(super) fn release(&self, cost: usize) {
        self.held.fetch_sub(cost, Ordering::Relaxed);
    }

    fn is_deserted(&self) -> bool {
        !lock(&self.door).is_open && lock(&self.crowd).is_empty()
    }

    /// Reads for all peers until nobody is inside and nobody more is let in. One that fails is told, and tried again.
    pub(super) async fn read(self: Arc<Self>, ctx: Ctx) {
        let name = |port: &Port| port.peer().to_string();
        let mut losses: Vec<_> =
            self.ports.iter().map(|port| Losses::new(&name(port), &ctx.events)).collect();
        let mut rooms: Vec<_> = self.ports.iter().map(|_| Room::default()).collect();
        let mut is_draining = false;
        while !self.is_deserted() {
            let due = losses.iter().filter_map(Losses::due).min();
            tokio::select! {
                read = poll_fn(|cx| self.poll_read(&mut rooms, &mut losses, ctx.limits.public, cx)) => {
                    let Err((port, failed)) = read else { continue };
                    let (listener, error) = (name(port).into(), Error::new(Op::Accept, failed).on(port.peer()));
                    ctx.events.tell(Wants::Trouble, || Event::AcceptFailed { listener, error });
                    sleep(ctx.limits.accept_pause).await;
                }
                () = reached(due) => losses.iter_mut().for_each(Losses::tell),
                () = self.left.notified() => {}
                () = ctx.stop.draining(), if !is_draining => {
                    is_draining = true;
                    lock(&self.crowd).iter().for_each(|inbox| inbox.hasten());
                }
                () = ctx.stop.hurried() => break,
            }
        }
        let inside: Vec<_> = lock(&self.crowd).iter().cloned().collect();
        inside.iter().for_each(|inbox| self.leave(inbox));
    }

    /// Reads from each socket in turn, and hands out what came; ready with what went wrong, or once there are losses
    /// to tell.
    fn poll_read<'a>(
        &'a self,
        rooms: &mut [Room],
        losses: &mut [Losses],
        public: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), (&'a Port, io::Error)>> {
        loop {
            let (mut has_read, mut has_lost) = (false, false);
            let sockets = self.ports.iter().zip(&mut *rooms).zip(&mut *losses);
            for (at, ((port, room), losses)) in sockets.enumerate() {
                match port.poll_fill(room, cx) {
                    Poll::Ready(Ok(())) => has_read = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err((port, error))),
                    Poll::Pending => continue,
                }
                let mut lost = Dropped::default();
                for (arrival, payload) in room.iter() {
                    lost.by_kernel += u64::from(losses.by_kernel(arrival.dropped));
                    self.hand_out((at, port), arrival, payload, public, &mut lost);
                }
                has_lost |= losses.add(lost);
            }
            if has_lost || !has_read {
                return if has_lost { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
        }
    }

    /// Puts a datagram where its peer finds it.
    fn hand_out(
        &self,
        (at, port): (usize, &Port),
        arrival: &Arrival,
        payload: &[u8],
        public: bool,
        lost: &mut Dropped,
    ) {
        lost.cut += u64::from(arrival.is_cut);
        let key = (at, arrival.from, arrival.destination.map(|to| to.source));
        let parcel = |to| Parcel { payload: payload.to_vec(), to, cut: arrival.is_cut, dropped_before: 0 };
        let held = self.held.load(Ordering::Relaxed);
        let known = lock(&self.crowd).hear(&key).cloned();
        if let Some(inbox) = known {
            let parcel = parcel(port.destination(arrival));
            let cost = parcel.cost();
            if held + cost <= ALL && inbox.put(parcel) {
                self.held.fetch_add(cost, Ordering::Relaxed);
            } else {
                inbox.miss();
                lost.queue_full += 1;
            }
            return;
        }
        if !public && is_outsider(arrival.from) {
            lost.outsiders += 1;
            return;
        }
        let parcel = parcel(port.destination(arrival));
        let cost = parcel.cost();
        if !lock(&self.door).is_open || held + cost > ALL / 2 {
            lost.refused += 1;
            return;
        }
        let inbox = Arc::new(Inbox::new(key, parcel.to));
        let verdict = lock(&self.crowd).admit(key, inbox.clone());
        match verdict {
            Verdict::Admitted => {}
            Verdict::InsteadOf(evicted) => {
                let unread = evicted.end();
                self.release(unread);
                lost.refused += u64::from(unread > 0);
            }
            Verdict::Refused => {
                lost.refused += 1;
                return;
            }
        }
        self.held.fetch_add(cost, Ordering::Relaxed);
        inbox.put(parcel);
        let accepting = lock(&self.door).line_up(inbox);
        accepting.into_iter().for_each(Waker::wake);
    }
}

/// Unix sockets are this machine's own.
fn is_outsider(name: Name) -> bool {
    let ip: Option<IpAddr> = match name {
        Name::Inet(address) => Some(address.ip()),
        Name::Unix(_) | Name::Unnamed => None,
    };
    ip.is_some_and(|ip| !is_near(ip))
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
