//! `sockeye time` and NTP servers: chronyd, and some that do everything wrong.

use serde_json::Value;
use testkit::{Exit, LIMIT, Process, run, wait_until};

use super::port::Port;
use super::python::python_server;
use super::{listening, sockeye};
use crate::namespace::Namespace;

/// A server of NTP that does what `sys.argv[1]` says.
const SERVER: &str = "
import struct
how = sys.argv[1]
conn = new_socket('udp:127.0.0.1:0')
conn.bind(('127.0.0.1', 0))
conn.settimeout(None)
print(f'listening on 127.0.0.1:{conn.getsockname()[1]}', file=sys.stderr, flush=True)
def stamp(ahead):
    seconds, nanos = divmod(time.time_ns() + int(ahead * 1e9), 10**9)
    return struct.pack('>II', seconds + 2208988800 & 0xffffffff, (nanos << 32) // 10**9)
def answer(asked, first=0x24, stratum=2, reference=b'\\x0a\\0\\0\\1', origin=None, ahead=0):
    head = struct.pack('>BBbbII4s', first, stratum, 0, -20, 0, 0, reference)
    return head + stamp(ahead - 9) + (origin or asked[40:48]) + stamp(ahead) + stamp(ahead)
other = new_socket('udp:127.0.0.1:0')
for count in range(1, 1000):
    asked, client = conn.recvfrom(2048)
    assert len(asked) == 48 and asked[0] == 0x23 and asked[1:40] == bytes(39), asked
    if how == 'lossy' and count % 3:
        continue
    elif how == 'silent':
        continue
    elif how == 'other question':
        conn.sendto(answer(asked, origin=b'whatever'), client)
    elif how == 'other port':
        other.sendto(answer(asked), client)
    elif how == 'short':
        conn.sendto(answer(asked)[:47], client)
    elif how == 'lies first':
        conn.sendto(answer(asked, origin=b'whatever', ahead=900), client)
        conn.sendto(answer(asked), client)
    elif how == 'DENY' or how == 'RATE' and count > 2:
        conn.sendto(answer(asked, 0xe4, 0, how.encode()), client)
    elif how == 'unset':
        conn.sendto(answer(asked, 0xe4, 16, bytes(4)), client)
    else:
        conn.sendto(answer(asked, ahead=float(how) if how[-1].isdigit() else 0), client)
";

/// A server that does so, and the word that leads to it.
fn server(how: &str) -> (Process, String) {
    let (process, address) = python_server(SERVER, &[how]);
    (process, format!("ntp:{address}"))
}

fn time(words: &[&str]) -> Exit {
    run(sockeye(&["time"]).args(words), b"", LIMIT)
}

/// What `--json` says, an object a line.
fn objects(exit: &Exit) -> Vec<Value> {
    let text = String::from_utf8_lossy(&exit.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn chronyd_has_the_time_that_we_have_over_both_families() {
    let namespace = Namespace::new();
    let words = [
        "chronyd",
        "-x",
        "-d",
        "-u",
        "root",
        "port 123",
        "cmdport 0",
        "bindcmdaddress /",
        "local stratum 10",
        "allow all",
        "pidfile /tmp/work/pid",
    ];
    let chronyd = Process::spawn(&mut namespace.command(&words));
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{}/net/{name}", chronyd.pid())).unwrap();
    wait_until(LIMIT, "chronyd", || table("udp").contains(":007B ") && table("udp6").contains(":007B "));
    let words = ["sockeye", "time", "--json", "--interval", "20ms", "localhost", "ntp:127.0.0.1", "[::1]"];
    let exit = run(&mut namespace.command(&words), b"", LIMIT);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{exit:?}");
    let objects = objects(&exit);
    for server in &objects[..3] {
        let (offset, delay) = (server["offset"].as_f64().unwrap(), server["delay"].as_f64().unwrap());
        // It is the same clock, so that all there is comes from ways that are not equally long.
        assert!(offset.abs() <= delay / 2.0 + 100e-6, "{server}");
        assert_eq!(
            (&server["stratum"], &server["samples"], &server["agrees"]),
            (&10.into(), &8.into(), &true.into())
        );
    }
    assert_eq!((&objects[3]["servers"], &objects[3]["agree"]), (&3.into(), &3.into()), "{exit:?}");
}

#[test]
fn what_is_lost_is_asked_again() {
    let (_server, address) = server("lossy");
    let exit = time(&["--json", "--samples", "2", &address]);
    let told = &objects(&exit)[0];
    assert_eq!((exit.code, &told["samples"], &told["lost"]), (Some(0), &2.into(), &0.into()), "{exit:?}");
    // The first two tries of each are lost, and the waits for them are 0.5 s and 1 s.
    assert!(told["seconds"].as_f64().unwrap() >= 3.0 && told["delay"].as_f64().unwrap() < 0.5, "{told}");
}

#[test]
fn who_does_not_answer_what_was_asked_has_not_answered() {
    for (how, want) in [
        ("silent", "no answer within 800ms\n"),
        ("other question", "2 that came were not believed"),
        ("short", "2 that came were not believed"),
        ("other port", "no answer within 800ms\n"),
    ] {
        let (_server, address) = server(how);
        let exit = time(&["--timeout", "800ms", &address]);
        assert_eq!((exit.code, &*exit.stdout), (Some(124), &b""[..]), "{how}: {exit:?}");
        assert!(
            exit.stderr.starts_with("sockeye: no time from ntp:") && exit.stderr.contains(want),
            "{exit:?}"
        );
    }
    // The kernel keeps out who was not asked, unless it is told not to: then we do.
    let (_server, address) = server("other port");
    assert_eq!(time(&["--timeout", "800ms", &format!("{address},open")]).code, Some(124));
}

#[test]
fn a_forged_answer_does_not_keep_the_right_one_out() {
    let (_server, address) = server("lies first");
    let exit = time(&["--json", "--samples", "3", "--interval", "10ms", &address]);
    let told = &objects(&exit)[0];
    assert_eq!((&told["samples"], &told["not_believed"]), (&3.into(), &3.into()), "{told}");
    assert!(told["offset"].as_f64().unwrap().abs() < 1.0, "{told}");
}

#[test]
fn a_kiss_of_death_is_obeyed_and_told() {
    let (_server, address) = server("DENY");
    let exit = time(&[&address]);
    assert_eq!(
        (exit.code, exit.stderr.contains("it does not want to be asked (DENY)")),
        (Some(1), true),
        "{exit:?}"
    );
    let (_server, address) = server("RATE");
    let exit = time(&["--json", "--interval", "10ms", &address]);
    let told = &objects(&exit)[0];
    assert_eq!(
        (exit.code, &told["samples"], &told["kiss"]),
        (Some(0), &2.into(), &"RATE".into()),
        "{exit:?}"
    );
}

#[test]
fn the_one_of_five_that_tells_another_time_is_named() {
    let servers: Vec<_> = ["right", "right", "right", "7.5", "right"].map(server).into();
    let words = servers.iter().map(|(_, address)| address.as_str());
    let exit = time(&words.chain(["--interval", "10ms"]).collect::<Vec<_>>());
    let text = String::from_utf8_lossy(&exit.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(lines[0].starts_with("server ") && lines[0].contains("offset"), "{text}");
    assert!(lines[4].contains("+7.50 s ") && lines[4].ends_with("tells another time than most"), "{text}");
    assert_eq!(text.matches("tells another").count(), 1, "{text}");
    assert!(lines[7].starts_with("4 of 5 agree: this clock is "), "{text}");
}

#[test]
fn a_server_that_is_not_synchronised_says_nothing_of_this_clock() {
    let (_server, address) = server("unset");
    let exit = time(&["--samples", "1", &address]);
    let text = String::from_utf8_lossy(&exit.stdout);
    assert!(text.contains("unset") && text.contains("not synchronised"), "{text}");
    assert!(text.ends_with("nobody who answered is synchronised\n"), "{text}");
}

#[test]
fn the_exit_code_speaks_for_all() {
    let port = Port::reserve();
    let (right, late) = (server("right"), server("silent"));
    let (right, late, down) = (&*right.1, &*late.1, &*format!("ntp:127.0.0.1:{}", port.number));
    for (words, code) in [(vec![right, right], 0), (vec![right, late, late], 124), (vec![late, down], 1)] {
        let exit = time(&[&words[..], &["--timeout", "500ms", "--samples", "1"]].concat());
        assert_eq!(exit.code, Some(code), "{words:?}: {exit:?}");
    }
}

#[test]
fn what_is_watched_has_a_line_for_each_answer_where_nobody_looks_on() {
    let (_server, address) = server("right");
    let exit = time(&["--watch", "--samples", "3", "--interval", "20ms", &address]);
    let text = String::from_utf8_lossy(&exit.stdout).into_owned();
    assert_eq!((exit.code, text.lines().count()), (Some(0), 3), "{exit:?}");
    assert!(
        text.lines().all(|line| line.contains("Z  ntp:127.0.0.1:") && line.contains("  offset ")),
        "{text}"
    );
    // One that nobody reads any more is an end, and no failure.
    let exit = run(
        &mut super::shell("sockeye time --watch --interval 20ms $1 | head -n 2", &[&address]),
        b"",
        LIMIT,
    );
    assert_eq!((exit.code, String::from_utf8_lossy(&exit.stdout).lines().count()), (Some(0), 2), "{exit:?}");
}

#[test]
fn words_that_nobody_can_ask_are_wrong_usage() {
    let server = listening(&["serve", "daytime", "udp:127.0.0.1:0"]);
    let daytime = format!("daytime+{}", server.address(0));
    for (words, want) in [
        (&["ntp+tcp:localhost"][..], "NTP goes by messages"),
        (&["localhost:123"], "NTP is ntp:localhost:123"),
        (&["::1"], "write ntp:[::1]"),
        (&["--format", "%H", "localhost"], "--format does not go with localhost"),
        (&["--watch", &daytime], "NTP servers alone are watched"),
        (&["--samples", "0", "localhost"], "not a number of answers"),
        (&["--samples", "2", &daytime], "--samples does not go with daytime+udp:"),
        (&["--timeout", "0", "localhost"], "nobody answers at once"),
    ] {
        let exit = time(words);
        assert_eq!((exit.code, exit.stderr.contains(want)), (Some(2), true), "{words:?}: {exit:?}");
    }
}
