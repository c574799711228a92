//! `serve ntp` and the clients of others: chronyd, ntpdate and Python's ntplib.

use std::process::Command;

use testkit::{Exit, LIMIT, Process, Signal, run, wait_until};

use super::listening;
use super::python::{PREAMBLE, python, python_words};
use crate::namespace::Namespace;

/// The best of several answers, by its delay, and what ntplib makes of each: under load a way may be long.
const BEST: &str = "
import ntplib
def best(host, port, version=4):
    answers = [ntplib.NTPClient().request(host, version=version, port=port) for _ in range(20)]
    best = min(answers, key=lambda answer: answer.delay)
    assert abs(best.offset) < 0.001, (host, version, best.offset, best.delay)
    return best
";

/// A program with ntplib, which Debian gives to its own Python.
fn ntplib(program: &str, args: &[&str]) -> Vec<String> {
    let program = format!("{PREAMBLE}{BEST}{program}");
    let words = ["/usr/bin/python3", "-u", "-c", &program];
    words.iter().chain(args).map(|word| (*word).to_owned()).collect()
}

fn asked(program: &str, args: &[&str]) -> Exit {
    let words = ntplib(program, args);
    run(Command::new(&words[0]).args(&words[1..]), b"", LIMIT)
}

#[test]
fn ntplib_gets_the_time_of_this_machine_in_every_version_over_both_families() {
    let server = listening(&["serve", "ntp", "udp:0", "--local-stratum", "10"]);
    let program = "
port = int(sys.argv[1])
for host in '127.0.0.1', '::1':
    for version in 1, 2, 3, 4:
        answer = best(host, port, version)
        assert (answer.version, answer.mode, answer.poll) == (version, 4, 0), vars(answer)
        assert answer.leap == 0 or answer.stratum == 3, vars(answer)
        assert abs(answer.tx_time - time.time()) < 10
";
    let exit = asked(program, &[&server.port(0).to_string()]);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn what_is_said_of_the_clock_is_what_the_kernel_knows() {
    let server = listening(&["serve", "ntp", "udp:127.0.0.1:0"]);
    let program = "
import ctypes
port = int(sys.argv[1])
told = (ctypes.c_long * 26)()
is_kept = ctypes.CDLL(None).adjtimex(told) != 5
answer = best('127.0.0.1', port)
assert (answer.leap, answer.stratum) == ((told[5] >> 4 & 3, 3) if is_kept else (3, 16)), vars(answer)
assert not is_kept or abs(answer.root_dispersion - told[3] / 1e6) < 0.1, vars(answer)
print('kept' if is_kept else 'not kept')
";
    let exit = asked(program, &[&server.port(0).to_string()]);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    if exit.stdout == b"not kept\n" {
        server.wait_stderr_line(LIMIT, |line| line.ends_with("nobody keeps the clock of this machine"));
    }
}

#[test]
fn the_time_of_arrival_is_the_kernels_also_where_the_server_was_busy() {
    let server = listening(&["serve", "ntp", "udp:127.0.0.1:0"]);
    let program = "
import signal, struct
port, pid = int(sys.argv[1]), int(sys.argv[2])
conn = connect(f'udp:127.0.0.1:{port}')
def ask():
    conn.send(bytes([0x23]) + bytes(39) + b'whatever')
def took():
    answer = conn.recv(100)
    assert len(answer) == 48 and answer[24:32] == b'whatever', answer
    came, went = struct.unpack('>QQ', answer[32:])
    return (went - came) / 2**32
ask()
took()
os.kill(pid, signal.SIGSTOP)
ask()
time.sleep(0.4)
os.kill(pid, signal.SIGCONT)
assert 0.39 < (busy := took()) < 10, busy
";
    let words = [server.port(0).to_string(), server.pid().to_string()];
    let exit = python(program, &[&words[0], &words[1]]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

/// Asks once, and leaves the clock alone.
fn chronyd(namespace: &Namespace, host: &str, port: u16) -> Exit {
    let server = format!("server {host} port {port} iburst maxsamples 1");
    let words = ["chronyd", "-Q", "-t", "3", "-u", "root", &server, "cmdport 0", "bindcmdaddress /"];
    run(&mut namespace.command(&[&words[..], &["pidfile /tmp/work/asking"]].concat()), b"", LIMIT)
}

/// By how many seconds it says that the clock is wrong.
fn wrong_by(exit: &Exit) -> f64 {
    let said = format!("{}{}", String::from_utf8_lossy(&exit.stdout), exit.stderr);
    let wrong = said.split_once("clock wrong by ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    wrong.unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn chronyd_follows_a_clock_by_itself_where_that_is_asked_for_and_none_that_nobody_keeps() {
    let namespace = Namespace::new();
    // Nobody listens on the port of the other server, so nothing is known of the clock, however it is kept.
    let words = ["sockeye", "serve", "ntp", "udp:123", "--mirror", "localhost:9"];
    let local = ["ntp", "udp:1123", "--mirror", "localhost:9", "--local-stratum", "10"];
    let server = Process::spawn(&mut namespace.command(&[&words[..], &local].concat()));
    server.wait_stderr_line(LIMIT, |line| line.ends_with("ntp on udp:[::1]:1123"));
    let refused = chronyd(&namespace, "127.0.0.1", 123);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for host in ["127.0.0.1", "::1"] {
        // A way that is long on one side only looks like a clock that is wrong.
        wait_until(LIMIT, "an answer on short ways", || {
            let taken = chronyd(&namespace, host, 1123);
            assert_eq!(taken.code, Some(0), "{taken:?}");
            wrong_by(&taken).abs() < 0.001
        });
    }
}

#[test]
fn ntpdate_gets_the_time_over_both_families() {
    let namespace = Namespace::new();
    let words = ["sockeye", "serve", "ntp", "udp:123", "--local-stratum", "10"];
    let server = Process::spawn(&mut namespace.command(&words));
    server.wait_stderr_line(LIMIT, |line| line.ends_with("ntp on udp:[::1]:123"));
    for host in ["127.0.0.1", "::1"] {
        wait_until(LIMIT, "an answer on short ways", || {
            let exit = run(&mut namespace.command(&["ntpdate", "-q", host]), b"", LIMIT);
            let said = String::from_utf8_lossy(&exit.stdout).into_owned();
            assert!(exit.code == Some(0) && said.contains(" no-leap"), "{exit:?}");
            // 2026-11-22 00:18:59.123456 (+0000) -0.000011 +/- 0.000069 127.0.0.1 s10 no-leap
            let offset = said.split_once(") ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            let offset: f64 = offset.unwrap_or_else(|| panic!("{said}"));
            offset.abs() < 0.001
        });
    }
}

#[test]
fn a_mirror_of_chronyd_is_as_good_as_it_until_it_is_silent() {
    let namespace = Namespace::new();
    let words = ["chronyd", "-x", "-d", "-u", "root", "port 1123", "cmdport 0", "bindcmdaddress /"];
    let more = ["local stratum 8", "allow all", "pidfile /tmp/work/serving"];
    let mut other = Process::spawn(&mut namespace.command(&[&words[..], &more].concat()));
    other.wait_stderr_line(LIMIT, |line| line.contains("chronyd version"));
    let words = ["sockeye", "serve", "ntp", "udp:123", "--mirror", "127.0.0.1:1123"];
    let server = Process::spawn(&mut namespace.command(&words));
    server.wait_stderr_line(LIMIT, |line| line.ends_with("ntp on udp:127.0.0.1:123"));
    let program = "
wanted = int(sys.argv[1])
while (answer := best('127.0.0.1', 123)).stratum != wanted:
    time.sleep(0.05)
print(answer.leap, ntplib.ref_id_to_text(answer.ref_id, 2), answer.root_dispersion < 0.1)
";
    let asked = |stratum| run(&mut namespace.command(&ntplib(program, &[stratum])), b"", LIMIT);
    let mirrored = asked("8");
    assert_eq!(String::from_utf8_lossy(&mirrored.stdout), "0 127.127.1.1 True\n", "{mirrored:?}");
    other.signal(Signal::KILL);
    server.wait_stderr_line(LIMIT, |line| line.contains("ours counts as kept by nobody"));
    let silent = asked("16");
    assert_eq!(String::from_utf8_lossy(&silent.stdout), "3 0.0.0.0 True\n", "{silent:?}");
}

#[test]
fn who_is_far_away_is_heard_on_every_port_and_told_where_it_asks_too_often() {
    let namespace = Namespace::new();
    let added = ["ip", "address", "add", "198.51.100.7/32", "dev", "lo"];
    assert_eq!(run(&mut namespace.command(&added), b"", LIMIT).code, Some(0));
    let server =
        Process::spawn(&mut namespace.command(&["sockeye", "serve", "--public", "ntp", "udp:any:1123"]));
    server.wait_stderr_line(LIMIT, |line| line.contains("ntp on udp:0.0.0.0:1123"));
    let program = "
conn = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
conn.bind(('198.51.100.7', 123))
conn.connect(('198.51.100.7', 1123))
conn.settimeout(20)
def ask(number):
    conn.send(bytes([0x23]) + bytes(39) + number.to_bytes(8, 'big'))
for number in range(16):
    ask(number)
    answer = conn.recv(100)
    assert answer[1] and answer[24:32] == number.to_bytes(8, 'big'), answer
for number in range(40):
    ask(number)
kisses = 0
while not kisses:
    answer = conn.recv(100)
    kisses += answer[:2] == bytes([0xe4, 0]) and answer[12:16] == b'RATE'
";
    let asked = run(&mut namespace.command(&python_words(program, &[])), b"", LIMIT);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    server.wait_stderr_line(LIMIT, |line| line.contains("asks more often than the service allows"));
}
