//! Several services on one port: each peer gets the one whose protocol it speaks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use testkit::{LIMIT, Scratch, Server, Signal, Stream, connect, require, run, wait_until};

use super::port::Port;
use super::{BINARY, listening, sockeye};

/// A folder with a certificate of its own, which is no authority's.
fn certified() -> Scratch {
    let scratch = Scratch::new();
    let mut make = Command::new(require("openssl"));
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ])
    .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
    .arg("-keyout")
    .arg(scratch.path("key.pem"))
    .arg("-out")
    .arg(scratch.path("cert.pem"));
    let exit = run(&mut make, b"", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    scratch
}

/// The options of a listener that shows that certificate.
fn identity(scratch: &Scratch) -> String {
    format!("cert={},key={}", scratch.path("cert.pem").display(), scratch.path("key.pem").display())
}

/// What comes back for `hi`.
fn said(there: &str) -> Vec<u8> {
    let exit = run(&mut sockeye(&["dial", there]), b"hi", LIMIT);
    assert_eq!(exit.code, Some(0), "{there}: {exit:?}");
    exit.stdout
}

/// Says something, and hears so many bytes.
fn talk(stream: &mut Stream, say: &[u8], hear: usize) -> Vec<u8> {
    stream.write_all(say).unwrap();
    let mut heard = vec![0; hear];
    stream.read_exact(&mut heard).unwrap();
    heard
}

#[test]
fn programs_that_speak_tls_and_http_and_those_that_speak_plainly_share_a_port() {
    let (scratch, port) = (certified(), Port::reserve());
    let at = format!("127.0.0.1:{}", port.number);
    let over_tls = format!("tls:{at},{}", identity(&scratch));
    let over_both = format!("wss:{at},{}", identity(&scratch));
    let (plain, over_ws) = (format!("tcp:{at}"), format!("ws:{at}"));
    let server =
        listening(&["serve", "echo", &plain, "upper", &over_tls, "hello", &over_ws, "reply", &over_both]);
    let names = "echo and upper over tls and hello over ws and reply over ws over tls";
    assert_eq!(server.stderr(), format!("sockeye: {names} on {plain}\n"));
    assert_eq!(said(&plain), b"hi");
    assert_eq!(said(&format!("ws://{at}/")), b"HelloHello,hi!");
    let exit = run(&mut sockeye(&["dial", &format!("wss://{at}/"), "-o", "verify=no"]), b"hi", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let browser = run(Command::new(require("curl")).args(["-s", &format!("http://{at}/")]), b"", LIMIT);
    assert!(String::from_utf8_lossy(&browser.stdout).contains("WebSocket"), "{browser:?}");
    let mut client = Command::new(require("openssl"));
    client.args([
        "s_client",
        "-quiet",
        "-no_ign_eof",
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
    ]);
    client.arg("-CAfile").arg(scratch.path("cert.pem")).args(["-connect", &at]);
    let mut client = testkit::Process::spawn(&mut client);
    client.write(b"hi\n");
    client.wait_stdout(LIMIT, |said| said == b"HI\n");
    client.close_stdin();
    assert_eq!(client.wait(LIMIT).code, Some(0));
}

#[test]
fn who_waits_to_be_spoken_to_is_served_after_a_while() {
    let scratch = certified();
    let there = format!("unix:{}", scratch.path("socket").display());
    let over_tls = format!("tls+{there},{}", identity(&scratch));
    let _server = listening(&["serve", "hello", &format!("{there},sniff=100ms"), "upper", &over_tls]);
    let mut silent = connect(&there);
    assert_eq!(talk(&mut silent, b"", 5), b"Hello");
    assert_eq!(talk(&mut silent, b"you", 10), b"Hello,you!");
}

#[test]
fn a_port_is_shared_and_no_longer_shared_while_others_talk() {
    let scratch = certified();
    let (file, there) = (scratch.path("c.toml"), format!("unix:{}", scratch.path("socket").display()));
    let over_tls = format!("tls+{there},{}", identity(&scratch));
    let entry = |service, at: &str| format!("[[serve]]\nservice = \"{service}\"\nlisten = [\"{at}\"]\n");
    let (alone, both) = (entry("echo", &there), entry("echo", &there) + &entry("upper", &over_tls));
    fs::write(&file, &alone).unwrap();
    let mut server = Server::start(BINARY, &["serve", "--config", file.to_str().unwrap()]);
    let mut inside = connect(&there);
    assert_eq!(talk(&mut inside, b"one", 3), b"one");

    reload(&mut server, &file, &both, 0, "1 kept, 0 new, 0 gone");
    assert_eq!(said(&format!("tls+{there},verify=no")), b"HI");
    assert_eq!(said(&there), b"hi");
    reload(&mut server, &file, &(both.clone() + &entry("hello", &there)), 1, "as before");
    assert_eq!(said(&format!("tls+{there},verify=no")), b"HI");
    reload(&mut server, &file, &alone, 2, "1 kept, 0 new, 0 gone");
    assert_ne!(run(&mut sockeye(&["dial", &format!("tls+{there},verify=no")]), b"hi", LIMIT).code, Some(0));
    assert_eq!(talk(&mut inside, b"two", 3), b"two");
}

/// Has the file read again, and waits for what comes of it, for the time of this number.
fn reload(server: &mut Server, file: &Path, text: &str, number: usize, outcome: &str) {
    fs::write(file, text).unwrap();
    server.signal(Signal::HUP);
    let told = |line: &&str| line.contains(": reloaded ") || line.ends_with("as before");
    wait_until(LIMIT, outcome, || {
        server.stderr().lines().filter(told).nth(number).is_some_and(|line| line.ends_with(outcome))
    });
}

#[test]
fn who_is_shown_is_shown_as_it_speaks_and_the_others_are_not() {
    let scratch = certified();
    let there = format!("unix:{}", scratch.path("socket").display());
    let over_tls = format!("tls+{there},{}", identity(&scratch));
    let server = listening(&["serve", "echo", &there, "upper", &over_tls, "--show"]);
    assert_eq!((said(&there), said(&format!("tls+{there},verify=no"))), (b"hi".to_vec(), b"HI".to_vec()));
    wait_until(LIMIT, "what was said", || server.stderr().contains(" hears HI"));
    let shown: Vec<String> = server.stderr().lines().skip(1).map(str::to_owned).collect();
    assert!(shown.len() == 2 && shown[0].contains(" says hi"), "{shown:?}");
}

#[test]
fn who_cannot_share_a_port_is_refused_before_anything_listens() {
    let port = Port::reserve();
    let at = format!("tcp:127.0.0.1:{}", port.number);
    for (other, reason, hint) in [
        (
            at.clone(),
            "cannot be told apart by what a client says first",
            "give each a port of its own, or a layer",
        ),
        (format!("tls+{at},nodelay=no"), "sets nodelay= otherwise than echo ", "set it on the first of them"),
    ] {
        let exit = run(&mut sockeye(&["serve", "echo", &at, "upper", &other]), b"", LIMIT);
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains(reason) && exit.stderr.contains(hint), "{exit:?}");
        assert!(!exit.stderr.contains(" on tcp:"), "{exit:?}");
    }
}
