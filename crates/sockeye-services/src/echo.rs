//! `echo`: everything back as it came (RFC 862).

use std::sync::Arc;

use sockeye::proto::shape::Shape;
use sockeye::{
    BoxFuture, Carries, Conn, Ctx, Datagrams, May, Message, Protocol, Replies, Result, Service, ServiceRow,
};

use crate::session;

pub(crate) static ECHO: ServiceRow = ServiceRow {
    name: "echo",
    help: "everything back as it came (RFC 862)",
    flags: &[],
    carries: Carries::Either,
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7700,
    example: "echo hi | nc -N localhost PORT",
    build: |_, _| Ok(Arc::new(Echo)),
};

struct Echo;

impl Service for Echo {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        match conn.shape() {
            Shape::Bytes => Box::pin(session::send_back(conn, ctx, |_| ())),
            Shape::Messages => Box::pin(session::answer(conn, ctx, self)),
        }
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Echo {
    fn answer(&self, datagram: &Message, replies: &mut Replies, _: &Ctx) {
        replies.add_as(datagram.content).extend_from_slice(&datagram.payload);
    }
}
