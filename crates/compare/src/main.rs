//! sockeye beside the programs that people would take instead, on the same work, in one run.
//!
//! It prints a table in Markdown: medians over rounds, in each of which every program has its turn, so that a drift of the
//! machine's speed touches all alike. Everything is on loopback, and bounded in number and time.

#![forbid(unsafe_code)]

mod account;
mod case;
mod identity;
mod limit;
mod load;
mod machine;
mod options;
mod program;
mod rounds;
mod server;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use options::Asked;

fn main() -> ExitCode {
    let done = match options::read() {
        Ok(Asked::Compare(options)) => rounds::compare(&options),
        Ok(Asked::Help) => options::help(&mut io::stdout().lock()).map(|()| true),
        Ok(Asked::LimitOfDatagrams) => limit::datagrams().map(|()| true),
        Ok(Asked::LimitOfStreams) => limit::streams().map(|()| true),
        Err(wrong) => {
            tell(&format!("{wrong}; see compare --help"));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn tell(what: &str) {
    // A broken standard error leaves nowhere to tell of it; the exit code still does.
    let _unheard = writeln!(io::stderr(), "compare: {what}");
}
