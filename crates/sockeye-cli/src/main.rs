//! The program `sockeye`: what was typed, what is to be done, and how it ended.
#![forbid(unsafe_code)]

mod args;
mod attendance;
mod complete;
mod config;
mod console;
mod exit;
mod failure;
mod flag;
mod help;
mod hint;
mod log;
mod metrics;
mod operator;
mod page;
mod parent;
mod plan;
mod reload;
mod say;
mod server;
mod session;
mod signal;
mod state;
mod verb;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use exit::Exit;
use failure::Failure;
use parent::Parent;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let exit = match run(words.next(), words) {
        Ok(exit) => exit,
        Err(failure) => {
            say::to_people(&failure.to_string());
            failure.exit()
        }
    };
    exit.into()
}

fn run(first: Option<OsString>, rest: impl Iterator<Item = OsString>) -> Result<Exit, Failure> {
    let Some(first) = first else {
        say::to_people(&help::overview().text());
        return Ok(Exit::Usage);
    };
    let first = args::text(first)?;
    match first.as_str() {
        "-h" | "--help" => Ok(say::data(&help::overview().text())),
        "-V" | "--version" => Ok(say::data(concat!("sockeye ", env!("CARGO_PKG_VERSION"), "\n"))),
        "help" => {
            let rest = rest.map(args::text).collect::<Result<Vec<_>, _>>()?;
            help::page(rest.first().map(String::as_str)).map(|page| say::data(&page.text()))
        }
        name => {
            let verb = verb::find(name)?;
            let mut request = args::read(verb, rest)?;
            if request.has(&flag::HELP) {
                return Ok(say::data(&help::verb(verb).text()));
            }
            // Before anything starts a thread.
            let taken = Parent::take().map(|parent| request.parent = Arc::new(parent));
            taken.and_then(|()| (verb.run)(&request)).or_else(|failure| failure.tell(&request))
        }
    }
}
