//! Commands as addresses: what `dial` and `relay` make of them, and that they never outlive sockeye.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use testkit::{LIMIT, Process, Scratch, Signal, run, wait_until};

use super::{listening, noise, shell, sockeye};

/// A daemon that nothing but SIGKILL ends: nobody's child, in a session of its own, with none of the streams it was
/// started with. It holds the pipe that is its argument for writing.
const DAEMON: &str = "
import os, signal, sys
alive = os.open(sys.argv[1], os.O_WRONLY)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for stream in range(3):
        os.close(stream)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.write(alive, b'ready\\n')
    while True:
        signal.pause()
os.read(0, 1)
";

/// The address of a command that makes such a daemon, and the pipe that it holds.
fn daemon(scratch: &Scratch) -> (String, std::path::PathBuf) {
    let (pipe, script) = (scratch.path("alive"), scratch.path("daemon.py"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    std::fs::write(&script, DAEMON).unwrap();
    (format!("exec:python3 {} {}", script.display(), pipe.display()), pipe)
}

/// Waits until the daemon is there.
fn ready(pipe: &Path) -> BufReader<File> {
    let mut pipe = BufReader::new(File::open(pipe).unwrap());
    let mut line = String::new();
    pipe.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    pipe
}

/// Waits until it is gone, within seconds.
#[track_caller]
fn assert_gone(mut pipe: BufReader<File>) {
    let asked = Instant::now();
    pipe.read_to_end(&mut Vec::new()).unwrap();
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[test]
fn what_a_command_started_ends_with_sockeye_however_that_ends() {
    for signal in [Signal::KILL, Signal::TERM, Signal::INT] {
        let scratch = Scratch::new();
        let (command, pipe) = daemon(&scratch);
        let mut dial = Process::spawn(&mut sockeye(&["dial", &command]));
        let pipe = ready(&pipe);
        dial.signal(signal);
        assert_gone(pipe);
        dial.wait(LIMIT);
    }
}

#[test]
fn what_a_command_started_ends_with_the_connection_it_was_started_for() {
    let scratch = Scratch::new();
    let (command, pipe) = daemon(&scratch);
    let server = listening(&["relay", "tcp-l:127.0.0.1:0", &command]);
    let client = TcpStream::connect(("127.0.0.1", server.port(0))).unwrap();
    let pipe = ready(&pipe);
    client.shutdown(Shutdown::Both).unwrap();
    drop(client);
    assert_gone(pipe);
}

#[test]
fn hundreds_are_served_at_once_by_a_command_each_and_nothing_is_left() {
    let server = listening(&["relay", "tcp-l:127.0.0.1:0", "exec:cat"]);
    let before = server.open_descriptors();
    let mut clients: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(("127.0.0.1", server.port(0))).unwrap()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        write!(client, "I am {number}").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, format!("I am {number}"));
    }
    wait_until(LIMIT, "descriptors to be closed", || server.open_descriptors() == before);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let children: String =
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap()).collect();
    assert_eq!(children, "", "neither a guard nor what is left of one");
}

/// Ambient capabilities outlive a change of user, unless that was root (capabilities(7)).
#[test]
fn another_user_gets_none_of_our_capabilities() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut command = std::process::Command::new(testkit::require("setpriv"));
    command.args(["--reuid=1000", "--regid=1000", "--clear-groups"]);
    command.args(["--inh-caps=+setuid,+setgid", "--ambient-caps=+setuid,+setgid", super::BINARY, "dial"]);
    command.args([
        "sh:id -u; grep -E 'Cap(Prm|Eff|Amb)' /proc/$$/status",
        "-o",
        "user=nobody",
        "-o",
        "cwd=/",
    ]);
    let exit = run(&mut command, b"", LIMIT);
    let said = String::from_utf8(exit.stdout).unwrap();
    let (user, capabilities) = said.split_once('\n').unwrap();
    assert_eq!(user, "65534");
    assert_eq!(capabilities.matches("\t0000000000000000\n").count(), 3, "{said}");
}

/// The last of all is started by the guard, which by then has closed what it does not need.
#[test]
fn one_process_too_many_is_told_as_such() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    testkit::require("prlimit");
    // Nobody else is that user.
    let user = format!("--reuid={}", 4_000_000_000 + std::process::id());
    let dial = |most: usize| {
        let mut command = std::process::Command::new(testkit::require("setpriv"));
        command.args([&user, "--clear-groups", "prlimit", &format!("--nproc={most}"), super::BINARY]);
        run(command.args(["dial", "exec:true", "-o", "cwd=/"]), b"", LIMIT)
    };
    let failed = (1..10).rev().map(dial).find(|exit| exit.code != Some(0)).unwrap();
    let said = "sockeye: cannot start exec:true: a process for it: resource temporarily unavailable\n";
    assert_eq!((failed.code, failed.stderr.as_str()), (Some(1), said));
}

#[test]
fn few_open_files_keep_peers_waiting_and_turn_none_away() {
    let words = ["--nofile=100", super::BINARY, "listen", "tcp:127.0.0.1:0", "--exec", "cat"];
    let server = testkit::Server::start(testkit::require("prlimit"), &words);
    let mut clients: Vec<TcpStream> =
        (0..30).map(|_| TcpStream::connect(("127.0.0.1", server.port(0))).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"hi").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    for client in &mut clients {
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hi");
    }
}

#[test]
fn a_command_in_a_pipeline_is_as_good_as_without_sockeye() {
    let data = noise(77);
    let exit = run(&mut sockeye(&["dial", "exec:cat"]), &data, LIMIT);
    assert!(exit.stdout == data && exit.code == Some(0) && exit.stderr.is_empty(), "{exit:?}");
    for (script, input, want) in [
        ("sockeye dial 'exec:head -n 1'", &b"one\n".repeat(100_000)[..], &b"one\n"[..]),
        ("sockeye dial exec:true", &data, b""),
        ("sockeye dial exec:yes | head -n 1", b"", b"y\n"),
        ("sockeye dial 'sh:sort | uniq -c'", b"a\na\n", b"      2 a\n"),
        ("ulimit -Sn 321; sockeye dial 'sh:ulimit -Sn'", b"", b"321\n"),
        (
            "trap '' PIPE; sockeye dial 'exec:grep SigIgn /proc/self/status'",
            b"",
            b"SigIgn:\t0000000000000000\n",
        ),
        ("sockeye dial 'exec:printenv A' -o env=A=b,c", b"", b"b,c\n"),
        ("sockeye relay 'exec:seq 3' 'exec:cat' --one-way", b"", b""),
        ("sockeye relay 'exec:seq 3' 'sh:wc -l >&2' --one-way 2>&1", b"", b"3\n"),
        ("sockeye dial 'sh:echo err >&2' 2>&1", b"", b"err\n"),
        ("sockeye dial 'sh:echo out; echo err >&2' 2>/dev/null", b"", b"out\n"),
        ("sockeye dial --send-only 'sh:sleep 0.2; cat >&2' 2>&1", b"to the end", b"to the end"),
        ("sleep 60 | { sockeye dial exec:true; kill $!; } & wait $!", b"", b""),
    ] {
        let exit = run(&mut shell(script, &[]), input, LIMIT);
        assert!(exit.stdout == want, "{script}: {exit:?}");
        assert_eq!(exit.stderr, "", "{script}");
    }
}

#[test]
fn a_failed_command_is_a_failure_that_says_how() {
    for (word, option, said) in [
        ("exec:grep x", "stderr=pass", "sockeye: exec:grep x exited with code 1\n"),
        ("sh:kill -KILL $$", "setsid=yes", "sockeye: sh:kill -KILL $$ was killed by SIGKILL\n"),
        (
            "sh:echo why >&2; exit 2",
            "stderr=log",
            "sockeye: sh:echo why >&2; exit 2: why\nsockeye: sh:echo why >&2; exit 2 exited with code 2\n",
        ),
        ("pty:sh -c 'exit 3'", "raw", "sockeye: pty:sh -c 'exit 3' exited with code 3\n"),
        (
            "exec:no-such",
            "cwd=/",
            "sockeye: cannot start exec:no-such: the program no-such: no such file or directory\n         check the spelling, and PATH; sh: runs what only a shell knows\n",
        ),
        (
            "exec:true,cwd=/",
            "cwd=/",
            "sockeye: cannot start exec:true,cwd=/: the program true,cwd=/: no such file or directory\n         the options of a command stand beside it: -o key=value\n",
        ),
        (
            "exec:true",
            "cwd=/no/such",
            "sockeye: cannot start exec:true: the folder /no/such: no such file or directory\n         cwd= names a folder that is there and that it may enter\n",
        ),
    ] {
        let exit = run(&mut sockeye(&["dial", word, "-o", option]), b"", LIMIT);
        let mut lines: Vec<_> = exit.stderr.lines().collect();
        let mut want: Vec<_> = said.lines().collect();
        // What is logged goes a way of its own, and may come later.
        lines.sort_unstable();
        want.sort_unstable();
        assert_eq!((exit.code, lines), (Some(1), want), "{word}");
    }
    let exit = run(&mut sockeye(&["dial", "exec:id", "-o", "user=no such"]), b"", LIMIT);
    let said = "sockeye: cannot connect to exec:id: there is no user or group \"no such\"\n         user= and group= take a name; a number of no user needs group= too\n";
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(2), said));
}

#[test]
fn programs_are_told_of_commands_and_for_whom_they_ran() {
    let command = "sh:cat; printf 'a\\n\\377' >&2; exit 4";
    let words = ["relay", "tcp-l:127.0.0.1:0", command, "-o", "stderr=log", "--log", "json"];
    let server = Process::spawn(&mut sockeye(&words));
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("\"event\":\"listening\""));
    let port = line.split(['"', ':']).find_map(|part| part.parse::<u16>().ok()).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let name = format!("\"peer\":\"tcp:{}\"", client.local_addr().unwrap());
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    for parts in [
        ["\"event\":\"said\"", "\"text\":\"a\"", &name],
        ["\"event\":\"said\"", "\"hex\":\"ff\"", &name],
        ["\"event\":\"exited\"", "\"code\":4", &name],
        ["\"event\":\"closed\"", "exited with code 4", &name],
    ] {
        server.wait_stderr_line(LIMIT, |line| parts.iter().all(|part| line.contains(part)));
    }
}
