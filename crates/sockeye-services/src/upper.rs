//! `upper`: everything back with its ASCII letters raised. Other bytes are left alone, so that text in any encoding
//! that keeps ASCII apart, as UTF-8 does, comes back whole.

use std::sync::Arc;

use sockeye::proto::shape::Shape;
use sockeye::{
    BoxFuture, Carries, Conn, Ctx, Datagrams, May, Message, Protocol, Replies, Result, Service, ServiceRow,
};

use crate::session;

pub(crate) static UPPER: ServiceRow = ServiceRow {
    name: "upper",
    help: "everything back in capitals (ASCII; other bytes as they are)",
    flags: &[],
    carries: Carries::Either,
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7704,
    example: "echo hi | sockeye dial tcp:localhost:PORT",
    build: |_, _| Ok(Arc::new(Upper)),
};

struct Upper;

impl Service for Upper {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        match conn.shape() {
            Shape::Bytes => Box::pin(session::send_back(conn, ctx, <[u8]>::make_ascii_uppercase)),
            Shape::Messages => Box::pin(session::answer(conn, ctx, self)),
        }
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Upper {
    fn answer(&self, datagram: &Message, replies: &mut Replies, _: &Ctx) {
        let reply = replies.add_as(datagram.content);
        reply.extend_from_slice(&datagram.payload);
        reply.make_ascii_uppercase();
    }
}
