//! `dial` and `listen` for somebody who sits at a terminal, which script(1) provides.

use std::path::Path;
use std::process::Command;

use testkit::{LIMIT, Process, Scratch, connect, exchange, require};

use super::python::python_server;
use super::{BINARY, listening};

/// `commands` in a shell at a terminal; what is written to the process is typed there. `sockeye` is the binary.
pub(super) fn at_a_terminal(commands: &str) -> Process {
    let folder = Path::new(BINARY).parent().unwrap().display();
    let commands = format!("PATH={folder}:$PATH; {commands}");
    Process::spawn(Command::new(require("script")).args(["-q", "-e", "-c", &commands, "/dev/null"]))
}

/// A server of one client, that says `bytes` and ends its side, then reads to the end and prints what came.
fn says(bytes: &str) -> (Process, String) {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(eval(sys.argv[1]))
conn.shutdown(socket.SHUT_WR)
say(read_all(conn))
";
    python_server(program, &[bytes])
}

#[test]
fn the_end_of_the_peer_ends_the_conversation() {
    let (mut there, address) = says("b'bye'");
    let mut here = at_a_terminal(&format!("sockeye dial {address}"));
    let exit = here.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"bye"[..], Some(0)), "{exit:?}");
    assert_eq!(there.wait(LIMIT).stdout, b"");
}

#[test]
fn with_eof_half_we_may_type_on_after_the_end_of_the_peer() {
    let (mut there, address) = says("b'bye'");
    let mut here = at_a_terminal(&format!("sockeye dial {address},eof=half"));
    here.wait_stdout(LIMIT, |came| came.ends_with(b"bye"));
    here.write(b"one more thing\n\x04");
    assert_eq!(there.wait(LIMIT).stdout, b"one more thing\n");
    assert_eq!(here.wait(LIMIT).code, Some(0));
}

#[test]
fn the_end_that_is_typed_is_passed_on_and_the_answer_comes() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(read_all(conn).upper())
";
    let (_there, address) = python_server(program, &[]);
    let mut here = at_a_terminal(&format!("sockeye dial {address}"));
    here.write(b"question\n\x04");
    let exit = here.wait(LIMIT);
    // The terminal shows what is typed.
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "question\r\nQUESTION\r\n");
    assert_eq!(exit.code, Some(0));
}

#[test]
fn what_could_command_the_terminal_is_shown_and_not_done() {
    for command in ["sockeye dial ADDRESS", ": | sockeye dial ADDRESS"] {
        let (_there, address) = says(r"b'\x1b[31mred\x07 gr\xc3\xbc\xc3\x9fe\r\n\xff\x9b\tend'");
        let exit = at_a_terminal(&command.replace("ADDRESS", &address)).wait(LIMIT);
        // The terminal itself writes CR LF for the line feed.
        let want = "\\x1b[31mred\\x07 grüße\r\r\n\\xff\\x9b\tend";
        assert_eq!((&*String::from_utf8_lossy(&exit.stdout), exit.code), (want, Some(0)), "{command}");
    }
}

#[test]
fn with_raw_and_through_a_pipe_it_comes_as_it_is() {
    for command in ["sockeye dial --raw ADDRESS", "sockeye dial ADDRESS | cat"] {
        let (_there, address) = says(r"b'\x1b[31mred\x07\xff'");
        let exit = at_a_terminal(&command.replace("ADDRESS", &address)).wait(LIMIT);
        assert_eq!((exit.stdout.as_slice(), exit.code), (&b"\x1b[31mred\x07\xff"[..], Some(0)), "{command}");
    }
}

#[test]
fn an_interrupt_from_the_keyboard_ends_with_130() {
    let server = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let mut here = at_a_terminal(&format!("sockeye dial {}", server.address(0)));
    here.write(b"hi\n");
    here.wait_stdout(LIMIT, |came| came == b"hi\r\nhi\r\n");
    here.write(b"\x03");
    assert_eq!(here.wait(LIMIT).code, Some(130));
}

#[test]
fn who_listens_at_a_terminal_is_as_safe_from_whoever_comes() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let mut here = at_a_terminal(&format!("sockeye listen unix:{}", path.display()));
    // What is said to people comes to the terminal too.
    here.wait_stdout(LIMIT, |seen| seen.ends_with(b"\n"));
    let answer = exchange(&mut connect(&format!("unix:{}", path.display())), b"\x1b[2J");
    let exit = here.wait(LIMIT);
    let want = format!("sockeye: listening on unix:{}\r\n\\x1b[2J", path.display());
    assert_eq!((&*String::from_utf8_lossy(&exit.stdout), exit.code), (want.as_str(), Some(0)));
    assert_eq!(answer, b"");
}

#[test]
fn the_terminal_is_left_as_it_was_found() {
    let (_there, address) = says("b'--'");
    let show = "stty -a; grep flags /proc/self/fdinfo/[012]";
    let mut here = at_a_terminal(&format!("{show}; sockeye dial {address}; {show}"));
    let exit = here.wait(LIMIT);
    let text = String::from_utf8(exit.stdout).unwrap();
    let (before, after) = text.split_once("--").unwrap();
    assert!(before.lines().count() > 3, "{text}");
    assert_eq!(before, after);
}
