//! What is told to programs: with `--log json` each line on standard error is an object, and with `--json` each line
//! on standard output.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::{LIMIT, Process, Scratch, Signal, connect, exchange, wait_until};

use super::{command, listening, sockeye};

#[test]
fn json_tells_each_connection_from_its_beginning_to_its_end() {
    let mut server = listening_in_json(&["serve", "--log", "json", "hello", "tcp:127.0.0.1:0"]);
    let address = listening_address(&server);
    let names = [&b"mike"[..], b"", b"\xff\x1b"];
    for name in names {
        let answer = exchange(&mut connect(&address), name);
        assert!(answer.starts_with(b"Hello"), "{answer:?}");
    }
    wait_for_closed(&server, names.len());
    server.signal(Signal::TERM);
    let exit = server.wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let events = events(&exit.stderr);
    assert_eq!(events[0]["event"], "listening");
    assert_eq!(events[0]["service"], "hello");

    let mut guests: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for event in &events[1..] {
        assert!(event["time"].as_f64().is_some_and(|time| time > 1e9), "{event}");
        guests.entry(event["id"].as_u64().unwrap()).or_default().push(event);
    }
    assert_eq!(guests.len(), names.len());
    for (name, told) in names.iter().zip(guests.values()) {
        let [opened, closed] = told[..] else { panic!("not two events: {told:?}") };
        assert_eq!((&opened["event"], &closed["event"]), (&"opened".into(), &"closed".into()));
        assert_eq!(opened["service"], "hello");
        assert_eq!(opened["peer"], closed["peer"]);
        assert!(opened["peer"].as_str().is_some_and(|peer| peer.starts_with("tcp:127.0.0.1:")), "{opened}");
        let (said, heard) = (name.len(), if name.is_empty() { 5 } else { 5 + 7 + name.len() });
        assert_eq!((&closed["received"], &closed["sent"]), (&said.into(), &heard.into()), "{closed}");
        assert_eq!((&closed["ended"], &closed["error"]), (&"done".into(), &Value::Null), "{closed}");
        assert!(closed["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{closed}");
    }
}

#[test]
fn json_shows_text_as_text_and_other_bytes_as_hex() {
    let mut server = listening_in_json(&["serve", "--log", "json", "--show", "upper", "tcp:127.0.0.1:0"]);
    let address = listening_address(&server);
    for said in [&b"hi\n\x1b\xc3\xa9"[..], b"\xff\x00"] {
        assert_eq!(exchange(&mut connect(&address), said).len(), said.len());
    }
    wait_for_closed(&server, 2);
    server.signal(Signal::TERM);
    let events = events(&server.wait(LIMIT).stderr);
    let messages: Vec<&Value> = events.iter().filter(|event| event["event"] == "message").collect();
    let [text_in, text_out, hex_in, hex_out] = messages[..] else { panic!("{events:?}") };
    assert_eq!((&text_in["way"], &text_in["text"]), (&"in".into(), &"hi\n\u{1b}é".into()));
    assert_eq!((&text_out["way"], &text_out["text"]), (&"out".into(), &"HI\n\u{1b}é".into()));
    assert_eq!((&hex_in["way"], &hex_in["hex"]), (&"in".into(), &"ff00".into()));
    assert_eq!((&hex_out["way"], &hex_out["hex"]), (&"out".into(), &"ff00".into()));
}

#[test]
fn json_tells_a_failure_and_a_stop_too() {
    let mut relay =
        listening_in_json(&["relay", "--log", "json", "tcp-l:127.0.0.1:0,once", "unix:/nonexistent"]);
    assert_eq!(sockeye(&["dial", &listening_address(&relay)]).code, Some(1));
    let exit = relay.wait(LIMIT);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    let events = events(&exit.stderr);
    let closed = events.iter().find(|event| event["event"] == "closed").unwrap();
    let why = "cannot connect to unix:/nonexistent: no such file or directory";
    assert_eq!((&closed["ended"], &closed["error"]), (&"failed".into(), &why.into()));
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["error"]), (&"failed".into(), &why.into()));

    let mut server = listening_in_json(&["serve", "--log", "json", "echo", "tcp:127.0.0.1:0"]);
    let mut guest = connect(&listening_address(&server));
    server.wait_stderr_line(LIMIT, |line| line.contains("\"opened\""));
    server.signal(Signal::INT);
    let stopping = server.wait_stderr_line(LIMIT, |line| line.contains("\"stopping\""));
    let stopping: Value = serde_json::from_str(&stopping).unwrap();
    assert_eq!((&stopping["service"], &stopping["open"]), (&"echo".into(), &1.into()));
    assert_eq!(exchange(&mut guest, b"bye"), b"bye");
    assert_eq!(server.wait(LIMIT).code, Some(0));
}

#[test]
fn json_of_check_is_an_object_a_line() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let server = listening(&["serve", "-4", "echo", &format!("unix:{path}"), "tcp:0"]);
    let words = ["unix:/nonexistent", &format!("unix:{path}"), &format!("tcp:localhost:{}", server.port(1))];
    let exit = sockeye(&[&["check", "--json"], &words[..]].concat());
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), ""), "{exit:?}");
    let objects = events(str::from_utf8(&exit.stdout).unwrap());
    let said: Vec<_> = objects.iter().map(|object| (&object["address"], &object["answers"])).collect();
    let [missing, unix, tcp] = words.map(Value::from);
    assert_eq!(said, [(&missing, &false.into()), (&unix, &true.into()), (&tcp, &true.into())]);
    assert!(objects.iter().all(|object| object["seconds"].is_f64()), "{objects:?}");
    let why = "cannot connect to unix:/nonexistent: no such file or directory";
    assert_eq!((&objects[0]["error"], &objects[1]["peer"]), (&why.into(), &unix));
}

#[test]
fn json_tells_a_run_that_fails_before_it_begins() {
    let why = "no such file or directory";
    for (words, code, why) in [
        (&["dial", "--log", "json", "unix:/nonexistent"][..], 1, why),
        (&["listen", "--log", "json", "unix:/nonexistent/socket"], 1, why),
        (&["serve", "--log", "json", "echo", "unix:/nonexistent/socket"], 1, why),
        (&["dial", "tpc:localhost:1", "--log", "json"], 2, "there is no scheme \"tpc\""),
        (&["relay", "--log=json", "tcp-l:1", "tcp-l:2"], 2, "only the first address may listen"),
    ] {
        let exit = sockeye(words);
        assert_eq!((exit.code, exit.stdout.as_slice()), (Some(code), &b""[..]), "{exit:?}");
        let events = events(&exit.stderr);
        let [failed] = &events[..] else { panic!("{exit:?}") };
        assert_eq!((&failed["event"], &failed["exit"]), (&"failed".into(), &code.into()));
        assert!(failed["error"].as_str().is_some_and(|error| error.contains(why)), "{failed}");
    }
}

/// A program that has told in JSON where it listens.
fn listening_in_json(words: &[&str]) -> Process {
    let process = Process::spawn(&mut command(words));
    listening_address(&process);
    process
}

fn listening_address(process: &Process) -> String {
    let line = process.wait_stderr_line(LIMIT, |line| line.contains("\"listening\""));
    let event: Value = serde_json::from_str(&line).unwrap();
    event["address"].as_str().unwrap().to_owned()
}

fn wait_for_closed(server: &Process, guests: usize) {
    let told = || server.stderr().matches("\"closed\"").count();
    wait_until(LIMIT, "the end of every connection", || told() == guests);
}

/// Every line as JSON. Panics at one that is not.
fn events(stderr: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    stderr.lines().map(parse).collect()
}
