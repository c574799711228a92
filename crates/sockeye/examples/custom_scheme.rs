//! A scheme of one's own: `every:1s` is a connection on which a message comes every second. Here it is relayed to a peer,
//! which so gets a heartbeat.
//!
//! Type `nc -u -l 7001`, and elsewhere `cargo run -p sockeye --example custom_scheme every:1s udp:localhost:7001`.

use std::io;
use std::task::{Context, Poll, ready};

use sockeye::proto::address::{Address, Form, SchemeGrammar, Target};
use sockeye::proto::{shape::Shape, unit};
use sockeye::{
    BoxFuture, Conn, Ctx, Error, Message, Messages, Op, Payload, Peer, Plan, Result, Rows, Scheme,
};
use tokio::time::{Interval, interval};

#[rustfmt::skip]
static EVERY: Scheme = Scheme {
    grammar: SchemeGrammar {
        name: "every", aliases: &[], target: Form::Name, shape: Shape::Messages, dials: true, listens: false, options: &[],
    },
    help: "a message every so often",
    example: "every:1s",
    max_message: None, half_close: true, idle: None, dials_once: |_| false, runs: false,
    dial,
    listen: sockeye::no_listener,
};

fn dial<'a>(address: &'a Address, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
    let pause = if let Target::Name(text) = address.target() { unit::duration(text) } else { None };
    let pause = pause.filter(|pause| !pause.is_zero()).ok_or(io::ErrorKind::InvalidInput);
    let conn = pause.map(|pause| Conn::messages(Every(interval(pause)), Peer::new("every"), None));
    Box::pin(std::future::ready(conn.map_err(|kind| Error::new(Op::Dial, io::Error::from(kind)))))
}

struct Every(Interval);

impl Messages for Every {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        ready!(self.0.poll_tick(cx));
        message.payload.extend_from_slice(b"alive\n");
        Poll::Ready(Ok(true))
    }
    fn poll_send(&mut self, _: &mut Context<'_>, _: Payload<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn abort(&mut self) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (from, to) = words.next().zip(words.next()).ok_or("two addresses: every:1s udp:localhost:7001")?;
    let (rows, ctx) = (Rows::default().with_scheme(&EVERY), Ctx::default());
    let (mut from, mut to) = (rows.dial(&from, &ctx).await?, rows.dial(&to, &ctx).await?);
    let (_moved, ended) = sockeye::relay(&mut from, &mut to, &Plan::default(), &ctx).await;
    Ok(ended?)
}
