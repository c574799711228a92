//! Standard output and standard error that nobody reads, or that are full. A closed standard output is success:
//! whoever read it had enough.

use std::fs::OpenOptions;
use std::io::{Write, pipe};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, kill_process};
use testkit::{LIMIT, Scratch, Signal, connect, exchange, wait_until};

use super::{BINARY, command, listening};

/// Starts `sockeye` without any input, and with these for its standard output and standard error.
#[track_caller]
fn start(words: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Running {
    let mut command = command(words);
    let command = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    Running(command.spawn().expect("it starts"))
}

/// A child that ends with the test.
struct Running(Child);

impl Running {
    /// The code with which it ends.
    #[track_caller]
    fn code(mut self) -> Option<i32> {
        let mut status = None;
        wait_until(LIMIT, "the end of the program", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A pipe whose other end is closed.
fn closed() -> Stdio {
    let (_, writing) = pipe().unwrap();
    writing.into()
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_closed_standard_output_is_success() {
    let chargen = listening(&["serve", "chargen", "tcp:127.0.0.1:0"]);
    let chargen = chargen.address(0);
    for words in [
        &["--help"][..],
        &["--version"],
        &["help", "address"],
        &["relay", "--help"],
        &["serve", "--plan"],
        &["check", &chargen],
        &["check", "--json", &chargen],
        &["dial", &chargen],
        &["dial", "--recv-only", &chargen],
        &["relay", &chargen, "-"],
    ] {
        assert_eq!(start(words, closed(), Stdio::null()).code(), Some(0), "{words:?}");
    }
}

#[test]
fn a_check_that_failed_fails_whoever_reads_it() {
    assert_eq!(start(&["check", "unix:/nonexistent"], closed(), Stdio::null()).code(), Some(1));
}

#[test]
fn a_listener_whose_output_is_closed_ends_with_success() {
    for keep in [&[][..], &["--keep"]] {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let address = format!("unix:{}", path.display());
        let listener = start(&[&["listen"], keep, &[&address]].concat(), closed(), Stdio::null());
        // It cannot tell that it is ready, but then the kernel answers.
        let mut peer = None;
        wait_until(LIMIT, "an answer", || {
            peer = UnixStream::connect(&path).ok();
            peer.is_some()
        });
        peer.unwrap().write_all(b"for nobody").unwrap();
        assert_eq!(listener.code(), Some(0), "{keep:?}");
    }
}

#[test]
fn a_standard_output_that_cannot_take_more_is_a_failure() {
    let chargen = listening(&["serve", "chargen", "tcp:127.0.0.1:0"]);
    let chargen = chargen.address(0);
    for (words, said) in [
        (&["--help"][..], "sockeye: cannot write to standard output: no space left on device\n"),
        (&["check", &chargen], "sockeye: cannot write to standard output: no space left on device\n"),
        (&["dial", &chargen], "sockeye: cannot write to standard output: no space left on device\n"),
    ] {
        let (mut reading, stderr) = pipe().unwrap();
        assert_eq!(start(words, full(), stderr).code(), Some(1), "{words:?}");
        assert_eq!(std::io::read_to_string(&mut reading).unwrap(), said, "{words:?}");
    }
}

#[test]
fn without_a_standard_error_the_code_still_says_how_it_ended() {
    let echo = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let echo = echo.address(0);
    for (words, wanted) in [
        (&[][..], 2),
        (&["frobnicate"], 2),
        (&["dial", "tpc:localhost:1"], 2),
        (&["dial", "unix:/nonexistent"], 1),
        (&["dial", "-v", &echo], 0),
        (&["dial", "--log", "json", &echo], 0),
    ] {
        assert_eq!(start(words, Stdio::null(), closed()).code(), Some(wanted), "{words:?}, closed");
        assert_eq!(start(words, Stdio::null(), full()).code(), Some(wanted), "{words:?}, full");
    }
}

#[test]
fn a_server_whose_standard_error_is_gone_serves_on() {
    for stderr in [closed(), full()] {
        let scratch = Scratch::new();
        let path = scratch.path("socket");
        let address = format!("unix:{}", path.display());
        let server = start(&["serve", "-v", "--show", "echo", &address], Stdio::null(), stderr);
        wait_until(LIMIT, "an answer", || UnixStream::connect(&path).is_ok());
        for said in [b"one", b"two"] {
            assert_eq!(exchange(&mut connect(&address), said), said);
        }
        kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
        assert_eq!(server.code(), Some(0));
    }
}

#[test]
fn a_standard_error_that_nobody_reads_holds_nobody_up() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let (unread, stderr) = pipe().unwrap();
    let words = ["serve", "-v", "--show", "echo", &format!("unix:{}", path.display())];
    let server = start(&words, Stdio::null(), stderr);
    wait_until(LIMIT, "an answer", || UnixStream::connect(&path).is_ok());
    // Each is told twice, which is more than a pipe holds.
    let said = [b'x'; 4096];
    for _ in 0..40 {
        assert_eq!(exchange(&mut connect(words[4]), &said), said);
    }
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    assert_eq!(server.code(), Some(0));
    drop(unread);
}

/// Started without descriptors 0, 1 and 2, a program must not take a socket for one of them.
#[test]
fn without_the_three_standard_descriptors_nothing_is_mixed_up() {
    let echo = listening(&["serve", "-v", "echo", "tcp:127.0.0.1:0"]);
    for (closing, wanted) in [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" dial -v \"$1\" {closing}"), BINARY, &echo.address(0)]);
        let exit = testkit::run(&mut shell, b"", LIMIT);
        assert_eq!((exit.code, exit.stdout.as_slice()), (Some(wanted), &b""[..]), "{closing}: {exit:?}");
    }
    wait_until(LIMIT, "four guests to leave", || echo.stderr().matches(", 0 B in, 0 B out").count() == 4);
}
