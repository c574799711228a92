//! `dial`: standard input and output to and from an address.

use crate::args::Request;
use crate::console::{self, Console, Manner, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};
use crate::{flag, plan, say};
use serde_json::json;
use sockeye::proto::address::Role;
use sockeye::{Plan, Side};
use tokio::time::Instant;

pub(super) static DIAL: Verb = Verb {
    name: "dial",
    summary: "connect standard input and output to an address",
    usage: "sockeye dial [FLAG]... ADDR",
    about: "The end of standard input is passed on to the peer, which may still answer for as long as it \
            takes. At a terminal the peer's end ends the conversation, and what comes is made safe to \
            look at.\nWhere the peer carries messages, all of standard input is one message, and what comes \
            is written as it is. At a terminal, with --lines or with a frame= each line is a message, and \
            each message a line.",
    examples: &[
        ("echo hi | sockeye dial tcp:localhost:7700", "ask an echo server"),
        ("seq 3 | sockeye dial --lines --hex udp:localhost:7711", "a datagram a line, and the answers"),
        ("sockeye dial unix:/run/app.sock", "talk to a Unix socket"),
        ("printf 'HEAD / HTTP/1.0\\n\\n' | sockeye dial --crlf tcp:localhost:80", "HTTP by hand"),
    ],
    flags: &[
        &flag::WAIT,
        &flag::SEND_ONLY,
        &flag::RECV_ONLY,
        &flag::LINES,
        &flag::CHUNKS,
        &flag::HEX,
        &flag::CRLF,
        &flag::RAW,
    ],
    takes: Takes::Addresses(&[&[Role::Dial]]),
    words: 1..=1,
    expects: "expected one address",
    run,
};

fn run(request: &Request) -> Result<Exit, Failure> {
    let Some(word) = request.words().first() else { return Ok(Exit::Usage) };
    let address = sockeye::parse(&word.text, &word.beside)?;
    if address.role() == Role::Listen {
        return Err(Failure::usage(
            format!("{address} is listened on"),
            format!("try: sockeye listen {address}"),
        ));
    }
    let manner = Manner::of(request, &address)?;
    if request.has(&flag::PLAN) {
        return plan::print(request, &[("dial", &address)]);
    }
    session::run(request, Threads::One, 0, async |ctx| {
        let mut interrupts = Interrupts::listen()?;
        let idle = sockeye::limits(&address, &ctx.limits).idle;
        let plan = Plan { idle, ..console::plan(request, &address)? };
        let conversation = async {
            let peer = sockeye::dial(&address, &ctx).await?;
            if request.has(&flag::VERBOSE) {
                let reached = peer.peer().reached();
                let object = json!({ "event": "connected", "peer": reached });
                say::note(request, object, &format!("connected to {reached}"));
            }
            let mut here = Console::open(&manner, Output::Ends, &ctx).await?;
            let began = Instant::now();
            let joined = here.talk(peer, &plan, &ctx).await;
            console::ended(request, joined, began.elapsed(), Some(Side::Left))
        };
        tokio::select! {
            ended = conversation => ended,
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    })
}
