//! `dial` and `listen` with peers that carry messages: what of standard input is one, and how those that come are
//! written.

mod chunks;
mod datagrams;

use std::io::Write as _;

use testkit::{LIMIT, Process, Server, connect, read_to_end, run};

use super::python::python_server;
use super::terminal::at_a_terminal;
use super::{listening, shell, sockeye};

/// A server of one client that tells each message that comes, and sends it back in capitals.
fn records() -> (Process, String) {
    let program = "
conn = accept('tcp:127.0.0.1:0')
while part := conn.recv(1 << 20):
    say(repr(part))
    conn.sendall(part.upper())
say('end')
";
    let (there, address) = python_server(program, &[]);
    (there, format!("{address},frame=burst"))
}

/// Waits until so many lines have come.
#[track_caller]
fn wait_lines(process: &Process, count: usize) -> String {
    let seen = process.wait_stdout(LIMIT, |seen| seen.iter().filter(|byte| **byte == b'\n').count() >= count);
    String::from_utf8(seen).unwrap()
}

#[test]
fn with_a_frame_each_line_is_a_message_without_its_end_and_each_message_that_comes_a_line() {
    for flags in [&[][..], &["--lines"]] {
        let (mut there, address) = records();
        let mut here = Process::spawn(&mut sockeye(&[&["dial"], flags, &[&address]].concat()));
        for (sent, count) in [("one\n", 1), ("two \r\n", 2), ("grüße", 3)] {
            here.write(sent.as_bytes());
            if count == 3 {
                here.close_stdin();
            }
            wait_lines(&there, count);
            wait_lines(&here, count);
        }
        let exit = here.wait(LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{flags:?}");
        assert_eq!(String::from_utf8_lossy(&exit.stdout), "ONE\nTWO \nGRüßE\n", "{flags:?}");
        let want = "b'one'\nb'two '\nb'gr\\xc3\\xbc\\xc3\\x9fe'\nend\n";
        assert_eq!(String::from_utf8_lossy(&there.wait(LIMIT).stdout), want, "{flags:?}");
    }
}

#[test]
fn with_raw_what_comes_is_written_as_it_is() {
    let (_there, address) = records();
    let exit = run(&mut sockeye(&["dial", "--raw", &address]), b"one\n", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"ONE"[..], Some(0)), "{exit:?}");
}

#[test]
fn empty_input_sends_nothing() {
    for flags in [&[][..], &["--lines"]] {
        let (mut there, address) = records();
        let exit = run(&mut sockeye(&[&["dial"], flags, &[&address]].concat()), b"", LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{flags:?}");
        assert_eq!(there.wait(LIMIT).stdout, b"end\n", "{flags:?}");
    }
}

#[test]
fn a_line_that_is_too_long_is_a_failure_that_names_it_and_the_limit() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
say(conn.recv(1 << 20))
say(end_of(conn))
";
    let (mut there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", &format!("{address},frame=burst")]));
    here.write(b"first\n");
    there.wait_stdout(LIMIT, |said| said == b"first");
    here.write(&vec![b'x'; (16 << 20) + 1]);
    let exit = here.wait(LIMIT);
    let want = "sockeye: cannot read from standard input: line 2 has more than 16777216 bytes, which is the most of \
                one message\n         send it in shorter lines\n";
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), want));
    assert_eq!(there.wait(LIMIT).stdout, b"firstreset\n");
}

#[test]
fn a_message_that_its_frame_cannot_carry_is_told_and_the_others_go() {
    let (mut there, address) = records();
    let mut here = Process::spawn(&mut sockeye(&["dial", &address]));
    // What comes together would be one burst.
    for (sent, count, answer) in [("one\n", 1, "ONE\n"), ("\ntwo\n", 2, "TWO\n")] {
        here.write(sent.as_bytes());
        wait_lines(&there, count);
        here.wait_stdout(LIMIT, |output| output.ends_with(answer.as_bytes()));
    }
    here.close_stdin();
    let exit = here.wait(LIMIT);
    let at = address.trim_end_matches(",frame=burst");
    let told = format!(
        "a message from standard input did not go to {at}: an empty message cannot go as frame=burst"
    );
    assert_eq!((exit.code, exit.stderr.lines().next()), (Some(1), Some(&*format!("sockeye: {told}"))));
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "ONE\nTWO\n");
    assert_eq!(there.wait(LIMIT).stdout, b"b'one'\nb'two'\nend\n");
}

#[test]
fn at_a_terminal_a_message_is_a_line_that_is_safe() {
    let program = r"
conn = accept('tcp:127.0.0.1:0')
for answer in [b'\x1b[2J', b'two\r', b'\xff\xe2\x82']:
    say(repr(conn.recv(100)))
    conn.sendall(answer)
";
    let (there, address) = python_server(program, &[]);
    let mut here = at_a_terminal(&format!("sockeye dial {address},frame=burst"));
    for count in 1..=3 {
        here.write(b"hi\n");
        wait_lines(&here, 2 * count);
    }
    assert_eq!(wait_lines(&there, 3), "b'hi'\n".repeat(3));
    let exit = here.wait(LIMIT);
    let want = "hi\r\n\\x1b[2J\r\nhi\r\ntwo\r\r\nhi\r\n\\xff\\xe2\\x82\r\n";
    assert_eq!((&*String::from_utf8_lossy(&exit.stdout), exit.code), (want, Some(0)));
}

#[test]
fn who_listens_reads_and_writes_messages_as_who_dials_does() {
    let mut here = listening(&["listen", "tcp:127.0.0.1:0,frame=burst"]);
    let mut there = connect(&here.address(0));
    there.write_all(b"question").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"question\n");
    here.write(b"two \r\nlines");
    here.close_stdin();
    assert_eq!(read_to_end(&mut there), b"two lines");
    there.shutdown_write();
    assert_eq!(here.wait(LIMIT).code, Some(0));
}

#[test]
fn with_keep_messages_of_one_peer_after_another_are_lines() {
    let mut here = listening(&["listen", "--keep", "tcp:127.0.0.1:0,frame=burst"]);
    here.close_stdin();
    for (said, seen) in [("one", "one\n"), ("two\n", "one\ntwo\n")] {
        let mut there = connect(&here.address(0));
        there.write_all(said.as_bytes()).unwrap();
        there.shutdown_write();
        assert_eq!(read_to_end(&mut there), b"");
        here.wait_stdout(LIMIT, |came| came == seen.as_bytes());
    }
}

fn hears_many(flags: &[&str]) -> Server {
    listening(&[&["listen", "--keep", "--recv-only"], flags].concat())
}

#[test]
fn with_keep_and_recv_only_many_are_heard_at_once() {
    let here = hears_many(&["tcp:127.0.0.1:0,frame=burst"]);
    let mut silent = connect(&here.address(0));
    silent.write_all(b"I am here").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"I am here\n");
    let mut other = connect(&here.address(0));
    other.write_all(b"so am I").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"I am here\nso am I\n");
    silent.write_all(b"I still am").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"I am here\nso am I\nI still am\n");
}

#[test]
fn no_message_of_many_is_mixed_with_another() {
    let here = hears_many(&["tcp:127.0.0.1:0,frame=burst"]);
    let mut peers: Vec<_> = (0..20).map(|_| connect(&here.address(0))).collect();
    std::thread::scope(|scope| {
        for (letter, peer) in (b'a'..).zip(&mut peers) {
            scope.spawn(move || (0..10).for_each(|_| peer.write_all(&[letter; 20_000]).unwrap()));
        }
    });
    let letters = |text: &[u8]| text.iter().filter(|byte| **byte != b'\n').count();
    let text = here.wait_stdout(LIMIT, |text| letters(text) == 20 * 10 * 20_000 && text.ends_with(b"\n"));
    for line in text.split(|byte| *byte == b'\n') {
        assert!(line.iter().all(|byte| *byte == line[0]), "two peers in one line");
    }
}

#[test]
fn many_are_as_many_as_max_conns_says() {
    let here = hears_many(&["tcp:127.0.0.1:0,frame=burst,max-conns=1"]);
    let mut first = connect(&here.address(0));
    first.write_all(b"first").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"first\n");
    connect(&here.address(0)).write_all(b"second").unwrap();
    first.write_all(b"again").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"first\nagain\n");
    drop(first);
    here.wait_stdout(LIMIT, |came| came == b"first\nagain\nsecond\n");
}

#[test]
fn whoever_reads_what_many_say_and_has_enough_ends_us_with_success() {
    let script = "sockeye listen --keep --recv-only tcp:127.0.0.1:0,frame=burst | head -1";
    let mut here = Process::spawn(&mut shell(script, &[]));
    let line = here.wait_stderr_line(LIMIT, |line| line.contains(" on tcp:"));
    let address = line.split(" on ").nth(1).unwrap();
    let (_silent, mut there) = (connect(address), connect(address));
    while there.write_all(b"line\n").is_ok() {}
    let exit = here.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"line\n"[..], Some(0)), "{exit:?}");
    assert_eq!(exit.stderr.lines().count(), 1, "{exit:?}");
}

#[test]
fn an_output_that_takes_no_more_is_a_failure_however_many_are_inside() {
    for flags in ["--recv-only", ""] {
        let script = format!("sockeye listen --keep {flags} tcp:127.0.0.1:0,frame=burst >/dev/full");
        let mut here = Process::spawn(&mut shell(&script, &[]));
        let line = here.wait_stderr_line(LIMIT, |line| line.contains(" on tcp:"));
        connect(line.split(" on ").nth(1).unwrap()).write_all(b"hi").unwrap();
        let exit = here.wait(LIMIT);
        let said = "sockeye: cannot write to standard output: no space left on device";
        assert_eq!((exit.code, exit.stderr.lines().nth(1)), (Some(1), Some(said)), "{flags}: {exit:?}");
    }
}
