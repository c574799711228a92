//! `reconnect=` in the hands of people: what is said while somebody is waited for, and how the waiting ends.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{LIMIT, Process, Scratch, Signal, run, wait_until};

use super::{listening, sockeye};

fn spawn(words: &[&str]) -> Process {
    Process::spawn(&mut sockeye(words))
}

#[test]
fn a_conversation_goes_on_with_the_server_that_is_started_after_the_one_that_was_killed() {
    let scratch = Scratch::new();
    let there = format!("unix:{}", scratch.path("socket").display());
    let mut here = spawn(&["dial", &format!("{there},reconnect=1m")]);
    here.wait_stderr_line(LIMIT, |line| {
        let begins =
            line.starts_with(&format!("sockeye: cannot connect to {there}: no such file or directory"));
        begins && line.contains("; trying again in ")
    });
    for word in ["one", "two"] {
        let mut server = listening(&["serve", "echo", &there]);
        here.write(word.as_bytes());
        here.wait_stdout(LIMIT, |said| said.ends_with(word.as_bytes()));
        server.signal(Signal::KILL);
        server.wait(LIMIT);
        let lost = format!(
            "sockeye: cannot read from {there}: it has ended; what was sent last may be lost; trying again in "
        );
        wait_until(LIMIT, "the loss", || here.stderr().contains(&lost));
    }
    let _server = listening(&["serve", "echo", &there]);
    here.close_stdin();
    let exit = here.wait(LIMIT);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(0), &b"onetwo"[..]), "{exit:?}");
    assert_eq!(exit.stderr.matches(&format!("sockeye: {there} answers after ")).count(), 3, "{exit:?}");
}

#[test]
fn check_waits_until_somebody_answers() {
    let scratch = Scratch::new();
    let there = format!("unix:{}", scratch.path("socket").display());
    let mut check = spawn(&["check", "--log", "json", &format!("{there},reconnect=1m")]);
    let told = check.wait_stderr_line(LIMIT, |line| line.contains("retrying"));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["address"].as_str(), told["attempt"].as_u64()), (Some(&*there), Some(1)), "{told}");
    assert!(told["wait"].as_f64().unwrap() > 0.0 && told["error"].is_string(), "{told}");
    let _server = listening(&["serve", "echo", &there]);
    let exit = check.wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.stderr.contains("\"event\":\"reached\""), "{exit:?}");
}

#[test]
fn after_the_limit_it_fails_for_the_last_reason() {
    let scratch = Scratch::new();
    let there = format!("unix:{}", scratch.path("socket").display());
    let began = Instant::now();
    let exit = run(&mut sockeye(&["dial", &format!("{there},reconnect=500ms")]), b"hi", LIMIT);
    assert!(began.elapsed() >= Duration::from_millis(500));
    let last = format!("sockeye: cannot connect to {there}: no such file or directory\n");
    assert!(exit.code == Some(1) && exit.stderr.contains(&last), "{exit:?}");
}

#[test]
fn an_interrupt_ends_the_waiting() {
    let scratch = Scratch::new();
    let there = format!("unix:{},reconnect=1h", scratch.path("socket").display());
    for words in [&["dial", &there][..], &["check", &there], &["relay", "-", &there]] {
        let mut waiting = spawn(words);
        waiting.wait_stderr_line(LIMIT, |line| line.contains("trying again"));
        waiting.signal(Signal::INT);
        assert_eq!(waiting.wait(LIMIT).code, Some(130), "{words:?}");
    }
}

#[test]
fn what_is_not_reached_over_a_network_has_nobody_to_wait_for() {
    for words in
        [&["dial", "exec:cat", "-o", "reconnect=1s"][..], &["relay", "file:a,reconnect=1s", "tcp:80"]]
    {
        let exit = run(&mut sockeye(words), b"", LIMIT);
        assert!(exit.code == Some(2) && exit.stderr.contains("reconnect"), "{exit:?}");
    }
}
