//! `serve`: run services.

use sockeye::proto::address::Address;
use sockeye::proto::shape::Shape;
use sockeye::proto::suggest::nearest;
use sockeye::{Carries, Ctx, Limits, Outsiders, ServiceRow};
use sockeye_services::ALL as SERVICES;

use crate::args::{Group, Request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::{self, Place};
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};
use crate::{flag, help, log, plan, say};

pub(crate) static SERVE: Verb = Verb {
    name: "serve",
    summary: "run services; with no argument all of them, on this machine",
    usage: "sockeye serve [FLAG]... [SERVICE [FLAG]... ADDR...]...",
    about: "A word without a colon is a service; the addresses and flags behind it are its own. tcp:8080 \
            and tcp-l:8080 are the same here, and port 0 lets the kernel choose: the address of each \
            listener is told on standard error.\n\
            The first interrupt (Ctrl-C, or SIGTERM) takes nobody new and lets those inside finish, the \
            second hurries them, the third ends at once. SIGUSR1 lists who is inside; SIGHUP opens a log file anew.\n\
            From systemd it takes the sockets whose addresses it is given, or fd-l:NAME by name, and tells when it \
            is ready.",
    examples: &[
        ("sockeye serve", "all services on this machine, and what to try"),
        ("sockeye serve echo tcp:8080 upper unix:/tmp/upper.sock", "two of them, elsewhere"),
        ("sockeye serve reply tcp:0 --text 'Come in.' --show", "a fixed answer, and see what comes"),
    ],
    flags: &[&flag::SHOW, &flag::PUBLIC, &flag::METRICS],
    takes: Takes::Groups,
    words: 0..=1024,
    expects: "expected services and addresses",
    run,
};

/// A service, where it is to listen, and what its flags are set to.
struct Order {
    row: &'static ServiceRow,
    addresses: Vec<Address>,
    values: Vec<Option<String>>,
    shown: bool,
}

fn run(request: &Request) -> Result<Exit, Failure> {
    if let Some(word) = request.words().first() {
        let hint = format!("name the service first: sockeye serve echo {}", word.text);
        return Err(Failure::usage(format!("{}: which service?", word.text), hint));
    }
    let named: Vec<&Group> = request.groups.iter().filter(|group| group.service.is_some()).collect();
    let all = named.is_empty();
    // Before the first service it is for all of them, behind one it is that service's own.
    let shown = request.groups.first().is_some_and(|group| group.has(&flag::SHOW));
    let orders = if all {
        SERVICES.iter().map(|row| on_its_own_port(row)).collect::<Result<Vec<_>, _>>()?
    } else {
        named.into_iter().map(|group| order(group, shown)).collect::<Result<Vec<_>, _>>()?
    };
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
        for order in &orders {
            // One service for all its addresses: what it keeps, it keeps for all of them.
            let usage =
                |wrong| Failure::usage(wrong, format!("see sockeye serve --help for {}", order.row.name));
            let service = (order.row.build)(&order.values).map_err(usage)?;
            let limits = Limits { newcomers: order.row.may.newcomers(), ..ctx.limits };
            let ctx = Ctx { limits, ..ctx.clone() };
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
        if all && !log::wants_json(request) {
            say::to_people(&help::what_to_try(&own_name()));
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

fn on_its_own_port(row: &'static ServiceRow) -> Result<Order, Failure> {
    let address = framed(sockeye::parse_listener(&format!("tcp:{}", row.port), &[])?, row.carries)?;
    Ok(Order { row, addresses: vec![address], values: vec![None; row.flags.len()], shown: true })
}

fn order(group: &Group, shown: bool) -> Result<Order, Failure> {
    let name = group.service.as_deref().unwrap_or_default();
    let Some(row) = SERVICES.iter().find(|row| row.name == name) else {
        let hint = match nearest(name, SERVICES.iter().map(|row| row.name)) {
            Some(near) => format!("did you mean {near}?"),
            None => {
                format!("there are {}", SERVICES.iter().map(|row| row.name).collect::<Vec<_>>().join(", "))
            }
        };
        return Err(Failure::usage(format!("there is no service {name:?}"), hint));
    };
    if group.words.is_empty() {
        let hint = format!("say where: sockeye serve {name} tcp:{}", row.port);
        return Err(Failure::usage(format!("{name}: expected an address"), hint));
    }
    let read =
        |word: &crate::args::Word| framed(sockeye::parse_listener(&word.text, &word.beside)?, row.carries);
    let addresses = group.words.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let values = row.flags.iter().map(|flag| group.value(flag.name).map(str::to_owned)).collect();
    Ok(Order { row, addresses, values, shown: shown || group.has(&flag::SHOW) })
}

/// Puts the frame on that the service wants, where the address gives bytes and says nothing itself.
pub(super) fn framed(mut address: Address, carries: Carries) -> Result<Address, Failure> {
    if let (Carries::Messages { frame }, Shape::Bytes) = (carries, address.shape()) {
        address.insert(frame, sockeye::vocabulary())?;
    }
    Ok(address)
}
