//! An echo server for as many peers as come, over whatever the address says. Ctrl-C lets those inside finish.
//!
//! Type `cargo run -p sockeye --example echo tcp:7000`, and elsewhere `nc localhost 7000`.
#![expect(clippy::print_stdout, reason = "its ready lines are for people")]

use std::sync::Arc;

use sockeye::proto::shape::Shape;
use sockeye::{BoxFuture, Conn, Ctx, Message, Result, Service};

struct Echo;

impl Service for Echo {
    fn serve<'a>(&'a self, conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match conn.shape() {
                Shape::Bytes => echo_bytes(conn).await,
                Shape::Messages => echo_messages(conn).await,
            }
        })
    }
}

async fn echo_bytes(mut conn: Conn) -> Result<()> {
    let mut buffer = vec![0; 16 << 10];
    while let read @ 1.. = conn.read(&mut buffer).await? {
        conn.write_all(buffer.get(..read).unwrap_or_default()).await?;
    }
    conn.shutdown_write().await
}

async fn echo_messages(mut conn: Conn) -> Result<()> {
    let mut message = Message::default();
    while conn.receive(&mut message).await? {
        conn.send(&message.payload).await?;
    }
    conn.shutdown_write().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let word = std::env::args().nth(1).unwrap_or_else(|| "tcp:7000".to_owned());
    let ctx = Ctx::default();
    let listening = sockeye::listen(&word, &ctx).await?;
    for local in listening.listener.locals() {
        println!("listening on {local}");
    }
    let mut serving = std::pin::pin!(sockeye::serve(listening, Arc::new(Echo), "echo", &ctx));
    tokio::select! {
        _served = &mut serving => {}
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            ctx.stop.drain();
            println!("{} came", serving.await.accepted);
        }
    }
    Ok(())
}
