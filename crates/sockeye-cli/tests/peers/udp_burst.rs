//! Two thousand datagrams at once from one peer, all of them in the kernel's buffer before anybody reads: what it took
//! arrives, and what it did not is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::{LIMIT, Process, Scratch, Signal, require, wait_until};

use super::python::python;
use super::{BINARY, sockeye};

const COUNT: u64 = 2000;
const SIZE: usize = 1400;

#[test]
fn who_only_hears_loses_nothing_of_a_burst() {
    let scratch = Scratch::new();
    let (mut hearer, file) = hearer(&scratch);
    let came = burst(&mut hearer, &file);
    assert_eq!(came + lost(hearer), COUNT);
}

#[test]
fn a_relay_to_who_only_hears_loses_nothing_of_a_burst() {
    let scratch = Scratch::new();
    let (hearer, file) = hearer(&scratch);
    let words = ["relay", "--log", "json", "udp-l:127.0.0.1:0", &address(&hearer)];
    let mut relay = Process::spawn(&mut sockeye(&words));
    let came = burst(&mut relay, &file);
    assert_eq!(came + lost(relay) + lost(hearer), COUNT);
}

/// It writes what it hears to a file, for which nobody has to be waited for.
fn hearer(scratch: &Scratch) -> (Process, PathBuf) {
    let file = scratch.path("heard");
    let script = "exec \"$0\" listen --recv-only --raw --log json udp:127.0.0.1:0 >\"$1\"";
    let mut command = Command::new(require("sh"));
    (Process::spawn(command.args(["-c", script, BINARY]).arg(&file)), file)
}

/// Where a server listens, once it does.
fn address(server: &Process) -> String {
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("udp:"));
    let begin = line.find("udp:").unwrap();
    line[begin..].split('"').next().unwrap().to_owned()
}

/// Sends a burst to a server that stands still meanwhile, and says how much of it came to the file.
fn burst(server: &mut Process, file: &Path) -> u64 {
    let program = "
conn = connect(sys.argv[1])
for _ in range(int(sys.argv[2])):
    conn.send(b'x' * int(sys.argv[3]))
say('sent')
while wait_for_word():
    conn.send(b'end')
";
    let address = address(server);
    server.signal(Signal::STOP);
    let peer = python(program, &[&address, &COUNT.to_string(), &SIZE.to_string()]);
    peer.wait_stdout(LIMIT, |said| said == b"sent\n");
    server.signal(Signal::CONT);
    wait_until(LIMIT, "the end of the burst", || {
        peer.write(b"again\n");
        fs::read(file).unwrap().ends_with(b"end")
    });
    let heard = fs::read(file).unwrap();
    heard.chunks(SIZE).filter(|part| *part == [b'x'; SIZE]).count().try_into().unwrap()
}

/// Ends a server, and says how much the kernel dropped; nothing else was lost.
fn lost(mut server: Process) -> u64 {
    server.signal(Signal::INT);
    let exit = server.wait(LIMIT);
    let events = exit.stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let mut by_kernel = 0;
    for dropped in events.filter(|event| event["event"] == "dropped") {
        assert_eq!(dropped["queue_full"], 0, "{exit:?}");
        by_kernel += dropped["by_kernel"].as_u64().unwrap();
    }
    by_kernel
}
