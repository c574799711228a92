//! Every service, as the users of every client expect it, over TCP on both families and over Unix sockets.

use std::io::{Read as _, Write as _};
use std::process::Command;

use testkit::{LIMIT, Process, Scratch, Server, connect, read_to_end, run, wait_until};

use super::client::{CLIENTS, Client, NC, NCAT, PYTHON, SOCAT, TELNET};
use super::{listening, noise};

/// A service, and what is typed to it line by line, each with what comes back before the next is typed.
type Talk = (&'static str, &'static [(&'static str, &'static str)]);

const TALKS: &[Talk] = &[
    ("echo", &[("hi\n", "hi\n"), ("grüße, 日本\n", "grüße, 日本\n")]),
    ("discard", &[("hi\n", "")]),
    ("upper", &[("mike\n", "MIKE\n"), ("grüße, 日本 [a-z]\n", "GRüßE, 日本 [A-Z]\n")]),
    ("hello", &[("", "Hello"), ("mike\n", "Hello,mike!\n"), ("日本\n", "Hello,日本!\n"), ("exit\n", "")]),
    ("reply", &[("hi\n", "Hello, client!"), ("exit\n", "Hello, client!")]),
];

#[test]
fn nc_gets_along_with_every_service() {
    gets_along(&NC);
}

#[test]
fn ncat_gets_along_with_every_service() {
    gets_along(&NCAT);
}

#[test]
fn socat_gets_along_with_every_service() {
    gets_along(&SOCAT);
}

#[test]
fn telnet_gets_along_with_every_service() {
    gets_along(&TELNET);
}

#[test]
fn python_gets_along_with_every_service() {
    gets_along(&PYTHON);
}

#[test]
fn daytime_is_today_for_every_client_and_ends_by_itself() {
    let served = Served::everywhere("daytime");
    for client in CLIENTS {
        for (mut command, greeting) in served.commands(client) {
            let before = today();
            let mut client = Process::spawn(&mut command);
            let seen = client.wait_stdout(LIMIT, |seen| seen.len() > greeting.len() && seen.ends_with(b"\n"));
            client.close_stdin();
            assert_eq!(client.wait(LIMIT).code, Some(0), "{command:?}");
            let seen = String::from_utf8(seen).unwrap().replace("\r\n", "\n");
            let line = seen.strip_prefix(&greeting).unwrap();
            let days = [before, today()];
            assert!(days.contains(&without_digits_of_time(line)), "{line:?} on {days:?}: {command:?}");
        }
    }
}

#[test]
fn any_byte_comes_back_from_echo_and_upper_changes_letters_alone() {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let in_capitals = every_byte.to_ascii_uppercase();
    let server = listening(&["serve", "echo", "tcp:127.0.0.1:0", "upper", "tcp:127.0.0.1:0"]);
    for client in CLIENTS.iter().filter(|client| client.is_transparent) {
        for (place, want) in [&every_byte, &in_capitals].into_iter().enumerate() {
            let (mut command, _) = client.connect(&server.address(place)).unwrap();
            let exit = run(&mut command, &every_byte, LIMIT);
            assert!(exit.stdout == *want && exit.code == Some(0), "{}: {exit:?}", client.name);
        }
    }
}

#[test]
fn a_mebibyte_comes_back_unchanged_to_every_client_after_its_end_of_file() {
    let data = noise(1);
    let server = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    for client in CLIENTS.iter().filter(|client| client.is_transparent) {
        let (mut command, _) = client.connect(&server.address(0)).unwrap();
        let exit = run(&mut command, &data, LIMIT);
        assert!(exit.stdout == data, "{}: {} bytes came back", client.name, exit.stdout.len());
    }
}

#[test]
fn chargen_writes_the_pattern_of_the_rfc_until_the_client_leaves() {
    let served = Served::everywhere("chargen");
    // Once round: each line begins with the next character, and after 95 lines with the first one again.
    let character = |at: usize| char::from(b' ' + u8::try_from(at % 95).unwrap());
    let line = |first: usize| (first..first + 72).map(character).chain(['\n']).collect::<String>();
    let once_round: String = (0..95).map(line).collect();
    let mut visits = 0;
    for client in CLIENTS {
        for (mut command, greeting) in served.commands(client) {
            let process = Process::spawn(&mut command);
            let enough = greeting.len() + 95 * (72 + 2);
            let mut seen = process.wait_stdout(LIMIT, |seen| seen.len() >= enough);
            drop(process);
            seen.truncate(enough);
            let text = String::from_utf8(seen).unwrap().replace("\r\n", "\n");
            let pattern = text.strip_prefix(&greeting).unwrap();
            assert!(pattern.starts_with(&once_round), "{command:?}: {pattern}");
            visits += 1;
        }
    }
    wait_until(LIMIT, "all clients to have left", || {
        served.server.stderr().matches(" left after ").count() == visits
    });
}

#[test]
fn exit_ends_hello_with_any_line_end_while_the_client_still_holds_its_side_open() {
    let server = listening(&["serve", "hello", "tcp:127.0.0.1:0"]);
    for word in ["exit", "exit\n", "exit\r\n"] {
        let mut stream = connect(&server.address(0));
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(word.as_bytes()).unwrap();
        assert_eq!((&hello, read_to_end(&mut stream)), (b"Hello", Vec::new()), "{word:?}");
    }
}

#[test]
fn hello_answers_with_the_line_end_that_it_was_sent() {
    let server = listening(&["serve", "hello", "tcp:127.0.0.1:0"]);
    let mut stream = connect(&server.address(0));
    for (sent, answer) in [
        ("", "Hello"),
        ("mike", "Hello,mike!"),
        ("mike\n", "Hello,mike!\n"),
        ("mike\r\n", "Hello,mike!\r\n"),
        ("exit now\n", "Hello,exit now!\n"),
    ] {
        stream.write_all(sent.as_bytes()).unwrap();
        let mut seen = vec![0; answer.len()];
        stream.read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), answer, "to {sent:?}");
    }
}

#[test]
fn reply_says_what_it_was_told_to_say() {
    let server = listening(&["serve", "reply", "--text", "Bitte, 日本.\n", "tcp:127.0.0.1:0"]);
    let (mut command, _) = NC.connect(&server.address(0)).unwrap();
    talk(&mut command, String::new(), &[("one\n", "Bitte, 日本.\n"), ("two\n", "Bitte, 日本.\n")]);
}

fn gets_along(client: &Client) {
    for (service, lines) in TALKS {
        let served = Served::everywhere(service);
        for (mut command, greeting) in served.commands(client) {
            talk(&mut command, greeting, lines);
        }
    }
}

/// A service over TCP on both families and over a Unix socket.
struct Served {
    server: Server,
    _scratch: Scratch,
}

impl Served {
    fn everywhere(service: &str) -> Self {
        let scratch = Scratch::new();
        let path = format!("unix:{}", scratch.path("socket").display());
        let server = listening(&["serve", "-v", service, "tcp:127.0.0.1:0", "tcp:[::1]:0", &path]);
        Self { server, _scratch: scratch }
    }

    /// How `client` connects to each address that it can reach, and what it writes before anything that comes.
    fn commands(&self, client: &Client) -> Vec<(Command, String)> {
        (0..3).filter_map(|place| client.connect(&self.server.address(place))).collect()
    }
}

/// Types line by line, and leaves once every answer has come.
fn talk(command: &mut Command, greeting: String, lines: &[(&str, &str)]) {
    let mut client = Process::spawn(command);
    let mut want = greeting;
    client.wait_stdout(LIMIT, |seen| seen.len() >= want.len());
    for (typed, answer) in lines {
        client.write(typed.as_bytes());
        want.push_str(answer);
        client.wait_stdout(LIMIT, |seen| seen.len() >= want.len());
    }
    client.close_stdin();
    let exit = client.wait(LIMIT);
    let (stdout, stderr) = (String::from_utf8_lossy(&exit.stdout), exit.stderr);
    assert_eq!((stdout, exit.code), (want.into(), Some(0)), "{command:?}");
    // telnet's.
    assert_eq!(stderr.replace("Connection closed by foreign host.\n", ""), "", "{command:?}");
}

/// `Friday, March 7, 2025 00:00:00-CET` and a line feed, as of here and now.
fn today() -> String {
    let mut date = Command::new("date");
    let exit = run(date.env("LC_ALL", "C").arg("+%A, %B %-d, %Y 00:00:00-%Z"), b"", LIMIT);
    without_digits_of_time(&String::from_utf8(exit.stdout).unwrap())
}

/// A line with 0 for each digit behind the last space. Zones without a name have digits too.
fn without_digits_of_time(line: &str) -> String {
    let (date, time) = line.rsplit_once(' ').unwrap_or_default();
    format!("{date} {}", time.replace(|c: char| c.is_ascii_digit(), "0"))
}
