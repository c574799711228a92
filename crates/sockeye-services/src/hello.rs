//! `hello`: greets who comes, and greets back by name.

use std::sync::Arc;

use sockeye::{BoxFuture, Conn, Ctx, May, Message, Result, Service, ServiceRow, ServiceWants};

use crate::session;

pub(crate) static HELLO: ServiceRow = ServiceRow {
    name: "hello",
    help: "Hello, and Hello,<text>! to each message; exit ends",
    flags: &[],
    wants: ServiceWants::Messages { frame: "frame=burst" },
    may: May::Answer,
    port: 7705,
    example: "sockeye dial tcp:localhost:PORT",
    build: |_| Arc::new(Hello),
};

struct Hello;

impl Service for Hello {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            conn.send(b"Hello").await?;
            let (mut message, mut reply) = (Message::default(), Vec::new());
            while session::next(&mut conn, ctx, &mut message).await? {
                if !answer(&message.payload, &mut reply) {
                    break;
                }
                conn.send(&reply).await?;
            }
            conn.farewell(ctx).await
        })
    }
}

/// Writes the answer to a message; `false` where it asks to end. The end of line is taken off first, and stands
/// behind the answer.
fn answer(message: &[u8], reply: &mut Vec<u8>) -> bool {
    let text = message.strip_suffix(b"\n").unwrap_or(message);
    let text = if text.len() < message.len() { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
    let end_of_line = message.get(text.len()..).unwrap_or_default();
    reply.clear();
    for part in [b"Hello,", text, b"!", end_of_line] {
        reply.extend_from_slice(part);
    }
    text != b"exit"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_line_stands_behind_the_answer() {
        let mut reply = Vec::new();
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
            assert!(answer(message.as_bytes(), &mut reply), "{message:?}");
            assert_eq!(String::from_utf8_lossy(&reply), want);
        }
    }

    #[test]
    fn exit_ends_with_any_end_of_line() {
        for message in ["exit", "exit\n", "exit\r\n"] {
            assert!(!answer(message.as_bytes(), &mut Vec::new()), "{message:?}");
        }
    }
}
