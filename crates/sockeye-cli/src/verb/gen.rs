//! `gen`: print what is made from the tables: completions, a config file to begin with, and the manual.

mod completions;
mod manual;

use sockeye::proto::suggest::nearest;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::verb::{Takes, Verb};
use crate::{config, flag, help, say};

pub(super) static GEN: Verb = Verb {
    name: "gen",
    summary: "print completions, a config file to begin with, or the manual",
    usage: "sockeye gen WHAT",
    about: "Everything is made from the tables that this program reads itself, and printed on standard \
            output; with --dir pages of the manual are written below a folder, where what is there by \
            their names is replaced.",
    examples: &[
        (
            "source <(sockeye gen completions bash)",
            "complete lines with the Tab key; in ~/.bashrc from now on",
        ),
        ("sockeye gen config", "every key of serve --config, with what it does and its default"),
        ("sockeye gen man dial | man -l -", "read a page of the manual"),
        ("sockeye gen man --dir /usr/local/share/man", "install all of them; as root"),
    ],
    flags: &[&flag::DIR],
    takes: Takes::Outputs,
    words: 1..=1024,
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
    /// What can be said behind its name.
    pub(crate) choices: fn() -> Vec<String>,
    /// Whether it is files, which `--dir` writes.
    files: bool,
    print: fn(&Request) -> Result<Exit, Failure>,
}

/// Everything that can be printed.
pub(crate) static ALL: &[Output] = &[
    Output {
        name: "completions",
        usage: "completions SHELL",
        help: "what completes a line in bash, fish or zsh",
        choices: completions::shells,
        files: false,
        print: completions::print,
    },
    Output {
        name: "config",
        usage: "config",
        help: "a config file for sockeye serve --config, with every key",
        choices: Vec::new,
        files: false,
        print: |_| Ok(say::data(&config::example())),
    },
    Output {
        name: "docs",
        usage: "docs [PAGE]",
        help: "a page of the manual in Markdown; with --dir all of them",
        choices: help::names,
        files: true,
        print: manual::docs,
    },
    Output {
        name: "man",
        usage: "man [PAGE]",
        help: "a page of the manual, for man; with --dir all of them",
        choices: help::names,
        files: true,
        print: manual::man,
    },
];

/// What the scripts of the shells ask for, and nobody else: `sockeye gen complete -- WORD...`.
const COMPLETE: &str = "complete";

fn run(request: &Request) -> Result<Exit, Failure> {
    let mut words = request.words().iter().map(|word| word.text.as_str());
    let name = words.next().unwrap_or_default();
    if name == COMPLETE {
        return Ok(completions::complete(words));
    }
    let Some(output) = ALL.iter().find(|row| row.name == name) else {
        let names = ALL.iter().map(|row| row.name);
        let hint = near(name, names.clone())
            .unwrap_or_else(|| format!("there are {}", names.collect::<Vec<_>>().join(", ")));
        return Err(Failure::usage(format!("nothing called {name:?} can be printed"), hint));
    };
    if request.has(&flag::DIR) && !output.files {
        return Err(Failure::usage(
            format!("{name} is printed"),
            format!("leave --dir out: sockeye gen {name} >FILE"),
        ));
    }
    let choices = (output.choices)();
    let choices = choices.iter().map(String::as_str);
    let see = format!("type sockeye gen {}", output.usage);
    match (words.next(), words.next()) {
        (Some(choice), _) if !choices.clone().any(|known| known == choice) => {
            Err(Failure::usage(format!("{name} has no {choice:?}"), near(choice, choices).unwrap_or(see)))
        }
        (_, Some(extra)) => Err(Failure::usage(format!("{extra}: one word too many"), see)),
        (_, None) => (output.print)(request),
    }
}

fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, names).map(|near| format!("did you mean {near}?"))
}
