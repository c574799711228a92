//! Leads whoever comes to another address: a forwarded port, or a Unix socket for a TCP server.
//!
//! Type `cargo run -p sockeye --example relay tcp:7004 tcp:localhost:7000`, and elsewhere `nc localhost 7004`.
#![expect(clippy::print_stdout, reason = "its ready lines are for people")]

use std::sync::Arc;

use sockeye::{Ctx, Forward, Plan};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (from, to) = words.next().zip(words.next()).ok_or("two addresses: tcp:7004 tcp:localhost:7000")?;
    let ctx = Ctx::default();
    let from = sockeye::parse_listener(&from, &[])?;
    let to = sockeye::parse(&to, &[])?;
    if from.shape() != to.shape() {
        return Err(format!("{from} carries {}, and {to} {}", from.shape(), to.shape()).into());
    }
    let plan = Plan::of(&from, &to, &ctx);
    let listening = sockeye::listen(&from, &ctx).await?;
    for local in listening.listener.locals() {
        println!("listening on {local}");
    }
    let served = sockeye::serve(
        listening,
        Arc::new(Forward { to: sockeye::dialler(&to, &ctx)?, plan }),
        "relay",
        &ctx,
    )
    .await;
    println!("{} came, {} came to a bad end", served.accepted, served.failed);
    Ok(())
}
