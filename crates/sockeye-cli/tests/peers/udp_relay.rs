//! `relay` where messages go over it: UDP to framed TCP and back, Unix datagrams, and nobody on the other side.

use std::time::Duration;

use testkit::{LIMIT, Process, Scratch, Signal, run};

use super::client::{NC, PYTHON};
use super::python::{python, python_server, python_words};
use super::{BINARY, listening};
use crate::namespace::Namespace;

#[test]
fn each_peer_of_udp_has_a_connection_of_tcp_with_a_line_for_each_datagram() {
    let program = "
listener = listen('tcp:127.0.0.1:0')
def serve(conn):
    for number, line in enumerate(conn.makefile('rb')):
        conn.sendall(b'%d: ' % number + line)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
";
    let (_lines, address) = python_server(program, &[]);
    let relay = listening(&["relay", "udp-l:127.0.0.1:0", &format!("{address},frame=line")]);
    // nc sends the line feed that was typed, which ends the line over TCP and is no part of the answer.
    for client in [&NC, &PYTHON] {
        let (mut command, _) = client.connect(&relay.address(0)).unwrap();
        let client = Process::spawn(&mut command);
        for (typed, want) in [("hi\n", "0: hi"), ("you\n", "0: hi1: you")] {
            client.write(typed.as_bytes());
            let seen = client.wait_stdout(LIMIT, |seen| seen.len() >= want.len());
            assert_eq!(String::from_utf8_lossy(&seen), want, "{command:?}");
        }
    }
    let program = "
conn = connect(sys.argv[1])
for number, text in enumerate([b'hi', b'', b'x' * 9000]):
    conn.send(text)
    assert conn.recv(65536) == b'%d: ' % number + text
";
    let exit = python(program, &[&relay.address(0)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn each_line_over_tcp_is_a_datagram_and_each_answer_a_line() {
    let program = "
server = listen('udp:127.0.0.1:0')
while True:
    asked, peer = server.recvfrom(65536)
    server.sendto(b'%d bytes: ' % len(asked) + asked, peer)
";
    let (_server, address) = python_server(program, &[]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0,frame=line", &address]);
    for client in [&NC, &PYTHON] {
        let (mut command, _) = client.connect(&relay.address(0)).unwrap();
        // All at once: they are told apart by their line feeds alone, and the last answer comes after the end.
        let exit = run(&mut command, "hi\n\nGrüße\n".as_bytes(), LIMIT);
        let want = "2 bytes: hi\n0 bytes: \n7 bytes: Grüße\n";
        assert_eq!((String::from_utf8_lossy(&exit.stdout), exit.code), (want.into(), Some(0)), "{exit:?}");
    }
}

#[test]
fn peers_of_unix_datagrams_are_led_to_udp() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let upper = listening(&["serve", "upper", "udp:127.0.0.1:0"]);
    let relay = listening(&["relay", &format!("unix-dgram-l:{path}"), &upper.address(0)]);
    let program = "
peers = [connect(sys.argv[1]) for _ in range(20)]
for number, peer in enumerate(peers):
    peer.send(b'peer %d' % number)
    peer.send(b'')
for number, peer in enumerate(peers):
    assert (peer.recv(100), peer.recv(100)) == (b'PEER %d' % number, b'')
";
    let exit = python(program, &[&relay.address(0)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn each_peer_of_udp_has_a_connection_of_unix_messages() {
    let scratch = Scratch::new();
    let path = format!("unix-seq:{}", scratch.path("socket").display());
    let program = "
listener = listen(sys.argv[1])
def serve(conn):
    heard = b''
    while True:
        heard += conn.recv(65536)
        conn.send(heard)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
";
    let (_there, address) = python_server(program, &[&path]);
    let relay = listening(&["relay", "udp-l:127.0.0.1:0", &address]);
    let program = "
peers = [connect(sys.argv[1]) for _ in range(20)]
for word in b'one', b'two':
    for number, peer in enumerate(peers):
        peer.send(word + b'%d' % number)
for number, peer in enumerate(peers):
    assert (peer.recv(100), peer.recv(100)) == (b'one%d' % number, b'one%dtwo%d' % (number, number))
";
    let exit = python(program, &[&relay.address(0)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

/// The ports are those of a network of its own, where nobody else takes them.
#[test]
fn nobody_at_a_port_of_udp_is_told_at_once_and_the_next_datagram_goes_to_who_is_there_then() {
    let namespace = Namespace::new();
    let words = [BINARY, "relay", "udp-l:127.0.0.1:5000", "udp:127.0.0.1:5001"];
    let relay = Process::spawn(&mut namespace.command_in_network(&words));
    relay.wait_stderr_line(LIMIT, |line| line.ends_with(" on udp:127.0.0.1:5000"));
    let program = "
peer = connect('udp:127.0.0.1:5000')
peer.send(b'one')
wait_for_word()
server = listen('udp:127.0.0.1:5001')
peer.send(b'two')
asked, at = server.recvfrom(100)
server.sendto(asked + b' and three', at)
say(peer.recv(100))
";
    let mut peer = Process::spawn(&mut namespace.command_in_network(&python_words(program, &[])));
    let line = relay.wait_stderr_line(LIMIT, |line| line.contains("refused"));
    assert!(line.ends_with(": cannot read from udp:127.0.0.1:5001: connection refused"), "{line}");
    peer.write(b"go on\n");
    let exit = peer.wait(LIMIT);
    assert_eq!(exit.stdout, b"two and three", "{exit:?}\n{relay:?}");
    assert_eq!(relay.stderr().lines().count(), 2, "{relay:?}");

    let words = [BINARY, "relay", "-,frame=line", "udp:127.0.0.1:5009"];
    let exit = run(&mut namespace.command_in_network(&words), b"hi\n", LIMIT);
    let said = "sockeye: cannot read from udp:127.0.0.1:5009: connection refused
         nobody listens there: is the server up, and the address right?\n";
    assert_eq!((exit.code, &*exit.stderr), (Some(1), said), "{exit:?}");
}

#[test]
fn an_interrupt_ends_a_service_of_datagrams_at_once_whoever_has_asked() {
    for scheme in ["udp:127.0.0.1:0", "udp:0"] {
        let mut echo = listening(&["serve", "echo", scheme]);
        let program = "conn = connect(sys.argv[1])\nconn.send(b'hi')\nsay(conn.recv(100))";
        assert_eq!(python(program, &[&echo.address(0)]).wait(LIMIT).stdout, b"hi");
        echo.signal(Signal::INT);
        assert_eq!(echo.wait(Duration::from_secs(1)).code, Some(0));
    }
}

/// A second of silence shows that a peer has finished, and another that the other side has.
#[test]
fn an_interrupt_ends_a_relay_with_a_silent_peer_within_three_seconds() {
    let echo = listening(&["serve", "echo", "udp:127.0.0.1:0"]);
    let mut relay = listening(&["relay", "udp-l:127.0.0.1:0", &echo.address(0)]);
    let program = "conn = connect(sys.argv[1])\nconn.send(b'hi')\nsay(conn.recv(100))\nwait_for_word()";
    let peer = python(program, &[&relay.address(0)]);
    peer.wait_stdout(LIMIT, |said| said == b"hi");
    relay.signal(Signal::INT);
    let exit = relay.wait(Duration::from_secs(3));
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.stderr.contains("takes nobody new, 1 still inside"), "{exit:?}");
}
