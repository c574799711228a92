//! A config file that is read again while others talk.

use std::fs;
use std::path::Path;

use testkit::{LIMIT, Process, Scratch, Server, Signal, connect, exchange, wait_until};

use super::{BINARY, python};

/// How many talk.
const COUNT: usize = 200;

/// A server that follows a file which says `text`.
fn following(path: &Path, text: &str) -> Server {
    fs::write(path, text).unwrap();
    Server::start(BINARY, &["serve", "--config", path.to_str().unwrap()])
}

/// Writes `text` into the file, and waits until the server has told what came of it, for the time of this number.
fn reload(server: &mut Process, path: &Path, text: &str, number: usize) -> String {
    fs::write(path, text).unwrap();
    server.signal(Signal::HUP);
    let told = || {
        let said = server.stderr();
        let results = said.lines().filter(|line| line.contains(": reloaded ") || line.ends_with("as before"));
        results.map(str::to_owned).nth(number)
    };
    wait_until(LIMIT, "the result of a reload", || told().is_some());
    told().unwrap()
}

#[test]
fn nobody_who_talks_is_dropped_and_no_newcomer_is_refused_while_everything_about_them_changes() {
    let scratch = Scratch::new();
    let path = scratch.path("c.toml");
    let entry = |service: &str, more: &str, options: &str| {
        format!(
            "[[serve]]\nservice = \"{service}\"\nlisten = [\"tcp:127.0.0.1:0\"{more}]\n[serve.options]\n{options}\n"
        )
    };
    let first = entry("echo", "", "max-conns = 1000");
    let mut server = following(&path, &first);
    let before = server.open_descriptors();
    let mut talking = python::python(include_str!("talk.py"), &[&server.address(0), &COUNT.to_string()]);
    talking.wait_stderr_line(LIMIT, |line| line == "all inside");

    let unix = format!(", \"unix:{}\"", scratch.path("socket").display());
    let reloads = [
        (entry("upper", &unix, "idle = \"1h\""), "1 kept, 1 new, 0 gone"),
        (entry("echo", &unix, "max-conns = 300\nhandshake = 1"), "2 kept, 0 new, 0 gone"),
        (entry("upper", "", "drain = \"1h\""), "1 kept, 0 new, 1 gone"),
        (entry("echo", "", "idle = \"1h\"") + &entry("echo", "", ""), "1 kept, 1 new, 0 gone"),
        (first, "1 kept, 0 new, 1 gone"),
    ];
    for (number, (text, want)) in reloads.iter().enumerate() {
        let told = reload(&mut server, &path, text, number);
        assert_eq!(told, format!("sockeye: reloaded {}: {want}", path.display()), "{number}: {server:?}");
        // The others have as much time as these need.
        for _ in 0..20 {
            let answer = exchange(&mut connect(&server.address(0)), b"Hi");
            assert_eq!(answer, if text.contains("echo") { b"Hi" } else { b"HI" }, "{number}");
        }
    }
    talking.close_stdin();
    let exit = talking.wait(LIMIT);
    let want = format!("{COUNT} talked to the end and others came\n");
    assert_eq!(String::from_utf8_lossy(&exit.stdout), want, "{exit:?}");
    wait_until(LIMIT, "no more descriptors than before", || server.open_descriptors() <= before);
    server.signal(Signal::TERM);
    assert_eq!(server.wait(LIMIT).code, Some(0));
}
