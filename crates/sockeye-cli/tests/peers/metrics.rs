//! `--metrics` against a parser of the format, and against clients that ask for something else.

use std::process::Command;

use testkit::{LIMIT, Scratch, Signal, connect, exchange, run, wait_until};

use super::{listening, shell};

/// Debian's own Python has Debian's parser.
const PYTHON: &str = "/usr/bin/python3";

/// Prints each sample: its name, what its labels say in the order of their names, and its value.
const PARSE: &str = "import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    for sample in family.samples:
        print(sample.name, *(value for _, value in sorted(sample.labels.items())), int(sample.value), sep='|')";

/// What is answered to these bytes.
fn ask(address: &str, bytes: &[u8]) -> String {
    String::from_utf8(exchange(&mut connect(address), bytes)).unwrap()
}

fn samples(address: &str) -> Vec<String> {
    let answer = ask(address, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    let parsed = run(Command::new(PYTHON).args(["-c", PARSE]), body.as_bytes(), LIMIT);
    assert_eq!(parsed.code, Some(0), "{parsed:?}");
    String::from_utf8(parsed.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn what_is_counted_is_exact_and_a_parser_of_the_format_takes_it() {
    let scratch = Scratch::new();
    let path = format!("unix:{}", scratch.path("a \"b\\").display());
    let server = listening(&[
        "serve",
        "--metrics",
        "tcp:127.0.0.1:0",
        "hello",
        "tcp:127.0.0.1:0",
        &path,
        "upper",
        "udp:127.0.0.1:0",
    ]);
    let (metrics, hello, udp) = (server.address(0), server.address(1), server.address(3));
    for name in ["mike", "ann"] {
        exchange(&mut connect(&hello), name.as_bytes());
    }
    let mut inside = connect(&server.address(2));
    let sent = run(&mut shell("sockeye dial \"$1\"", &[&udp]), b"hi", LIMIT);
    assert_eq!(sent.stdout, b"HI");
    let has = |wanted: String| samples(&metrics).contains(&wanted);
    wait_until(LIMIT, "the end of both", || has(format!("sockeye_connections_open|{hello}|hello|0")));
    wait_until(LIMIT, "the third", || has(format!("sockeye_connections_open|{}|hello|1", server.address(2))));
    let all = samples(&metrics);
    for (name, listener, service, value) in [
        ("connections_accepted_total", &hello, "hello", 2),
        ("connections_failed_total", &hello, "hello", 0),
        ("received_bytes_total", &hello, "hello", 7),
        ("sent_bytes_total", &hello, "hello", 2 * 5 + 2 * 7 + 7),
        ("received_messages_total", &udp, "upper", 1),
        ("sent_bytes_total", &udp, "upper", 2),
        ("accept_failures_total", &udp, "upper", 0),
    ] {
        let wanted = format!("sockeye_{name}|{listener}|{service}|{value}");
        assert!(all.contains(&wanted), "{wanted} is not in {all:#?}");
    }
    for name in [
        "process_cpu_seconds_total",
        "process_start_time_seconds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "sockeye_events_lost_total",
    ] {
        assert!(
            all.iter().any(|sample| sample.starts_with(&format!("{name}|"))),
            "{name} is not in {all:#?}"
        );
    }
    assert!(!all.iter().any(|sample| sample.contains(&metrics)), "the metrics count themselves");
    drop(exchange(&mut inside, b""));
}

#[test]
fn whoever_asks_for_something_else_is_told_so() {
    let mut server = listening(&["serve", "--metrics", "tcp:127.0.0.1:0", "echo", "tcp:127.0.0.1:0"]);
    let metrics = server.address(0);
    let long = [&b"GET /metrics HTTP/1.1\r\nCookie: "[..], &[b'x'; 9000]].concat();
    for (asked, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (b"hello\r\n\r\n", "400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\n", "400 Bad Request"),
        (&long, "400 Bad Request"),
    ] {
        let answer = ask(&metrics, asked);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.lines().any(|line| line.starts_with("Date: ") && line.ends_with(" GMT")), "{answer}");
    }
    let head = ask(&metrics, b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(ask(&metrics, b""), "");

    // Those who ask are answered as long as anybody is inside.
    let mut inside = connect(&server.address(1));
    wait_until(LIMIT, "the guest", || {
        samples(&metrics).iter().any(|one| one.contains("_open|") && one.ends_with("|echo|1"))
    });
    server.signal(Signal::TERM);
    server.wait_stderr_line(LIMIT, |line| line.contains("takes nobody new"));
    assert!(!samples(&metrics).is_empty());
    assert_eq!(exchange(&mut inside, b"bye"), b"bye");
    assert_eq!(server.wait(LIMIT).code, Some(0));
}

#[test]
fn metrics_go_over_bytes_alone() {
    let exit = run(&mut shell("sockeye serve --metrics udp:0 echo tcp:0", &[]), b"", LIMIT);
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.starts_with("sockeye: --metrics udp-l:0: HTTP goes over bytes"), "{exit:?}");
    assert!(
        exit.stderr.ends_with("\n         name a TCP port or a Unix socket: --metrics tcp:9100\n"),
        "{exit:?}"
    );
}
