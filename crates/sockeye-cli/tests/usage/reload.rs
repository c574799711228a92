//! What a server says and does when its config file is read again.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::{LIMIT, Process, Scratch, Server, Signal, Stream, connect, exchange, read_to_end, wait_until};

use super::{ADDRESS_TAKEN, command, listening};

/// A config file that says `text`.
fn file(text: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let path = scratch.path("c.toml");
    fs::write(&path, text).unwrap();
    (scratch, path)
}

/// A server that follows a file.
fn following(path: &Path) -> Server {
    listening(&["serve", "--config", path.to_str().unwrap()])
}

/// Has the file say `text` and be read again, and waits until so many lines were said since.
fn reload(server: &mut Process, path: &Path, text: &str, lines: usize) -> Vec<String> {
    let before = server.stderr().lines().count();
    fs::write(path, text).unwrap();
    server.signal(Signal::HUP);
    let said = || server.stderr().lines().skip(before).map(str::to_owned).collect::<Vec<_>>();
    wait_until(LIMIT, "what comes of a reload", || said().len() >= lines);
    said()
}

/// Somebody who was answered, and stays.
fn inside(address: &str) -> Stream {
    let mut stream = connect(address);
    stream.write_all(b"1").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

/// An entry that serves `service` on `listen`.
fn entry(service: &str, listen: &str) -> String {
    format!("[[serve]]\nservice = \"{service}\"\nlisten = \"{listen}\"\n")
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_is_told_with_its_caret() {
    let text = entry("echo", "tcp:127.0.0.1:0");
    let (_scratch, file) = file(&text);
    let (mut server, path) = (following(&file), file.display());
    let told = reload(&mut server, &file, &(entry("upper", "tcp:127.0.0.1:0") + "listne = 1"), 4);
    assert_eq!(
        told,
        [
            format!("sockeye: {path}:4:1: an entry has no key \"listne\"; did you mean \"listen\"?"),
            "         listne = 1".to_owned(),
            "         ^^^^^^".to_owned(),
            format!("sockeye: {path} is not taken, all goes on as before"),
        ]
    );
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    fs::remove_file(&file).unwrap();
    server.signal(Signal::HUP);
    let gone = format!("sockeye: cannot read from {path}: no such file or directory");
    server.wait_stderr_line(LIMIT, |line| line == gone);
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
}

#[test]
fn an_address_that_cannot_be_opened_refuses_the_whole_file() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (scratch, file) = file(&entry("echo", "tcp:127.0.0.1:0"));
    let mut server = following(&file);
    let unix = scratch.path("new.sock");
    let place = taken.local_addr().unwrap();
    let more = [
        entry("upper", "tcp:127.0.0.1:0"),
        entry("echo", &format!("unix:{}", unix.display())),
        entry("echo", &format!("tcp:{place}")),
    ];
    let told = reload(&mut server, &file, &more.concat(), 3);
    assert_eq!(
        told,
        [
            format!("sockeye: cannot listen on tcp-l:{place}: address already in use"),
            ADDRESS_TAKEN.to_owned(),
            format!("sockeye: {} is not taken, all goes on as before", file.display()),
        ]
    );
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    assert!(!unix.exists(), "the other new address is still there");
}

#[test]
fn what_waits_for_a_restart_is_told_at_each_reload_until_then() {
    let (_scratch, file) = file(&entry("echo", "tcp:127.0.0.1:0"));
    let words = ["serve", "--log", "json", "--config", file.to_str().unwrap()];
    let mut server = Process::spawn(&mut command(&words));
    server.wait_stderr_line(LIMIT, |line| line.contains("listening"));
    let with =
        "verbose = true\n".to_owned() + &entry("upper", "tcp:127.0.0.1:0,rcvbuf=64k,backlog=3,idle=1h");
    for text in [&with, &with] {
        let mut told: Value = serde_json::from_str(&reload(&mut server, &file, text, 1)[0]).unwrap();
        told.as_object_mut().unwrap().remove("time");
        let want = json!({
            "event": "reloaded", "file": file.to_str().unwrap(), "kept": 1, "new": 0, "gone": 0,
            "after_restart": ["verbose=", "backlog and rcvbuf of tcp-l:127.0.0.1:0"],
        });
        assert_eq!(told, want);
    }
    let told: Value = serde_json::from_str(&reload(&mut server, &file, "x", 1)[0]).unwrap();
    assert_eq!(told["event"], "reload-failed", "{told}");
    assert!(told["error"].as_str().unwrap().contains("c.toml:1:2: "), "{told}");
}

#[test]
fn those_inside_an_address_that_is_gone_stay_or_have_as_long_as_its_drain_limit_says() {
    let scratch = Scratch::new();
    let (file, socket) = (scratch.path("c.toml"), scratch.path("socket"));
    let limited = format!("unix:{},drain=100ms", socket.display());
    fs::write(&file, entry("echo", "tcp:127.0.0.1:0") + &entry("echo", &limited)).unwrap();
    let mut server = following(&file);
    let tcp = server.address(0);
    let (mut stays, mut leaves) = (inside(&tcp), inside(&server.address(1)));
    reload(&mut server, &file, &entry("echo", "tcp:[::1]:0"), 2);
    server.wait_stderr_line(LIMIT, |line| line.ends_with(": 0 kept, 1 new, 2 gone"));
    server.wait_stderr_line(LIMIT, |line| line == "sockeye: echo: takes nobody new, 1 still inside");

    let limit = "sockeye: the drain limit ran out with 1 still inside; drain= sets it";
    server.wait_stderr_line(LIMIT, |line| line == limit);
    assert_eq!(read_to_end(&mut leaves), b"");
    let refused = TcpStream::connect(tcp.strip_prefix("tcp:").unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(exchange(&mut stays, b"still here"), b"still here");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(LIMIT).code, Some(0), "{server:?}");
}

#[test]
fn without_a_file_a_hangup_ends_a_server_as_any_program() {
    let mut server = listening(&["serve", "echo", "tcp:0"]);
    server.signal(Signal::HUP);
    assert_eq!(server.wait(LIMIT).signal, Some(Signal::HUP.as_raw()));
}
