//! A connection both ways at once: what waits in a mailbox goes out, and what comes is handed on.

mod mailbox;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye::proto::queue::OVERHEAD;
use sockeye::{Cause, Conn, Ctx, Error, Event, Events, Kind, Message, Op, Peer, Result, Wants};
use tokio::task::coop;
use tokio::time::timeout;

use self::mailbox::End;
pub use self::mailbox::{Mailbox, Payload, Posted, ROOM};

/// How many bytes are sent, or handed on, in one turn of the connection's task: enough for many short messages to
/// share its cost, and little enough for the others to have theirs soon.
const AT_ONCE: usize = 64 << 10;

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
    let missed = Missed { peer: conn.peer().clone(), events: &ctx.events, untold: 0, last: None };
    let mut exchange = Exchange {
        conn,
        mailbox,
        ctx,
        sending: VecDeque::new(),
        message: Message::default(),
        heard: Vec::new(),
        end_heard: None,
        unsendable: None,
        dropped: 0,
        missed,
    };
    tokio::select! {
        biased;
        ended = poll_fn(|cx| exchange.poll(&mut hand_on, cx)) => ended,
        () = ctx.stop.draining() => exchange.last_words().await,
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
        if !self.heard.is_empty() {
            // What came meanwhile may have woken this task already, and is heard in its next turn.
            cx.waker().wake_by_ref();
        } else if self.end_heard.is_none() {
            self.hear(cx);
        }
        if !self.heard.is_empty() {
            ready!(hand_on(cx, &mut self.heard))?;
            self.heard = Vec::new();
        }
        match (&self.end_heard, &self.unsendable) {
            (Some(Err(error)), _) => Poll::Ready(Err(error.clone())),
            // Who has ended its side and then closes is not broken off.
            (Some(Ok(())), Some(error)) if error.kind() != Kind::Reset => Poll::Ready(Err(error.clone())),
            (Some(Ok(())), None) if self.conn.half_close() => Poll::Pending,
            (Some(Ok(())), _) => Poll::Ready(Ok(())),
            (None, _) => Poll::Pending,
        }
    }

    /// Receives what has come, as much of it as one turn may.
    fn hear(&mut self, cx: &mut Context<'_>) {
        let mut bytes = 0;
        while bytes < AT_ONCE {
            match self.conn.poll_receive(cx, &mut self.message) {
                Poll::Ready(Ok(true)) => {
                    bytes += self.message.payload.len() + OVERHEAD;
                    self.heard.push(self.message.payload.as_slice().into());
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
                Poll::Ready(Err(error))
                    if matches!(error.cause(), Cause::Frame(_) | Cause::TooLarge { .. }) =>
                {
                    self.missed.count(1, error);
                }
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

    /// Sends what waits still, and closes.
    async fn last_words(mut self) -> Result<()> {
        let ctx = self.ctx;
        let sent = timeout(LAST_WORDS, async {
            tokio::select! {
                sent = poll_fn(|cx| self.poll_send(cx)) => Some(sent),
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

/// Messages that did not reach a peer which stays. The first is told at once, the others together when it leaves.
struct Missed<'a> {
    peer: Arc<Peer>,
    events: &'a Events,
    untold: u64,
    last: Option<Error>,
}

impl Missed<'_> {
    fn count(&mut self, messages: u64, why: Error) {
        let is_first = self.last.replace(why).is_none();
        self.untold += messages;
        if is_first {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let messages = std::mem::take(&mut self.untold);
        if let Some(error) = self.last.clone().filter(|_| messages > 0) {
            let peer = self.peer.clone();
            self.events.tell(Wants::Trouble, || Event::Missed { peer, messages, error });
        }
    }
}

impl Drop for Missed<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}
