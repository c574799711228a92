//! A connection both ways at once: what waits in a mailbox goes out, and what comes is handed on.

mod mailbox;
mod missed;

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye::proto::queue::OVERHEAD;
use sockeye::{Cause, Conn, Ctx, Error, Kind, Message, Op, Result};
use tokio::task::coop;
use tokio::time::{Sleep, sleep, timeout};

use self::mailbox::End;
pub use self::mailbox::{Mailbox, Payload, Posted, ROOM};
use self::missed::Missed;

/// How many bytes are sent, or handed on, in one turn of the connection's task: enough for many short messages to
/// share its cost, and little enough for the others to have theirs soon.
const AT_ONCE: usize = 64 << 10;

/// How often it is asked whether a peer that has ended its side is gone altogether.
const LOOK: Duration = Duration::from_secs(5);

/// How long what waits for a peer may take to go, once a stop is asked for.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Sends what comes into `mailbox`, and hands on what is received, until the peer leaves, `mailbox` is ended or a stop
/// is asked for. Then what still waits is sent, for 2 s at most. The mailbox is of no use afterwards.
///
/// `hand_on` takes messages out, or is pending and is asked again; sending goes on meanwhile. A peer that has ended its
/// side is still sent to, where an end can be told one way. Not cancel safe: what is under way is lost with the
/// connection.
///
/// # Errors
/// The peer broke off or was too slow, or `hand_on` failed.
pub async fn exchange(
    conn: Conn,
    mailbox: &Mailbox,
    mut hand_on: impl FnMut(&mut Context<'_>, &mut Vec<Payload>) -> Poll<Result<()>>,
    ctx: &Ctx,
) -> Result<()> {
    let _leaves = Leaves(mailbox);
    let missed = Missed::new(conn.peer(), &ctx.events);
    let mut exchange = Exchange {
        conn,
        mailbox,
        ctx,
        sending: VecDeque::new(),
        message: Message::default(),
        heard: Vec::new(),
        end_heard: None,
        unsendable: None,
        look: None,
        dropped: 0,
        missed,
    };
    tokio::select! {
        biased;
        ended = poll_fn(|cx| exchange.poll(&mut hand_on, cx)) => {
            mailbox.leave();
            // Where the end is a word both ways, the peer waits for ours.
            if ended.is_ok() && exchange.conn.closes_whole() {
                return exchange.conn.farewell(ctx).await;
            }
            ended
        }
        () = ctx.stop.draining() => exchange.last_words(&mut hand_on).await,
    }
}

struct Exchange<'a> {
    conn: Conn,
    mailbox: &'a Mailbox,
    ctx: &'a Ctx,
    /// Taken from the mailbox; the first may be under way.
    sending: VecDeque<Payload>,
    message: Message,
    /// Received, and not yet handed on.
    heard: Vec<Payload>,
    /// How the peer ended its side, once it has.
    end_heard: Option<Result<()>>,
    /// Why nothing can be sent to it any more.
    unsendable: Option<Error>,
    /// When it is next asked whether a peer that has ended its side is gone altogether.
    look: Option<Pin<Box<Sleep>>>,
    /// How many messages the mailbox had dropped when it was last looked at.
    dropped: u64,
    missed: Missed<'a>,
}

impl Exchange<'_> {
    fn poll(
        &mut self,
        hand_on: &mut impl FnMut(&mut Context<'_>, &mut Vec<Payload>) -> Poll<Result<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        // Sending comes first, with all of the turn's budget: that it is pending is the peer's doing then.
        if self.unsendable.is_none()
            && let Poll::Ready(Err(error)) = self.poll_send(cx)
        {
            if matches!(error.cause(), Cause::Stopped | Cause::TooSlow) {
                return Poll::Ready(Err(error));
            }
            // What it said before it left is handed on.
            self.mailbox.leave();
            self.unsendable = Some(error);
        }
        let has_waited = !self.heard.is_empty();
        if !has_waited && self.end_heard.is_none() {
            self.hear(cx);
        }
        ready!(self.poll_hand_on(hand_on, cx))?;
        if has_waited {
            // What came meanwhile may have woken this task already, and is heard in its next turn.
            cx.waker().wake_by_ref();
        }
        match (&self.end_heard, &self.unsendable) {
            (Some(Err(error)), _) => Poll::Ready(Err(error.clone())),
            // Who has ended its side and then closes is not broken off.
            (Some(Ok(())), Some(error)) if error.kind() != Kind::Reset => Poll::Ready(Err(error.clone())),
            (Some(Ok(())), None) if self.conn.half_close() => self.poll_gone(cx).map(Ok),
            (Some(Ok(())), _) => Poll::Ready(Ok(())),
            (None, _) => Poll::Pending,
        }
    }

    /// Hands on what was received, if anything was.
    fn poll_hand_on(
        &mut self,
        hand_on: &mut impl FnMut(&mut Context<'_>, &mut Vec<Payload>) -> Poll<Result<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if !self.heard.is_empty() {
            ready!(hand_on(cx, &mut self.heard))?;
            self.heard = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Ready once a peer that has ended its side is gone altogether: else who comes and goes would fill the house while
    /// nobody speaks. That is no event that anybody is woken for, so it is asked now and then.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(look) = &mut self.look {
                ready!(look.as_mut().poll(cx));
            }
            if self.conn.is_hung_up() {
                return Poll::Ready(());
            }
            self.look = Some(Box::pin(sleep(LOOK)));
        }
    }

    /// Receives what has come, as much of it as one turn may.
    fn hear(&mut self, cx: &mut Context<'_>) {
        let mut bytes = 0;
        while bytes < AT_ONCE {
            match self.conn.poll_receive(cx, &mut self.message) {
                Poll::Ready(Ok(true)) => {
                    bytes += self.message.payload.len() + OVERHEAD;
                    self.heard.push((&self.message).into());
                }
                Poll::Ready(ended) => {
                    self.end_heard = Some(ended.map(|_| ()));
                    return;
                }
                Poll::Pending => return,
            }
        }
        // There may be more, but those who are to hear this have their turn first.
        cx.waker().wake_by_ref();
    }

    /// Sends what waits, as much of it as one turn may; ready when nothing waits any more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.look(cx)?;
        if self.sending.is_empty() {
            self.mailbox.take(AT_ONCE, &mut self.sending);
        }
        while let Some(message) = self.sending.front() {
            match self.conn.poll_feed(cx, message) {
                Poll::Ready(Ok(())) => {}
                // It costs this peer this message, and nothing of it was sent.
                Poll::Ready(Err(error)) if error.is_refusal() => self.missed.count(1, error),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.held_up(),
            }
            self.sending.pop_front();
        }
        match self.conn.poll_flush(cx) {
            Poll::Ready(flushed) => flushed?,
            Poll::Pending => return self.held_up(),
        }
        // Who has nothing under way holds no room for it either.
        self.sending = VecDeque::new();
        self.mailbox.take(AT_ONCE, &mut self.sending);
        if self.sending.is_empty() {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The peer takes no more for now, unless it is only this turn that is over.
    fn held_up<T>(&self) -> Poll<T> {
        if coop::has_budget_remaining() {
            self.mailbox.hold_up();
        }
        Poll::Pending
    }

    /// Sees what happened to the mailbox meanwhile.
    fn look(&mut self, cx: &Context<'_>) -> Result<()> {
        let too_slow = |conn: &Conn| Error::new(Op::Write, Cause::TooSlow).on(conn.peer());
        match self.mailbox.look(cx) {
            Ok(dropped) if dropped > self.dropped => {
                self.missed.count(dropped - self.dropped, too_slow(&self.conn));
                self.dropped = dropped;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(End::Left) => Err(Error::new(Op::Write, Cause::Stopped).on(self.conn.peer())),
            Err(End::TooSlow) => {
                self.conn.abort();
                Err(too_slow(&self.conn))
            }
        }
    }

    /// Hands on what was heard, sends what waits still, and closes.
    async fn last_words(
        mut self,
        hand_on: &mut impl FnMut(&mut Context<'_>, &mut Vec<Payload>) -> Poll<Result<()>>,
    ) -> Result<()> {
        let ctx = self.ctx;
        let sent = timeout(LAST_WORDS, async {
            let both = poll_fn(|cx| {
                let handed_on = self.poll_hand_on(hand_on, cx)?;
                ready!(self.poll_send(cx))?;
                handed_on.map(Ok)
            });
            tokio::select! {
                sent = both => Some(sent),
                () = ctx.stop.hurried() => None,
            }
        });
        if let Ok(Some(sent)) = sent.await {
            self.mailbox.leave();
            sent?;
            return self.conn.farewell(ctx).await;
        }
        self.conn.abort();
        Err(Error::new(Op::Write, Cause::Stopped).on(self.conn.peer()))
    }
}

/// Ends the mailbox when its connection is over, however that ends.
struct Leaves<'a>(&'a Mailbox);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
