//! The task that reads for all peers of a listener.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::reflect::Guard;
use sockeye_sys::datagram::Name;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::bound::{Bound, Room};
use super::dropped::Losses;
use super::peers::Peers;
use crate::ctx::Ctx;
use crate::entrance::Entrance;
use crate::error::{Error, Op};
use crate::event::{Dropped, Event, Wants};

/// Reads until nobody is inside and nobody more is let in, or a hurry ends everybody. A failure is told, and after a
/// pause it goes on.
pub(super) async fn read(peers: Arc<Peers>, ctx: Ctx) {
    let mut reader = Reader::new(peers.clone(), ctx);
    while !peers.is_deserted() && !reader.turn().await {}
    peers.end_all();
    reader.count_losses();
    for (socket, losses) in peers.sockets.iter().zip(&mut reader.losses) {
        losses.add(Dropped { by_kernel: socket.last_drops().into(), ..Dropped::default() });
    }
}

struct Reader {
    peers: Arc<Peers>,
    ctx: Ctx,
    rooms: Vec<Room>,
    losses: Vec<Losses>,
    ears: Ears,
    is_draining: bool,
    /// How often reading has failed since it last worked.
    failures: u64,
    /// Until when it is not tried again.
    pause: Option<Instant>,
}

/// Who is heard.
struct Ears {
    guard: Guard,
    /// When time began for the guard.
    began: Instant,
    entrance: Option<Arc<Entrance>>,
}

impl Ears {
    /// Hears whom the rules of newcomers say.
    fn attune(&mut self, peers: &Peers) {
        let outsiders = peers.limits().outsiders;
        if self.guard.policy() != outsiders {
            self.guard = Guard::new(outsiders);
        }
        self.entrance = peers.entrance();
    }
}

impl Reader {
    fn new(peers: Arc<Peers>, ctx: Ctx) -> Self {
        let losses = peers.sockets.iter().map(|socket| Losses::new(&socket.peer().to_string(), &ctx));
        let losses = losses.collect();
        let rooms = peers.sockets.iter().map(|_| Room::default()).collect();
        let ears = Ears { guard: Guard::new(ctx.limits.outsiders), began: Instant::now(), entrance: None };
        Self { peers, ctx, rooms, losses, ears, is_draining: false, failures: 0, pause: None }
    }

    /// Does what is to be done next; `true` is a hurry.
    async fn turn(&mut self) -> bool {
        let Self { peers, ctx, rooms, losses, ears, is_draining, pause, .. } = self;
        ears.attune(peers);
        let told = losses.iter().filter_map(Losses::due).min();
        let (paused, mut has_waited) = (pause.is_some(), false);
        let mut poll = |cx: &mut Context<'_>| {
            let read = poll_read(peers, rooms, losses, ears, cx);
            has_waited |= read.is_pending();
            read.map(|read| read.map(|is_all| is_all && has_waited))
        };
        tokio::select! {
            read = poll_fn(&mut poll), if !paused => match read {
                Ok(is_idle) => {
                    self.succeeded();
                    // Those who are to have it come first: what is left waits in the kernel's buffer, which is larger
                    // than theirs. Where nothing is left they have their turn anyway.
                    if !is_idle {
                        yield_now().await;
                    }
                }
                Err((socket, error)) => self.failed(socket, error),
            },
            () = reached(*pause), if paused => *pause = None,
            () = reached(told) => losses.iter_mut().for_each(Losses::tell),
            () = peers.left.notified() => {}
            () = ctx.stop.draining(), if !*is_draining => {
                *is_draining = true;
                peers.hasten_all();
            }
            () = ctx.stop.hurried() => return true,
        }
        self.count_losses();
        false
    }

    fn count_losses(&mut self) {
        let (unread, outsiders) = (self.peers.take_unread(), self.peers.take_withheld());
        let lost = Dropped { unread, outsiders, ..Dropped::default() };
        if let Some(losses) = self.losses.first_mut() {
            losses.add(lost);
        }
    }

    fn failed(&mut self, socket: usize, error: io::Error) {
        self.ctx.tally.fail_to_accept();
        let listener = self.peers.sockets.get(socket).map(|socket| socket.peer().to_string());
        let listener = listener.unwrap_or_default();
        if self.failures == 0 {
            let error = Error::new(Op::Accept, error).on(&listener);
            self.ctx.events.tell(Wants::Trouble, || Event::AcceptFailed { listener: listener.into(), error });
        }
        self.failures += 1;
        self.pause = Some(Instant::now() + self.ctx.limits.accept_pause);
    }

    fn succeeded(&mut self) {
        let failures = std::mem::take(&mut self.failures);
        if failures > 0 {
            let listener = self.peers.sockets.first().map(Bound::peer).map(|peer| peer.to_string());
            let listener = listener.unwrap_or_default().into();
            self.ctx.events.tell(Wants::Trouble, || Event::AcceptResumed { listener, failures });
        }
    }
}

/// Reads once from each socket that has something, and hands out what came from who is heard. Ready with whether that was
/// all, or with what went wrong, and where.
fn poll_read(
    peers: &Peers,
    rooms: &mut [Room],
    losses: &mut [Losses],
    ears: &mut Ears,
    cx: &mut Context<'_>,
) -> Poll<Result<bool, (usize, io::Error)>> {
    let (mut has_read, mut is_all) = (false, true);
    let sockets = peers.sockets.iter().zip(rooms).zip(losses);
    for (at, ((socket, room), losses)) in sockets.enumerate() {
        match socket.poll_fill(room, cx) {
            Poll::Ready(Ok(all)) => (has_read, is_all) = (true, is_all && all),
            Poll::Ready(Err(error)) => return Poll::Ready(Err((at, error))),
            Poll::Pending => continue,
        }
        let (mut lost, now) = (Dropped::default(), ears.began.elapsed());
        for came in room.iter() {
            lost.by_kernel += u64::from(socket.new_drops(came.0));
            if socket.is_own(came.0) {
                continue;
            }
            // Unix sockets are this machine's own.
            let is_heard = match came.0.from {
                Name::Inet(from) => ears.guard.hears(from, now),
                Name::Unix(_) | Name::Unnamed => true,
            };
            if is_heard {
                peers.hand_out((at, socket), came, ears.entrance.as_ref(), &mut lost);
            } else {
                lost.outsiders += 1;
            }
        }
        losses.add(lost);
    }
    if has_read { Poll::Ready(Ok(is_all)) } else { Poll::Pending }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
