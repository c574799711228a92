//! Who may come in: peers of another user, a crowd of silent ones, and what is told of those who were refused.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use rustix::net::{AddressFamily, SocketType, bind, connect as connect_socket, socket};
use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
use testkit::{LIMIT, Process, Scratch, connect, exchange, require, run, wait_until};

use super::{BINARY, listening};
use crate::namespace::Namespace;

/// What socat hears from an echo service, as whoever `before` makes of it.
pub(super) fn heard(before: &[&str], to: &str) -> String {
    let socat = require("socat");
    let mut words: Vec<&str> = before.to_vec();
    let path = socat.to_str().unwrap();
    // A datagram peer has no end, so that this is how long socat waits for it, answer or not.
    words.extend([path, "-t1", "-", to]);
    let exit = run(Command::new(words[0]).args(&words[1..]), b"hello", LIMIT);
    String::from_utf8(exit.stdout).unwrap()
}

/// A command before which another user stands: nobody, or for who is not root the first of those that are theirs to use
/// (subuid(5)).
pub(super) fn another_user() -> Vec<&'static str> {
    require("setpriv");
    let become_nobody = ["setpriv", "--reuid=65534", "--clear-groups"];
    if geteuid().is_root() {
        return become_nobody.to_vec();
    }
    require("newuidmap");
    [&["unshare", "--map-auto", "--map-root-user", "setpriv", "--reuid=1", "--clear-groups"][..]].concat()
}

#[test]
fn another_user_is_another_wherever_the_kernel_knows_who_it_is() {
    let us = geteuid().as_raw();
    let name = format!("@sockeye-test-{}-users", std::process::id());
    for (scheme, target, socat) in [
        ("tcp", "127.0.0.1:0", "TCP:"),
        ("tcp", "[::1]:0", "TCP:"),
        ("udp", "127.0.0.1:0", "UDP:"),
        ("unix", name.as_str(), "ABSTRACT-CONNECT:"),
    ] {
        for (rule, we_come_in) in [("allow", true), ("deny", false)] {
            let server = listening(&["serve", "echo", &format!("{scheme}:{target},{rule}=uid:{us}")]);
            let to = server.address(0).split_once(':').unwrap().1.trim_start_matches('@').to_owned();
            let to = format!("{socat}{to}");
            let (we, they) = (heard(&["env"], &to), heard(&another_user(), &to));
            let said = |comes_in: bool| if comes_in { "hello" } else { "" };
            assert_eq!(
                (&we[..], &they[..]),
                (said(we_come_in), said(!we_come_in)),
                "{rule} {to}: {server:?}"
            );
        }
    }
}

#[test]
fn a_user_is_named_by_name_and_one_that_there_is_not_is_an_error_with_what_to_write() {
    let whoami = run(Command::new("id").arg("-un"), b"", LIMIT);
    let name = String::from_utf8(whoami.stdout).unwrap();
    let server = listening(&["serve", "echo", &format!("tcp:127.0.0.1:0,allow={}", name.trim())]);
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    let exit = run(Command::new(BINARY).args(["serve", "echo", "tcp:0,allow=nosuchuser"]), b"", LIMIT);
    let said = exit.stderr.lines().next().unwrap_or_default();
    let want = "sockeye: cannot listen on tcp-l:0: allow=nosuchuser: there is no such user";
    assert_eq!((exit.code, said), (Some(2), want), "{}", exit.stderr);
}

#[test]
fn who_hides_behind_another_address_of_this_machine_is_kept_out_where_a_rule_asks_whose_it_is() {
    let namespace = Namespace::new();
    let added =
        run(&mut namespace.command(&["ip", "address", "add", "10.7.7.7/32", "dev", "lo"]), b"", LIMIT);
    assert_eq!(added.code, Some(0), "{added:?}");
    for scheme in ["tcp", "udp"] {
        for (rule, comes_in) in [("allow=10.7.7.7", true), ("deny=uid:1", false), ("allow=root", false)] {
            let listener = format!("{scheme}:127.0.0.1:7001,{rule}");
            let server = Process::spawn(&mut namespace.command(&["sockeye", "serve", "echo", &listener]));
            server.wait_stderr_line(LIMIT, |line| line.contains(" on "));
            let to = format!("{scheme}:127.0.0.1:7001,bind=10.7.7.7");
            let words = ["sockeye", "dial", "--wait=500ms", &to];
            let heard = run(&mut namespace.command(&words), b"hello", LIMIT).stdout;
            assert_eq!(heard == b"hello", comes_in, "{listener}");
        }
    }
}

/// So many from 127.0.0.2, who say nothing.
fn silent(count: usize, port: u16) -> Vec<TcpStream> {
    let to: SocketAddr = ([127, 0, 0, 1], port).into();
    let one = || {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
        // Whoever is refused quickly may learn it here.
        connect_socket(&socket, &to).ok().map(|()| TcpStream::from(socket))
    };
    (0..count).filter_map(|_| one()).collect()
}

#[test]
fn a_silent_crowd_from_one_address_does_not_keep_another_out() {
    let listener = "tcp:127.0.0.1:0,max-conns=100,max-per-peer=50";
    let server = listening(&["serve", "echo", listener]);
    let crowd = silent(500, server.port(0));
    let began = Instant::now();
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    // Those who are refused are told in few lines, that together count all of them.
    let refused = || -> u64 {
        let stderr = server.stderr();
        let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("max-per-peer=")).collect();
        assert!(lines.len() < 20, "{stderr}");
        let count = |line: &&str| match line.split_once(" were refused") {
            Some((before, _)) => before.rsplit(' ').next().unwrap().parse::<u64>().unwrap(),
            None => 1,
        };
        lines.iter().map(count).sum()
    };
    wait_until(LIMIT, "all to be told", || refused() == 450);
    drop(crowd);
}

#[test]
fn a_silent_crowd_is_sent_away_where_nothing_but_an_idle_limit_is_set() {
    let server = listening(&["serve", "echo", "tcp:127.0.0.1:0,max-conns=100,idle=1s"]);
    let mut crowd = silent(300, server.port(0));
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    assert_eq!(crowd[0].read(&mut [0; 1]).unwrap(), 0, "the first is ended in order");
}

#[test]
fn who_is_inside_goes_on_while_no_file_can_be_opened_and_who_waits_is_served_afterwards() {
    let server = listening(&["serve", "-v", "echo", "tcp:127.0.0.1:0"]);
    let mut inside = connect(&server.address(0));
    let mut goes_on = || {
        inside.write_all(b"on").unwrap();
        inside.read_exact(&mut [0; 2]).unwrap();
    };
    goes_on();
    let pid = Pid::from_raw(server.pid().try_into().unwrap());
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: Some(1), maximum }).unwrap();
    let mut waiting = connect(&server.address(0));
    server.wait_stderr_line(LIMIT, |line| line.contains("too many open files"));
    (0..20).for_each(|_| goes_on());
    prlimit(pid, Resource::Nofile, before).unwrap();
    assert_eq!(exchange(&mut waiting, b"at last"), b"at last");
    server.wait_stderr_line(LIMIT, |line| line.contains("accepting again after"));
    let stderr = server.stderr();
    assert_eq!(stderr.matches("too many open files").count(), 1, "{stderr}");
}

#[test]
fn a_name_in_a_rule_is_shown_as_it_was_written() {
    let scratch = Scratch::new();
    let path = scratch.path("x").display().to_string();
    let words = ["serve", "--plan", "echo", &format!("unix:{path},allow=uid:07,allow=alice,max-per-peer=3")];
    let exit = run(Command::new(BINARY).args(words), b"", LIMIT);
    let said = String::from_utf8(exit.stdout).unwrap();
    let want = format!("echo     unix-l:{path},allow=uid:7,allow=alice,max-per-peer=3");
    assert_eq!(said.lines().next(), Some(&want[..]), "{}", exit.stderr);
}
