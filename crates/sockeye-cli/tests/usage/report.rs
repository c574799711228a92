//! Who is inside, told when a signal asks, and what was counted at the end.

use std::fs;

use serde_json::Value;
use testkit::{LIMIT, Process, Scratch, Server, Signal, connect, exchange, wait_until};

use super::{command, listening, sockeye};

/// Waits for the sums, which come last.
fn report(server: &mut Process) -> String {
    server.signal(Signal::USR1);
    server.wait_stderr_line(LIMIT, |line| line.starts_with("hello  "));
    server.stderr()
}

#[test]
fn a_signal_lists_those_inside_and_the_sums_of_each_listener() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let mut server = listening(&["serve", "-v", "echo", "tcp:127.0.0.1:0", "hello", &format!("unix:{path}")]);
    let _inside = connect(&server.address(1));
    assert_eq!(exchange(&mut connect(&server.address(0)), b"gone"), b"gone");
    assert_eq!(exchange(&mut connect(&server.address(1)), b""), b"Hello");
    wait_until(LIMIT, "two to have left", || server.stderr().matches(" left after ").count() == 2);
    let told = report(&mut server);
    let rows = told.lines().filter(|line| !line.starts_with("sockeye: "));
    let lines: Vec<Vec<&str>> = rows.map(|line| line.split_whitespace().collect()).collect();
    let [head, inside, sums, echo, hello] = &lines[..] else { panic!("{told}") };
    let address = format!("unix:{path}");
    assert_eq!(head[..], ["id", "service", "peer", "open", "idle", "in", "out"], "{told}");
    assert_eq!(inside[1..3], ["hello", &address], "{told}");
    assert_eq!(inside[5..], ["0", "B", "5", "B"], "{told}");
    assert_eq!(sums[..6], ["service", "listener", "open", "accepted", "failed", "refused"], "{told}");
    assert_eq!(echo[..], ["echo", &server.address(0), "0", "1", "0", "0", "4", "B", "4", "B"], "{told}");
    assert_eq!(hello[..], ["hello", &address, "1", "2", "0", "0", "0", "B", "10", "B"], "{told}");
}

#[test]
fn thousands_who_are_inside_are_listed_each_once_while_they_are_served() {
    const GUESTS: usize = 1500;
    let mut server = listening(&["serve", "hello", "tcp:127.0.0.1:0"]);
    let mut guests: Vec<_> = (0..GUESTS).map(|_| connect(&server.address(0))).collect();
    // Accepted in order, so whoever is greeted last is counted last.
    assert_eq!(exchange(guests.last_mut().unwrap(), b"x"), b"HelloHello,x!");
    server.signal(Signal::USR1);
    assert_eq!(exchange(&mut guests[0], b"y"), b"HelloHello,y!");
    server.wait_stderr_line(LIMIT, |line| line.starts_with("hello  "));
    let told = server.stderr();
    let mut ids: Vec<u64> = told.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "somebody is listed twice");
    assert!((GUESTS - 2..=GUESTS).contains(&count), "{count} are listed");
}

#[test]
fn in_json_a_report_is_an_object_for_each() {
    let mut server = Process::spawn(&mut command(&["listen", "--keep", "--log", "json", "tcp:127.0.0.1:0"]));
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("\"listening\""));
    let address = serde_json::from_str::<Value>(&line).unwrap()["address"].as_str().unwrap().to_owned();
    let _inside = connect(&address);
    server.wait_stderr_line(LIMIT, |line| line.contains("\"opened\""));
    server.signal(Signal::USR1);
    let sums = server.wait_stderr_line(LIMIT, |line| line.contains("\"event\":\"listener\""));
    let inside = server.wait_stderr_line(LIMIT, |line| line.contains("\"event\":\"connection\""));
    let [sums, inside]: [Value; 2] = [sums, inside].map(|line| serde_json::from_str(&line).unwrap());
    assert_eq!(
        (&sums["listener"], &sums["open"], &sums["accepted"]),
        (&address.into(), &1.into(), &1.into())
    );
    assert_eq!((&sums["dropped"]["cut"], &sums["failed"]), (&0.into(), &0.into()));
    assert_eq!(
        (&inside["id"], &inside["service"], &inside["received"]),
        (&1.into(), &"listen".into(), &0.into())
    );
    assert!(inside["idle"].is_f64() && inside["seconds"].is_f64(), "{inside}");
}

#[test]
fn verbose_ends_with_the_sums_and_large_transfers_have_a_rate() {
    let mut server = listening(&["serve", "-v", "echo", "tcp:127.0.0.1:0"]);
    let said = vec![b'x'; 1 << 20];
    assert_eq!(exchange(&mut connect(&server.address(0)), &said).len(), said.len());
    let left = server.wait_stderr_line(LIMIT, |line| line.contains(" left after "));
    assert!(left.contains(", 1.0 MiB in (") && left.ends_with("/s)"), "{left}");
    server.signal(Signal::TERM);
    let told = server.wait(LIMIT).stderr;
    let last = told.lines().last().unwrap();
    assert!(
        last.starts_with("sockeye: 1 connection in ") && last.contains(", 0 failed, 1.0 MiB in ("),
        "{told}"
    );
}

#[test]
fn a_log_in_a_file_has_the_time_in_each_line_and_is_opened_anew_at_a_hangup() {
    let scratch = Scratch::new();
    let (log, old) = (scratch.path("log"), scratch.path("log.1"));
    fs::write(&log, "before\n").unwrap();
    let file = format!("file:{}", log.display());
    let mut server = listening(&["serve", "--log", &file, "hello", "tcp:127.0.0.1:0"]);
    let visit = |server: &Server, path: &std::path::Path, lines: usize| {
        assert_eq!(exchange(&mut connect(&server.address(0)), b""), b"Hello");
        let text = || fs::read_to_string(path).unwrap_or_default();
        wait_until(LIMIT, "the lines of a visit", || text().lines().count() == lines);
        text()
    };
    let text = visit(&server, &log, 3);
    let came = text.lines().nth(1).unwrap();
    assert!(text.starts_with("before\n20") && came.contains("Z tcp:127.0.0.1:"), "{text}");
    assert!(came.ends_with(" came to hello"), "{text}");
    fs::rename(&log, &old).unwrap();
    server.signal(Signal::HUP);
    wait_until(LIMIT, "the new log", || log.exists());
    assert_eq!(visit(&server, &log, 2).lines().count(), 2);
    assert_eq!(fs::read_to_string(&old).unwrap(), text);
    server.signal(Signal::TERM);
    let exit = server.wait(LIMIT);
    assert_eq!((exit.code, exit.stderr.lines().count()), (Some(0), 1), "{exit:?}");
}

#[test]
fn a_log_that_cannot_be_written_is_told_once_and_nobody_waits_for_it() {
    let mut server = listening(&["serve", "--log", "json:/dev/full", "hello", "tcp:127.0.0.1:0"]);
    for _ in 0..3 {
        assert_eq!(exchange(&mut connect(&server.address(0)), b""), b"Hello");
    }
    server.signal(Signal::TERM);
    let exit = server.wait(LIMIT);
    let lines: Vec<&str> = exit.stderr.lines().skip(1).collect();
    let told = "sockeye: cannot write to /dev/full: no space left on device; the log has a gap from here on";
    assert_eq!((exit.code, &lines[..]), (Some(0), &[told][..]), "{exit:?}");
}

#[test]
fn a_log_that_cannot_be_written_is_refused_with_what_to_try() {
    let exit = sockeye(&["serve", "--log", "file:/nonexistent/log", "echo", "tcp:0"]);
    let told = "sockeye: cannot write to /nonexistent/log: no such file or directory
         choose a place in a folder that is there and yours to write: ls -ld shows whose it is\n";
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), told));
}
