//! `check`: who answers, who does not, and the exit code that says so.

use serde_json::Value;
use testkit::{Exit, LIMIT, Process, Scratch, run};

use super::listener::LISTENERS;
use super::port::Port;
use super::python::python_server;
use super::{listening, sockeye};

#[test]
fn every_listener_answers() {
    for listener in &LISTENERS {
        let there = listener.start();
        let exit = check(&[&there.address]);
        let line = String::from_utf8_lossy(&exit.stdout);
        assert!(line.starts_with(&format!("{}  answers  ", there.address)), "{}: {exit:?}", listener.name);
        assert_eq!(
            (exit.code, exit.stderr.as_str(), line.lines().count()),
            (Some(0), "", 1),
            "{}",
            listener.name
        );
    }
}

#[test]
fn it_says_nothing_and_leaves_in_order() {
    let (mut there, address) = python_server("say(end_of(accept('tcp:127.0.0.1:0')))", &[]);
    assert_eq!(check(&[&address]).code, Some(0));
    assert_eq!(there.wait(LIMIT).stdout, b"end of file\n");
    let (mut there, address) = python_server("say(read_all(accept('tcp:127.0.0.1:0')))", &[]);
    assert_eq!(check(&[&address]).code, Some(0));
    assert_eq!(there.wait(LIMIT).stdout, b"");
}

#[test]
fn whoever_does_not_answer_is_a_failure_with_its_cause() {
    let (port, scratch) = (Port::reserve(), Scratch::new());
    let refused = format!("tcp:127.0.0.1:{}", port.number);
    let missing = format!("unix:{}", scratch.path("socket").display());
    for (address, cause) in [(&refused, "connection refused"), (&missing, "no such file or directory")] {
        let exit = check(&[address]);
        let line = String::from_utf8_lossy(&exit.stdout);
        assert!(
            line.starts_with(&format!("{address}  fails ")) && line.ends_with(&format!("  {cause}\n")),
            "{line}"
        );
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), ""));
    }
}

#[test]
fn a_queue_that_stays_full_is_a_time_limit() {
    let scratch = Scratch::new();
    for at in ["tcp:127.0.0.1:0", &format!("unix:{}", scratch.path("socket").display())] {
        let (_there, address) = full(at);
        let exit = check(&[&format!("{address},connect=300ms")]);
        assert_eq!(exit.code, Some(124), "{exit:?}");
        let line = String::from_utf8_lossy(&exit.stdout);
        assert!(line.starts_with(&address) && line.ends_with("  no answer within 300ms\n"), "{line}");
    }
}

#[test]
fn of_several_each_has_its_line_in_order_and_the_exit_code_speaks_for_all() {
    let echo = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let (_there, late) = full("tcp:127.0.0.1:0");
    let port = Port::reserve();
    let (up, late) = (echo.address(0), format!("{late},connect=200ms"));
    let down = format!("tcp:127.0.0.1:{}", port.number);
    for (words, code) in [
        (vec![&up, &up], 0),
        (vec![&up, &down, &up], 1),
        (vec![&down, &up], 1),
        (vec![&late, &up, &late], 124),
        (vec![&late, &down], 1),
        (vec![&down, &late, &up], 1),
    ] {
        let words: Vec<&str> = words.into_iter().map(String::as_str).collect();
        let exit = check(&words);
        let text = String::from_utf8_lossy(&exit.stdout);
        let first = |line: &'_ str| line.split(' ').next().unwrap_or_default().to_owned();
        let named: Vec<String> = text.lines().map(first).collect();
        let want: Vec<String> = words.iter().map(|word| word.replace(",connect=200ms", "")).collect();
        assert_eq!((named, exit.code), (want, Some(code)), "{exit:?}");
    }
}

#[test]
fn json_says_the_same_to_programs() {
    let echo = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let port = Port::reserve();
    let (up, down) = (echo.address(0), format!("tcp:127.0.0.1:{}", port.number));
    let exit = check(&["--json", &up, &down]);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), ""));
    let text = String::from_utf8(exit.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, address, answers) in [(&lines[0], &up, true), (&lines[1], &down, false)] {
        assert_eq!((line["address"].as_str(), line["answers"].as_bool()), (Some(&**address), Some(answers)));
        assert!(line["seconds"].as_f64().is_some_and(|seconds| (0.0..10.0).contains(&seconds)), "{text}");
    }
    assert_eq!((lines[0]["peer"].as_str(), lines[0].get("error")), (Some(&*up), None));
    assert_eq!(lines[1]["error"], format!("cannot connect to {down}: connection refused"));
}

fn check(words: &[&str]) -> Exit {
    run(sockeye(&["check"]).args(words), b"", LIMIT)
}

/// A server whose queue is full: whoever comes now gets no answer.
fn full(at: &str) -> (Process, String) {
    let program = "
listener = listen(sys.argv[1], 0)
address = sys.argv[1]
if address.startswith('tcp:'):
    address = f'tcp:127.0.0.1:{listener.getsockname()[1]}'
socket.setdefaulttimeout(0.2)
inside = []
try:
    while True:
        inside.append(connect(address))
except (TimeoutError, BlockingIOError):
    say('full')
wait_for_word()
";
    let (server, address) = python_server(program, &[at]);
    server.wait_stdout(LIMIT, |said| said == b"full\n");
    (server, address)
}
