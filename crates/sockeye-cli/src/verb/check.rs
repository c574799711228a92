//! `check`: does it answer?

use std::sync::Arc;
use std::time::Duration;

use sockeye::proto::address::{Address, Form, Role, Value};
use sockeye::proto::unit::{print_duration, rounded};
use sockeye::{Ctx, Events, Limits, Peer};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};
use crate::{flag, plan, say};

pub(super) static CHECK: Verb = Verb {
    name: "check",
    summary: "does it answer? connect, time it, exit code",
    usage: "sockeye check [FLAG]... ADDR...",
    about: "Connects to every address at the same time, prints a line for each in the order in which \
            they were named, and sends nothing: where there is no handshake, as with udp:, that says nothing, and \
            is refused. Each has 5 s, unless connect= says otherwise. With reconnect= it is waited for so long until it \
            answers. The exit code is 0 if all answered, 124 if all that did not ran out of time, else 1.",
    examples: &[
        ("sockeye check tcp:localhost:22 unix:/run/app.sock", "see whether two servers are up"),
        ("sockeye check tcp:localhost:5432,reconnect=1m", "wait until a server is up"),
    ],
    flags: &[&flag::JSON],
    takes: Takes::Addresses(&[&[Role::Dial]]),
    words: 1..=1024,
    expects: "expected an address, or several",
    run,
};

/// How long an address has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

type Checked = (usize, Duration, sockeye::Result<Arc<Peer>>);

fn run(request: &Request) -> Result<Exit, Failure> {
    let words = request.words().iter();
    let addresses =
        words.map(|word| sockeye::parse(&word.text, &word.beside)).collect::<Result<Vec<_>, _>>()?;
    if let Some(other) = addresses.iter().find(|address| !has_listeners(address)) {
        let reason = format!("{other} is nothing that anybody listens on");
        return Err(Failure::usage(reason, "name an address to connect to"));
    }
    if let Some(listener) = addresses.iter().find(|address| address.role() == Role::Listen) {
        return Err(Failure::usage(format!("{listener} is listened on"), "name an address to connect to"));
    }
    if let Some(silent) = addresses.iter().find(|address| !can_tell_its_end(address)) {
        let reason =
            format!("{} has no handshake: nothing can be known without asking", silent.scheme().name);
        return Err(Failure::usage(reason, format!("try: echo | sockeye dial {silent}")));
    }
    let is_deferred =
        |address: &&Address| address.options().value("fastopen-connect") == Some(&Value::Switch(true));
    if let Some(deferred) = addresses.iter().find(is_deferred) {
        let reason = format!("{deferred} connects with the first bytes, and check sends none");
        return Err(Failure::usage(reason, "leave fastopen-connect out"));
    }
    if request.has(&flag::PLAN) {
        let planned: Vec<_> = addresses.iter().map(|address| ("check", address)).collect();
        let ctx = patient(session::context(request, Events::default(), 1)?);
        return plan::print_with(request, &ctx, &planned);
    }
    session::run(request, Threads::One, 0, async |ctx| {
        let ctx = patient(ctx);
        let mut interrupts = Interrupts::listen()?;
        tokio::select! {
            checked = check_all(&addresses, &ctx) => Ok(report(request, &addresses, &checked)),
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    })
}

/// Whether there is somebody behind such an address, who waits for us. What was handed to us is only ours.
fn has_listeners(address: &Address) -> bool {
    address.scheme().listens && address.scheme().target != Form::Descriptor
}

/// Whether connections to that address begin and end in a way that both sides see.
fn can_tell_its_end(address: &Address) -> bool {
    sockeye::SCHEMES.iter().any(|scheme| scheme.grammar.name == address.scheme().name && scheme.half_close)
}

fn patient(ctx: Ctx) -> Ctx {
    Ctx { limits: Limits { connect: Some(PATIENCE), ..ctx.limits }, ..ctx }
}

async fn check_all(addresses: &[Address], ctx: &Ctx) -> Vec<Checked> {
    let mut tasks = JoinSet::new();
    for (at, address) in addresses.iter().enumerate() {
        let (address, ctx) = (address.clone(), ctx.clone());
        tasks.spawn(async move {
            let began = Instant::now();
            let answered = sockeye::dial(&address, &ctx).await.map(|conn| conn.peer().clone());
            (at, began.elapsed(), answered)
        });
    }
    let mut checked = tasks.join_all().await;
    checked.sort_by_key(|(at, _, _)| *at);
    checked
}

fn report(request: &Request, addresses: &[Address], checked: &[Checked]) -> Exit {
    let named = || addresses.iter().map(Address::bare_word);
    let width = named().map(|name| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    let mut exit = None;
    for (name, (_, took, answered)) in named().zip(checked) {
        let line = if request.has(&flag::JSON) {
            json(&name, *took, answered)
        } else {
            line(&name, width, *took, answered)
        };
        text.push_str(&line);
        text.push('\n');
        if let Err(error) = answered {
            let this = Failure::Run(error.clone()).exit();
            exit = Some(if exit.is_none_or(|exit| exit == this) { this } else { Exit::Failed });
        }
    }
    match say::data(&text) {
        Exit::Done => exit.unwrap_or(Exit::Done),
        unwritten => unwritten,
    }
}

fn line(name: &str, width: usize, took: Duration, answered: &sockeye::Result<Arc<Peer>>) -> String {
    match answered {
        Ok(peer) => format!("{name:width$}  answers  {}  {}", print_duration(rounded(took)), peer.reached()),
        Err(error) => format!("{name:width$}  fails    {}  {}", print_duration(rounded(took)), error.cause()),
    }
}

fn json(name: &str, took: Duration, answered: &sockeye::Result<Arc<Peer>>) -> String {
    let mut object = serde_json::json!({
        "address": name,
        "answers": answered.is_ok(),
        "seconds": took.as_secs_f64(),
    });
    if let Some(object) = object.as_object_mut() {
        let (key, value) = match answered {
            Ok(peer) => ("peer", peer.reached()),
            Err(error) => ("error", one_line(error)),
        };
        object.insert(key.to_owned(), value.into());
    }
    object.to_string()
}
