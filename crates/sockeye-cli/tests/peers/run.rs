//! `run` against `serve exec`, as people use it, and as the remote shell of the programs that have one.

mod calls;
mod ends;
mod hosts;
mod streams;

use testkit::{LIMIT, Scratch, Server};

/// A server of commands on a Unix socket, and its address.
fn serving(scratch: &Scratch, name: &str) -> (Server, String) {
    let address = format!("unix:{}", scratch.path(name).display());
    let server = super::listening(&["serve", "exec", "--shell", "--as-root", &address]);
    (server, address)
}

/// What a line of `run` says, with standard input `input`.
#[track_caller]
fn run(words: &[&str], input: &[u8]) -> testkit::Exit {
    testkit::run(&mut super::sockeye(&[&["run"], words].concat()), input, LIMIT)
}
