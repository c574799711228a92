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
use crate::message::{Message, Replies};
use crate::service::{BoxFuture, Datagrams};

/// Answers on all sockets, until one fails.
pub(super) async fn answer_all(
    sockets: &[Bound],
    entrance: Option<&Arc<Entrance>>,
    service: &dyn Datagrams,
    ctx: &Ctx,
) -> Result<()> {
    let one = |socket| -> BoxFuture<'_, Result<()>> { Box::pin(answer(socket, entrance, service, ctx)) };
    let mut all: Vec<_> = sockets.iter().map(one).collect();
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
    entrance: Option<&Arc<Entrance>>,
    service: &dyn Datagrams,
    ctx: &Ctx,
) -> Result<()> {
    let failed = |error: io::Error| Error::new(Op::Accept, error).on(socket.peer());
    let mut batch = Batch {
        losses: Losses::new(&socket.peer().to_string(), ctx),
        guard: Guard::new(ctx.limits.outsiders),
        entrance,
        began: Instant::now(),
        room: Room::default(),
        message: Message::default(),
        answers: Vec::new(),
        volume: Volume::default(),
    };
    loop {
        let filled = poll_fn(|cx| socket.poll_fill(&mut batch.room, cx));
        match batch.losses.due() {
            None => filled.await.map_err(failed)?,
            Some(due) => match timeout_at(due, filled).await {
                Ok(filled) => filled.map_err(failed)?,
                Err(_due) => {
                    batch.losses.tell();
                    continue;
                }
            },
        }
        batch.ask(socket, service, ctx);
        let sent = batch.send(socket).await;
        ctx.tally.answer(&std::mem::take(&mut batch.volume));
        sent.map_err(failed)?;
    }
}

/// A batch, and what is used again for each.
struct Batch<'a> {
    room: Room,
    message: Message,
    /// The answers to each datagram.
    answers: Vec<Replies>,
    guard: Guard,
    entrance: Option<&'a Arc<Entrance>>,
    /// When time began for the guard.
    began: Instant,
    losses: Losses,
    /// What was heard and answered in this batch.
    volume: Volume,
}

impl Batch<'_> {
    /// Has the service answer each datagram of the batch that may be answered.
    fn ask(&mut self, socket: &Bound, service: &dyn Datagrams, ctx: &Ctx) {
        let Self { room, message, answers, guard, entrance, began, losses, volume } = self;
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
            if !guard.hears(from, now) {
                lost.outsiders += 1;
                continue;
            }
            let to = socket.destination(arrival);
            // Without a session each datagram is a newcomer, and nobody stays.
            let lets_in = |entrance: &&Arc<Entrance>| {
                entrance.hear(arrival.from.into(), to, None).and_then(|(_, key)| entrance.enter(key)).is_ok()
            };
            if !entrance.as_ref().is_none_or(lets_in) {
                lost.kept_out += 1;
                continue;
            }
            message.clear();
            message.payload.extend_from_slice(payload);
            (message.from, message.to) = (arrival.from.into(), to);
            (message.at, message.cut, message.dropped_before) = (arrival.at, arrival.is_cut, dropped_before);
            lost.cut += u64::from(arrival.is_cut);
            volume.messages_received += 1;
            volume.received += size(payload);
            service.answer(message, replies, ctx);
            if !may_go(replies, from.ip(), payload, ctx.limits.outsiders) {
                replies.clear();
                lost.outsiders += 1;
            }
            volume.messages_sent += replies.iter().map(|_| 1).sum::<u64>();
            volume.sent += replies.iter().map(size).sum::<u64>();
        }
        losses.add(lost);
    }

    /// Sends all answers. One that cannot be sent is counted, and the others go on.
    async fn send(&mut self, socket: &Bound) -> io::Result<()> {
        let (mut lost, mut sent) = (Dropped::default(), 0);
        loop {
            match self.try_send(socket, sent) {
                Ok(0) => break,
                Ok(more) => sent += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.socket.writable().await?.retain_ready();
                }
                Err(_unsent) => {
                    let mut answers =
                        self.answers.iter().take(self.room.iter().count()).flat_map(Replies::iter);
                    self.volume.sent -= answers.nth(sent).map_or(0, size);
                    self.volume.messages_sent -= 1;
                    sent += 1;
                    lost.unsent += 1;
                }
            }
        }
        self.losses.add(lost);
        Ok(())
    }

    /// Sends what can go at once of what is left, the first `sent` answers being gone; 0 where all are.
    fn try_send(&self, socket: &Bound, sent: usize) -> io::Result<usize> {
        let answers = self.room.iter().zip(&self.answers).flat_map(|((arrival, _), replies)| {
            let (to, source) = (arrival.from, arrival.destination.map(|to| to.source));
            replies.iter().map(move |payload| Departure { payload, to, source })
        });
        let mut rest = answers.skip(sent).take(BATCH).peekable();
        if rest.peek().is_none() { Ok(0) } else { socket.try_send(rest) }
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
    use super::*;

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
}
