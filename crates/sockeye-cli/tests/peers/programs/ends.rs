//! When a peer has left, so has all that was started for it, however it resists; and so it has when we end.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Pid, kill_process};
use testkit::{LIMIT, Process, Scratch, Signal, Stream, connect, wait_until};

use super::servers::{Kind, Program, Serving, each, each_of_ours};
use super::side_by_side::line;
use crate::peers::{listening, sockeye};

/// How long after its peer a program may be there: a look each half second, a second between SIGTERM and SIGKILL.
const GONE: Duration = Duration::from_secs(3);

/// Ignores SIGTERM, as all that it starts: one in a session of its own, and one whose parent has ended. Each tells its
/// number; the guard's is that of the parent. The last line tells that the peer has ended its side.
const STUBBORN: Program = Program::Python(
    "
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def stay():
    os.write(1, b'%d\\n' % os.getpid())
    time.sleep(60)
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    stay()
if os.fork() == 0:
    if os.fork() == 0:
        stay()
    os._exit(0)
os.write(1, b'%d\\n%d\\n' % (os.getpid(), os.getppid()))
while os.read(0, 65536): pass
os.write(1, b'ended\\n')
time.sleep(60)
",
);

/// How many numbers it tells.
const FAMILY: usize = 4;

#[test]
fn when_the_peer_closes_all_that_was_started_for_it_is_gone() {
    each(&[], |kind| gone_after(kind, "", |peer, _| drop(peer)));
}

#[test]
fn when_the_peer_closes_after_its_end_of_file_all_that_was_started_for_it_is_gone() {
    each_of_ours(|kind| {
        gone_after(kind, "", |mut peer, _| {
            peer.shutdown_write();
            assert_eq!(line(&mut peer), "ended");
            drop(peer);
        });
    });
}

#[test]
fn when_the_peer_resets_all_that_was_started_for_it_is_gone() {
    each_of_ours(|kind| {
        gone_after(kind, "", |peer, _| {
            if let Stream::Tcp(stream) = &peer {
                set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
            }
            drop(peer);
        });
    });
}

#[test]
fn when_the_peer_says_nothing_for_too_long_all_that_was_started_for_it_is_gone() {
    each_of_ours(|kind| {
        gone_after(kind, ",idle=4s", |peer, serving| {
            serving.process.wait_stderr_line(LIMIT, |line| line.contains("idle for 4s"));
            peer
        })
    });
}

#[test]
fn when_we_are_told_twice_to_stop_all_that_was_started_is_gone() {
    each_of_ours(|kind| {
        gone_after(kind, "", |peer, serving| {
            serving.process.signal(Signal::TERM);
            serving.process.wait_stderr_line(LIMIT, |line| line.contains("takes nobody new"));
            serving.process.signal(Signal::TERM);
            peer
        });
    });
}

#[test]
fn when_we_are_killed_all_that_was_started_is_gone() {
    each_of_ours(|kind| {
        gone_after(kind, "", |peer, serving| {
            serving.process.signal(Signal::KILL);
            peer
        });
    });
}

#[test]
fn when_the_peer_is_killed_all_that_was_started_for_it_is_gone() {
    each_of_ours(|kind| {
        let serving = kind.start(STUBBORN, "");
        let mut peer = Process::spawn(&mut sockeye(&["dial", &serving.address]));
        let is_whole = |told: &[u8]| told.iter().filter(|byte| **byte == b'\n').count() == FAMILY;
        let told = String::from_utf8(peer.wait_stdout(LIMIT, is_whole)).unwrap();
        let family = Family::new(told.lines(), &serving);
        peer.signal(Signal::KILL);
        peer.wait(LIMIT);
        family.wait_until_gone();
    });
}

#[test]
fn a_program_that_has_stopped_itself_hears_that_it_is_to_end() {
    let program = Program::Shell("trap 'touch $0.heard; exit' TERM; echo $$; kill -STOP $$; sleep 60 & wait");
    each_of_ours(|kind| {
        let serving = kind.start(program, "");
        let mut peer = connect(&serving.address);
        let process = line(&mut peer);
        let family = Family::new([&*process], &serving);
        wait_until(LIMIT, "it to have stopped", || state(&process) == Some('T'));
        drop(peer);
        family.wait_until_gone();
        assert!(serving.beside("heard").exists());
    });
}

#[test]
fn one_that_forks_on_and_on_is_caught() {
    // Fifty at most, and for five seconds; each tells its number before it forks.
    let program = Program::Python(
        "
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
told = os.open(sys.argv[0] + '.numbers', os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
def tell(): os.write(told, b'%d\\n' % os.getpid())
tell()
if os.fork() == 0:
    for _ in range(50):
        tell()
        if os.fork() != 0:
            os._exit(0)
        time.sleep(0.1)
    os._exit(0)
os.write(1, b'begun\\n')
time.sleep(60)
",
    );
    each_of_ours(|kind| {
        let serving = kind.start(program, "");
        let mut peer = connect(&serving.address);
        assert_eq!(line(&mut peer), "begun");
        drop(peer);
        let numbers = || fs::read_to_string(serving.beside("numbers")).unwrap();
        let are_gone = || living(&processes(numbers().lines())).is_empty();
        wait_until(GONE, "all of them to be gone", are_gone);
        let told = numbers().lines().count();
        assert!(told < 50, "it went on to its end");
    });
}

#[test]
fn what_was_sent_one_way_is_worked_on_when_the_sender_has_left() {
    let scratch = Scratch::new();
    let (path, heard) = (scratch.path("socket"), scratch.path("heard"));
    let script = format!("sh:sleep 1; cat >{0}.part; mv {0}.part {0}", heard.display());
    for listener in [format!("unix-l:{}", path.display()), "tcp-l:127.0.0.1:0".to_owned()] {
        let relay = listening(&["relay", "-v", "--one-way", &listener, &script]);
        let mut sender = connect(&relay.address(0));
        sender.write_all(b"all of it").unwrap();
        // Whose it was could not be told had it left before it was let in.
        relay.wait_stderr_line(LIMIT, |line| line.contains(" came to relay"));
        drop(sender);
        wait_until(LIMIT, "the program to have done its work", || heard.exists());
        assert_eq!(fs::read(&heard).unwrap(), b"all of it");
        fs::remove_file(&heard).unwrap();
    }
}

/// Whether all that was started is gone some seconds after `leave`, which gives the peer back if that stays.
fn gone_after<P>(kind: &Kind, options: &str, leave: impl Fn(Stream, &mut Serving) -> P) {
    let mut serving = kind.start(STUBBORN, options);
    let mut peer = connect(&serving.address);
    let numbers: Vec<String> = (0..FAMILY).map(|_| line(&mut peer)).collect();
    let _staying = leave(peer, &mut serving);
    Family::new(numbers.iter().map(String::as_str), &serving).wait_until_gone();
}

/// The processes that were started for a peer. Dropping it ends those that are still there.
struct Family<'a> {
    processes: Vec<Pid>,
    serving: &'a Serving,
}

impl<'a> Family<'a> {
    fn new<'n>(numbers: impl IntoIterator<Item = &'n str>, serving: &'a Serving) -> Self {
        let mut processes = processes(numbers);
        // Where there is no guard, the parent may be the server.
        processes.retain(|process| process.as_raw_pid() != serving.process.pid().cast_signed());
        Self { processes, serving }
    }

    fn wait_until_gone(&self) {
        let are_gone = || living(&self.processes).is_empty();
        wait_until(GONE, &format!("all of {:?} to be gone", self.processes), are_gone);
    }
}

impl Drop for Family<'_> {
    fn drop(&mut self) {
        for process in living(&self.processes).into_iter().filter(|process| self.serving.is_run_by(*process))
        {
            kill_process(process, Signal::KILL).ok();
        }
    }
}

fn processes<'n>(numbers: impl IntoIterator<Item = &'n str>) -> Vec<Pid> {
    numbers.into_iter().map(|number| Pid::from_raw(number.parse().unwrap()).unwrap()).collect()
}

fn living(processes: &[Pid]) -> Vec<Pid> {
    let is_there = |process: &Pid| Path::new(&format!("/proc/{}", process.as_raw_pid())).exists();
    processes.iter().copied().filter(is_there).collect()
}

/// The letter of proc_pid_stat(5).
fn state(process: &str) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}
