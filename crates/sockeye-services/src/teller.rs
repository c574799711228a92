//! What services do that say the time to whoever comes, without being asked anything.

use std::time::SystemTime;

use sockeye::proto::shape::Shape;
use sockeye::{BoxFuture, Conn, Ctx, Datagrams, Message, Replies, Result, Service};

use crate::session;

/// Says it at once over bytes, and ends; as messages, once for each that comes, whatever that holds.
pub(crate) struct Teller(pub(crate) fn(SystemTime) -> Vec<u8>);

impl Service for Teller {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match conn.shape() {
                Shape::Bytes => {
                    conn.write_all(&(self.0)(ctx.clock.wall())).await?;
                    conn.farewell(ctx).await
                }
                Shape::Messages => session::answer(conn, ctx, self).await,
            }
        })
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Teller {
    fn answer(&self, _: &Message, replies: &mut Replies, ctx: &Ctx) {
        replies.add().extend_from_slice(&(self.0)(ctx.clock.wall()));
    }
}
