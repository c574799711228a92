//! `dial` to what people listen with: both ways at once, the end of each way, and how it ends when the other breaks
//! off.

use testkit::{LIMIT, Process, Signal, run};

use super::listener::{LISTENERS, on_port};
use super::port::Port;
use super::python::python_server;
use super::{listening, noise, shell, sockeye};

#[test]
fn a_mebibyte_goes_each_way_at_the_same_time_unchanged() {
    let (ours, theirs) = (noise(1), noise(2));
    for listener in &LISTENERS {
        let mut there = listener.start();
        let mut here = Process::spawn(&mut sockeye(&["dial", &there.address]));
        here.write(&ours);
        there.process.write(&theirs);
        // Most of them end with the first end of file, whatever is still under way.
        let came = here.wait_stdout(LIMIT, |came| came.len() >= theirs.len());
        let arrived = there.process.wait_stdout(LIMIT, |arrived| arrived.len() >= ours.len());
        assert!(came == theirs && arrived == ours, "changed on the way, with {}", listener.name);
        here.close_stdin();
        there.process.close_stdin();
        let (here, there) = (here.wait(LIMIT), there.process.wait(LIMIT));
        assert_eq!(
            (here.code, here.stderr.as_str(), there.code),
            (Some(0), "", Some(0)),
            "{}",
            listener.name
        );
        assert_eq!((here.stdout.len(), there.stdout.len()), (theirs.len(), ours.len()), "{}", listener.name);
    }
}

#[test]
fn what_we_send_after_the_end_of_the_listener_still_arrives() {
    for listener in &LISTENERS {
        let mut there = listener.start();
        let mut here = Process::spawn(&mut sockeye(&["dial", &there.address]));
        there.process.write(b"all of it");
        there.process.close_stdin();
        assert_eq!(here.wait_stdout_end(LIMIT), b"all of it", "{}", listener.name);
        here.write(b"and ");
        there.process.wait_stdout(LIMIT, |arrived| arrived == b"and ");
        here.write(b"more");
        here.close_stdin();
        assert_eq!(here.wait(LIMIT).code, Some(0), "{}", listener.name);
        assert_eq!(there.process.wait(LIMIT).stdout, b"and more", "{}", listener.name);
    }
}

#[test]
fn an_answer_that_is_made_of_all_we_sent_arrives() {
    let data = noise(3);
    let sum = run(&mut shell("sha256sum", &[]), &data, LIMIT).stdout;
    // ncat --exec, and nc with a named pipe, stop listening to the command once we end.
    let there = on_port("socat -t 10 TCP4-LISTEN:PORT,bind=127.0.0.1,reuseaddr EXEC:sha256sum");
    let exit = run(&mut sockeye(&["dial", &there.address]), &data, LIMIT);
    assert_eq!((&exit.stdout, exit.code), (&sum, Some(0)), "{exit:?}");
}

#[test]
fn an_answer_that_comes_five_seconds_after_our_end_of_file_arrives_whole() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
data = read_all(conn)
time.sleep(5)
conn.sendall(data[::-1])
";
    let (_there, address) = python_server(program, &[]);
    let mut data = noise(4);
    let exit = run(&mut sockeye(&["dial", &address]), &data, 2 * LIMIT);
    data.reverse();
    assert!(exit.stdout == data, "{} bytes came", exit.stdout.len());
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
}

#[test]
fn wait_ends_what_the_server_never_ends() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(conn.recv(100) + b' and answer')
wait_for_word()
";
    let (_there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", "--wait", "300ms", &address]));
    here.write(b"question");
    here.wait_stdout(LIMIT, |came| came == b"question and answer");
    here.close_stdin();
    let exit = here.wait(LIMIT);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
}

#[test]
fn wait_begins_with_the_end_of_our_input() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
while part := conn.recv(100):
    time.sleep(0.1)
    conn.sendall(part)
wait_for_word()
";
    let (_there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", "--wait", "1ms", &address]));
    for lines in 1..=2 {
        here.write(b"line\n");
        here.wait_stdout(LIMIT, |came| came.len() == 5 * lines);
    }
    here.close_stdin();
    assert_eq!(here.wait(LIMIT).code, Some(0));
}

#[test]
fn send_only_drops_what_comes_holds_nobody_up_and_ends_with_our_input() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(bytes(32 << 20))
say('sent')
say(read_all(conn))
wait_for_word()
";
    let (there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", "--send-only", &address]));
    there.wait_stdout(LIMIT, |said| said == b"sent\n");
    here.write(b"all we have");
    here.close_stdin();
    let exit = here.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b""[..], Some(0)), "{exit:?}");
    there.wait_stdout(LIMIT, |said| said == b"sent\nall we have");
}

#[test]
fn recv_only_leaves_standard_input_to_others_and_ends_with_the_server() {
    let (_there, address) = python_server("accept('tcp:127.0.0.1:0').sendall(b'from the server, ')", &[]);
    let exit = run(&mut shell("sockeye dial --recv-only $1; cat", &[&address]), b"and from here", LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "from the server, and from here", "{exit:?}");
}

#[test]
fn crlf_sends_every_line_end_as_carriage_return_and_line_feed() {
    let (mut there, address) = python_server("say(read_all(accept('tcp:127.0.0.1:0')))", &[]);
    let exit = run(&mut sockeye(&["dial", "--crlf", &address]), b"one\ntwo\r\n\nthree", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(there.wait(LIMIT).stdout, b"one\r\ntwo\r\n\r\nthree");
}

#[test]
fn a_reader_of_our_output_who_has_enough_is_success() {
    let server = listening(&["serve", "chargen", "tcp:127.0.0.1:0"]);
    let exit = run(&mut shell("sockeye dial $1 | head -1", &[&server.address(0)]), b"", LIMIT);
    assert_eq!((exit.stdout.len(), exit.code, exit.stderr.as_str()), (74, Some(0), ""), "{exit:?}");
}

#[test]
fn verbose_says_where_we_are_connected() {
    let server = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let exit = run(&mut sockeye(&["dial", "-v", &server.address(0)]), b"hi", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"hi"[..], Some(0)), "{exit:?}");
    let line = format!("sockeye: connected to {}", server.address(0));
    assert_eq!(exit.stderr.lines().next(), Some(line.as_str()));
}

#[test]
fn a_server_that_breaks_off_is_a_failure_of_two_lines_and_what_came_is_kept() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.sendall(b'half of')
wait_for_word()
reset(conn)
";
    let (there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", &address]));
    here.wait_stdout(LIMIT, |came| came == b"half of");
    there.write(b"go on\n");
    let exit = here.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"half of"[..], Some(1)), "{exit:?}");
    assert!(exit.stderr.starts_with(&format!("sockeye: cannot read from {address}: ")), "{exit:?}");
    assert!(exit.stderr.lines().count() <= 2, "{exit:?}");
}

#[test]
fn a_server_that_is_killed_before_it_read_all_is_a_failure_of_two_lines() {
    let program = "
conn = accept('tcp:127.0.0.1:0')
conn.recv(1, socket.MSG_PEEK)
say('it is here')
wait_for_word()
";
    let (mut there, address) = python_server(program, &[]);
    let mut here = Process::spawn(&mut sockeye(&["dial", &address]));
    here.write(b"unread");
    there.wait_stdout(LIMIT, |said| said == b"it is here\n");
    there.signal(Signal::KILL);
    let exit = here.wait(LIMIT);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!((1..=2).contains(&exit.stderr.lines().count()), "{exit:?}");
}

#[test]
fn nobody_there_is_a_failure_of_two_lines() {
    let port = Port::reserve();
    let address = format!("tcp:127.0.0.1:{}", port.number);
    let exit = run(&mut sockeye(&["dial", &address]), b"", LIMIT);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.stderr.starts_with(&format!("sockeye: cannot connect to {address}: connection refused\n")));
    assert_eq!(exit.stderr.lines().count(), 2, "{exit:?}");
}

#[test]
fn an_interrupt_ends_a_conversation_with_130() {
    for signal in [Signal::INT, Signal::TERM] {
        let (there, address) = python_server("join(accept('tcp:127.0.0.1:0'))", &[]);
        let mut here = Process::spawn(&mut sockeye(&["dial", &address]));
        there.write(b"hi");
        here.wait_stdout(LIMIT, |came| came == b"hi");
        here.signal(signal);
        assert_eq!(here.wait(LIMIT).code, Some(130), "{signal:?}");
    }
}
