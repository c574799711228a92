//! `reply`: the same answer to each message.

use std::sync::Arc;

use sockeye::{
    BoxFuture, Carries, Conn, Ctx, Datagrams, May, Message, Protocol, Replies, Result, Service, ServiceFlag,
    ServiceRow,
};

use crate::session;

pub(crate) static REPLY: ServiceRow = ServiceRow {
    name: "reply",
    help: "the same answer to each message",
    flags: &[ServiceFlag {
        name: "text",
        value: Some("TEXT"),
        repeats: false,
        help: "the answer; \"Hello, client!\" unless set",
    }],
    carries: Carries::Messages { frame: "frame=burst" },
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7706,
    example: "echo hi | sockeye dial tcp:localhost:PORT",
    build: |given, _| {
        Ok(Arc::new(Reply { text: given.value("text").unwrap_or("Hello, client!").to_owned() }))
    },
};

struct Reply {
    text: String,
}

impl Service for Reply {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(session::answer(conn, ctx, self))
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Reply {
    fn answer(&self, _: &Message, replies: &mut Replies, _: &Ctx) {
        replies.add().extend_from_slice(self.text.as_bytes());
    }
}
