//! The binary as people meet it: what it says when something is wrong, how it stops, what it tells, and its help.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and so do its helpers"
)]

mod closed_outputs;
mod completions;
mod config;
mod console;
mod fixed_ports;
mod frames;
mod r#gen;
mod help;
mod json;
mod manual;
mod opts;
mod plan;
mod readme;
mod refusals;
mod reload;
mod report;
mod stop;
mod taken;
mod telling;
mod wrong_addresses;
mod wrong_programs;
mod wrong_udp;
mod wrong_words;

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use testkit::{Exit, LIMIT, Server, run};

use super::namespace;

const BINARY: &str = env!("CARGO_BIN_EXE_sockeye");

/// What is to be tried where an address is in use.
const ADDRESS_TAKEN: &str =
    "         choose another; ss -lxtp shows who listens, and port 0 is the kernel's choice";

/// The command `sockeye` with `words`.
fn command(words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(words);
    command
}

/// Runs `sockeye` with `words` to its end; its standard input is empty.
#[track_caller]
fn sockeye(words: &[impl AsRef<OsStr>]) -> Exit {
    run(&mut command(words), b"", LIMIT)
}

/// A `sockeye` that has said where it listens.
#[track_caller]
fn listening(words: &[&str]) -> Server {
    Server::start(BINARY, words)
}

/// Waits until somebody is at the door of a listener of the test's own, so that its `accept` does not block.
#[track_caller]
fn wait_for_newcomer(listener: &impl AsFd) {
    let limit = Timespec::try_from(LIMIT).unwrap();
    let ready = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ready, 1, "nobody came within {LIMIT:?}");
}

/// What is wrong with a refusal: the code, what is said on standard error to the letter, and not a byte on standard
/// output.
fn wrong(exit: &Exit, code: i32, said: &[&str]) -> Option<String> {
    let said = said.join("\n") + "\n";
    let is_right = exit.code == Some(code) && exit.stderr == said && exit.stdout.is_empty();
    (!is_right).then(|| format!("wanted code {code} and\n{said}got {exit:?}"))
}

/// Asserts that a run was refused in these lines, of which there are two at most.
#[track_caller]
fn assert_refused(exit: &Exit, code: i32, said: &[&str]) {
    assert!(said.len() <= 2, "more than two lines: {said:?}");
    if let Some(wrong) = wrong(exit, code, said) {
        panic!("{wrong}");
    }
}

/// Asserts that each row of words is refused with exit code 2, in the two lines behind it. Shows every row that is
/// not.
#[track_caller]
fn assert_all_wrong_usage(table: &[(&[&str], &str, &str)]) {
    let rows = table.iter().filter_map(|(words, first, second)| {
        let wrong = wrong(&sockeye(words), 2, &[first, second])?;
        Some(format!("sockeye {words:?}: {wrong}"))
    });
    let wrong: Vec<String> = rows.collect();
    assert!(wrong.is_empty(), "{} of {} rows\n{}", wrong.len(), table.len(), wrong.join("\n"));
}
