//! What services do in the same way with a connection.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::{Poll, ready};

use sockeye::{Conn, Ctx, Datagrams, Error, Hurried, Message, Replies, Result, Transit};

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

/// Answers each message for itself, until the peer ends its side. Answers to messages that came together may share a
/// write. One that the connection cannot carry is an error.
pub(crate) async fn answer(conn: Conn, ctx: &Ctx, service: &dyn Datagrams) -> Result<()> {
    answer_or_say(conn, ctx, service, |_| None).await
}

/// The same; in the place of an answer that the connection cannot carry goes what `instead` says of it, if it says anything.
pub(crate) async fn answer_or_say(
    mut conn: Conn,
    ctx: &Ctx,
    service: &dyn Datagrams,
    instead: impl Fn(&Error) -> Option<String>,
) -> Result<()> {
    let (mut message, mut replies) = (Message::default(), Replies::default());
    let mut hurried = pin!(ctx.stop.hurried());
    let mut is_held = false;
    loop {
        let next = poll_fn(|cx| {
            let received = conn.poll_receive(cx, &mut message);
            if received.is_pending() {
                // Nothing follows at once: what was held back goes.
                if is_held {
                    ready!(conn.poll_flush(cx))?;
                    is_held = false;
                }
                return hurried.as_mut().poll(cx).map(|()| Ok(false));
            }
            received
        });
        if !next.await? {
            break;
        }
        service.answer(&message, &mut replies, ctx);
        for reply in replies.payloads() {
            if let Err(error) = poll_fn(|cx| conn.poll_feed(cx, reply)).await {
                let said = instead(&error).filter(|_| error.is_refusal()).ok_or(error)?;
                poll_fn(|cx| conn.poll_feed(cx, said.as_bytes())).await?;
            }
            is_held = true;
        }
        replies.clear();
    }
    poll_fn(|cx| conn.poll_flush(cx)).await?;
    conn.shutdown_write().await
}

/// Receives the next message; `false` is the end, the peer's or ours.
pub(crate) async fn next(conn: &mut Conn, hurried: &mut Hurried<'_>, message: &mut Message) -> Result<bool> {
    tokio::select! {
        biased;
        more = conn.receive(message) => more,
        () = hurried => Ok(false),
    }
}
