//! `sockeye serve` alone: all services on their own ports, each with a line to type.

use std::time::Duration;

use testkit::{Exit, LIMIT, Process, python, run};

use super::namespace::Namespace;
use super::{ADDRESS_TAKEN, assert_refused};

/// Those that only answer, each with its scheme and port.
const SERVICES: [(&str, &str, u16); 10] = [
    ("echo", "tcp", 7700),
    ("discard", "tcp", 7701),
    ("chargen", "tcp", 7702),
    ("daytime", "tcp", 7703),
    ("upper", "tcp", 7704),
    ("hello", "tcp", 7705),
    ("reply", "tcp", 7706),
    ("time32", "tcp", 7707),
    ("time", "tcp", 7708),
    ("ntp", "udp", 7710),
];

/// A `sockeye serve` that has said everything that it says at the start.
fn serving(namespace: &Namespace) -> Process {
    let server = Process::spawn(&mut namespace.command(&["sockeye", "serve"]));
    server.wait_stderr_line(LIMIT, |line| line.starts_with("Ctrl-C ends"));
    server
}

#[test]
fn every_service_listens_on_its_port_in_both_families() {
    let namespace = Namespace::new();
    let server = serving(&namespace);
    let mut addresses = Vec::new();
    for (service, scheme, port) in SERVICES {
        for host in ["127.0.0.1", "[::1]"] {
            let address = format!("{scheme}:{host}:{port}");
            let ready = format!("sockeye: {service} on {address}");
            server.wait_stderr_line(LIMIT, |line| line == ready);
            // Nothing is known of who has no handshake.
            addresses.extend((scheme == "tcp").then_some(address));
        }
    }
    let words = ["sockeye", "check"].into_iter().chain(addresses.iter().map(String::as_str));
    let exit = run(&mut namespace.command(&words.collect::<Vec<_>>()), b"", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(String::from_utf8_lossy(&exit.stdout).matches("  answers  ").count(), 18, "{exit:?}");
}

#[test]
fn each_line_of_the_table_works_as_it_is_typed() {
    let namespace = Namespace::new();
    let server = serving(&namespace);
    let rows = table(&server.stderr());
    let named: Vec<&str> = rows.iter().map(|(service, _, _)| service.as_str()).collect();
    assert_eq!(named, SERVICES.map(|(service, ..)| service));
    for (service, port, line) in rows {
        assert!(line.contains(&port), "{service} is on {port}, and not in: {line}");
        let conversation = match service.as_str() {
            "hello" => &[("Hello", "mike\n"), ("Hello,mike!\r\n", "exit\n")][..],
            _ => &[],
        };
        let exit = type_in(&namespace, &line, conversation);
        let output = String::from_utf8(exit.stdout.clone()).unwrap().replace("\r\n", "\n");
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{line}: {exit:?}");
        match service.as_str() {
            "echo" => assert_eq!(output, "hi\n", "{line}"),
            "discard" => assert_eq!(output, "", "{line}"),
            "chargen" => {
                assert_eq!(output.lines().count(), 10, "{line}: {output}");
                assert!(output.starts_with(" !\"#$%&'()*+,-./0123456789"), "{line}: {output}");
            }
            "daytime" => assert!(output.ends_with('\n') && output.contains(", 20"), "{line}: {output}"),
            "upper" => assert_eq!(output, "HI\n", "{line}"),
            // The terminal echoes what is typed.
            "hello" => assert!(output.ends_with("Hello,mike!\nexit\n"), "{line}: {output}"),
            "reply" => assert_eq!(output, "Hello, client!", "{line}"),
            "time32" => assert!(output.starts_with("20") && output.lines().count() == 1, "{line}: {output}"),
            "time" => assert_eq!(output.trim_end().len(), 5, "{line}: {output}"),
            "ntp" => assert!(output.starts_with("server ") && output.contains("offset"), "{line}: {output}"),
            other => panic!("what should {other} say?"),
        }
    }
    let told = server.stderr();
    let (_, more) =
        told.split_once("Ctrl-C ends. serve --help says how to put them on other addresses.\n").unwrap();
    // Whether somebody keeps the clock here is another matter.
    let of_clock = "sockeye: ntp: as far as the kernel knows, nobody keeps the clock of this machine\n";
    assert!(more.is_empty() || more.starts_with(of_clock) && more.lines().count() == 2, "{more}");
}

#[test]
fn the_table_names_the_program_as_it_was_called() {
    let namespace = Namespace::new();
    let server = Process::spawn(&mut namespace.command(&["../bin/sockeye", "serve"]));
    server.wait_stderr_line(LIMIT, |line| line.starts_with("Ctrl-C ends"));
    let rows = table(&server.stderr());
    let (_, _, line) = rows.iter().find(|(service, _, _)| service == "upper").unwrap();
    assert_eq!(line, "echo hi | ../bin/sockeye dial tcp:localhost:7704");
    assert_eq!(type_in(&namespace, line, &[]).stdout, b"HI\r\n");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let namespace = Namespace::new();
    let _first = serving(&namespace);
    assert_refused(
        &run(&mut namespace.command(&["sockeye", "serve"]), b"", LIMIT),
        1,
        &["sockeye: cannot listen on tcp-l:7700: address already in use", ADDRESS_TAKEN],
    );
}

/// A port in the middle: nothing is told of those before it, for they are not served.
#[test]
fn one_port_that_is_taken_keeps_all_services_from_starting() {
    let namespace = Namespace::new();
    let other = Process::spawn(&mut namespace.command(&["sockeye", "serve", "echo", "tcp:[::1]:7703"]));
    other.wait_stderr_line(LIMIT, |line| line == "sockeye: echo on tcp:[::1]:7703");
    assert_refused(
        &run(&mut namespace.command(&["sockeye", "serve"]), b"", LIMIT),
        1,
        &["sockeye: cannot listen on tcp-l:7703: address already in use", ADDRESS_TAKEN],
    );
}

/// The rows of the table: service, port, and the line to type.
fn table(stderr: &str) -> Vec<(String, String, String)> {
    let rows = stderr.lines().filter(|line| line.starts_with("  "));
    rows.map(|row| {
        let (service, rest) = row.trim_start().split_once(' ').unwrap();
        let (port, line) = rest.trim_start().split_once("  ").unwrap();
        (service.to_owned(), port.to_owned(), line.to_owned())
    })
    .collect()
}

/// Types a line into a shell at a terminal; and then, as soon as its output ends in the first of a pair, the second.
fn type_in(namespace: &Namespace, line: &str, conversation: &[(&str, &str)]) -> Exit {
    let terminal = python(TERMINAL, &[line]);
    let words = std::iter::once(terminal.get_program()).chain(terminal.get_args());
    let words: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
    let mut shell = Process::spawn(&mut namespace.command(&words));
    for (heard, keys) in conversation {
        shell.wait_stdout(LIMIT, |output| output.ends_with(heard.as_bytes()));
        shell.write(keys.as_bytes());
    }
    shell.close_stdin();
    shell.wait(LONG)
}

/// One of the lines sends a gigabyte, which takes an unoptimized build on a busy machine a while.
const LONG: Duration = Duration::from_secs(30);

const TERMINAL: &str = "
import os, pty, sys
status = pty.spawn(['bash', '-c', sys.argv[1]])
sys.exit(os.waitstatus_to_exitcode(status))
";
