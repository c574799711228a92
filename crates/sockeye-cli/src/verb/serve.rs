//! `serve`: run services.

mod order;
mod party;
mod posts;
mod reload;

use sockeye::{Ctx, Limits, Outsiders};

use crate::args::{Group, Request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reload::Reloading;
use crate::server::{self, Server};
use crate::session::{self, Threads};
use crate::signal::{Calls, Interrupts};
use crate::verb::{Takes, Verb};

pub(crate) use order::Order;
use posts::Posts;
use reload::{Said, Script};

use crate::{flag, help, log, plan, say};

pub(crate) static SERVE: Verb = Verb {
    name: "serve",
    summary: "run services; with no argument the harmless ones, on loopback",
    usage: "sockeye serve [FLAG]... [SERVICE [FLAG]... ADDR...]...",
    about: "A word without a colon is a service; the addresses and flags behind it are its own. tcp:8080 \
            and tcp-l:8080 are the same here, and port 0 lets the kernel choose: the address of each \
            listener is told on standard error. Services that are given the same address share it: one over tls: \
            gets those who speak TLS, one over ws: those who speak HTTP, and one without all others.\n\
            --config takes services, addresses and flags from a file; sockeye gen config prints one to \
            begin with. SIGHUP has it read again, whole or not at all: an address that stays keeps its \
            socket, newcomers get what the file says now, and nobody who is inside is dropped. A new address is opened \
            before an old one is given up, so tcp:any:80 in the place of tcp:80 takes two steps.\n\
            The first interrupt (Ctrl-C, or SIGTERM) takes nobody new and lets those inside finish, the \
            second hurries them, the third ends at once. SIGUSR1 lists who is inside; SIGHUP opens a log file anew, and \
            has certificates and keys read again.\n\
            From systemd it takes the sockets whose addresses it is given, or fd-l:NAME by name, and tells when it \
            is ready.",
    examples: &[
        ("sockeye serve", "the harmless services on this machine, and what to try"),
        ("sockeye serve echo tcp:8080 upper unix:/tmp/upper.sock", "two of them, elsewhere"),
        ("sockeye serve reply tcp:0 --text 'Come in.' --show", "a fixed answer, and see what comes"),
    ],
    flags: &[&flag::CONFIG, &flag::SHOW, &flag::PUBLIC, &flag::METRICS, &flag::THREADS],
    takes: Takes::Groups,
    words: 0..=1024,
    expects: "expected services and addresses",
    run,
};

fn run(request: &Request) -> Result<Exit, Failure> {
    if let Some(word) = request.words().first() {
        let hint = format!("name the service first: sockeye serve echo {}", word.text);
        return Err(Failure::usage(format!("{}: which service?", word.text), hint));
    }
    let named: Vec<&Group> = request.groups.iter().filter(|group| group.service.is_some()).collect();
    if let Some(path) = request.value(&flag::CONFIG) {
        return match named.first().and_then(|group| group.service.as_deref()) {
            Some(name) => Err(Failure::usage(
                format!("--config {path} says what is served, and so does {name}"),
                format!("write {name} into the file, or leave --config out"),
            )),
            None => from_file(request, path),
        };
    }
    // Before the first service it is for all of them, behind one it is that service's own.
    let shown = request.groups.first().is_some_and(|group| group.has(&flag::SHOW));
    if named.is_empty() {
        let orders = Order::harmless()?;
        let rows: Vec<_> = orders.iter().map(|order| order.row).collect();
        return carry_out(request, &orders, None, &help::what_to_try(&rows, &own_name()));
    }
    let orders = named.into_iter().map(|group| Order::read(group, shown)).collect::<Result<Vec<_>, _>>()?;
    carry_out(request, &orders, None, "")
}

fn from_file(request: &Request, path: &str) -> Result<Exit, Failure> {
    let script = Script { path, typed: request };
    let Said { request, orders } = script.read()?;
    carry_out(&request, &orders, Some(&script), "").or_else(|failure| failure.tell(&request))
}

/// Serves until interrupted, or with `--plan` says what would be served; `tip` is for people, once all listen.
fn carry_out(
    request: &Request,
    orders: &[Order],
    script: Option<&Script<'_>>,
    tip: &str,
) -> Result<Exit, Failure> {
    if request.has(&flag::PLAN) {
        let planned =
            orders.iter().flat_map(|order| order.addresses.iter().map(|address| (order.row.name, address)));
        return plan::print(request, &planned.collect::<Vec<_>>());
    }
    let listeners = orders.iter().map(|order| order.addresses.len()).sum();
    session::run(request, Threads::Many, listeners, async |ctx| {
        // Before anything listens: whoever is told where may end us at once.
        let interrupts = Interrupts::listen()?;
        let hangups = script.map(|_| Calls::to_begin_anew()).transpose()?;
        let ctx = guarded(request, ctx);
        let mut server = Server::new(interrupts, request, &ctx);
        let mut posts = Posts::default();
        let all_open = posts.prepare(orders, &ctx).await?;
        let reloading = Reloading::listen(request, &ctx)?;
        posts.take_over(all_open, &mut server, request);
        server::up(request, &ctx);
        if !tip.is_empty() && !log::wants_json(request) {
            say::to_people(tip);
        }
        match script.zip(hangups) {
            Some((script, hangups)) => script.follow(hangups, (server, posts), request, &ctx).await,
            None => tokio::select! {
                exit = server.run() => exit,
                never = reloading.attend() => match never {},
            },
        }
    })
}

/// The context of a server that answers whoever asks, and so must be of no use against others.
pub(super) fn guarded(request: &Request, ctx: Ctx) -> Ctx {
    let outsiders = if request.has(&flag::PUBLIC) { Outsiders::Guarded } else { Outsiders::Refused };
    Ctx { limits: Limits { outsiders, ..ctx.limits }, ..ctx }
}

/// How we were called, so that a line to type works where we are not on the PATH.
fn own_name() -> String {
    std::env::args().next().unwrap_or_else(|| say::NAME.to_owned())
}
