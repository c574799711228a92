//! A service of one's own: to each message the number of its words. It keeps nothing between two messages, so datagrams
//! are handed to it without a connection for each of their peers.
//!
//! Type `cargo run -p sockeye --example custom_service tcp:7003,frame=line`, and elsewhere `nc localhost 7003`; or listen on
//! `udp:7003`.
#![expect(clippy::print_stdout, reason = "its ready lines are for people")]

use std::sync::Arc;

use sockeye::{BoxFuture, Conn, Ctx, Datagrams, Message, Replies, Result, Service};

struct Words;

impl Service for Words {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (mut message, mut replies) = (Message::default(), Replies::default());
            loop {
                // Who hurries is answered what was asked, and no more.
                let more = tokio::select! {
                    more = conn.receive(&mut message) => more?,
                    () = ctx.stop.hurried() => false,
                };
                if !more {
                    return conn.shutdown_write().await;
                }
                self.answer(&message, &mut replies, ctx);
                for reply in replies.iter() {
                    conn.send(reply).await?;
                }
                replies.clear();
            }
        })
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Words {
    fn answer(&self, message: &Message, replies: &mut Replies, _: &Ctx) {
        let words = message.payload.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
        replies.add().extend_from_slice(words.to_string().as_bytes());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let word = std::env::args().nth(1).unwrap_or_else(|| "tcp:7003,frame=line".to_owned());
    let ctx = Ctx::default();
    let listening = sockeye::listen(&word, &ctx).await?;
    for local in listening.listener.locals() {
        println!("listening on {local}");
    }
    sockeye::serve(listening, Arc::new(Words), "words", &ctx).await;
    Ok(())
}
