//! `listen --broker` for what people connect with, and a room of fifty of whom one never reads.

use std::array::from_fn;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use testkit::{LIMIT, Process, Scratch, Signal, Stream, connect, read_to_end};

use super::client::CLIENTS;
use super::python::python;
use super::{listening, sockeye};

#[test]
fn every_client_hears_what_another_says_and_not_itself() {
    let scratch = Scratch::new();
    let path = format!("unix:{}", scratch.path("socket").display());
    for at in ["tcp:127.0.0.1:0", &path] {
        let broker = listening(&["listen", "--broker", at]);
        for client in CLIENTS.iter().filter(|client| client.is_transparent) {
            let (mut command, _) = client.connect(&broker.address(0)).unwrap();
            let [mut other, _] = members(&broker.address(0));
            let there = Process::spawn(&mut command);
            there.write(format!("I am {}\n", client.name).as_bytes());
            hears(&mut other, &format!("I am {}", client.name));
            other.write_all("grüß dich\r\nund noch was\n".as_bytes()).unwrap();
            let want = "grüß dich\nund noch was\n".as_bytes();
            there.wait_stdout(LIMIT, |came| came == want);
        }
    }
}

#[test]
fn a_datagram_is_heard_whole_by_everybody_who_has_said_something() {
    let broker = listening(&["listen", "--broker", "udp:127.0.0.1:0"]);
    let program = "
peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
for peer in peers:
    peer.connect(('127.0.0.1', int(sys.argv[1])))
for peer in peers:
    peer.settimeout(0.05)
    while True:
        for other in peers:
            other.send(b'?')
        try:
            peer.recv(9)
            break
        except TimeoutError:
            pass
    peer.settimeout(10)
peers[0].send(b'')
peers[0].send(b'x' * 20000)
for peer in peers[1:]:
    while (heard := peer.recv(65536)) == b'?':
        pass
    say(f'{len(heard)} {len(peer.recv(65536))}')
";
    let mut peers = python(program, &[&broker.port(0).to_string()]);
    let exit = peers.wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "0 20000\n0 20000\n", "{exit:?}");
}

#[test]
fn a_line_without_its_end_is_heard_when_its_speaker_ends_and_the_speaker_hears_on() {
    let broker = listening(&["listen", "--broker", "tcp:127.0.0.1:0"]);
    let [mut one, mut two] = members(&broker.address(0));
    two.write_all(b"ready\n").unwrap();
    hears(&mut one, "ready");
    one.write_all(b"my last word").unwrap();
    one.shutdown_write();
    hears(&mut two, "my last word");
    two.write_all(b"understood\n").unwrap();
    hears(&mut one, "understood");
}

#[test]
fn fifty_are_heard_by_all_although_one_never_reads_and_that_one_is_told_of() {
    // Small buffers of the kernel, so that what it does not read shows soon.
    let broker = listening(&["listen", "--broker", "tcp:127.0.0.1:0,sndbuf=16384"]);
    let words = [&broker.address(0), "48", "1", "20000"];
    let exit = python(include_str!("room.py"), &words).wait(3 * LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "48 heard all of it\nreset\n", "{exit:?}");
    let told = broker.wait_stderr_line(LIMIT, |line| line.contains("reads too slowly"));
    assert!(
        told.contains(" left after ") && told.ends_with("; --slow=oldest drops messages instead of the peer")
    );
}

#[test]
fn with_the_oldest_dropped_the_one_who_never_reads_stays_and_is_told_of() {
    let broker = listening(&["listen", "--broker", "--slow", "oldest", "tcp:127.0.0.1:0,sndbuf=16384"]);
    let words = [&broker.address(0), "3", "1", "20000"];
    let exit = python(include_str!("room.py"), &words).wait(3 * LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "3 heard all of it\nstill inside\n", "{exit:?}");
    broker.wait_stderr_line(LIMIT, |line| line.contains(" did not reach tcp:127.0.0.1:"));
}

#[test]
fn one_interrupt_ends_it_well_with_members_who_say_nothing() {
    let mut broker = listening(&["listen", "--broker", "tcp:127.0.0.1:0"]);
    let [mut one, mut two] = members(&broker.address(0));
    one.write_all(b"last\n").unwrap();
    hears(&mut two, "last");
    broker.signal(Signal::INT);
    assert_eq!((read_to_end(&mut one), read_to_end(&mut two)), (vec![], vec![]));
    drop((one, two));
    let exit = broker.wait(LIMIT);
    assert_eq!((exit.code, exit.stdout), (Some(0), vec![]), "{}", exit.stderr);
}

#[test]
fn with_verbose_and_show_it_is_told_who_comes_and_what_is_said() {
    let broker = Process::spawn(&mut sockeye(&["listen", "--broker", "-v", "--show", "tcp:127.0.0.1:0"]));
    let ready = broker.wait_stderr_line(LIMIT, |line| line.contains(" on tcp:"));
    let address = ready.rsplit(' ').next().unwrap();
    let [mut one, mut two] = members(address);
    two.write_all(b"hi\n").unwrap();
    hears(&mut one, "hi");
    for said in [" came to broker", " says hi", " hears hi"] {
        broker.wait_stderr_line(LIMIT, |line| line.contains(said));
    }
}

/// Members who are all inside: each has heard another, and has heard out all that was said for that.
fn members<const N: usize>(address: &str) -> [Stream; N] {
    let mut all: [Stream; N] = from_fn(|_| connect(address));
    for at in 0..N {
        limit_reads(&all[at], Duration::from_millis(50));
        while line(&mut all[at]).is_none() {
            all[(at + 1) % N].write_all(b"?\n").unwrap();
        }
        limit_reads(&all[at], LIMIT);
    }
    for member in &mut all {
        member.write_all(b"enough\n").unwrap();
    }
    for member in &mut all {
        for _ in 1..N {
            while line(member).expect("a line") != "enough" {}
        }
    }
    all
}

fn limit_reads(stream: &Stream, limit: Duration) {
    match stream {
        Stream::Tcp(stream) => stream.set_read_timeout(Some(limit)).unwrap(),
        Stream::Unix(stream) => stream.set_read_timeout(Some(limit)).unwrap(),
    }
}

/// The next line, without its end; nothing where it does not begin in time.
fn line(stream: &mut Stream) -> Option<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read_exact(&mut byte).is_ok() {
        if byte == *b"\n" {
            return Some(String::from_utf8(line).unwrap());
        }
        line.push(byte[0]);
    }
    assert!(line.is_empty(), "half a line: {line:?}");
    None
}

fn hears(stream: &mut Stream, want: &str) {
    assert_eq!(line(stream).as_deref(), Some(want));
}
