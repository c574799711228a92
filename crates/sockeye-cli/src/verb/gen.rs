//! `gen`: print what is made from the tables, such as a config file to begin with.

use sockeye::proto::suggest::nearest;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::verb::{Takes, Verb};
use crate::{config, say};

pub(super) static GEN: Verb = Verb {
    name: "gen",
    summary: "print a config file to begin with",
    usage: "sockeye gen WHAT",
    about: "Everything is made from the tables that this program reads itself, and printed on standard \
            output.",
    examples: &[("sockeye gen config", "every key of serve --config, with what it does and its default")],
    flags: &[],
    takes: Takes::Outputs,
    words: 1..=1,
    expects: "expected what to print",
    run,
};

/// Something that can be printed.
#[derive(Debug)]
pub(crate) struct Output {
    /// The first word behind `gen`.
    pub(crate) name: &'static str,
    /// How it is typed, from its name on.
    pub(crate) usage: &'static str,
    /// What it is, in one line.
    pub(crate) help: &'static str,
    print: fn(&Request) -> Result<Exit, Failure>,
}

/// Everything that can be printed.
pub(crate) static ALL: &[Output] = &[Output {
    name: "config",
    usage: "config",
    help: "a config file for sockeye serve --config, with every key",
    print: |_| Ok(say::data(&config::example())),
}];

fn run(request: &Request) -> Result<Exit, Failure> {
    let name = request.words().first().map_or("", |word| &word.text);
    let Some(output) = ALL.iter().find(|row| row.name == name) else {
        let hint = match nearest(name, ALL.iter().map(|row| row.name)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there is {}", ALL.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")),
        };
        return Err(Failure::usage(format!("nothing called {name:?} can be printed"), hint));
    };
    (output.print)(request)
}
