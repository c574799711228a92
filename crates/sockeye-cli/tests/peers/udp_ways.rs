//! What becomes of datagrams where the way or the far end is not as one would like it: a link that is narrower than
//! ours, a collector that says nothing, a message that cannot be passed on, and a server that was away.

use std::process::Command;

use testkit::{LIMIT, Process, run, wait_until};

use super::python::{python_server, python_words};
use super::{BINARY, listening};
use crate::namespace::{Namespace, enter};

/// The first large message is what finds out, and is lost; what follows is cut into fragments. Who says nothing more
/// until the kernel knows is told while it waits, and who goes on at once with the next message.
#[test]
fn a_conversation_goes_on_when_the_way_becomes_narrower() {
    for says_more_at_once in [true, false] {
        let networks = Networks::new();
        let words = [BINARY, "serve", "echo", "udp:any:5000"];
        let server = Process::spawn(&mut inside(&networks.far, &words));
        server.wait_stderr_line(LIMIT, |line| line.contains(" on udp:0.0.0.0:5000"));
        let words = [BINARY, "dial", "--lines", "udp:10.2.0.2:5000"];
        let mut client = Process::spawn(&mut inside(&networks.near, &words));
        let (large, mut want) = ("x".repeat(1400), String::new());
        for line in ["before", "and after", &large, "", &large, "last"] {
            client.write(format!("{line}\n").as_bytes());
            want.push_str(&format!("{line}\n"));
            let seen = client.wait_stdout(LIMIT, |seen| seen.len() >= want.len());
            assert_eq!(String::from_utf8_lossy(&seen), want, "{client:?}");
            if line == "before" {
                client.write(format!("{large}\n").as_bytes());
                if !says_more_at_once {
                    wait_until(LIMIT, "the kernel to know the way", || networks.near_knows());
                }
            }
        }
        client.close_stdin();
        let exit = client.wait(LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{exit:?}");
    }
}

/// Longer than a second apart, which is what a peer is given where it might have something to hear.
#[test]
fn one_way_a_collector_that_has_nothing_to_say_gets_all_of_a_peer_on_one_connection() {
    let program = "
listener = listen('tcp:127.0.0.1:0')
peer = connect(wait_for_word())
peer.send(b'0')
conn, _ = listener.accept()
conn.shutdown(socket.SHUT_WR)
lines = conn.makefile('rb')
say(lines.readline())
for number in b'1', b'2':
    time.sleep(1.3)
    peer.send(number)
    say(lines.readline())
";
    let (mut collector, address) = python_server(program, &[]);
    let relay = listening(&["relay", "--one-way", "udp-l:127.0.0.1:0", &format!("{address},frame=line")]);
    collector.write(format!("{}\n", relay.address(0)).as_bytes());
    let exit = collector.wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "0\n1\n2\n", "{exit:?}\n{relay:?}");
}

/// What the peer says once the target has seen the end is for the next connection. It says so again and again: what
/// comes in the very moment of the end may go with it.
#[test]
fn after_a_message_that_cannot_be_passed_on_and_the_end_a_peer_is_heard_again_at_once() {
    let program = "
listener = listen('tcp:127.0.0.1:0')
peer = connect(wait_for_word())
for text in b'one', b'two\\nlines', b'three':
    peer.send(text)
conn, _ = listener.accept()
lines = conn.makefile('rb')
say(lines.readline() + lines.readline())
conn.shutdown(socket.SHUT_WR)
assert lines.read() == b''
listener.settimeout(0.05)
for number in range(10):
    peer.send(b'again')
    try:
        again, _ = listener.accept()
        say(again.makefile('rb').readline())
        break
    except TimeoutError:
        pass
";
    let (mut target, address) = python_server(program, &[]);
    let relay = listening(&["relay", "udp-l:127.0.0.1:0", &format!("{address},frame=line")]);
    target.write(format!("{}\n", relay.address(0)).as_bytes());
    let exit = target.wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "one\nthree\nagain\n", "{exit:?}\n{relay:?}");
}

/// The port is one of a network of its own, where nobody else takes it meanwhile.
#[test]
fn a_server_that_was_away_is_told_once_and_asked_anew_with_the_next_datagram() {
    let namespace = Namespace::new();
    let words = [BINARY, "relay", "udp-l:127.0.0.1:5000", "udp:127.0.0.1:5001"];
    let relay = Process::spawn(&mut namespace.command_in_network(&words));
    relay.wait_stderr_line(LIMIT, |line| line.ends_with(" on udp:127.0.0.1:5000"));
    let program = "
def ask(server, text):
    peer.send(text)
    asked, at = server.recvfrom(100)
    server.sendto(asked, at)
    say(peer.recv(100) + b'\\n')
    return at
peer = connect('udp:127.0.0.1:5000')
server = listen('udp:127.0.0.1:5001')
before = [ask(server, text) for text in (b'one', b'two')]
server.close()
peer.send(b'three')
wait_for_word()
server = listen('udp:127.0.0.1:5001')
after = [ask(server, text) for text in (b'four', b'five')]
assert before[0] == before[1] != after[0] == after[1], (before, after)
";
    let mut peer = Process::spawn(&mut namespace.command_in_network(&python_words(program, &[])));
    let line = relay.wait_stderr_line(LIMIT, |line| line.contains("refused"));
    assert!(line.ends_with(": cannot read from udp:127.0.0.1:5001: connection refused"), "{line}");
    peer.write(b"go on\n");
    let exit = peer.wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "one\ntwo\nfour\nfive\n", "{exit:?}\n{relay:?}");
    assert_eq!((exit.code, relay.stderr().lines().count()), (Some(0), 2), "{exit:?}\n{relay:?}");
}

/// Two networks, and a third between them whose link to the far one is the narrowest.
struct Networks {
    near: Process,
    far: Process,
    _between: Namespace,
}

/// `$1` and `$2` are processes of the near network and of the far one.
const LINKS: &str = "set -e
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link add near type veth peer name way netns $1
ip link add far mtu 1000 type veth peer name way mtu 1000 netns $2
ip address add 10.1.0.1/24 dev near
ip address add 10.2.0.1/24 dev far
ip link set near up
ip link set far up
for n in 1 2; do
    eval pid=\\$$n
    nsenter --target $pid --net sh -e -c \"
        ip link set lo up
        ip address add 10.$n.0.2/24 dev way
        ip link set way up
        ip route add default via 10.$n.0.1\"
done";

impl Networks {
    fn new() -> Self {
        let between = Namespace::new();
        let (near, far) = (between.network_beside(), between.network_beside());
        let words = ["sh", "-c", LINKS, "sh", &near.pid().to_string(), &far.pid().to_string()];
        let exit = run(&mut between.command_in_network(&words), b"", LIMIT);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        Self { near, far, _between: between }
    }

    /// Whether the near network has found out how narrow the way to the far one is.
    fn near_knows(&self) -> bool {
        let exit = run(&mut inside(&self.near, &["ip", "route", "get", "10.2.0.2"]), b"", LIMIT);
        String::from_utf8_lossy(&exit.stdout).contains("mtu 1000")
    }
}

/// A command in the network of `holder`.
fn inside(holder: &Process, words: &[&str]) -> Command {
    let mut command = enter(holder, &["--user", "--net"]);
    command.args(words);
    command
}
