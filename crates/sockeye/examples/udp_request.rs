//! A request by datagrams, sent again where no answer comes: each time it waits twice as long. The peer may so hear it
//! more than once, and a late answer to an earlier one counts.
//!
//! Type `cargo run -p sockeye --example custom_service udp:7003`, and elsewhere
//! `cargo run -p sockeye --example udp_request udp:localhost:7003 'three short words'`.
#![expect(clippy::print_stdout, reason = "it shows the answer")]

use std::time::Duration;

use sockeye::{Conn, Ctx, Kind, Message};
use tokio::time::timeout;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const TRIES: u32 = 5;

/// The answer of the peer, or `None` where it gave none to any of the tries.
async fn ask(peer: &mut Conn, request: &[u8]) -> sockeye::Result<Option<Message>> {
    let mut answer = Message::default();
    for attempt in 0..TRIES {
        // That nobody listens is told at the next call, and may change before the next try.
        if let Err(error) = peer.send(request).await
            && error.kind() != Kind::Refused
        {
            return Err(error);
        }
        match timeout(FIRST_WAIT * 2_u32.pow(attempt), peer.receive(&mut answer)).await {
            Ok(Ok(true)) => return Ok(Some(answer)),
            Ok(Err(error)) if error.kind() != Kind::Refused => return Err(error),
            Ok(Ok(false) | Err(_)) | Err(_) => {}
        }
    }
    Ok(None)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let asked = words.next().zip(words.next());
    let (to, request) = asked.ok_or("an address and a request: udp:localhost:7003 'three short words'")?;
    let mut peer = sockeye::dial(&to, &Ctx::default()).await?;
    let answer = ask(&mut peer, request.as_bytes()).await?.ok_or("no answer")?;
    println!("{}: {}", answer.from, String::from_utf8_lossy(&answer.payload));
    Ok(())
}
