//! How a relay ends: each end of file, a break on one side, nobody on the other side, and limits.

use std::io::Write as _;

use testkit::{LIMIT, Signal, connect, exchange, read_to_end, wait_until};

use super::port::Port;
use super::python::{python, python_server};
use super::{listening, noise};

#[test]
fn the_end_of_each_side_is_passed_on_and_the_other_may_go_on() {
    let (mut right, address) = python_server("join(accept('tcp:127.0.0.1:0'))", &[]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &address]);
    let mut left = connect(&relay.address(0));
    left.write_all(b"question").unwrap();
    left.shutdown_write();
    assert_eq!(right.wait_stdout_end(LIMIT), b"question");
    right.write(b"answer");
    right.close_stdin();
    assert_eq!(read_to_end(&mut left), b"answer");
    assert_eq!(right.wait(LIMIT).code, Some(0));

    let (mut right, address) = python_server("join(accept('tcp:127.0.0.1:0'))", &[]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &address]);
    let mut left = connect(&relay.address(0));
    right.write(b"question");
    right.close_stdin();
    assert_eq!(read_to_end(&mut left), b"question");
    left.write_all(b"answer").unwrap();
    left.shutdown_write();
    assert_eq!(right.wait(LIMIT).stdout, b"answer");
}

#[test]
fn a_break_on_one_side_is_a_break_on_the_other() {
    // Each side: what it is, and who breaks off.
    let breaks = "
conn = OPEN
conn.sendall(b'half of')
wait_for_word()
reset(conn)
";
    let hears = "
conn = OPEN
say(conn.recv(100))
say(end_of(conn))
";
    for breaker in ["left", "right"] {
        let [left, right] = if breaker == "left" { [breaks, hears] } else { [hears, breaks] };
        let (right, address) = python_server(&right.replace("OPEN", "accept('tcp:127.0.0.1:0')"), &[]);
        let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &address]);
        let left = python(&left.replace("OPEN", "connect(sys.argv[1])"), &[&relay.address(0)]);
        let (rude, mut patient) = if breaker == "left" { (left, right) } else { (right, left) };
        patient.wait_stdout(LIMIT, |said| said == b"half of");
        rude.write(b"go on\n");
        let exit = patient.wait(LIMIT);
        assert_eq!(String::from_utf8_lossy(&exit.stdout), "half ofreset\n", "the {breaker} side broke off");
    }
}

#[test]
fn nobody_on_the_other_side_is_told_in_one_line_and_does_not_end_the_relay() {
    let port = Port::reserve();
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &format!("tcp:127.0.0.1:{}", port.number)]);
    let program = "
try:
    say(end_of(connect(sys.argv[1])))
except ConnectionResetError:
    say('reset')
";
    let exit = python(program, &[&relay.address(0)]).wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "reset\n", "{exit:?}");
    let line = relay.wait_stderr_line(LIMIT, |line| line.contains("cannot connect to"));
    assert!(line.contains(&format!("tcp:127.0.0.1:{}: connection refused", port.number)), "{line}");

    // Now somebody is there.
    port.listen();
    let mut left = connect(&relay.address(0));
    left.write_all(b"hi").unwrap();
    wait_until(LIMIT, "the second connection to be led on", || port.has_visitor());
    assert_eq!(relay.stderr().lines().count(), 2, "{relay:?}");
}

#[test]
fn with_eof_close_the_end_of_one_side_ends_both_once_what_it_said_is_passed_on() {
    let data = noise(12);
    let program = "
conn = accept('tcp:127.0.0.1:0')
say(read_all(conn))
wait_for_word()
";
    let (right, address) = python_server(program, &[]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0,eof=close", &address]);
    // The server never ends, and does not have to.
    assert_eq!(exchange(&mut connect(&relay.address(0)), &data), b"");
    assert!(right.wait_stdout(LIMIT, |came| came.len() >= data.len()) == data, "changed on the way");
}

#[test]
fn with_eof_ignore_the_end_of_one_side_is_not_passed_on() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
say(conn.recv(100))
conn.settimeout(0.3)
try:
    say(conn.recv(100))
except TimeoutError:
    conn.sendall(b'not told')
";
    let (mut right, address) = python_server(program, &[]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0,eof=ignore", &address]);
    assert_eq!(exchange(&mut connect(&relay.address(0)), b"all of it"), b"not told");
    assert_eq!(right.wait(LIMIT).stdout, b"all of it");
}

#[test]
fn with_idle_a_pair_that_says_nothing_is_broken_off_on_both_sides() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(conn.recv(100))
say(end_of(conn))
";
    for idle_side in 0..2 {
        let (mut right, address) = python_server(program, &[]);
        let mut words = ["tcp-l:127.0.0.1:0".to_owned(), address];
        words[idle_side].push_str(",idle=1s");
        let relay = listening(&["relay", "-v", &words[0], &words[1]]);
        let program = "
conn = connect(sys.argv[1])
conn.sendall(b'hi')
say(conn.recv(100))
say(end_of(conn))
";
        let exit = python(program, &[&relay.address(0)]).wait(LIMIT);
        assert_eq!(String::from_utf8_lossy(&exit.stdout), "hireset\n", "{words:?}");
        assert_eq!(right.wait(LIMIT).stdout, b"reset\n", "{words:?}");
        let line = relay.wait_stderr_line(LIMIT, |line| line.contains("idle"));
        assert!(line.contains("idle for 1s"), "{line}");
    }
}

#[test]
fn a_relay_that_is_told_to_stop_lets_those_inside_finish() {
    let (mut right, address) = python_server("join(accept('tcp:127.0.0.1:0'))", &[]);
    let mut relay = listening(&["relay", "tcp-l:127.0.0.1:0", &address]);
    let mut left = connect(&relay.address(0));
    left.write_all(b"before").unwrap();
    right.wait_stdout(LIMIT, |came| came == b"before");
    relay.signal(Signal::TERM);
    relay.wait_stderr_line(LIMIT, |line| line.contains("takes nobody new"));
    left.write_all(b" and after").unwrap();
    left.shutdown_write();
    assert_eq!(right.wait_stdout_end(LIMIT), b"before and after");
    right.close_stdin();
    assert_eq!(read_to_end(&mut left), b"");
    assert_eq!(relay.wait(LIMIT).code, Some(0));
}
