//! `tls:` with the programs that people have for it, each way round, and what is said where it comes to nothing.

use std::fs;
use std::process::Command;

use testkit::{Authority, Issued, LIMIT, Process, Scratch, Server, require, run, wait_until};

use super::listener::{Waiting, on_port};
use super::{MEBIBYTE, listening, noise, sockeye};

/// An authority, and a certificate of it for this machine.
fn certified() -> (Authority, Issued) {
    let authority = Authority::new();
    let issued = authority.issue("DNS:localhost,IP:127.0.0.1");
    (authority, issued)
}

fn served(issued: &Issued, service: &[&str], options: &str) -> Server {
    let address = format!("tls-l:127.0.0.1:0,cert={},key={}{options}", issued.certificate, issued.key);
    listening(&[service, &[&address]].concat())
}

/// A program that shows the certificate to whoever comes.
fn waiting(program: &str, issued: &Issued) -> Waiting {
    on_port(&program.replace("CERT", &issued.certificate).replace("KEY", &issued.key))
}

/// Its address, with TLS.
fn there(waiting: &Waiting) -> String {
    format!("tls+{}", waiting.address)
}

#[test]
fn a_mebibyte_goes_each_way_at_once_to_the_programs_that_listen() {
    let (authority, issued) = certified();
    let (ours, theirs) = (noise(1), noise(2));
    for program in [
        "openssl s_server -accept 127.0.0.1:PORT -cert CERT -key KEY -quiet",
        "openssl s_server -accept 127.0.0.1:PORT -cert CERT -key KEY -quiet -tls1_2",
        "socat -t 10 - OPENSSL-LISTEN:PORT,bind=127.0.0.1,reuseaddr,cert=CERT,key=KEY,verify=0",
        "ncat --ssl --ssl-cert CERT --ssl-key KEY -l 127.0.0.1 PORT",
    ] {
        let there = waiting(program, &issued);
        let address = format!("{},ca={}", self::there(&there), authority.certificate());
        let here = Process::spawn(&mut sockeye(&["dial", &address]));
        let (ours, theirs) = (&ours[..most(program)], &theirs[..most(program)]);
        here.write(ours);
        there.process.write(theirs);
        let came = here.wait_stdout(LIMIT, |came| came.len() >= theirs.len());
        let arrived = there.process.wait_stdout(LIMIT, |arrived| arrived.len() >= ours.len());
        assert!(came == theirs && arrived == ours, "changed on the way, with {program}");
    }
}

/// How much goes through a program. ncat leaves what a record has beyond 8 KiB where it is until another one comes.
fn most(program: &str) -> usize {
    if program.starts_with("ncat") { 8 << 10 } else { MEBIBYTE }
}

#[test]
fn a_mebibyte_comes_back_to_the_programs_that_dial() {
    let (authority, issued) = certified();
    let server = served(&issued, &["serve", "echo"], "");
    let (port, ca, sent) = (server.port(0).to_string(), authority.certificate(), noise(3));
    for program in [
        "openssl s_client -connect localhost:PORT -CAfile CA -verify_return_error -quiet",
        "openssl s_client -connect localhost:PORT -CAfile CA -verify_return_error -quiet -tls1_2",
        "openssl s_client -connect localhost:PORT -CAfile CA -quiet -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
        "openssl s_client -connect localhost:PORT -CAfile CA -quiet -tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
        "socat -t 10 - OPENSSL:localhost:PORT,cafile=CA",
        "ncat --ssl-verify --ssl-trustfile CA localhost PORT",
    ] {
        let program = program
            .replace("PORT", &port)
            .replace("CA ", &format!("{ca} "))
            .replace("=CA", &format!("={ca}"));
        let (mut words, sent) = (program.split(' '), &sent[..most(&program)]);
        let client = Process::spawn(Command::new(require(words.next().unwrap())).args(words));
        client.write(sent);
        let came = client.wait_stdout(LIMIT, |came| came.len() >= sent.len());
        assert!(came == sent, "changed on the way, with {program}");
    }
}

#[test]
fn curl_gets_a_page_of_a_script() {
    let (authority, issued) = certified();
    let script = "exec:sh -c 'while read -r line && [ ${#line} -gt 1 ]; do :; done; printf \"HTTP/1.0 200 OK\\r\\n\\r\\nhello\"'";
    let listened = format!("tls-l:127.0.0.1:0,cert={},key={},alpn=http/1.1", issued.certificate, issued.key);
    let server = listening(&["relay", &listened, script]);
    let url = format!("https://localhost:{}/", server.port(0));
    let got = run(
        Command::new(require("curl")).args(["-sS", "--cacert", &authority.certificate(), &url]),
        b"",
        LIMIT,
    );
    assert_eq!((got.stdout.as_slice(), got.code), (&b"hello"[..], Some(0)), "{got:?}");
}

#[test]
fn sessions_are_resumed_on_both_sides() {
    let (authority, issued) = certified();
    let server = served(&issued, &["serve", "echo"], "");
    let mut again = Command::new(require("openssl"));
    again.args(["s_client", "-reconnect", "-tls1_2", "-CAfile", &authority.certificate(), "-connect"]);
    let told = run(again.arg(format!("localhost:{}", server.port(0))), b"", LIMIT);
    assert_eq!(String::from_utf8_lossy(&told.stdout).matches("\nReused, ").count(), 5, "{told:?}");

    let there = waiting("openssl s_server -accept 127.0.0.1:PORT -cert CERT -key KEY", &issued);
    let to = format!("{},ca={}", self::there(&there), authority.certificate());
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &to]);
    for said in ["first\n", "second\n"] {
        let client = Process::spawn(&mut sockeye(&["dial", &relay.address(0)]));
        client.write(said.as_bytes());
        there.process.wait_stdout(LIMIT, |came| String::from_utf8_lossy(came).contains(said));
    }
    let told = || String::from_utf8_lossy(&there.process.stdout()).contains("Reused session-id");
    wait_until(LIMIT, "a session that is resumed", told);
}

#[test]
fn keys_are_written_where_that_is_asked_for() {
    let (authority, issued) = certified();
    let server = served(&issued, &["serve", "echo"], "");
    let folder = Scratch::new();
    let address = format!("{},ca={}", server.address(0), authority.certificate());
    let mut command = sockeye(&["dial", &address]);
    let exit = run(command.env("SSLKEYLOGFILE", folder.path("keys")), b"hi", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"hi"[..], Some(0)), "{exit:?}");
    let keys = fs::read_to_string(folder.path("keys")).unwrap();
    assert!(keys.contains("CLIENT_TRAFFIC_SECRET_0 ") && keys.contains("SERVER_TRAFFIC_SECRET_0 "), "{keys}");
}

/// How `dial` fails there: one line that says why, and perhaps one that says what to try.
fn refusal(address: &str) -> String {
    let exit = run(&mut sockeye(&["dial", address]), b"", LIMIT);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(1), &b""[..]), "{exit:?}");
    exit.stderr
}

#[test]
fn who_is_not_trusted_is_told_of_with_the_pin_that_would_do() {
    let (authority, issued) = certified();
    let there = waiting("openssl s_server -accept 127.0.0.1:PORT -cert CERT -key KEY -rev", &issued);
    let address = self::there(&there);
    let pin = authority.pin(&issued.certificate);
    let told = refusal(&address);
    assert_eq!(
        told,
        format!(
            "sockeye: no handshake with {address}: the certificate is issued by CN=Test Authority, O=Sockeye, whom \
             nothing here trusts\n         if you know that it is the right one: pin={pin}; ca=FILE trusts its issuer\n"
        )
    );
    let pinned = Process::spawn(&mut sockeye(&["dial", &format!("{address},pin={pin}")]));
    pinned.write(b"hello\n");
    pinned.wait_stdout(LIMIT, |came| came == b"olleh\n");
    // It serves one after another.
    drop(pinned);
    let any = run(&mut sockeye(&["dial", &format!("{address},verify=no,connect=5s")]), b"hello\n", LIMIT);
    assert!(any.stderr.contains("with verify=no it may be anybody") && any.stdout == b"olleh\n", "{any:?}");
}

#[test]
fn an_old_peer_and_one_without_tls_are_told_of_in_words() {
    let (authority, issued) = certified();
    let old = waiting("openssl s_server -accept 127.0.0.1:PORT -cert CERT -key KEY -quiet -tls1_2", &issued);
    let told = refusal(&format!("{},ca={},min=1.3", there(&old), authority.certificate()));
    assert!(told.contains("the peer ended it: it speaks no version of TLS that we speak"), "{told}");

    let plain = listening(&["serve", "chargen", "tcp-l:127.0.0.1:0"]);
    let told = refusal(&format!("tls+{},ca={}", plain.address(0), authority.certificate()));
    assert!(told.contains("the peer speaks no TLS: it begins with \" !\"#$%"), "{told}");
    assert!(told.contains("\n         leave out tls, or see whether it is the right port\n"), "{told}");
}
