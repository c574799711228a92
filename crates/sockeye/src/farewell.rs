//! Ending a connection so that what we sent arrives.
//!
//! Closing with bytes unread resets a TCP connection, which may take what we sent with it. So after our end of file
//! what the peer still sends is read and dropped for a while.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::shape::Shape;
use sockeye_proto::websocket::{Close, WebSocketError};
use sockeye_sys::unsent;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Error, Op, Result};
use crate::message::Message;
use crate::transit::Transit;

/// How long a peer that is to end may go without a step forward: taking some of what was sent.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a peer that has taken everything must have said nothing: what it says to a closed connection would reset
/// it, and a program that is told so may give up before it has read all.
const SILENCE: Duration = Duration::from_millis(200);

/// How often the kernel is asked how much the peer has taken: it tells nobody.
const LOOK: Duration = Duration::from_millis(20);

/// When it is enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enough {
    /// The peer has taken all of it, and has nothing more to say.
    Arrived,
    /// The peer has ended its side too.
    Ended,
}

impl Conn {
    /// Ends our side, and closes once the peer has ended its own. A peer that does not end, or takes no more of what
    /// was sent, is given 2 s. One that was aborted is closed at once.
    ///
    /// # Errors
    /// The peer is gone already.
    pub async fn farewell(mut self, ctx: &Ctx) -> Result<()> {
        if !self.is_aborted() {
            if ctx.stop.is_draining() && self.closing().is_none() {
                self.set_closing(&Close::of(Close::GOING_AWAY));
            }
            self.shutdown_write().await?;
            self.see_off(Enough::Ended, ctx).await;
        }
        Ok(())
    }

    /// Says `word`, and closes once the peer has said its own, where telling the end ends both ways; else there is nothing to
    /// do. A peer that does not answer is given 2 s.
    pub(crate) async fn part(&mut self, word: Option<Close>, ctx: &Ctx) {
        if !self.closes_whole() {
            return;
        }
        if let Some(word) = word {
            self.set_closing(&word);
        }
        let both = async {
            if self.shutdown_write().await.is_ok() {
                self.see_off(Enough::Ended, ctx).await;
            }
        };
        // One that takes nothing any more cannot be told.
        drop(timeout(PATIENCE, both).await);
    }

    /// What the peer said as it ended, where that was no orderly end.
    pub(crate) fn ill_word(&self) -> Option<Error> {
        let word = self.closing().filter(|word| !word.is_orderly())?;
        Some(self.failed(Op::Read, WebSocketError::Closed(word)))
    }

    /// Waits, after our end of file, until the peer has ended its side, or has taken all of what was sent and says
    /// nothing more. As long as that takes: a slow peer is no reason to lose what it was sent, and whoever wants a
    /// limit has `idle=`. Nothing to wait for where there is no socket beneath.
    pub(crate) async fn arrived(&mut self, ctx: &Ctx) {
        if self.unsent().is_some() {
            self.see_off(Enough::Arrived, ctx).await;
        }
    }

    async fn see_off(&mut self, enough: Enough, ctx: &Ctx) {
        let (mut bytes, mut message) = (Transit::new(&ctx.buffers), Message::default());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut left, mut received) = (self.unsent(), self.counts().received());
        let (mut step, mut word) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                () = poll_fn(|cx| self.poll_gone(&mut bytes, &mut message, cx)) => return,
                () = ctx.stop.hurried() => return,
                now = looks.tick() => {
                    if self.unsent() < left {
                        (left, step) = (self.unsent(), now);
                    }
                    if self.counts().received() != received {
                        (received, word) = (self.counts().received(), now);
                    }
                    let is_over = match enough {
                        Enough::Arrived => left == Some(0) && now.duration_since(word) >= SILENCE,
                        Enough::Ended => now.duration_since(step) >= PATIENCE,
                    };
                    if is_over {
                        return;
                    }
                }
            }
        }
    }

    /// Reads and drops what comes, until the peer has ended or broken off.
    fn poll_gone(&mut self, bytes: &mut Transit, message: &mut Message, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let more = match self.shape() {
                Shape::Bytes => ready!(bytes.poll_fill(self, cx)).map(|read| read > 0),
                Shape::Messages => ready!(self.poll_receive(cx, message)),
            };
            bytes.discard();
            if !more.unwrap_or(false) {
                return Poll::Ready(());
            }
        }
    }

    /// How many bytes the peer has not yet taken, where the kernel knows.
    fn unsent(&self) -> Option<usize> {
        self.bare().and_then(|socket| unsent::unsent(socket).ok())
    }
}
