//! `serve`: run services.

mod order;

use sockeye::{Ctx, Limits, Outsiders};
use sockeye_services::ALL as SERVICES;

use crate::args::{Group, Request};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::{self, Place};
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};

pub(crate) use order::Order;

use crate::{flag, help, log, plan, say};

pub(crate) static SERVE: Verb = Verb {
    name: "serve",
    summary: "run services; with no argument all of them, on this machine",
    usage: "sockeye serve [FLAG]... [SERVICE [FLAG]... ADDR...]...",
    about: "A word without a colon is a service; the addresses and flags behind it are its own. tcp:8080 \
            and tcp-l:8080 are the same here, and port 0 lets the kernel choose: the address of each \
            listener is told on standard error.\n\
            --config takes services, addresses and flags from a file; sockeye gen config prints one to \
            begin with.\n\
            The first interrupt (Ctrl-C, or SIGTERM) takes nobody new and lets those inside finish, the \
            second hurries them, the third ends at once.",
    examples: &[
        ("sockeye serve", "all services on this machine, and what to try"),
        ("sockeye serve echo tcp:8080 upper unix:/tmp/upper.sock", "two of them, elsewhere"),
        ("sockeye serve reply tcp:0 --text 'Come in.' --show", "a fixed answer, and see what comes"),
    ],
    flags: &[&flag::CONFIG, &flag::SHOW, &flag::PUBLIC],
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
        let orders = SERVICES.iter().map(|row| Order::on_its_own_port(row)).collect::<Result<Vec<_>, _>>()?;
        return carry_out(request, &orders, &help::what_to_try(&own_name()));
    }
    let orders = named.into_iter().map(|group| Order::read(group, shown)).collect::<Result<Vec<_>, _>>()?;
    carry_out(request, &orders, "")
}

/// Serves what a file says. What is typed beside it counts more than what the file says of the same.
fn from_file(request: &Request, path: &str) -> Result<Exit, Failure> {
    let Config { mut flags, mut orders } = Config::read(path)?;
    orders.iter_mut().for_each(|order| order.shown |= request.has(&flag::SHOW));
    // Each entry says for itself whether its messages are shown.
    flags.push((flag::SHOW.long, None));
    let request = request.above(flags);
    carry_out(&request, &orders, "").or_else(|failure| failure.tell(&request))
}

/// Serves until interrupted, or with `--plan` says what would be served; `tip` is for people, once all listen.
fn carry_out(request: &Request, orders: &[Order], tip: &str) -> Result<Exit, Failure> {
    if request.has(&flag::PLAN) {
        let planned =
            orders.iter().flat_map(|order| order.addresses.iter().map(|address| (order.row.name, address)));
        return plan::print(request, &planned.collect::<Vec<_>>());
    }
    let listeners = orders.iter().map(|order| order.addresses.len()).sum();
    session::run(request, Threads::Cores, listeners, async |ctx| {
        // Before anything listens: whoever is told where may end us at once.
        let interrupts = Interrupts::listen()?;
        let ctx = guarded(request, ctx);
        let mut places = Vec::new();
        for order in orders {
            // One service for all its addresses: what it keeps, it keeps for all of them.
            let usage =
                |wrong| Failure::usage(wrong, format!("see sockeye serve --help for {}", order.row.name));
            let service = (order.row.build)(&order.values).map_err(usage)?;
            for address in &order.addresses {
                let listening = sockeye::listen(address, &ctx).await?;
                places.push(Place {
                    name: order.row.name,
                    listening,
                    service: service.clone(),
                    shown: order.shown,
                });
            }
        }
        server::announce(&places, request);
        if !tip.is_empty() && !log::wants_json(request) {
            say::to_people(tip);
        }
        server::run(places, interrupts, request, &ctx).await
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
