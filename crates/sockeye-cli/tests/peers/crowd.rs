//! Thousands that come and go, and some who stay: nothing of them is left, and nobody waits for another.

use std::io::{Read as _, Write as _};

use serde_json::Value;
use testkit::{LIMIT, Process, Signal, Stream, connect, exchange, read_to_end, wait_until};

use super::python::python;
use super::{listening, sockeye};

/// How many come, and how many of them are there at the same time.
const COUNT: usize = 2000;
const AT_ONCE: usize = 50;

#[test]
fn nothing_is_left_of_two_thousand_that_came_to_a_service() {
    let (echo, address) = logging(&["serve", "echo", "tcp:127.0.0.1:0"]);
    nothing_is_left(&address, [echo]);
}

#[test]
fn nothing_is_left_of_two_thousand_that_went_through_a_relay() {
    let (echo, address) = logging(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let (relay, address) = logging(&["relay", "tcp-l:127.0.0.1:0", &address]);
    nothing_is_left(&address, [relay, echo]);
}

#[test]
fn fifty_who_say_nothing_hold_nobody_up() {
    let echo = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &echo.address(0)]);
    for address in [echo.address(0), relay.address(0)] {
        let mut silent: Vec<Stream> = (0..50).map(|_| connect(&address)).collect();
        for _ in 0..20 {
            assert_eq!(exchange(&mut connect(&address), b"hi"), b"hi");
        }
        for stream in &mut silent {
            assert_eq!(exchange(stream, b"at last"), b"at last");
        }
    }
}

#[test]
fn who_finds_the_house_full_is_served_once_another_leaves() {
    let echo = listening(&["serve", "-v", "echo", "tcp:127.0.0.1:0,max-conns=1"]);
    let mut inside = connect(&echo.address(0));
    let mut waiting = connect(&echo.address(0));
    waiting.write_all(b"waiting").unwrap();
    waiting.shutdown_write();
    // The server has much to do, and time to let the other in.
    for _ in 0..100 {
        inside.write_all(b"inside").unwrap();
        inside.read_exact(&mut [0; 6]).unwrap();
    }
    drop(inside);
    assert_eq!(read_to_end(&mut waiting), b"waiting");
    let order = || echo.stderr().lines().skip(1).map(|line| line.contains(" came to ")).collect::<Vec<_>>();
    wait_until(LIMIT, "all to have come and left", || order().len() == 4);
    assert_eq!(order(), [true, false, true, false], "{echo:?}");
}

/// Has the crowd come to `address`, and waits until each server is as it was before.
fn nothing_is_left<const N: usize>(address: &str, servers: [Process; N]) {
    let before = servers.each_ref().map(footprint);
    let words = [address, &COUNT.to_string(), &AT_ONCE.to_string()];
    let exit = python(include_str!("crowd.py"), &words).wait(3 * LIMIT);
    let fifth = COUNT / 5;
    let want = format!("{fifth} hasty, {} polite, {fifth} rude, {fifth} shy\n", 2 * fifth);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), want, "{exit:?}");
    for (mut server, before) in servers.into_iter().zip(before) {
        wait_until(LIMIT, &format!("{before:?} again"), || footprint(&server) == before);
        server.signal(Signal::TERM);
        let exit = server.wait(LIMIT);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let count = |event: &str| events(&exit.stderr).iter().filter(|told| told["event"] == event).count();
        assert_eq!([count("opened"), count("closed"), count("lost")], [COUNT, COUNT, 0]);
    }
}

/// Descriptors and threads.
fn footprint(server: &Process) -> [usize; 2] {
    [server.open_descriptors(), server.threads()]
}

/// A server that tells what happens as JSON, and where it listens.
fn logging(words: &[&str]) -> (Process, String) {
    let server = Process::spawn(sockeye(words).args(["--log", "json"]));
    let ready = server.wait_stderr_line(LIMIT, |line| line.contains("\"listening\""));
    let address = events(&ready)[0]["address"].as_str().unwrap().to_owned();
    (server, address)
}

fn events(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}
