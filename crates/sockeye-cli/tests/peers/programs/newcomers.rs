//! Whose programs may reach a program: our own user's alone, and those that are let in by name.

use testkit::{LIMIT, Process};

use crate::peers::admission::{another_user, heard};
use crate::peers::sockeye;

/// A `sockeye` that tells what happens as JSON, and the address that socat takes.
fn serving(words: &[&str], socat: &str) -> (Process, String) {
    let process = Process::spawn(sockeye(words).args(["--log", "json"]));
    let line = process.wait_stderr_line(LIMIT, |line| line.contains("\"listening\""));
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let (_, rest) = ready["address"].as_str().unwrap().split_once(':').unwrap();
    let to = format!("{socat}{}", rest.trim_start_matches('@'));
    (process, to)
}

#[test]
fn another_user_reaches_no_program_unless_it_is_let_in() {
    let name = format!("@sockeye-test-{}-programs", std::process::id());
    let mut user = None;
    for (listener, socat) in [
        ("tcp:127.0.0.1:0", "TCP:"),
        (&format!("unix:{name}")[..], "ABSTRACT-CONNECT:"),
        ("udp:127.0.0.1:0", "UDP:"),
    ] {
        let lines = listener.starts_with("udp").then_some("--lines");
        let words = |listener| {
            ["listen", "--sh", "cat; echo"].into_iter().chain(lines).chain([listener]).collect::<Vec<_>>()
        };
        let (server, to) = serving(&words(listener), socat);
        let (we, they) = (heard(&["env"], &to), heard(&another_user(), &to));
        assert_eq!((we.trim_end(), &*they), ("hello", ""), "{listener}: {server:?}");
        let user = user.get_or_insert_with(|| refused_user(&server));
        drop(server);
        let letting_in = format!("{listener},allow=uid:{user}");
        let (server, to) = serving(&words(&letting_in), socat);
        assert_eq!(heard(&another_user(), &to).trim_end(), "hello", "{letting_in}: {server:?}");
    }
}

/// The number of the user who was refused.
fn refused_user(server: &Process) -> u64 {
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("\"refused\""));
    let refused: serde_json::Value = serde_json::from_str(&line).unwrap();
    refused["user"].as_u64().expect(&line)
}

#[test]
fn another_user_reaches_no_program_of_a_relay() {
    let (server, to) = serving(&["relay", "tcp-l:127.0.0.1:0", "exec:cat"], "TCP:");
    assert_eq!((&*heard(&["env"], &to), &*heard(&another_user(), &to)), ("hello", ""), "{server:?}");
}
