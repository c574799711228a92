//! The binary against the programs that people already have, each way round, and against small clients and servers
//! in Python where no ready program does what is needed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and so do its helpers"
)]

mod admission;
mod broker;
mod certificates;
mod check;
mod client;
mod commands;
mod crowd;
mod dial;
mod exec;
mod exec_raw;
mod family;
mod flood;
mod groups;
mod listen;
mod listener;
mod looks;
mod messages;
mod metrics;
mod ntp;
mod one_port;
mod operator;
mod port;
mod programs;
mod python;
mod raw;
mod reconnect;
mod relay;
mod relay_ends;
mod reload;
mod run;
mod serve;
mod standard;
mod systemd;
mod terminal;
mod time;
mod time_services;
mod tls;
mod udp;
mod udp_burst;
mod udp_crowd;
mod udp_relay;
mod udp_trains;
mod udp_ways;
mod unix_messages;
mod websocket;

use std::process::Command;

use testkit::{Server, require};

const BINARY: &str = env!("CARGO_BIN_EXE_sockeye");

/// The command `sockeye` with `words`.
fn sockeye(words: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(words);
    command
}

/// A `sockeye` that has said where it listens.
fn listening(words: &[&str]) -> Server {
    Server::start(BINARY, words)
}

/// A shell script in which `sockeye` is the binary, and `$1` the first of `words`. A pipeline fails with any of its
/// commands.
fn shell(script: &str, words: &[&str]) -> Command {
    let mut command = Command::new(require("bash"));
    let script = format!("set -o pipefail; sockeye() {{ \"$0\" \"$@\"; }}; {script}");
    command.args(["-c", &script, BINARY]).args(words);
    command
}

/// A mebibyte in which no two places look alike: the same for the same `seed`.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..MEBIBYTE / 8).flat_map(|_| next()).collect()
}

const MEBIBYTE: usize = 1 << 20;
