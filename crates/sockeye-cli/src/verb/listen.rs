//! `listen`: standard input and output for whoever comes.

mod many;
mod program;

use std::sync::Arc;

use sockeye::proto::address::Role;
use sockeye::{BoxFuture, Conn, Ctx, Error, Events, Limits, Outsiders, Plan, Service, Side};
use tokio::sync::{Mutex, SetOnce};

use crate::args::Request;
use crate::console::{self, Console, Manner, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reload::Reloading;
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb, relay};
use crate::{flag, plan, server};

pub(super) static LISTEN: Verb = Verb {
    name: "listen",
    summary: "connect standard input and output to whoever comes",
    usage: "sockeye listen [FLAG]... ADDR",
    about: "tcp:8080 and tcp-l:8080 are the same here. A port alone is this machine's own; tcp:any:8080 \
            is open to others. Ends with its first peer, or with --keep serves one after another (a peer \
            of datagrams leaves after idle=); --recv-only leaves standard input out of it, and with \
            --keep hears many peers at once where they carry messages.\nMessages are read and written as \
            dial does.\n\
            --broker and --operator take many peers at once; where they carry bytes, each line of at most \
            64 KiB is a message unless frame= says otherwise. The operator sees each message with a number \
            and its sender; a line that begins with a number of the last 1000 and a space answers that sender, \
            any other line the last one.\n\
            --exec and --sh run a program for each peer, many at once, with the peer as its standard input and \
            output. Only our own user's programs, root's, and those of users that allow= names are let in, so \
            the address must be a Unix socket or on loopback, unless allow=cert:NAME lets in by certificate. The program finds in SOCKEYE_PEER, SOCKEYE_LOCAL \
            and SOCKEYE_UID who its peer is, and is ended when the peer has left before all was said.\n\
            These four go on until interrupted, as with --keep.\n\
            SIGHUP has certificates and keys read again.",
    examples: &[
        ("sockeye listen tcp:8080", "wait for one peer on this machine"),
        ("sockeye listen --keep --recv-only unix:/tmp/log.sock >>log", "collect what comes"),
        ("sockeye listen --keep --recv-only --chunks udp:8125", "see every datagram, and who sent it"),
        ("sockeye listen --broker tcp:8080", "a room: what one says, all others hear"),
        ("sockeye listen --operator tcp:8080", "hear many peers, and answer each"),
        ("sockeye listen --exec 'tr a-z A-Z' tcp:8080", "a program for each peer"),
        ("sockeye listen --sh 'sort | uniq -c' unix:/tmp/count.sock", "a line of shell for each peer"),
        ("sockeye listen --exec 'sed -u s/^/ok:/' --lines udp:8125", "a line for each datagram"),
    ],
    flags: &[
        &flag::KEEP,
        &flag::BROKER,
        &flag::OPERATOR,
        &flag::EXEC,
        &flag::SH,
        &flag::FRAME,
        &flag::SLOW,
        &flag::WAIT,
        &flag::SEND_ONLY,
        &flag::RECV_ONLY,
        &flag::LINES,
        &flag::CHUNKS,
        &flag::HEX,
        &flag::CRLF,
        &flag::RAW,
        &flag::SHOW,
        &flag::PUBLIC,
        &flag::METRICS,
    ],
    takes: Takes::Addresses(&[&[Role::Listen]]),
    words: 1..=1,
    expects: "expected one address",
    run,
};

fn run(request: &Request) -> Result<Exit, Failure> {
    let Some(word) = request.words().first() else { return Ok(Exit::Usage) };
    let address = sockeye::parse_listener(&word.text, &word.beside)?;
    if let Some((name, program)) = program::chosen(request, &address)? {
        if request.has(&flag::PLAN) {
            return plan::print(request, &[("listen", &address), (name, &program)]);
        }
        return relay::serve(request, name, &address, &program);
    }
    if let Some(many) = many::chosen(request)? {
        return many::run(request, address, many);
    }
    let manner = Manner::of(request, &address)?;
    let door = Door::of(request, &manner);
    if door != Door::Many && address.options().value("max-conns").is_some() {
        return Err(Failure::usage("listen serves one peer at a time", "leave max-conns= out"));
    }
    if request.has(&flag::PLAN) {
        let ctx = door.limit(session::context(request, Events::default(), 1)?);
        return plan::print_with(request, &ctx, &[("listen", &address)]);
    }
    session::run(request, Threads::One, 1, async |ctx| {
        let mut interrupts = Interrupts::listen()?;
        let output = if door == Door::Once { Output::Ends } else { Output::Stays };
        let plan = console::plan(request, &address)?;
        let ctx = door.limit(ctx);
        let listening = sockeye::listen(&address, &ctx).await?;
        let here = Mutex::new(Console::open(&manner, output, &ctx).await?);
        let reloading = Reloading::listen(request, &ctx)?;
        server::ready("listening", &listening, request);
        server::up(request, &ctx);
        let terminal = Arc::new(Terminal { here, plan, door, broken: SetOnce::new() });
        let failure = tokio::select! {
            served = sockeye::serve(listening, terminal.clone(), "listen", &ctx) => served.last_failure,
            error = terminal.broken.wait() => Some(error.clone()),
            () = interrupts.next() => return Ok(Exit::Interrupted),
            never = reloading.attend() => match never {},
        };
        match failure {
            Some(error) if !console::is_output_closed(&error, Side::Left) => Err(error.into()),
            _ => Ok(Exit::Done),
        }
    })
}

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The first peer alone.
    Once,
    /// One after another, while the others wait in the kernel's queue.
    InTurn,
    /// As many at once as the limits allow.
    Many,
}

impl Door {
    fn of(request: &Request, manner: &Manner) -> Self {
        match (request.has(&flag::KEEP), manner.takes_many()) {
            (false, _) => Self::Once,
            (true, false) => Self::InTurn,
            (true, true) => Self::Many,
        }
    }

    fn limit(self, ctx: Ctx) -> Ctx {
        // Whoever sits here may talk with anybody.
        let limits = Limits { outsiders: Outsiders::Welcome, ..ctx.limits };
        let limits = match self {
            Self::Once => Limits { max_conns: 1, once: true, ..limits },
            Self::InTurn => Limits { max_conns: 1, ..limits },
            Self::Many => limits,
        };
        Ctx { limits, ..ctx }
    }
}

/// Whoever comes has our standard input and output.
struct Terminal {
    here: Mutex<Console>,
    plan: Plan,
    door: Door,
    /// Why standard input or output can be used no more: then nobody else is served either.
    broken: SetOnce<Error>,
}

impl Service for Terminal {
    fn serve<'a>(&'a self, peer: Conn, ctx: &'a Ctx) -> BoxFuture<'a, sockeye::Result<()>> {
        Box::pin(async move {
            let ended = match self.door {
                Door::Once | Door::InTurn => self.here.lock().await.talk(peer, &self.plan, ctx).await.1,
                Door::Many => Console::hear(&self.here, peer, ctx).await,
            };
            if let Err(error) = &ended
                && error.side() == Some(Side::Left)
            {
                // It fails only for a second in line, and the first has said it.
                let (Ok(()) | Err(_)) = self.broken.set(error.clone());
            }
            ended
        })
    }
}
