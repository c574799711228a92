//! `opts`: which options there are, and what the kernel has of those of an address.

mod list;

use sockeye::proto::address::{Address, Role, Value};
use sockeye::proto::printable;
use sockeye::{Held, Inspected, Phase};

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};
use crate::{flag, plan, say};

pub(super) static OPTS: Verb = Verb {
    name: "opts",
    summary: "which options there are, and what the kernel has of them",
    usage: "sockeye opts [FLAG]... [SCHEME|ADDR]",
    about: "Alone it lists every option: of which schemes, when it takes hold of a socket, what it is unless set, and by \
            which other names it goes. With a scheme it lists those of that scheme, with tcp-l those of its listeners.\n\
            With an address it connects to it, or listens there, prints what the kernel then has, and closes it again: \
            nothing is sent or accepted. What the address sets is marked, with what was asked for where the kernel made \
            something else of it.",
    examples: &[
        ("sockeye opts tcp", "what can be set on a TCP connection"),
        ("sockeye opts tcp-l:0,rcvbuf=64k,mss=1200", "what the kernel makes of it"),
    ],
    flags: &[&flag::JSON],
    takes: Takes::Addresses(&[&[Role::Dial, Role::Listen]]),
    words: 0..=1,
    expects: "expected a scheme or an address, or nothing",
    run,
};

/// When an option takes hold of a socket, in words.
fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Made => "as the socket is made",
        Phase::New => "on a new socket",
        Phase::Bound => "as the socket is bound",
        Phase::Listening => "as the socket listens",
        Phase::Connected => "on each connection",
    }
}

fn run(request: &Request) -> Result<Exit, Failure> {
    let Some(word) = request.words().first() else { return Ok(list::print(request, &list::Which::All)) };
    if let Some(which) = list::Which::of_scheme(&word.text).filter(|_| word.beside.is_empty()) {
        return Ok(list::print(request, &which));
    }
    let address = sockeye::parse(&word.text, &word.beside)?;
    if !has_options(&address) {
        let reason = format!("{} has no options of a socket", address.scheme().name);
        let hint = format!("what can be set there: sockeye opts {}", address.scheme().name);
        return Err(Failure::usage(reason, hint));
    }
    if request.has(&flag::PLAN) {
        return plan::print(request, &[("opts", &address)]);
    }
    session::run(request, Threads::One, 0, async |ctx| {
        let mut interrupts = Interrupts::listen()?;
        tokio::select! {
            inspected = sockeye::inspect(&address, &ctx) => Ok(report(request, &address, &inspected?)),
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    })
}

fn has_options(address: &Address) -> bool {
    let mut of_kernel = sockeye::options().filter(|row| row.phase().is_some());
    of_kernel.any(|row| row.grammar.schemes.contains(&address.scheme().name))
}

fn report(request: &Request, address: &Address, inspected: &[Inspected]) -> Exit {
    let mut text = String::new();
    for socket in inspected {
        let name = socket.peer.reached();
        if request.has(&flag::JSON) {
            socket.options.iter().for_each(|held| text.push_str(&json(address, &name, held)));
        } else {
            text.push_str(&format!("{name}\n"));
            socket.options.iter().for_each(|held| text.push_str(&line(held)));
        }
    }
    say::data(&text)
}

/// Where the values begin, and where the marks do.
const COLUMNS: (usize, usize) = (20, 16);

fn line(held: &Held) -> String {
    let value = match &held.has {
        Ok(Some(value)) => value.to_string(),
        Ok(None) => "-".to_owned(),
        Err(_) => "unknown".to_owned(),
    };
    let value = printable::line(value.as_bytes());
    let mark = match (&held.asked, &held.has) {
        (None, _) => String::new(),
        (Some(asked), Ok(Some(has))) if asked == has => "set".to_owned(),
        (Some(asked), _) => format!("set to {}", printable::line(asked.to_string().as_bytes())),
    };
    let (name, (second, third)) = (held.row.grammar.name, COLUMNS);
    let line = format!("  {name:second$}{value:third$}{mark}");
    format!("{}\n", line.trim_end())
}

fn json(address: &Address, socket: &str, held: &Held) -> String {
    let (value, error) = match &held.has {
        Ok(value) => (value.as_ref().map(of_value), None),
        Err(refused) => (None, Some(refused.to_string())),
    };
    let object = serde_json::json!({
        "address": address.bare_word(), "socket": socket, "option": held.row.grammar.name, "value": value,
        "asked": held.asked.as_ref().map(of_value), "error": error,
    });
    format!("{object}\n")
}

/// Times are seconds, and 0 is off; what is neither number nor switch is as an address has it.
fn of_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Count(number) | Value::Size(number) => (*number).into(),
        Value::Switch(on) => (*on).into(),
        Value::Time(time) => time.map_or(0.0, |time| time.as_secs_f64()).into(),
        other => other.to_string().into(),
    }
}
