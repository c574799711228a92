//! `listen`: standard input and output for whoever comes.

use std::sync::Arc;

use sockeye::{BoxFuture, Conn, Ctx, Events, Limits, Plan, Service, Side};
use tokio::sync::Mutex;

use crate::args::Request;
use crate::console::{self, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::Verb;
use crate::{flag, plan, server};

pub(super) static LISTEN: Verb = Verb {
    name: "listen",
    summary: "connect standard input and output to whoever comes",
    usage: "sockeye listen [FLAG]... ADDR",
    about: "tcp:8080 and tcp-l:8080 are the same here. A port alone is this machine's own; tcp:any:8080 \
            is open to others. Ends with its first peer, or with --keep serves \
            one after another; --recv-only leaves standard input out of it.",
    examples: &[
        ("sockeye listen tcp:8080", "wait for one peer on this machine"),
        ("sockeye listen --keep --recv-only unix:/tmp/log.sock >>log", "collect what comes"),
    ],
    flags: &[&flag::KEEP, &flag::WAIT, &flag::SEND_ONLY, &flag::RECV_ONLY, &flag::CRLF, &flag::RAW],
    groups: false,
    words: 1..=1,
    expects: "expected one address",
    run,
};

fn run(request: &Request) -> Result<Exit, Failure> {
    let Some(word) = request.words().first() else { return Ok(Exit::Usage) };
    let address = sockeye::parse_listener(&word.text, &word.beside)?;
    if address.options().value("max-conns").is_some() {
        return Err(Failure::usage("listen serves one peer at a time", "leave max-conns= out"));
    }
    if request.has(&flag::PLAN) {
        let ctx = for_one(session::context(request, Events::default(), 1)?, request);
        return plan::print_with(&ctx, &[("listen", &address)]);
    }
    session::run(request, Threads::One, 1, async |ctx| {
        let mut interrupts = Interrupts::listen()?;
        let keep = request.has(&flag::KEEP);
        let output = if keep { Output::Stays } else { Output::Ends };
        let plan = console::plan(request, &address)?;
        let ctx = for_one(ctx, request);
        let listening = sockeye::listen(&address, &ctx).await?;
        let here = console::open(request, output, &ctx).await?;
        server::ready("listening", &listening, request);
        let terminal = Arc::new(Terminal { here: Mutex::new(here), plan });
        let served = tokio::select! {
            served = sockeye::serve(listening, terminal, "listen", &ctx) => served,
            () = interrupts.next() => return Ok(Exit::Interrupted),
        };
        match served.last_failure {
            Some(error) if !console::is_output_closed(&error, Side::Left) => Err(error.into()),
            _ => Ok(Exit::Done),
        }
    })
}

/// One peer at a time, while the others wait in the kernel's queue; and with `--keep`, one after another.
fn for_one(ctx: Ctx, request: &Request) -> Ctx {
    let once = !request.has(&flag::KEEP);
    Ctx { limits: Limits { max_conns: 1, once, public: true, ..ctx.limits }, ..ctx }
}

/// Whoever comes has our standard input and output, one at a time.
struct Terminal {
    here: Mutex<Conn>,
    plan: Plan,
}

impl Service for Terminal {
    fn serve<'a>(&'a self, mut peer: Conn, ctx: &'a Ctx) -> BoxFuture<'a, sockeye::Result<()>> {
        Box::pin(async move {
            let mut here = self.here.lock().await;
            let (_moved, ended) = sockeye::relay(&mut here, &mut peer, &self.plan, ctx).await;
            if ended.as_ref().is_err_and(|error| console::is_output_closed(error, Side::Left)) {
                ctx.stop.drain();
            }
            ended
        })
    }
}
