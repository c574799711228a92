//! How programs stop that were told to: a server drains at the first interrupt, hurries at the second, and ends at the
//! third.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{LIMIT, Process, Scratch, Server, Signal, Stream, connect, exchange, read_to_end, wait_until};

use super::{command, listening, wait_for_newcomer};

const SIGNALS: [Signal; 2] = [Signal::INT, Signal::TERM];

#[test]
fn a_server_with_nobody_inside_ends_at_once() {
    for signal in SIGNALS {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let mut server = listening(&["serve", "echo", "tcp:0", &format!("unix:{}", path.display())]);
        let ready: Vec<String> =
            (0..3).map(|n| format!("sockeye: echo on {}\n", server.address(n))).collect();
        server.signal(signal);
        let exit = server.wait(LIMIT);
        assert_eq!(exit.code, Some(0), "{signal:?}: {exit:?}");
        assert_eq!(exit.stderr, ready.concat(), "{signal:?}");
        assert_path_is_free(&path);
    }
}

#[test]
fn the_first_interrupt_refuses_newcomers_and_serves_those_inside_to_their_end() {
    for signal in SIGNALS {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let mut server =
            listening(&["serve", "echo", "tcp:127.0.0.1:0", &format!("unix:{}", path.display())]);
        let mut guests = [0, 1].map(|n| inside(&server.address(n)));
        let tcp = server.address(0);
        server.signal(signal);
        wait_until_draining(&server, 2);

        let newcomer = TcpStream::connect(tcp.strip_prefix("tcp:").unwrap());
        assert_eq!(newcomer.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_path_is_free(&path);

        for guest in &mut guests {
            assert_eq!(exchange(guest, b"still here"), b"still here");
        }
        let exit = server.wait(LIMIT);
        assert_eq!(exit.code, Some(0), "{signal:?}: {exit:?}");
        let told = "sockeye: echo: takes nobody new, 1 still inside; interrupt again to hurry them\n";
        assert_eq!(exit.stderr.matches(told).count(), 2, "{exit:?}");
        assert_eq!(exit.stderr.lines().count(), 4, "{exit:?}");
    }
}

#[test]
fn a_relay_drains_too() {
    let scratch = Scratch::new();
    let [front, back] = ["front", "back"].map(|name| scratch.path(name));
    let echo = listening(&["serve", "echo", &format!("unix:{}", back.display())]);
    let mut relay = listening(&["relay", &format!("unix-l:{}", front.display()), &echo.address(0)]);
    let mut guest = inside(&relay.address(0));
    relay.signal(Signal::TERM);
    wait_until_draining(&relay, 1);
    assert_path_is_free(&front);
    assert_eq!(exchange(&mut guest, b"still here"), b"still here");
    let exit = relay.wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn the_second_interrupt_ends_those_who_are_idle() {
    for (first, second) in [(Signal::INT, Signal::INT), (Signal::TERM, Signal::INT)] {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let mut server =
            listening(&["serve", "echo", "tcp:127.0.0.1:0", "upper", &format!("unix:{}", path.display())]);
        let mut guests = [0, 1].map(|n| inside(&server.address(n)));
        server.signal(first);
        wait_until_draining(&server, 2);
        server.signal(second);
        for guest in &mut guests {
            assert_eq!(read_to_end(guest), b"");
        }
        let exit = server.wait(LIMIT);
        assert_eq!((exit.code, exit.stderr.lines().count()), (Some(130), 4), "{exit:?}");
        assert_path_is_free(&path);
    }
}

#[test]
fn the_third_interrupt_ends_at_once_whoever_is_inside() {
    let mut server = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let guest = inside(&server.address(0));
    clog(&guest);
    server.signal(Signal::INT);
    wait_until_draining(&server, 1);
    let begin = Instant::now();
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    let exit = server.wait(LIMIT);
    assert_eq!(exit.code, Some(130), "{exit:?}");
    // Who does not end in a hurry is given two seconds, unless there is a third interrupt.
    assert!(begin.elapsed() < Duration::from_millis(1900), "it took {:?}", begin.elapsed());
}

#[test]
fn a_drain_that_runs_out_of_its_limit_is_told() {
    for log in ["text", "json"] {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let address = format!("unix:{},drain=500ms", path.display());
        let mut server = Process::spawn(&mut command(&["serve", "--log", log, "echo", &address]));
        server.wait_stderr_line(LIMIT, |line| line.contains(" on ") || line.contains("listening"));
        let mut silent = inside(&format!("unix:{}", path.display()));
        let begin = Instant::now();
        server.signal(Signal::TERM);
        assert_eq!(read_to_end(&mut silent), b"");
        let exit = server.wait(LIMIT);
        assert!(begin.elapsed() >= Duration::from_millis(500), "it took {:?} only", begin.elapsed());
        assert_eq!(exit.code, Some(124), "{exit:?}");
        let told = exit.stderr.lines().find(|line| line.contains("drain"));
        let told = told.unwrap_or_else(|| panic!("{exit:?}"));
        if log == "json" {
            let event: Value = serde_json::from_str(told).unwrap();
            assert_eq!((&event["event"], &event["open"]), (&"drain-limit".into(), &1.into()), "{event}");
        } else {
            assert_eq!(told, "sockeye: the drain limit ran out with 1 still inside; drain= sets it");
        }
        assert_path_is_free(&path);
    }
}

#[test]
fn a_server_for_one_connection_ends_with_it_and_takes_no_second() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let mut server = listening(&["serve", "echo", &format!("unix:{},once", path.display())]);
    let mut guest = inside(&server.address(0));
    wait_until(LIMIT, "the path to go", || !path.exists());
    assert_path_is_free(&path);
    assert_eq!(exchange(&mut guest, b"alone"), b"alone");
    let exit = server.wait(LIMIT);
    assert_eq!((exit.code, exit.stderr.lines().count()), (Some(0), 1), "{exit:?}");
}

#[test]
fn what_is_interrupted_before_it_is_done_exits_with_130() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let peer = UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display());
    for words in [&["dial", &address][..], &["relay", "-", &address]] {
        for signal in SIGNALS {
            let mut process = Process::spawn(&mut command(words));
            wait_for_newcomer(&peer);
            let accepted = peer.accept().unwrap();
            process.signal(signal);
            let exit = process.wait(LIMIT);
            assert_eq!((exit.code, exit.stderr.as_str()), (Some(130), ""), "{words:?}: {exit:?}");
            drop(accepted);
        }
    }
    let path = scratch.path("listener");
    let mut process = listening(&["listen", "--keep", &format!("unix:{}", path.display())]);
    process.signal(Signal::TERM);
    let exit = process.wait(LIMIT);
    assert_eq!((exit.code, exit.stderr.lines().count()), (Some(130), 1), "{exit:?}");
    assert_path_is_free(&path);
}

/// A listener that is full takes the next one in once there is room, and nobody after the interrupt.
#[test]
fn who_waited_outside_a_full_house_is_not_let_in_after_the_interrupt() {
    let mut server = listening(&["serve", "echo", "tcp:127.0.0.1:0,max-conns=1"]);
    let mut first = inside(&server.address(0));
    let mut waiting = connect(&server.address(0));
    waiting.write_all(b"me too").unwrap();
    server.signal(Signal::INT);
    wait_until_draining(&server, 1);
    let answered = waiting.read(&mut [0; 16]);
    assert!(answered.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset), "{answered:?}");
    assert_eq!(exchange(&mut first, b"last words"), b"last words");
    assert_eq!(server.wait(LIMIT).code, Some(0));
}

/// A connection that the server has accepted and answered.
fn inside(address: &str) -> Stream {
    let mut stream = connect(address);
    stream.write_all(b"1").unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"1");
    stream
}

fn wait_until_draining(server: &Server, listeners: usize) {
    let told = || server.stderr().matches(": takes nobody new, ").count();
    wait_until(LIMIT, "the word that nobody new is taken", || told() == listeners);
}

/// Sends to an echo without ever reading, until both directions are full.
fn clog(guest: &Stream) {
    let Stream::Tcp(stream) = guest else { panic!("not TCP") };
    stream.set_nonblocking(true).unwrap();
    let mut stream = stream;
    let mut stuck = 0;
    wait_until(LIMIT, "both directions to be full", || {
        match stream.write(&[b'x'; 64 * 1024]) {
            Ok(_) => stuck = 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => stuck += 1,
            Err(error) => panic!("{error}"),
        }
        stuck > 20
    });
}

fn assert_path_is_free(path: &Path) {
    assert!(!path.exists(), "{} is still there", path.display());
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    assert!(!Path::new(&lock).exists(), "{} is still there", Path::new(&lock).display());
}
