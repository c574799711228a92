//! Ending a connection so that our last words arrive.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

use sockeye_proto::shape::Shape;

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::message::Message;
use crate::transit::Transit;

/// How long a peer may take to end its side after we have ended ours.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much a peer may still send in that time.
const MOST: u64 = 1 << 20;

impl Conn {
    /// Ends our side, and closes once the peer has ended its own, 2 s have gone by or 1 MiB came.
    ///
    /// Closing with bytes unread resets a TCP connection, which may take what we sent with it: so what the peer still
    /// sends is read and dropped.
    ///
    /// # Errors
    /// The peer is gone already.
    pub async fn farewell(mut self, ctx: &Ctx) -> Result<()> {
        self.shutdown_write().await?;
        let counts = self.counts();
        let most = counts.received().saturating_add(MOST);
        let (mut bytes, mut message) = (Transit::new(&ctx.buffers), Message::default());
        let gone = poll_fn(|cx| {
            while counts.received() < most {
                let more = match self.shape() {
                    Shape::Bytes => ready!(bytes.poll_fill(&mut self, cx)).map(|read| read > 0),
                    Shape::Messages => ready!(self.poll_receive(cx, &mut message)),
                };
                bytes.discard();
                // Whether the peer ended or broke off, it has had our last words.
                if !more.unwrap_or(false) {
                    break;
                }
            }
            Poll::Ready(())
        });
        tokio::select! {
            () = gone => {}
            () = tokio::time::sleep(PATIENCE) => {}
            () = ctx.stop.hurried() => {}
        }
        Ok(())
    }
}
