//! What services do in the same way with a connection.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use sockeye::proto::shape::Shape;
use sockeye::{Conn, Ctx, Datagrams, Message, Replies, Result, Transit};

/// How long a peer may take to end its side after we have ended ours.
const FAREWELL: Duration = Duration::from_secs(2);

/// How much a peer may still send in that time.
const FAREWELL_BYTES: u64 = 1 << 20;

/// Sends back all bytes that come, changed by `change`, until the peer ends its side.
pub(crate) async fn send_back(mut conn: Conn, ctx: &Ctx, mut change: impl FnMut(&mut [u8])) -> Result<()> {
    let mut transit = Transit::new(&ctx.buffers);
    let mut hurried = pin!(ctx.stop.hurried());
    poll_fn(|cx| {
        loop {
            ready!(transit.poll_drain(&mut conn, cx))?;
            match transit.poll_fill(&mut conn, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => change(transit.bytes()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return hurried.as_mut().poll(cx).map(Ok),
            }
        }
    })
    .await?;
    conn.shutdown_write().await
}

/// Answers each message for itself, until the peer ends its side.
pub(crate) async fn answer(mut conn: Conn, ctx: &Ctx, service: &dyn Datagrams) -> Result<()> {
    let (mut message, mut replies) = (Message::default(), Replies::default());
    while next(&mut conn, ctx, &mut message).await? {
        replies.clear();
        service.answer(&message, &mut replies, ctx);
        for reply in replies.iter() {
            conn.send(reply).await?;
        }
    }
    conn.shutdown_write().await
}

/// Receives the next message; `false` is the end, the peer's or ours.
pub(crate) async fn next(conn: &mut Conn, ctx: &Ctx, message: &mut Message) -> Result<bool> {
    tokio::select! {
        biased;
        more = conn.receive(message) => more,
        () = ctx.stop.hurried() => Ok(false),
    }
}

/// Ends a connection so that our last words arrive: closing with bytes unread resets a TCP connection, which may take
/// what we sent with it. So what the peer still sends is read, for a bounded time and amount.
pub(crate) async fn farewell(mut conn: Conn, ctx: &Ctx) -> Result<()> {
    conn.shutdown_write().await?;
    let counts = conn.counts();
    let most = counts.received().saturating_add(FAREWELL_BYTES);
    let (mut bytes, mut message) = (Transit::new(&ctx.buffers), Message::default());
    let gone = poll_fn(|cx| {
        while counts.received() < most {
            let more = match conn.shape() {
                Shape::Bytes => ready!(bytes.poll_fill(&mut conn, cx)).map(|read| read > 0),
                Shape::Messages => ready!(conn.poll_receive(cx, &mut message)),
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
        () = tokio::time::sleep(FAREWELL) => {}
        () = ctx.stop.hurried() => {}
    }
    Ok(())
}
