//! Peers in a few lines of Python, which begin with what `peer.py` defines.

use std::process::Command;

use testkit::{LIMIT, Process};

/// A running Python program.
pub(super) fn python(program: &str, args: &[&str]) -> Process {
    Process::spawn(&mut command(program, args))
}

/// The words of a command that runs a Python program, for a network of its own.
pub(super) fn python_words(program: &str, args: &[&str]) -> Vec<String> {
    let command = command(program, args);
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_str().expect("text").to_owned()).collect()
}

fn command(program: &str, args: &[&str]) -> Command {
    testkit::python(&format!("{PREAMBLE}\n{program}"), args)
}

/// A running Python program that listens once, and the address that it tells.
pub(super) fn python_server(program: &str, args: &[&str]) -> (Process, String) {
    let process = python(program, args);
    let line = process.wait_stderr_line(LIMIT, |line| line.starts_with(TOLD));
    (process, line[TOLD.len()..].to_owned())
}

pub(super) const PREAMBLE: &str = include_str!("peer.py");
const TOLD: &str = "listening on ";
