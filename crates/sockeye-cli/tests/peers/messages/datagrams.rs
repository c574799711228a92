//! Datagrams: what the input of a program, and a line, becomes; and many peers at once.

use std::net::UdpSocket;

use testkit::{LIMIT, Process, Scratch, run};

use super::super::python::python_server;
use super::super::terminal::at_a_terminal;
use super::super::{listening, sockeye};
use super::{hears_many, wait_lines};

/// What tells each datagram that comes to a socket of UDP, and sends it back in capitals.
fn records_datagrams() -> (Process, String) {
    let program = "
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(('127.0.0.1', 0))
print('listening on', f'udp:127.0.0.1:{there.getsockname()[1]}', file=sys.stderr)
while True:
    part, peer = there.recvfrom(1 << 16)
    say(repr(part))
    there.sendto(part.upper(), peer)
";
    python_server(program, &[])
}

/// As [`records_datagrams`], for one connection of a Unix socket that keeps borders.
fn records_packets(path: &str) -> (Process, String) {
    let program = "
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen()
print('listening on', f'unix-seq:{sys.argv[1]}', file=sys.stderr)
conn, _ = listener.accept()
while part := conn.recv(1 << 20):
    say(repr(part))
    conn.sendall(part.upper())
say('end')
";
    python_server(program, &[path])
}

#[test]
fn the_input_of_a_program_is_one_message_and_what_comes_is_written_as_it_is() {
    let scratch = Scratch::new();
    let input = "line \n".repeat(20_000 / 6);
    for (there, address) in
        [records_datagrams(), records_packets(&scratch.path("socket").display().to_string())]
    {
        let exit = run(&mut sockeye(&["dial", &address]), input.as_bytes(), LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{address}");
        assert_eq!(String::from_utf8_lossy(&exit.stdout), input.to_uppercase(), "{address}");
        let told = format!("b'{}'\n", input.replace('\n', "\\n"));
        assert!(wait_lines(&there, 1).starts_with(&told), "{address}");
    }
}

#[test]
fn an_input_that_is_more_than_one_datagram_is_a_failure_that_names_the_limit_and_nothing_is_sent() {
    let (there, address) = records_datagrams();
    let exit = run(&mut sockeye(&["dial", &address]), &[b'x'; 70_000], LIMIT);
    let want = "sockeye: cannot read from standard input: more than 65507 bytes, which is the most of one message\n         \
                --lines sends each line as a message; tcp: and unix: carry any number of bytes\n";
    assert_eq!((exit.code, exit.stderr.as_str(), exit.stdout.len()), (Some(1), want, 0));
    let exit = run(&mut sockeye(&["dial", &address]), &[b'x'; 65_507], LIMIT);
    assert_eq!((exit.code, exit.stdout.len()), (Some(0), 65_507), "{}", exit.stderr);
    assert!(wait_lines(&there, 1).starts_with(&format!("b'{}'\n", "x".repeat(65_507))));
}

#[test]
fn with_lines_each_line_is_a_datagram_and_each_datagram_a_line() {
    let (there, address) = records_datagrams();
    let exit = run(&mut sockeye(&["dial", "--lines", &address]), b"one\n\ntwo \r\nthree", LIMIT);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "ONE\n\nTWO \nTHREE\n");
    assert_eq!(wait_lines(&there, 4), "b'one'\nb''\nb'two '\nb'three'\n");
}

#[test]
fn of_an_empty_input_there_is_no_datagram() {
    let (there, address) = records_datagrams();
    for (flags, input) in [(&[][..], ""), (&["--lines"], ""), (&[], "something")] {
        let exit = run(&mut sockeye(&[&["dial"], flags, &[&address]].concat()), input.as_bytes(), LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{flags:?} {input:?}");
    }
    assert_eq!(wait_lines(&there, 1), "b'something'\n");
}

#[test]
fn crlf_goes_into_a_datagram() {
    let (there, address) = records_datagrams();
    run(&mut sockeye(&["dial", "--crlf", "--send-only", &address]), b"M-SEARCH *\n\n", LIMIT);
    assert_eq!(wait_lines(&there, 1), "b'M-SEARCH *\\r\\n\\r\\n'\n");
}

#[test]
fn at_a_terminal_each_line_is_a_datagram_and_each_datagram_a_line() {
    let (there, address) = records_datagrams();
    let mut here = at_a_terminal(&format!("sockeye dial {address}"));
    here.write(b"hi\n");
    here.wait_stdout(LIMIT, |seen| seen == b"hi\r\nHI\r\n");
    here.write(b"\n\x04");
    let exit = here.wait(LIMIT);
    assert_eq!((&*String::from_utf8_lossy(&exit.stdout), exit.code), ("hi\r\nHI\r\n\r\n\r\n", Some(0)));
    assert_eq!(wait_lines(&there, 2), "b'hi'\nb''\n");
}

#[test]
fn who_listens_answers_with_all_of_the_input_in_one_datagram() {
    let mut here = listening(&["listen", "udp:127.0.0.1:0"]);
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    there.set_read_timeout(Some(LIMIT)).unwrap();
    there.connect(("127.0.0.1", here.port(0))).unwrap();
    there.send(b"question").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"question");
    here.write(b"two\n");
    here.write(b"lines\n");
    here.close_stdin();
    let mut answer = [0; 100];
    let length = there.recv(&mut answer).unwrap();
    assert_eq!(answer[..length], *b"two\nlines\n");
    let exit = here.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"question"[..], Some(0)), "{exit:?}");
}

#[test]
fn of_many_who_start_at_once_each_datagram_is_whole() {
    let here = hears_many(&["--lines", "udp:127.0.0.1:0"]);
    let there = ("127.0.0.1", here.port(0));
    std::thread::scope(|scope| {
        for letter in (b'a'..=b'z').chain(b'A'..=b'Z') {
            scope.spawn(move || {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                (0..3).for_each(|_| assert_eq!(socket.send_to(&[letter; 500], there).unwrap(), 500));
            });
        }
    });
    let text = wait_lines(&here, 52 * 3);
    for line in text.lines() {
        assert!(line.len() == 500 && line.bytes().all(|byte| byte == line.as_bytes()[0]), "{line}");
    }
}
