//! Ending a connection so that what we sent arrives.
//!
//! Closing with bytes unread resets a TCP connection, which may take what we sent with it. So after our end of file
//! what the peer still sends is read and dropped for a while.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::shape::Shape;
use sockeye_sys::unsent;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::message::Message;
use crate::transit::Transit;

/// How long a peer may take nothing of what we sent, or may go on after it has taken all of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often the kernel is asked how much the peer has taken: it tells nobody.
const LOOK: Duration = Duration::from_millis(20);

/// When it is enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enough {
    /// The peer has taken all of it.
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
            self.shutdown_write().await?;
            self.see_off(Enough::Ended, ctx).await;
        }
        Ok(())
    }

    /// Waits, after our end of file, until the peer has taken all of what was sent or has ended its side. Where the
    /// kernel does not tell how much that is, only the latter; in any case no longer than 2 s without a step forward.
    pub(crate) async fn arrived(&mut self, ctx: &Ctx) {
        self.see_off(Enough::Arrived, ctx).await;
    }

    async fn see_off(&mut self, enough: Enough, ctx: &Ctx) {
        let (mut bytes, mut message) = (Transit::new(&ctx.buffers), Message::default());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut left, mut deadline) = (self.unsent(), Instant::now() + PATIENCE);
        loop {
            tokio::select! {
                () = poll_fn(|cx| self.poll_gone(&mut bytes, &mut message, cx)) => return,
                () = ctx.stop.hurried() => return,
                _ = looks.tick() => {}
            }
            let now = self.unsent();
            if now < left {
                deadline = Instant::now() + PATIENCE;
            }
            left = now;
            if (enough == Enough::Arrived && left == Some(0)) || Instant::now() >= deadline {
                return;
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
