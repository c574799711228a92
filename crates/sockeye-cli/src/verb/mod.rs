//! The verbs, a row each.

mod check;
mod dial;
pub(crate) mod r#gen;
mod listen;
mod opts;
mod relay;
mod run;
pub(crate) mod serve;
mod time;

use std::ops::RangeInclusive;

use sockeye::proto::address::Role;
use sockeye::proto::suggest::nearest;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flag::Flag;

/// A verb.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// How it is typed.
    pub(crate) usage: &'static str,
    /// What one should know; each line is a paragraph.
    pub(crate) about: &'static str,
    /// Commands that work as they stand, each with what it does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// Its own flags.
    pub(crate) flags: &'static [&'static Flag],
    /// What its words are.
    pub(crate) takes: Takes,
    /// How many words it takes, not counting services, and how a mistake is told.
    pub(crate) words: RangeInclusive<usize>,
    pub(crate) expects: &'static str,
    pub(crate) run: fn(&Request) -> Result<Exit, Failure>,
}

/// What the words of a verb are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Addresses: whether each in its turn can be dialled or listened on; the last holds for all that follow.
    Addresses(&'static [&'static [Role]]),
    /// Addresses that are dialled, and behind `--`, or behind `--rsh` and its value, the words of a command.
    Command,
    /// Services, which have no colon and begin a group, and the addresses of each.
    Groups,
    /// What is to be generated.
    Outputs,
}

/// Every verb.
pub(crate) static ALL: &[&Verb] = &[
    &dial::DIAL,
    &listen::LISTEN,
    &relay::RELAY,
    &check::CHECK,
    &run::RUN,
    &serve::SERVE,
    &time::TIME,
    &opts::OPTS,
    &r#gen::GEN,
];

/// The verb of that name.
pub(crate) fn find(name: &str) -> Result<&'static Verb, Failure> {
    if let Some(verb) = ALL.iter().find(|verb| verb.name == name) {
        return Ok(verb);
    }
    let hint = match nearest(name, ALL.iter().map(|verb| verb.name)) {
        Some(near) => format!("did you mean {near}?"),
        None if name.contains(':') => format!("to connect there: sockeye dial {name}"),
        None => "sockeye --help shows what there is".to_owned(),
    };
    Err(Failure::usage(format!("there is no verb {name:?}"), hint))
}
