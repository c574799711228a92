//! A service that needs no session: a batch of datagrams in, a batch of answers out.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use sockeye_proto::reflect::{Guard, Outsiders};
use sockeye_sys::datagram::{BATCH, Departure, Name};
use tokio::time::{Instant, timeout_at};

use super::bound::{Bound, Room};
use super::dropped::Losses;
use crate::counts::Volume;
use crate::ctx::Ctx;
use crate::entrance::Entrance;
use crate::error::{Error, Op, Result};
use crate::event::Dropped;
use crate::message::{Ignored, Message, Replies};
use crate::service::{BoxFuture, Datagrams};
use crate::tally::Tally;

/// Answers on all sockets, each of which has its batch, until one fails. Cancel safe: called again with the same batches
/// it goes on where it was, also for another service.
pub(super) async fn answer_all(
    sockets: &[Bound],
    batches: &mut [Batch],
    entrance: Option<&Arc<Entrance>>,
    service: &dyn Datagrams,
    ctx: &Ctx,
) -> Result<()> {
    let one = |(socket, batch)| -> BoxFuture<'_, Result<()>> {
        Box::pin(answer(socket, batch, entrance, service, ctx))
    };
    let mut all: Vec<_> = sockets.iter().zip(batches).map(one).collect();
    poll_fn(|cx| {
        let ended = all.iter_mut().find_map(|one| match one.as_mut().poll(cx) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        });
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

async fn answer(
    socket: &Bound,
    batch: &mut Batch,
    entrance: Option<&Arc<Entrance>>,
    service: &dyn Datagrams,
    ctx: &Ctx,
) -> Result<()> {
    let failed = |error: io::Error| Error::new(Op::Accept, error).on(socket.peer());
    batch.attune(service, ctx);
    loop {
        // First of all what a change of terms has held up.
        batch.send(socket).await.map_err(failed)?;
        batch.count();
        loop {
            let filled = poll_fn(|cx| socket.poll_fill(&mut batch.room, cx));
            let filled = match batch.losses.due() {
                None => Ok(filled.await),
                Some(due) => timeout_at(due, filled).await,
            };
            match filled {
                Ok(filled) => {
                    filled.map_err(failed)?;
                    break;
                }
                Err(_due) => batch.losses.tell(),
            }
        }
        batch.ask(socket, entrance, service, ctx);
    }
}

/// A batch of one socket, and what is used again for each.
pub(super) struct Batch {
    room: Room,
    message: Message,
    /// The answers to each datagram.
    answers: Vec<Replies>,
    /// How many of the answers are gone.
    sent: usize,
    guard: Guard,
    /// When time began for the guard.
    began: Instant,
    losses: Losses,
    tally: Arc<Tally>,
    /// What was heard and answered in this batch.
    volume: Volume,
}

impl Batch {
    pub(super) fn new(socket: &Bound, ctx: &Ctx) -> Self {
        Self {
            room: Room::default(),
            message: Message::default(),
            answers: Vec::new(),
            sent: 0,
            guard: Guard::new(ctx.limits.outsiders),
            began: Instant::now(),
            losses: Losses::new(&socket.peer().to_string(), ctx),
            tally: ctx.tally.clone(),
            volume: Volume::default(),
        }
    }

    /// Hears, counts and tells as the terms of newcomers say.
    fn attune(&mut self, service: &dyn Datagrams, ctx: &Ctx) {
        let (policy, shuns_ports) = (ctx.limits.outsiders, service.may_loop());
        if (self.guard.policy(), self.guard.shuns_ports()) != (policy, shuns_ports) {
            let guard = Guard::new(policy);
            self.guard = if shuns_ports { guard } else { guard.hearing_all_ports() };
        }
        self.losses.follow(ctx);
        self.tally = ctx.tally.clone();
    }

    /// Nothing more is read from the socket.
    pub(super) fn end(&mut self, socket: &Bound) {
        self.losses.add(Dropped { by_kernel: socket.last_drops().into(), ..Dropped::default() });
    }

    /// Counts what is over.
    fn count(&mut self) {
        self.tally.answer(&std::mem::take(&mut self.volume));
    }

    /// Has the service answer each datagram of the batch that may be answered.
    fn ask(&mut self, socket: &Bound, entrance: Option<&Arc<Entrance>>, service: &dyn Datagrams, ctx: &Ctx) {
        let Self { room, message, answers, sent, guard, began, losses, volume, .. } = self;
        *sent = 0;
        let now = began.elapsed();
        let mut lost = Dropped::default();
        for (at, (arrival, payload)) in room.iter().enumerate() {
            if answers.len() == at {
                answers.push(Replies::default());
            }
            let Some(replies) = answers.get_mut(at) else { break };
            replies.clear();
            let dropped_before = socket.new_drops(arrival);
            lost.by_kernel += u64::from(dropped_before);
            let Name::Inet(from) = arrival.from else { continue };
            if socket.is_own(arrival) {
                continue;
            }
            if !guard.hears(from, now) {
                lost.outsiders += 1;
                continue;
            }
            let (sender, to) = (socket.kind.endpoint(arrival.from.into()), socket.destination(arrival));
            // Without a session each datagram is a newcomer, and nobody stays.
            let lets_in = |entrance: &Arc<Entrance>| {
                entrance.hear(sender, to, None).and_then(|(_, key)| entrance.enter(key)).is_ok()
            };
            if !entrance.is_none_or(lets_in) {
                lost.kept_out += 1;
                continue;
            }
            message.clear();
            message.payload.extend_from_slice(payload);
            (message.from, message.to) = (sender, to);
            (message.at, message.cut, message.dropped_before) = (arrival.at, arrival.is_cut, dropped_before);
            lost.cut += u64::from(arrival.is_cut);
            volume.messages_received += 1;
            volume.received += size(payload);
            service.answer(message, replies, ctx);
            match replies.ignored() {
                None => {}
                Some(Ignored::Foreign) => lost.foreign += 1,
                Some(Ignored::TooOften) => lost.too_often += 1,
            }
            if !may_go(replies, from.ip(), payload, ctx.limits.outsiders) {
                replies.clear();
                lost.outsiders += 1;
            }
            volume.messages_sent += replies.iter().map(|_| 1).sum::<u64>();
            volume.sent += replies.iter().map(size).sum::<u64>();
        }
        losses.add(lost);
    }

    /// Sends all answers that are left. One that cannot be sent is counted, and the others go on. Cancel safe.
    async fn send(&mut self, socket: &Bound) -> io::Result<()> {
        loop {
            match self.try_send(socket) {
                Ok(0) => return Ok(()),
                Ok(more) => self.sent += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.way.writable().await?;
                }
                Err(_unsent) => {
                    self.give_one_up();
                }
            }
        }
    }

    /// Counts the next answer as not sent; `false` where there is none.
    fn give_one_up(&mut self) -> bool {
        let mut answers = self.answers.iter().take(self.room.iter().count()).flat_map(Replies::iter);
        let Some(size) = answers.nth(self.sent).map(size) else { return false };
        self.volume.sent -= size;
        self.volume.messages_sent -= 1;
        self.sent += 1;
        self.losses.add(Dropped { unsent: 1, ..Dropped::default() });
        true
    }

    /// Sends what can go at once of what is left; 0 where nothing is.
    fn try_send(&self, socket: &Bound) -> io::Result<usize> {
        let answers = self.room.iter().zip(&self.answers).flat_map(|((arrival, _), replies)| {
            let (to, source) = (arrival.from, arrival.destination.map(|to| to.source));
            replies.iter().map(move |payload| Departure { payload, to, source })
        });
        let rest = answers.skip(self.sent).take(BATCH);
        if rest.clone().next().is_none() { Ok(0) } else { socket.way.try_send(rest) }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        while self.give_one_up() {}
        self.count();
    }
}

/// Several small answers are as good to who forges a sender as a large one.
fn may_go(replies: &Replies, to: IpAddr, asked: &[u8], outsiders: Outsiders) -> bool {
    outsiders.lets_send(to, size(asked), replies.iter().map(size).sum())
}

fn size(payload: &[u8]) -> u64 {
    u64::try_from(payload.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::Kind;
    use super::*;
    use crate::tally::Totals;

    #[test]
    fn two_answers_of_which_each_is_as_long_as_the_question_are_too_much_for_an_outsider() {
        let mut replies = Replies::default();
        for (to, asked, goes) in
            [("8.8.8.8", &b"hi"[..], false), ("8.8.8.8", b"", true), ("10.0.0.1", b"hi", true)]
        {
            replies.clear();
            for _ in 0..2 {
                replies.add().extend_from_slice(asked);
            }
            let may_go = may_go(&replies, to.parse().unwrap(), asked, Outsiders::Guarded);
            assert_eq!(may_go, goes, "{to} {asked:?}");
        }
    }
    /// Says what it is told to.
    struct Says(&'static [u8]);

    impl Datagrams for Says {
        fn answer(&self, _: &Message, replies: &mut Replies, _: &Ctx) {
            replies.add().extend_from_slice(self.0);
        }
    }

    #[tokio::test]
    async fn what_a_change_of_terms_held_up_goes_first_and_the_batch_stays() {
        let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.connect(own.local_addr().unwrap()).await.unwrap();
        own.set_nonblocking(true).unwrap();
        let (socket, ctx) = (Bound::new(own.into(), Kind::Udp).unwrap(), Ctx::default());
        let mut batches = [Batch::new(&socket, &ctx)];
        peer.send(b"?").await.unwrap();
        poll_fn(|cx| socket.poll_fill(&mut batches[0].room, cx)).await.unwrap();
        batches[0].ask(&socket, None, &Says(b"old"), &ctx);

        let (changed, sockets) = (Ctx { tally: Arc::default(), ..ctx.clone() }, [socket]);
        for said in [&b"old"[..], b"new"] {
            let mut heard = [0; 8];
            let came = timeout(Duration::from_secs(10), peer.recv(&mut heard));
            tokio::select! {
                ended = answer_all(&sockets, &mut batches, None, &Says(b"new"), &changed) => panic!("{ended:?}"),
                came = came => assert_eq!(&heard[..came.unwrap().unwrap()], said),
            }
            peer.send(b"?").await.unwrap();
        }
        let [batch] = &mut batches;
        poll_fn(|cx| sockets[0].poll_fill(&mut batch.room, cx)).await.unwrap();
        batch.ask(&sockets[0], None, &Says(b"unsent"), &changed);
        drop(batches);
        let Totals { volume, dropped, .. } = changed.tally.totals();
        assert_eq!((volume.messages_received, volume.messages_sent, dropped.unsent), (3, 2, 1));
    }
}
