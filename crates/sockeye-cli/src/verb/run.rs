//! `run`: a command on another machine, or on many.

mod answers;
mod host;
mod hosts;
mod input;
mod lines;
mod many;
mod one;
mod order;
mod outcome;
mod output;
mod parts;
mod raw;
mod rsh;
mod screen;
mod signals;
mod terminal;
mod token;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{self, Threads};
use crate::verb::{Takes, Verb};
use crate::{flag, plan, say};
use order::Order;

pub(super) static RUN: Verb = Verb {
    name: "run",
    summary: "run a command on one host or many",
    usage: "sockeye run [FLAG]... ADDR... -- COMMAND [ARG]...",
    about: "Runs the command where sockeye serve exec listens. Its words go as they are, and no shell reads them: --sh LINE \
            is for a line of shell. Standard input, output and errors are the command's, and so is the exit code: 128 and its \
            number for a signal, 255 where it never ran, with a sentence why.\n\
            Ctrl-C interrupts the command, a second one terminates it, and a third ends sockeye; whatever still runs is \
            ended then.\n\
            web[01-20,30] in an address is 21 hosts. Of several, each line begins with its host, unless --fold or --json \
            collects the answers, up to 1 MiB of each; the exit code is the largest. All of them read standard input: a file \
            each for itself, anything else in step, at the pace of the slowest.",
    examples: &[
        ("sockeye run tcp:localhost:7709 -- uptime", "run a program"),
        ("tar c . | sockeye run unix:/run/exec.sock --cwd /srv -- tar x", "copy a folder"),
        ("sockeye run --fold 'tcp:web[01-20]:7709' --sh 'uname -r'", "see which hosts differ"),
        ("sockeye run --pty tcp:localhost:7709 -- bash", "work there"),
        (
            "sockeye run --rsh unix:/run/exec.sock host 'ls -l'",
            "what rsync -e 'sockeye run --rsh unix:...' calls",
        ),
    ],
    flags: &[
        &flag::SH_LINE,
        &flag::HOSTS,
        &flag::PARALLEL,
        &flag::FOLD,
        &flag::JSON,
        &flag::PTY,
        &flag::RECV_ONLY,
        &flag::RAW,
        &flag::ENV,
        &flag::CWD,
        &flag::TOKEN,
        &flag::TIMEOUT,
        &flag::RETRY,
        &flag::RSH,
        &flag::WIRE,
        &flag::ENCODING,
    ],
    takes: Takes::Command,
    words: 0..=1024,
    expects: "expected addresses, -- and a command",
    run,
};

fn run(request: &Request) -> Result<Exit, Failure> {
    let order = Order::of(request)?;
    let hosts = hosts::of(request)?;
    let together = many::together(request)?;
    let answers = answers::form(request);
    if request.has(&flag::PTY) && (hosts.len() > 1 || answers.is_some()) {
        return Err(Failure::usage("--pty is for one host, at whose terminal one sits", "leave it out"));
    }
    if request.has(&flag::PLAN) {
        let planned: Vec<_> = hosts.iter().map(|host| ("run", &host.address)).collect();
        say::data(&format!("command  {}\n", order.shown()));
        return plan::print(request, &planned);
    }
    session::run(request, Threads::One, 0, async |ctx| match (&hosts[..], answers) {
        ([host], None) => one::run(request, host, &order, &ctx).await,
        (hosts, answers) => many::run(request, hosts, order, answers, together, &ctx).await,
    })
}
