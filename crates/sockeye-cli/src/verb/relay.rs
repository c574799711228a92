//! `relay`: join two addresses.

use std::sync::Arc;

use sockeye::proto::address::{Address, Role};
use sockeye::{Ctx, Flow, Forward, Limits, Newcomers, Outsiders, Plan, Rows, Side};
use tokio::time::Instant;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::{self, Place};
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};
use crate::{console, flag, hint, plan};

pub(super) static RELAY: Verb = Verb {
    name: "relay",
    summary: "join two addresses",
    usage: "sockeye relay [FLAG]... ADDR ADDR",
    about: "Where the first address listens (tcp-l:8080), each connection that it accepts is joined to \
            the second, dialled anew, thousands at once; ,once ends with the first. Otherwise both are \
            dialled and joined once. The end of one side is passed on to the other, unless eof= says \
            otherwise. One that listens reads the certificates and keys of both its ends again at SIGHUP.",
    examples: &[
        ("sockeye relay tcp-l:8080 unix:/run/app.sock", "lead a port to a Unix socket"),
        ("sockeye relay file:in.txt tcp:localhost:7701 --one-way", "send a file"),
    ],
    flags: &[&flag::ONE_WAY, &flag::SHOW, &flag::METRICS, &flag::THREADS],
    takes: Takes::Addresses(&[&[Role::Dial, Role::Listen], &[Role::Dial]]),
    words: 2..=2,
    expects: "expected two addresses",
    run,
};

fn run(request: &Request) -> Result<Exit, Failure> {
    let [left, right] = request.words() else { return Ok(Exit::Usage) };
    let left = sockeye::parse(&left.text, &left.beside)?;
    let mut beside = right.beside.clone();
    if request.has(&flag::ONE_WAY) && right.text == "-" {
        // Nothing is read from there, so that it is left to others.
        beside.push("input=no".to_owned());
    }
    let right = sockeye::parse(&right.text, &beside)?;
    if right.role() == Role::Listen {
        let hint = match left.role() {
            Role::Dial => format!("name the one that listens first: sockeye relay {right} {left}"),
            Role::Listen => "the second is dialled: write it without -l".to_owned(),
        };
        return Err(Failure::usage("relay: only the first address may listen", hint));
    }
    if left.shape() != right.shape() {
        let reason = format!("{left} carries {}, and {right} {}", left.shape(), right.shape());
        return Err(Failure::usage(reason, hint::FRAME));
    }
    let of_servers = [&flag::METRICS, &flag::THREADS];
    if left.role() == Role::Dial
        && let Some(flag) = of_servers.into_iter().find(|flag| request.has(flag))
    {
        return Err(Failure::usage(
            format!("relay: --{} is for one that listens, and {left} is dialled", flag.long),
            "leave it out",
        ));
    }
    if request.has(&flag::PLAN) {
        return plan::print(request, &[("from", &left), ("to", &right)]);
    }
    let far = Rows::default().scheme(&right)?;
    match left.role() {
        Role::Listen if (far.dials_once)(&right) && !sockeye::limits(&left, &Limits::default()).once => {
            let reason = format!("{right} is there for one connection, and {left} accepts many");
            Err(Failure::usage(reason, "add ,once to the first address, or see sockeye listen --keep"))
        }
        Role::Listen => serve(request, "relay", &left, &right),
        Role::Dial => join(request, &left, &right),
    }
}

fn flow(request: &Request) -> Flow {
    if request.has(&flag::ONE_WAY) { Flow::OneWay } else { Flow::Both }
}

/// A pair for each connection that comes. Where that runs programs, only our own users are let in.
pub(super) fn serve(
    request: &Request,
    name: &'static str,
    left: &Address,
    right: &Address,
) -> Result<Exit, Failure> {
    sockeye::process::check_program(right)?;
    session::run(request, Threads::Many, 1, async |ctx| {
        let interrupts = Interrupts::listen()?;
        // Whom to let through is for the other side to say.
        let (newcomers, max_conns) = if Rows::default().scheme(right)?.runs {
            (Newcomers::Ours, session::most_commands())
        } else {
            (Newcomers::Anyone, ctx.limits.max_conns)
        };
        let limits = Limits { newcomers, max_conns, outsiders: Outsiders::Welcome, ..ctx.limits };
        let ctx = Ctx { limits, ..ctx };
        // Who is idle on the listening side is ended there.
        let idle = sockeye::limits(right, &ctx.limits).idle;
        let plan = Plan { flow: flow(request), idle, ..Plan::of(left, right, &ctx) };
        let listening = sockeye::listen(left, &ctx).await?;
        let service = Arc::new(Forward { to: sockeye::dialler(right, &ctx)?, plan });
        let places = vec![Place { name: name.to_owned(), listening, service, ctx: ctx.clone() }];
        server::run(places, interrupts, request, &ctx).await
    })
}

/// Two dialled ends, joined once.
fn join(request: &Request, left: &Address, right: &Address) -> Result<Exit, Failure> {
    session::run(request, Threads::One, 0, async |ctx| {
        let mut interrupts = Interrupts::listen()?;
        let plan = Plan { flow: flow(request), ..Plan::of(left, right, &ctx) };
        let joined = async {
            let mut left = sockeye::show(sockeye::dial(left, &ctx).await?, &ctx.events);
            let mut right = sockeye::show(sockeye::dial(right, &ctx).await?, &ctx.events);
            let began = Instant::now();
            let joined = sockeye::relay(&mut left, &mut right, &plan, &ctx).await;
            Ok::<_, Failure>((joined, began.elapsed()))
        };
        let sides = [(left, Side::Left), (right, Side::Right)];
        let here = sides.iter().find(|(address, _)| address.scheme().name == "-").map(|(_, side)| *side);
        tokio::select! {
            joined = joined => {
                let (joined, lasted) = joined?;
                console::ended(request, joined, lasted, here)
            }
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    })
}
