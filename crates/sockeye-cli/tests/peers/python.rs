//! Peers in a few lines of Python, which begin with what `peer.py` defines.

use testkit::{LIMIT, Process};

/// A running Python program.
pub(super) fn python(program: &str, args: &[&str]) -> Process {
    let whole = format!("{PREAMBLE}\n{program}");
    Process::spawn(&mut testkit::python(&whole, args))
}

/// A running Python program that listens once, and the address that it tells.
pub(super) fn python_server(program: &str, args: &[&str]) -> (Process, String) {
    let process = python(program, args);
    let line = process.wait_stderr_line(LIMIT, |line| line.starts_with(TOLD));
    (process, line[TOLD.len()..].to_owned())
}

pub(super) const PREAMBLE: &str = include_str!("peer.py");
const TOLD: &str = "listening on ";
