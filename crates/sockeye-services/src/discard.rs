//! `discard`: everything is read, and nothing comes back (RFC 863).

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use sockeye::proto::shape::Shape;
use sockeye::{
    BoxFuture, Carries, Conn, Ctx, Datagrams, May, Message, Protocol, Replies, Result, Service, ServiceRow,
    Transit,
};

use crate::session;

pub(crate) static DISCARD: ServiceRow = ServiceRow {
    name: "discard",
    help: "everything read, nothing back (RFC 863)",
    flags: &[],
    carries: Carries::Either,
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7701,
    example: "head -c 1G /dev/zero | sockeye dial tcp:localhost:PORT",
    build: |_, _| Ok(Arc::new(Discard)),
};

struct Discard;

impl Service for Discard {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        match conn.shape() {
            Shape::Bytes => Box::pin(read_all(conn, ctx)),
            Shape::Messages => Box::pin(session::answer(conn, ctx, self)),
        }
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

async fn read_all(mut conn: Conn, ctx: &Ctx) -> Result<()> {
    let mut transit = Transit::new(&ctx.buffers);
    let mut hurried = pin!(ctx.stop.hurried());
    poll_fn(|cx| {
        loop {
            match transit.poll_fill(&mut conn, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => transit.discard(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return hurried.as_mut().poll(cx).map(Ok),
            }
        }
    })
    .await
}

impl Datagrams for Discard {
    fn answer(&self, _: &Message, _: &mut Replies, _: &Ctx) {}
}
