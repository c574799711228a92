//! What systemd does for its services, by its own tools and by a listener that plays its part.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;

use testkit::{LIMIT, Process, Scratch, Signal, Stream, connect, exchange, python, require, run};

use super::{BINARY, sockeye};

/// `sockeye` with `words`, on sockets that systemd-socket-activate makes: as many as there are `sockets`.
fn activated(sockets: &[&str], names: &str, kind: &[&str], words: &[&str]) -> Process {
    let mut command = Command::new(require("systemd-socket-activate"));
    command.args(kind).arg(format!("--fdname={names}"));
    sockets.iter().for_each(|socket| {
        command.args(["-l", socket]);
    });
    Process::spawn(command.arg(BINARY).args(words))
}

#[test]
fn sockets_that_were_handed_down_are_taken_by_the_addresses_that_they_have() {
    let scratch = Scratch::new();
    let [path, other] = ["socket", "other"].map(|name| scratch.path(name).display().to_string());
    let words = ["serve", "upper", &format!("unix:{path}")];
    let mut server = activated(&[&path, &other], "a:b", &[], &words);
    // The first who comes starts it.
    server.wait_stderr_line(LIMIT, |line| line.starts_with("Listening on ") && line.contains("other"));
    let mut first = connect(&format!("unix:{path}"));
    server.wait_stderr_line(LIMIT, |line| line == format!("sockeye: upper on unix:{path}"));
    let unused = format!("sockeye: no address takes descriptor 4 (b, unix:{other}), which was handed down");
    server.wait_stderr_line(LIMIT, |line| line == unused);
    assert_eq!(exchange(&mut first, b"hi"), b"HI");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(LIMIT).code, Some(0));
    // Whoever made the path removes it.
    assert!(Path::new(&path).exists());
}

/// Hands down a socket for both families, on a port that the kernel chose, and one at the path that is its first word.
const HAND_DOWN: &str = "import os, socket, sys
inet = socket.create_server(('::', 0), family=socket.AF_INET6, dualstack_ipv6=True)
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
for number, sock in ((13, inet), (14, unix)):
    os.dup2(sock.fileno(), number)
for number in (3, 4):
    os.dup2(number + 10, number)
    os.set_inheritable(number, True)
    os.close(number + 10)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='web:x')
os.execv(sys.argv[2], sys.argv[2:])";

#[test]
fn a_socket_can_be_taken_by_its_number_or_name_and_one_for_both_families_tells_true_addresses() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let words = [&path, BINARY, "serve", "-v", "upper", "fd-l:web", "hello", "fd-l:4"];
    let server = Process::spawn(&mut python(HAND_DOWN, &words));
    let ready = server.wait_stderr_line(LIMIT, |line| line.starts_with("sockeye: upper on tcp:[::]:"));
    assert_eq!(exchange(&mut connect(&format!("unix:{path}")), b""), b"Hello");
    let port = ready.rsplit(':').next().unwrap().to_owned();
    for (host, from) in [("127.0.0.1", "tcp:127.0.0.1:"), ("[::1]", "tcp:[::1]:")] {
        assert_eq!(exchange(&mut connect(&format!("tcp:{host}:{port}")), b"hi"), b"HI");
        server.wait_stderr_line(LIMIT, |line| line.contains(from) && line.ends_with(" came to upper"));
    }
}

#[test]
fn a_socket_without_a_name_leaves_the_others_theirs() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let named = HAND_DOWN.replace("web:x", ":x");
    let words = [&path, BINARY, "serve", "upper", "fd-l:x", "hello", "fd-l:unknown"];
    let server = Process::spawn(&mut python(&named, &words));
    server.wait_stderr_line(LIMIT, |line| line.starts_with("sockeye: hello on tcp:[::]:"));
    assert_eq!(exchange(&mut connect(&format!("unix:{path}")), b"hi"), b"HI");
}

#[test]
fn messages_and_datagrams_are_taken_too() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    for (kind, scheme) in [("--seqpacket", "unix-seq"), ("--datagram", "unix-dgram")] {
        let address = format!("{scheme}:{path}");
        let server = activated(&[&path], "a", &[kind], &["serve", "upper", &address]);
        server.wait_stderr_line(LIMIT, |line| line.starts_with("Listening on "));
        let exit = run(&mut sockeye(&["dial", &address]), b"hi", LIMIT);
        assert_eq!((exit.code, &exit.stdout[..]), (Some(0), &b"HI"[..]), "{scheme}: {exit:?}");
        assert!(Path::new(&path).exists());
        drop(server);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn whoever_started_us_hears_when_we_are_ready_alive_anew_and_stopping() {
    let scratch = Scratch::new();
    let path = scratch.path("ear").display().to_string();
    let name = format!("sockeye-ear-{}", std::process::id());
    for (variable, ear) in [
        (path.clone(), UnixDatagram::bind(&path).unwrap()),
        (
            format!("@{name}"),
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
        ),
    ] {
        ear.set_read_timeout(Some(LIMIT)).unwrap();
        let mut command = sockeye(&["serve", "echo", "tcp:127.0.0.1:0"]);
        let mut server =
            Process::spawn(command.env("NOTIFY_SOCKET", &variable).env("WATCHDOG_USEC", "100000"));
        hear(&ear, |word| word == "READY=1");
        for _ in 0..3 {
            hear(&ear, |word| word.starts_with("STATUS=0 open, ") && word.ends_with("\nWATCHDOG=1"));
        }
        server.signal(Signal::HUP);
        let reloading = hear(&ear, |word| word.starts_with("RELOADING=1\n"));
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().is_ok_and(|micros| micros > 0), "{reloading}");
        hear(&ear, |word| word == "READY=1");
        let line = server.wait_stderr_line(LIMIT, |line| line.contains("echo on "));
        let mut inside = connect(line.strip_prefix("sockeye: echo on ").unwrap());
        hear(&ear, |word| word.starts_with("STATUS=1 open, 1 accepted, 0 failed"));
        server.signal(Signal::TERM);
        hear(&ear, |word| word == "STOPPING=1");
        assert_eq!(exchange(&mut inside, b"bye"), b"bye");
        assert_eq!(server.wait(LIMIT).code, Some(0));
    }
}

#[test]
fn once_it_says_that_it_is_anew_its_log_is_however_much_it_was_asked_to_tell_before() {
    let scratch = Scratch::new();
    let [path, log, old] = ["ear", "log", "log.1"].map(|name| scratch.path(name));
    let ear = UnixDatagram::bind(&path).unwrap();
    ear.set_read_timeout(Some(LIMIT)).unwrap();
    let words = ["serve", "--log", &format!("file:{}", log.display()), "echo", "tcp:127.0.0.1:0"];
    let mut server = Process::spawn(sockeye(&words).env("NOTIFY_SOCKET", &path));
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("echo on "));
    let address = line.strip_prefix("sockeye: echo on ").unwrap();
    let mut inside: Vec<Stream> = (0..700).map(|_| connect(address)).collect();
    assert_eq!(exchange(&mut inside[699], b"last"), b"last");
    hear(&ear, |word| word == "READY=1");
    for _ in 0..3 {
        fs::rename(&log, &old).unwrap();
        server.signal(Signal::USR1);
        server.signal(Signal::USR1);
        server.signal(Signal::HUP);
        hear(&ear, |word| word.starts_with("RELOADING=1\n"));
        hear(&ear, |word| word == "READY=1");
        assert!(log.exists());
    }
    server.signal(Signal::TERM);
    drop(inside);
    assert_eq!(server.wait(LIMIT).code, Some(0));
}

/// Waits for a word for which `wanted` holds.
fn hear(ear: &UnixDatagram, wanted: impl Fn(&str) -> bool) -> String {
    let mut buffer = [0; 4096];
    loop {
        let heard = ear.recv(&mut buffer).expect("a word in time");
        let word = String::from_utf8(buffer[..heard].to_vec()).unwrap();
        if wanted(&word) {
            return word;
        }
    }
}

#[test]
fn what_our_parent_meant_for_us_reaches_no_program_that_we_run() {
    let scratch = Scratch::new();
    let ear = scratch.path("ear").display().to_string();
    let words = [BINARY, &ear];
    let script = "export LISTEN_PID=$$ LISTEN_FDS=0 LISTEN_FDNAMES= LISTEN_PIDFDID=7 WATCHDOG_PID=$$ \
                  WATCHDOG_USEC=9000000 NOTIFY_SOCKET=\"$1\" LEFT=1; exec \"$0\" dial --recv-only exec:env";
    let exit = run(Command::new("sh").args(["-c", script]).args(words), b"", LIMIT);
    let text = String::from_utf8(exit.stdout.clone()).unwrap();
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{exit:?}");
    assert!(text.lines().any(|line| line == "LEFT=1"), "{text}");
    let meant_for_us = ["LISTEN_", "WATCHDOG_", "NOTIFY_"];
    let left = text.lines().filter(|line| meant_for_us.iter().any(|name| line.starts_with(name)));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<&str>::new(), "{text}");
}

#[test]
fn what_is_meant_for_another_process_is_left_alone_and_nonsense_is_refused() {
    let mut command = sockeye(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let mut server = Process::spawn(command.envs([("LISTEN_PID", "1"), ("LISTEN_FDS", "3")]));
    let line = server.wait_stderr_line(LIMIT, |line| line.contains(" on "));
    assert!(matches!(connect(line.strip_prefix("sockeye: echo on ").unwrap()), Stream::Tcp(_)));
    server.signal(Signal::TERM);
    server.wait(LIMIT);
    // The shell's number stays that of what it becomes.
    let script = "LISTEN_PID=$$ LISTEN_FDS=x exec \"$0\" serve echo tcp:0";
    let exit = run(Command::new("sh").args(["-c", script, BINARY]), b"", LIMIT);
    assert_eq!((exit.code, &exit.stdout[..]), (Some(1), &b""[..]), "{exit:?}");
    assert_eq!(exit.stderr, "sockeye: cannot start: LISTEN_FDS=x: not a count of descriptors\n");
}

#[test]
fn the_units_that_are_shipped_are_sound() {
    let scratch = Scratch::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/systemd");
    for unit in ["sockeye.service", "sockeye.socket"] {
        let text = fs::read_to_string(folder.join(unit)).unwrap();
        fs::write(scratch.path(unit), text.replace("/usr/local/bin/sockeye", BINARY)).unwrap();
    }
    let units = ["sockeye.service", "sockeye.socket"].map(|unit| scratch.path(unit));
    // The manual is installed beside them, not here.
    let words = ["verify", "--man=no"];
    let exit = run(Command::new(require("systemd-analyze")).args(words).args(units), b"", LIMIT);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{exit:?}");
    // The command line of the service is understood.
    let text = fs::read_to_string(folder.join("sockeye.service")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/sockeye ")).unwrap();
    let words: Vec<&str> = line.split(' ').chain(["--plan"]).collect();
    let exit = run(&mut sockeye(&words), b"", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}
