//! A layer of one's own: `shout+` makes capitals of what goes through it, each way. Type `echo world | nc -l 7002`, and
//! elsewhere `cargo run -p sockeye --example custom_layer shout+tcp:localhost:7002`.
#![expect(clippy::print_stdout, reason = "it shows what came")]

use std::io;
use std::task::{Context, Poll, ready};

use sockeye::proto::{address::LayerGrammar, address::Written, shape::Shape};
use sockeye::{BoxFuture, Bytes, Conn, Ctx, Io, Layer, Result, Rows, Wrap};
use tokio::io::AsyncReadExt as _;

#[rustfmt::skip]
static SHOUT: Layer = Layer {
    grammar: LayerGrammar { name: "shout", aliases: &[], written: Written::InFront, rank: 20, speaks: None,
        over: Some(Shape::Bytes), gives: Some(Shape::Bytes), options: &[] },
    help: "everything in capitals", prepare: |_, _, _| Ok(std::sync::Arc::new(Shout)),
};

struct Shout;

impl Wrap for Shout {
    fn wrap<'a>(&'a self, conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let louder = conn.layered("shout", None, |io| match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Louder(beneath))),
            messages @ Io::Messages(_) => messages,
        });
        Box::pin(async { Ok(louder) })
    }
}

struct Louder(Box<dyn Bytes>);

impl Bytes for Louder {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(self.0.poll_read(cx, buffer))?;
        buffer.iter_mut().take(read).for_each(u8::make_ascii_uppercase);
        Poll::Ready(Ok(read))
    }
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, &bytes.to_ascii_uppercase())
    }
    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown_write(cx)
    }
    fn abort(&mut self) {
        self.0.abort();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let word = std::env::args().nth(1).ok_or("an address, such as shout+tcp:localhost:7002")?;
    let mut conn = Rows::default().with_layer(&SHOUT).dial(&word, &Ctx::default()).await?;
    conn.write_all(b"Hello\n").await?;
    let mut answer = String::new();
    conn.read_to_string(&mut answer).await?;
    print!("{answer}");
    Ok(())
}
