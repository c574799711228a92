//! `--chunks` and `--hex`: what comes, piece by piece.

use std::io::Write as _;
use std::net::TcpStream;

use testkit::{LIMIT, Process, connect, run};

use super::super::python::python_server;
use super::super::{listening, sockeye};
use super::{hears_many, records, wait_lines};

/// A chunk's line without its time, which is checked to look like one.
#[track_caller]
fn without_time(line: &str) -> &str {
    let (time, rest) = line.split_at(12);
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "00:00:00.000", "{line}");
    rest
}

#[test]
fn chunks_say_who_sent_what_an_open_socket_heard_of_others() {
    let program = "
there, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
for each in there, other:
    each.bind(('127.0.0.1', 0))
print('listening on', f'udp:127.0.0.1:{there.getsockname()[1]}', file=sys.stderr)
_, peer = there.recvfrom(100)
there.sendto(b'mine', peer)
other.sendto(b'another', peer)
say(other.getsockname()[1])
";
    let (there, address) = python_server(program, &[]);
    let exit = run(&mut sockeye(&["dial", "--chunks", &format!("{address},open")]), b"hi", LIMIT);
    let text = String::from_utf8(exit.stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(without_time).collect();
    let other = wait_lines(&there, 1);
    let want = format!("        7 B from udp:127.0.0.1:{}: another", other.trim_end());
    assert_eq!(lines, ["        4 B: mine", want.as_str()]);
}

#[test]
fn chunks_are_a_line_for_each_message() {
    let (_there, address) = records();
    let mut here = Process::spawn(&mut sockeye(&["dial", "--chunks", &address]));
    for (count, sent) in ["one\n", "\x1b[2J\t!\n"].iter().enumerate() {
        here.write(sent.as_bytes());
        wait_lines(&here, count + 1);
    }
    here.close_stdin();
    let text = String::from_utf8(here.wait(LIMIT).stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(without_time).collect();
    assert_eq!(lines, ["        3 B: ONE", "        6 B: \\x1b[2J\\t!"]);
}

#[test]
fn chunks_of_bytes_are_a_line_for_each_read() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(bytes(5))
wait_for_word()
conn.sendall(b'x' * 12)
";
    let (there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", "--chunks", &address]));
    wait_lines(&here, 1);
    there.write(b"go on\n");
    here.close_stdin();
    let text = String::from_utf8(here.wait(LIMIT).stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(without_time).collect();
    assert_eq!(lines, ["        5 B: \\x00\\x00\\x00\\x00\\x00", "       12 B: xxxxxxxxxxxx"]);
}

#[test]
fn hex_dumps_what_comes_to_whoever_dials_or_listens() {
    let (_there, address) = records();
    let dialled = run(&mut sockeye(&["dial", "--hex", &address]), b"\x01hello\xff", LIMIT);
    let mut here = listening(&["listen", "--hex", "--chunks", "--recv-only", "tcp:127.0.0.1:0"]);
    let mut there = connect(&here.address(0));
    there.write_all(b"\x01HELLO\xff").unwrap();
    there.shutdown_write();
    for exit in [dialled, here.wait(LIMIT)] {
        let text = String::from_utf8(exit.stdout).unwrap();
        let (head, dump) = text.split_once('\n').unwrap();
        assert_eq!((without_time(head), exit.code), ("        7 B", Some(0)), "{text}");
        assert_eq!(dump, "00000000  01 48 45 4c 4c 4f ff                              .HELLO.\n");
    }
}

#[test]
fn chunks_of_many_say_from_whom() {
    let here = hears_many(&["--chunks", "tcp:127.0.0.1:0,frame=burst"]);
    let mut there = TcpStream::connect(("127.0.0.1", here.port(0))).unwrap();
    there.write_all(b"hi").unwrap();
    let line = wait_lines(&here, 1);
    assert_eq!(without_time(&line), format!("        2 B from tcp:{}: hi\n", there.local_addr().unwrap()));
}
