//! Certificates of a program that runs: one of its own, others that take their place, and whom it lets in by theirs.

use std::fs;
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;
use testkit::{
    Authority, Credentials, Exit, LIMIT, Process, Scratch, Server, Signal, require, run, wait_until,
};

use super::{BINARY, listening, shell, sockeye};
use crate::namespace::Namespace;

/// A `sockeye` that keeps what it makes in that folder, and has said where it listens.
fn keeping(folder: &str, words: &[&str]) -> Server {
    let folder = format!("XDG_STATE_HOME={folder}");
    let words = [&["--unset=STATE_DIRECTORY", &folder, BINARY], words].concat();
    Server::start(require("env"), &words)
}

/// What `dial` says to whom it reaches, and hears.
fn heard(address: &str) -> Exit {
    run(&mut sockeye(&["dial", address]), b"hello\n", LIMIT)
}

/// What a server adds to its ready line: how to dial it.
fn pinned(server: &Server) -> String {
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("pin="));
    line.rsplit_once(' ').unwrap().1.to_owned()
}

#[test]
fn what_a_listener_tells_of_its_own_certificate_can_be_dialled_as_it_is_and_nothing_else_can() {
    let scratch = Scratch::new();
    let folder = scratch.path("").display().to_string();
    let mut pins = Vec::new();
    for listener in ["tls:127.0.0.1:0", &format!("tls+unix:{}", scratch.path("socket").display())] {
        for words in [["serve", "upper"].as_slice(), &["listen", "--sh", "tr a-z A-Z"]] {
            let server = keeping(&folder, &[words, &[listener]].concat());
            let to = pinned(&server);
            let exit = heard(&to);
            assert_eq!((exit.code, &*exit.stdout), (Some(0), &b"HELLO\n"[..]), "{to}: {exit:?}");
            let (there, pin) = to.split_once(",pin=").unwrap();
            let exit = heard(&format!("{there},sni=localhost"));
            let hint = format!("pin={pin}");
            assert!(exit.code == Some(1) && exit.stderr.contains(&hint), "{exit:?}");
            pins.push(pin.to_owned());
        }
    }
    assert!(pins.iter().all(|pin| *pin == pins[0]), "{pins:?}");

    let folder = format!("XDG_STATE_HOME={folder}");
    let words = ["--unset=STATE_DIRECTORY", &folder, BINARY, "serve", "--log", "json", "echo", "tls:0"];
    let server = Process::spawn(Command::new(require("env")).args(words));
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("\"listening\""));
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["pin"], *pins[0]);
}

#[test]
fn two_that_start_at_once_have_one_identity() {
    let scratch = Scratch::new();
    let folder = scratch.path("a/b").display().to_string();
    let words =
        ["--unset=STATE_DIRECTORY", &format!("XDG_STATE_HOME={folder}"), BINARY, "serve", "echo", "tls:0"];
    let started: Vec<Process> =
        (0..6).map(|_| Process::spawn(Command::new(require("env")).args(words))).collect();
    let pin = |server: &Process| {
        let line = server.wait_stderr_line(LIMIT, |line| line.contains("pin="));
        line.split_once("pin=").unwrap().1.to_owned()
    };
    let pins: Vec<String> = started.iter().map(pin).collect();
    assert!(pins.iter().all(|pin| *pin == pins[0]), "{pins:?}");
    assert_eq!(fs::read_dir(scratch.path("a/b/sockeye")).unwrap().count(), 1);
}

#[test]
fn an_identity_that_finds_no_place_is_told_and_works_and_a_damaged_one_is_refused() {
    let scratch = Scratch::new();
    fs::write(scratch.path("sockeye"), "no folder").unwrap();
    let folder = scratch.path("").display().to_string();
    let server = keeping(&folder, &["serve", "echo", "tls:127.0.0.1:0"]);
    let path = scratch.path("sockeye").display().to_string();
    let told = server.wait_stderr_line(LIMIT, |line| line.contains("cannot write"));
    let want = "the certificate is forgotten when this ends, and its pin with it";
    assert_eq!(told, format!("sockeye: cannot write to {path}: file exists; {want}"));
    assert_eq!(heard(&pinned(&server)).stdout, b"hello\n");

    fs::remove_file(scratch.path("sockeye")).unwrap();
    drop(keeping(&folder, &["serve", "echo", "tls:127.0.0.1:0"]));
    let path = scratch.path("sockeye/identity.pem");
    fs::write(&path, "-----BEGIN").unwrap();
    let mut command = sockeye(&["serve", "echo", "tls:127.0.0.1:0"]);
    let exit = run(command.env_remove("STATE_DIRECTORY").env("XDG_STATE_HOME", &folder), b"", LIMIT);
    let want = format!(
        "sockeye: cannot listen on tls+tcp-l:127.0.0.1:0: our own identity, {}: there is no certificate in it\n         \
         mend it; or remove it, and another is made, whose pin= clients then need\n",
        path.display()
    );
    assert_eq!((exit.code, exit.stderr), (Some(1), want));
    assert_eq!(fs::read_to_string(&path).unwrap(), "-----BEGIN");
}

/// The names in the certificate that openssl is shown there.
fn shown(port: u16) -> String {
    require("openssl");
    let script = "openssl s_client -connect 127.0.0.1:$1 </dev/null 2>/dev/null |
                  openssl x509 -noout -ext subjectAltName | tail -n 1";
    let exit = run(&mut shell(script, &[&port.to_string()]), b"", LIMIT);
    String::from_utf8(exit.stdout).unwrap().trim().to_owned()
}

/// Somebody who is inside, and has been answered.
struct Inside(Process);

impl Inside {
    fn at(port: u16) -> Self {
        let mut command = Command::new(require("openssl"));
        let there = format!("127.0.0.1:{port}");
        Self(Process::spawn(command.args(["s_client", "-quiet", "-connect", &there])))
    }

    fn talks(&self) {
        let before = self.0.stdout().len();
        self.0.write(b"still\n");
        self.0.wait_stdout(LIMIT, |heard| heard[before..] == *b"still\n");
    }
}

/// Sends SIGHUP, and waits until that is told for the time of this number.
fn reload(server: &mut Server, number: usize) -> String {
    server.signal(Signal::HUP);
    let told = || {
        let said = server.stderr();
        let results = said.lines().filter(|line| line.contains(": reloaded ") || line.ends_with("as before"));
        results.map(str::to_owned).nth(number)
    };
    wait_until(LIMIT, "the result of a reload", || told().is_some());
    told().unwrap()
}

/// Newcomers are shown what files say after SIGHUP, while somebody who was inside before talks on; files that are broken
/// change nothing.
fn newcomers_are_shown_the_new_one(mut server: Server, files: &Credentials, reloaded: &str, refused: &str) {
    let port = server.port(0);
    let inside = Inside::at(port);
    inside.talks();
    assert_eq!(shown(port), "DNS:one");
    files.exchange("two");
    assert_eq!(shown(port), "DNS:one", "nobody has asked yet");
    assert_eq!(reload(&mut server, 0), reloaded);
    assert_eq!(shown(port), "DNS:two");
    inside.talks();
    fs::write(files.path("key"), "no key").unwrap();
    assert_eq!(reload(&mut server, 1), refused);
    server.wait_stderr_line(LIMIT, |line| line.contains("there is no key in it"));
    assert_eq!(shown(port), "DNS:two");
    files.exchange("three");
    assert_eq!(reload(&mut server, 2), reloaded);
    assert_eq!(shown(port), "DNS:three");
    inside.talks();
    server.signal(Signal::TERM);
    drop(inside);
    assert_eq!(server.wait(LIMIT).code, Some(0), "{server:?}");
}

const REFUSED: &str = "sockeye: nothing is reloaded, all goes on as before";

#[test]
fn a_server_shows_a_new_certificate_once_it_is_told_and_drops_nobody() {
    let files = Credentials::of("one");
    let server = listening(&["serve", "echo", &format!("tls:127.0.0.1:0,{}", files.shown())]);
    let reloaded = "sockeye: reloaded the files of tls+tcp-l:127.0.0.1:0";
    newcomers_are_shown_the_new_one(server, &files, reloaded, REFUSED);
}

#[test]
fn so_does_one_with_a_config_file() {
    let (files, scratch) = (Credentials::of("one"), Scratch::new());
    let path = scratch.path("c.toml").display().to_string();
    let (cert, key) = (files.path("cert"), files.path("key"));
    let text = format!(
        "[[serve]]\nservice = \"echo\"\nlisten = \"tls:127.0.0.1:0\"\n[serve.options]\ncert = \"{cert}\"\nkey = \"{key}\"\n"
    );
    fs::write(&path, text).unwrap();
    let server = listening(&["serve", "--config", &path]);
    let reloaded = format!("sockeye: reloaded {path}: 1 kept, 0 new, 0 gone");
    let refused = format!("sockeye: {path} is not taken, all goes on as before");
    newcomers_are_shown_the_new_one(server, &files, &reloaded, &refused);
}

#[test]
fn so_does_listen() {
    let files = Credentials::of("one");
    let server = listening(&["listen", "--sh", "cat", &format!("tls:127.0.0.1:0,{}", files.shown())]);
    let reloaded = "sockeye: reloaded the files of tls+tcp-l:127.0.0.1:0";
    newcomers_are_shown_the_new_one(server, &files, reloaded, REFUSED);
}

#[test]
fn a_relay_reads_the_files_of_both_its_ends_again() {
    let (left, right, scratch) = (Credentials::of("left"), Credentials::of("right"), Scratch::new());
    let socket = scratch.path("socket").display().to_string();
    let mut far = listening(&["serve", "echo", &format!("tls+unix:{socket},{}", right.shown())]);
    let to = format!("tls+unix:{socket},sni=right,ca={}", right.path("ca"));
    let mut relay = listening(&["relay", &format!("tls-l:127.0.0.1:0,{}", left.shown()), &to]);
    let inside = Inside::at(relay.port(0));
    inside.talks();
    left.exchange("new");
    right.exchange("right");
    reload(&mut far, 0);
    let said = || run(&mut shell(SAY, &[&relay.port(0).to_string()]), b"hello\n", LIMIT).stdout;
    assert_eq!(said(), b"", "the relay trusts somebody else");
    let told = reload(&mut relay, 0);
    let both = format!("tls+tcp-l:127.0.0.1:0 and tls+unix:{socket}");
    assert_eq!(told, format!("sockeye: reloaded the files of {both}"));
    let said = run(&mut shell(SAY, &[&relay.port(0).to_string()]), b"hello\n", LIMIT);
    assert_eq!(said.stdout, b"hello\n", "{said:?}\n{relay:?}");
    assert_eq!(shown(relay.port(0)), "DNS:new");
    inside.talks();
}

/// Says what it is told to whoever listens there with TLS.
const SAY: &str = "sockeye dial tls:127.0.0.1:$1,verify=no";

#[test]
fn a_program_is_reached_from_another_machine_by_whose_certificate_is_named_and_by_nobody_else() {
    let (ours, clients, namespace) = (Credentials::of("localhost"), Authority::new(), Namespace::new());
    // An address beyond loopback is another machine's, as far as the kernel tells whose a connection is.
    let there: IpAddr = [10, 7, 7, 7].into();
    let added =
        run(&mut namespace.command(&["ip", "address", "add", "10.7.7.7/32", "dev", "lo"]), b"", LIMIT);
    assert_eq!(added.code, Some(0), "{added:?}");
    let listener = format!("tls:{there}:7001,{},client-ca={}", ours.shown(), clients.certificate());
    let refused =
        run(&mut namespace.command_in_network(&[BINARY, "listen", "--sh", "cat", &listener]), b"", LIMIT);
    let why = "others than users of this machine reach it";
    assert!(refused.code == Some(2) && refused.stderr.contains(why), "{refused:?}");
    assert!(refused.stderr.contains("allow=cert:NAME"), "{refused:?}");

    let words = [BINARY, "listen", "--sh", "cat", &format!("{listener},allow=cert:alice")];
    let server = Process::spawn(&mut namespace.command_in_network(&words));
    server.wait_stderr_line(LIMIT, |line| line.contains(" on "));
    for (name, said) in [("alice", "hello\n"), ("bob", "")] {
        let issued = clients.issue(&format!("DNS:{name}"));
        let shows = format!("cert={},key={}", issued.certificate, issued.key);
        let to = format!("tls:{there}:7001,sni=localhost,ca={},{shows}", ours.path("ca"));
        let mut dial = namespace.command_in_network(&[BINARY, "dial", &to]);
        let exit = run(&mut dial, b"hello\n", LIMIT);
        assert_eq!(String::from_utf8_lossy(&exit.stdout), said, "{name}: {exit:?}");
    }
    let told = server.wait_stderr_line(LIMIT, |line| line.contains("was refused"));
    let want = " with a certificate for bob was refused: it is another user's, whom no allow= names";
    assert!(told.ends_with(want), "{told}");
}
