//! `hello`: greets who comes, and greets back by name.

use std::sync::Arc;

use sockeye::{BoxFuture, Carries, Conn, Ctx, May, Message, Protocol, Result, Service, ServiceRow};

use crate::session;

pub(crate) static HELLO: ServiceRow = ServiceRow {
    name: "hello",
    help: "Hello, and Hello,<text>! to each message; exit ends",
    flags: &[],
    carries: Carries::Messages { frame: "frame=burst" },
    speaks: &[Protocol::Text],
    may: May::Answer,
    port: 7705,
    example: "sockeye dial tcp:localhost:PORT",
    build: |_, _| Ok(Arc::new(Hello)),
};

struct Hello;

impl Service for Hello {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            conn.send(b"Hello").await?;
            let mut message = Message::default();
            let mut hurried = ctx.stop.hurried();
            while session::next(&mut conn, &mut hurried, &mut message).await? {
                let Some(reply) = answer(&message.payload) else { break };
                conn.send(&reply).await?;
            }
            conn.farewell(ctx).await
        })
    }
}

/// The answer to a message; `None` where it asks to end. The end of line is taken off first, and stands
/// behind the answer.
fn answer(message: &[u8]) -> Option<Vec<u8>> {
    let text = message.strip_suffix(b"\n").unwrap_or(message);
    let text = if text.len() < message.len() { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
    let end_of_line = message.get(text.len()..).unwrap_or_default();
    (text != b"exit").then(|| [b"Hello,", text, b"!", end_of_line].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_line_stands_behind_the_answer() {
        for (message, want) in [
            ("mike", "Hello,mike!"),
            ("mike\n", "Hello,mike!\n"),
            ("mike\r\n", "Hello,mike!\r\n"),
            ("mike\r", "Hello,mike\r!"),
            ("\n", "Hello,!\n"),
            ("", "Hello,!"),
            ("驴\n", "Hello,驴!\n"),
            ("exit now", "Hello,exit now!"),
        ] {
            assert_eq!(answer(message.as_bytes()).as_deref(), Some(want.as_bytes()), "{message:?}");
        }
    }

    #[test]
    fn exit_ends_with_any_end_of_line() {
        for message in ["exit", "exit\n", "exit\r\n"] {
            assert_eq!(answer(message.as_bytes()), None, "{message:?}");
        }
    }
}
