//! A hundred thousand datagrams from forged senders: the memory stays bounded, who was there before is served on, and
//! nobody is shot at through us.

use std::fs;

use serde_json::Value;
use testkit::{LIMIT, Process, Signal, run};

use super::BINARY;
use super::python::python_words;
use crate::namespace::Namespace;

/// Datagrams of a flood, and how many bytes each has.
const COUNT: u64 = 100_000;
const SIZE: u64 = 64;

/// Forged senders of a private network, whom everybody answers; and of the Internet.
const PRIVATE: &str = "10.0.0.1";
const PUBLIC: &str = "8.0.0.1";

/// What is sent to everybody beyond leaves by `out`, which counts it.
const NETWORK: &str = "set -e
ip link add out type veth peer name far
echo 1 >/proc/sys/net/ipv6/conf/out/disable_ipv6
ip link set out arp off up
ip link set far up
ip address add 10.255.0.1/24 dev out
ip route add default dev out";

/// Where the server is asked: not on loopback, since answers come from there.
const SERVER: &str = "udp:10.255.0.1:5000";

/// What `out` counts for each packet beside its payload: the headers of Ethernet, IP and UDP.
const HEADERS: u64 = 14 + 20 + 8;

/// A network with a server in it that listens on port 5000.
struct Scene {
    namespace: Namespace,
    server: Process,
}

#[test]
fn a_service_stays_small_and_answers_on_in_a_flood_of_senders() {
    let scene = Scene::new(&["serve", "echo", "udp:any:5000"]);
    scene.stands_a_flood(32);
}

#[test]
fn a_relay_stays_small_and_keeps_who_was_there_in_a_flood_of_senders() {
    let scene = Scene::new(&["relay", "udp-l:any:5000", "udp:10.255.0.1:5001"]);
    // It says from which port it was asked: the same one for as long as the relay keeps the peer.
    let program = "
server = listen('udp:10.255.0.1:5001')
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
server.settimeout(None)
while True:
    asked, peer = server.recvfrom(100)
    server.sendto(b'%d ' % peer[1] + asked, peer)
";
    let target = scene.python(program, &[]);
    target.wait_stderr_line(LIMIT, |line| line.starts_with("listening"));
    scene.stands_a_flood(200);
}

#[test]
fn who_is_not_near_is_counted_and_not_answered() {
    let mut scene = Scene::new(&["serve", "echo", "udp:any:5000", "--log", "json"]);
    scene.flood(PUBLIC, 1);
    let unanswered = scene.known().unanswered();
    let lost = scene.lost();
    assert_eq!(lost.outsiders + lost.by_kernel, COUNT + unanswered, "{:?}", scene.server);
    assert_eq!(scene.left(), (0, 0), "{:?}", scene.server);
}

#[test]
fn with_public_all_are_answered_and_with_no_more_than_they_asked() {
    let mut scene = Scene::new(&["serve", "--public", "echo", "udp:any:5000", "--log", "json"]);
    scene.flood(PUBLIC, 1);
    let unanswered = scene.known().unanswered();
    let lost = scene.lost();
    let (packets, bytes) = scene.left();
    assert_eq!(bytes, packets * (HEADERS + SIZE), "{:?}", scene.server);
    let lost = lost.outsiders + lost.by_kernel + lost.unsent;
    assert_eq!(packets + lost, COUNT + unanswered, "{:?}", scene.server);
    assert!(packets >= COUNT / 10, "{packets} of {COUNT} were answered: {:?}", scene.server);
}

#[test]
fn with_public_a_service_that_says_more_than_it_was_asked_says_nothing() {
    let scene = Scene::new(&["serve", "--public", "chargen", "udp:any:5000"]);
    scene.flood(PUBLIC, 1);
    // Whoever is answered knows that what came before has been looked at; the flood may have left no room to ask.
    let program = "
conn = connect(sys.argv[1])
conn.settimeout(0.1)
while True:
    conn.send(b'me')
    try:
        conn.recv(100)
        break
    except TimeoutError:
        pass
";
    let exit = scene.python(program, &[SERVER]).wait(LIMIT);
    assert_eq!((exit.code, scene.left()), (Some(0), (0, 0)), "{exit:?}\n{:?}", scene.server);
}

/// Two hundred at once and a hundred each second: the flood and what follows take no minute.
#[test]
fn with_public_one_victim_is_sent_little() {
    let scene = Scene::new(&["serve", "--public", "echo", "udp:any:5000"]);
    scene.flood(PUBLIC, 0);
    scene.known();
    let (packets, _) = scene.left();
    assert!((1..200 + 60 * 100).contains(&packets), "{packets}: {:?}", scene.server);
}

/// A peer that asked all the time.
#[derive(Debug)]
struct Known {
    asked: u64,
    answered: u64,
    /// Different ones that stood before the answers.
    words: u64,
}

impl Known {
    fn unanswered(&self) -> u64 {
        self.asked - self.answered
    }
}

fn stop(mut known: Process) -> Known {
    known.write(b"stop\n");
    let exit = known.wait(LIMIT);
    let said = String::from_utf8_lossy(&exit.stdout);
    let numbers = said.lines().last().unwrap_or_default().split(' ');
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let [asked, answered, words] = numbers[..] else { panic!("{exit:?}") };
    Known { asked, answered, words }
}

/// Datagrams that were not answered, by the reason.
struct Lost {
    by_kernel: u64,
    outsiders: u64,
    unsent: u64,
}

impl Scene {
    fn new(words: &[&str]) -> Self {
        let namespace = Namespace::new();
        let exit = run(&mut namespace.command_in_network(&["sh", "-c", NETWORK]), b"", LIMIT);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let words: Vec<&str> = [BINARY].iter().chain(words).copied().collect();
        let server = Process::spawn(&mut namespace.command_in_network(&words));
        server.wait_stderr_line(LIMIT, |line| line.contains("udp:[::]:5000"));
        Self { namespace, server }
    }

    fn python(&self, program: &str, args: &[&str]) -> Process {
        Process::spawn(&mut self.namespace.command_in_network(&python_words(program, args)))
    }

    /// Returns once all of it is sent. The next sender is `step` further.
    fn flood(&self, first: &str, step: u32) {
        let [count, size, step] = [COUNT.to_string(), SIZE.to_string(), step.to_string()];
        let args = [SERVER, &count, &size, first, &step];
        let exit = self.python(include_str!("flood.py"), &args).wait(2 * LIMIT);
        assert_eq!(exit.stdout, b"sent\n", "{exit:?}");
    }

    /// A flood while a peer asks, and newcomers after it. The server never has more than so many mebibytes.
    fn stands_a_flood(&self, most: u64) {
        let known = self.start_known();
        self.flood(PRIVATE, 1);
        let known = stop(known);
        assert_eq!(known.words, 1, "it was forgotten: {:?}", self.server);
        // All wait in one buffer of the kernel, which a flood fills: the peer's share of it is what the flood leaves.
        assert!(known.answered >= known.asked / 10, "{known:?}: {:?}", self.server);
        let kibibytes = self.most_memory();
        assert!(kibibytes < most << 10, "{kibibytes} KiB: {:?}", self.server);
        let program = "
conns = [connect(sys.argv[1]) for _ in range(100)]
for number, conn in enumerate(conns):
    conn.send(b'%d' % number)
for number, conn in enumerate(conns):
    assert conn.recv(100).split()[-1] == b'%d' % number
";
        let exit = self.python(program, &[SERVER]).wait(2 * LIMIT);
        assert_eq!(exit.code, Some(0), "{exit:?}\n{:?}", self.server);
    }

    /// A peer of this machine, which asks until it is answered: then all that came before it has been looked at.
    fn known(&self) -> Known {
        stop(self.start_known())
    }

    /// Returns once it has been heard twice.
    fn start_known(&self) -> Process {
        let known = self.python(include_str!("known.py"), &[SERVER]);
        known.wait_stdout(LIMIT, |said| said == b"is known\n");
        known
    }

    /// What has left by `out`: packets, and their bytes.
    fn left(&self) -> (u64, u64) {
        let words = ["ip", "-json", "-statistics", "link", "show", "out"];
        let exit = run(&mut self.namespace.command_in_network(&words), b"", LIMIT);
        let links: Value = serde_json::from_slice(&exit.stdout).expect("JSON");
        let count = |name| links[0]["stats64"]["tx"][name].as_u64().expect("a count");
        (count("packets"), count("bytes"))
    }

    /// Ends the server, and adds up what it told.
    fn lost(&mut self) -> Lost {
        self.server.signal(Signal::INT);
        let exit = self.server.wait(LIMIT);
        let events: Vec<Value> =
            exit.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let sum = |name: &str| events.iter().filter_map(|event| event[name].as_u64()).sum();
        Lost { by_kernel: sum("by_kernel"), outsiders: sum("outsiders"), unsent: sum("unsent") }
    }

    /// The most memory that the server ever had, in KiB (proc_pid_status(5)).
    fn most_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}
