//! `listen --operator`: what peers say, with a number and who says it, and answers by these numbers.

use std::io::{Read as _, Write as _};

use testkit::{LIMIT, Process, Scratch, Server, Signal, Stream, connect, read_to_end, run};

use super::client::CLIENTS;
use super::{listening, shell};

/// What stands before what was said as the message of that number.
fn shown(operator: &Server, number: usize) -> (String, String) {
    let begins = format!("{number} ");
    let find = |all: &[u8]| {
        let all = String::from_utf8(all.to_vec()).unwrap();
        let line = all.lines().find(|line| line.starts_with(&begins))?.to_owned();
        all.contains(&format!("{line}\n")).then_some(line)
    };
    let all = operator.wait_stdout(LIMIT, |all| find(all).is_some());
    let line = find(&all).unwrap();
    let (from, said) = line[begins.len()..].split_once(": ").unwrap();
    (from.to_owned(), said.to_owned())
}

fn hears(stream: &mut Stream, want: &str) {
    let mut heard = vec![0; want.len()];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), want);
}

#[test]
fn each_message_has_a_number_and_its_sender_and_is_answered_by_the_number() {
    let operator = listening(&["listen", "--operator", "tcp:127.0.0.1:0"]);
    let (mut one, mut two) = (connect(&operator.address(0)), connect(&operator.address(0)));
    let name = |stream: &Stream| match stream {
        Stream::Tcp(stream) => format!("tcp:{}", stream.local_addr().unwrap()),
        Stream::Unix(_) => unreachable!(),
    };
    one.write_all("早\r\n".as_bytes()).unwrap();
    assert_eq!(shown(&operator, 1), (name(&one), "早".to_owned()));
    two.write_all(b"hello\nare you there?\n").unwrap();
    assert_eq!(shown(&operator, 2), (name(&two), "hello".to_owned()));
    assert_eq!(shown(&operator, 3), (name(&two), "are you there?".to_owned()));
    operator.write("1 to the first\nto the last\n2 by number\n4 there is no fourth yet\n".as_bytes());
    hears(&mut one, "to the first\n");
    hears(&mut two, "to the last\nby number\n4 there is no fourth yet\n");
    one.write_all(b"now there is\n").unwrap();
    assert_eq!(shown(&operator, 4).0, name(&one));
    operator.write(b"4 thanks\n");
    hears(&mut one, "thanks\n");
}

#[test]
fn every_client_is_shown_and_answered() {
    let scratch = Scratch::new();
    let path = format!("unix:{}", scratch.path("socket").display());
    for at in ["tcp:[::1]:0", &path] {
        let operator = listening(&["listen", "--operator", at]);
        let clients = CLIENTS.iter().filter(|client| client.is_transparent);
        for (number, client) in (1..).zip(clients) {
            let (mut command, _) = client.connect(&operator.address(0)).unwrap();
            let there = Process::spawn(&mut command);
            there.write(format!("I am {}\n", client.name).as_bytes());
            assert_eq!(shown(&operator, number).1, format!("I am {}", client.name));
            operator.write(format!("{number} I see, {}\n", client.name).as_bytes());
            let want = format!("I see, {}\n", client.name);
            there.wait_stdout(LIMIT, |came| came == want.as_bytes());
        }
    }
}

#[test]
fn what_is_said_is_one_line_that_a_terminal_only_shows() {
    let operator = listening(&["listen", "--operator", "tcp:127.0.0.1:0,frame=nul"]);
    let mut peer = connect(&operator.address(0));
    peer.write_all(b"\x1b[2Ja\n9 tcp:127.0.0.1:1: forged\r\xff\0").unwrap();
    assert_eq!(shown(&operator, 1).1, r"\x1b[2Ja\n9 tcp:127.0.0.1:1: forged\r\xff");
}

#[test]
fn who_cannot_be_answered_is_told_and_it_goes_on() {
    let operator = listening(&["listen", "--operator", "tcp:127.0.0.1:0"]);
    operator.write(b"anybody?\n");
    operator.wait_stderr_line(LIMIT, |line| line == "sockeye: nobody has said anything yet");
    let mut first = connect(&operator.address(0));
    first.write_all(b"bye\n").unwrap();
    let (name, _) = shown(&operator, 1);
    first.shutdown_write();
    drop(first);
    // Nobody can know that it has left before something is sent to it.
    let gone = format!("sockeye: {name} has left");
    let is_told = || operator.stderr().lines().any(|line| line == gone);
    testkit::wait_until(LIMIT, "word that it has left", || {
        operator.write(b"1 still there?\n");
        is_told()
    });
    let mut second = connect(&operator.address(0));
    second.write_all("many\n".repeat(1001).as_bytes()).unwrap();
    assert_eq!(shown(&operator, 1002).1, "many");
    operator.write(b"2 too late\n3 in time\n");
    operator.wait_stderr_line(LIMIT, |line| line == "sockeye: message 2 is too long ago to be answered");
    hears(&mut second, "in time\n");
}

#[test]
fn without_input_it_shows_on_and_one_interrupt_ends_it_well() {
    let mut operator = listening(&["listen", "--operator", "tcp:127.0.0.1:0"]);
    operator.write(b"an end without a line feed");
    operator.close_stdin();
    operator.wait_stderr_line(LIMIT, |line| line == "sockeye: nobody has said anything yet");
    let mut peer = connect(&operator.address(0));
    peer.write_all(b"hello\n").unwrap();
    assert_eq!(shown(&operator, 1).1, "hello");
    operator.signal(Signal::TERM);
    assert_eq!(read_to_end(&mut peer), b"");
    drop(peer);
    let exit = operator.wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn a_line_that_is_too_long_ends_the_input_alone() {
    let operator = listening(&["listen", "--operator", "tcp:127.0.0.1:0"]);
    operator.write(&[b'x'; 70_000]);
    operator.wait_stderr_line(LIMIT, |line| {
        line.ends_with("a line of more than 64 KiB: no more answers are read")
    });
    connect(&operator.address(0)).write_all(b"hello\n").unwrap();
    assert_eq!(shown(&operator, 1).1, "hello");
}

#[test]
fn a_closed_standard_output_is_success() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let script =
        "sockeye listen --operator \"unix:$1\" | head -n 1 & until [ -S \"$1\" ]; do sleep 0.01; done
        while echo one; do :; done | nc.openbsd -N -U \"$1\"; wait $!; echo $?";
    let exit = run(&mut shell(script, &[&path]), b"", LIMIT);
    let output = String::from_utf8(exit.stdout).unwrap();
    assert_eq!(
        output.lines().map(|line| line.rsplit(' ').next().unwrap()).collect::<Vec<_>>(),
        ["one", "0"],
        "{}",
        exit.stderr
    );
}
