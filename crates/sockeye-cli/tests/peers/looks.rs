//! Layers that look: captures that tshark reads, and what people and programs are told of what goes over a connection.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::{LIMIT, Scratch, Signal, require, run};

use super::{listening, sockeye};

/// What tshark says of a capture.
fn tshark(file: &Path, words: &[&str]) -> String {
    let mut command = Command::new(require("tshark"));
    command.args(["-r", file.to_str().unwrap(), "-o", "ip.check_checksum:TRUE"]);
    command.args(["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]).args(words);
    let exit = run(&mut command, b"", 4 * LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    String::from_utf8(exit.stdout).unwrap()
}

/// These fields of every packet.
fn fields(file: &Path, names: &[&str]) -> Vec<String> {
    let named = names.iter().flat_map(|name| ["-e", *name]);
    let words: Vec<&str> = ["-T", "fields", "-E", "separator=|"].into_iter().chain(named).collect();
    tshark(file, &words).lines().map(str::to_owned).collect()
}

#[test]
fn tshark_follows_a_conversation_over_either_family_and_over_what_has_no_addresses() {
    let scratch = Scratch::new();
    let unix = format!("unix:{}", scratch.path("socket").display());
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0", "tcp:[::1]:0", &unix]);
    for (n, ip) in ["127.0.0.1", "::1", "127.0.0.1"].into_iter().enumerate() {
        let (file, at) = (scratch.path(format!("{n}.pcapng")), server.address(n));
        let word = format!("{at},pcap={}", file.display());
        let exit = run(&mut sockeye(&["dial", &word]), b"hello\n", LIMIT);
        assert_eq!((exit.code, exit.stdout.as_slice()), (Some(0), &b"HELLO\n"[..]), "{exit:?}");
        let followed = tshark(&file, &["-q", "-z", "follow,tcp,ascii,0"]);
        let said: Vec<&str> = followed.lines().map(str::trim).collect();
        assert!(said.windows(4).any(|lines| lines == ["6", "hello", "", "6"]), "{followed}");
        assert!(said.contains(&"HELLO"), "{followed}");
        let packets = fields(&file, &[if n == 1 { "ipv6.src" } else { "ip.src" }, "tcp.flags.str"]);
        let before = format!("{ip}|");
        let flags = packets.iter().map(|packet| packet.strip_prefix(&before).unwrap().replace('·', ""));
        let flags: Vec<String> = flags.collect();
        assert_eq!(flags[..3], ["S", "AS", "A"], "{packets:?}");
        assert_eq!(flags[3..].iter().filter(|flags| flags.contains('F')).count(), 2, "{packets:?}");
        assert_eq!(fields(&file, &["frame.comment"])[0], at);
        assert_eq!(tshark(&file, &["-Y", "_ws.expert.severity >= \"Warning\""]), "");
    }
}

#[test]
fn datagrams_are_packets_of_udp_and_a_listener_has_all_its_peers_in_one_file() {
    let scratch = Scratch::new();
    let file = scratch.path("x.pcapng");
    let mut server = listening(&["serve", "echo", &format!("udp:127.0.0.1:0,pcap={}", file.display())]);
    for word in ["one", "two"] {
        let exit = run(&mut sockeye(&["dial", &server.address(0)]), word.as_bytes(), LIMIT);
        assert_eq!(exit.stdout, word.as_bytes(), "{exit:?}");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait(LIMIT).code, Some(0));
    let packets = fields(&file, &["udp.payload", "frame.packet_flags_direction"]);
    assert_eq!(
        packets,
        ["6f6e65|1", "6f6e65|2", "74776f|1", "74776f|2"].map(|packet| packet.replace('|', "|0x0000000"))
    );
}

#[test]
fn who_is_interrupted_leaves_a_whole_capture() {
    let scratch = Scratch::new();
    let file = scratch.path("x.pcapng");
    let server = listening(&["serve", "chargen", "tcp:127.0.0.1:0"]);
    let word = format!("{},pcap={}", server.address(0), file.display());
    let mut dialled = testkit::Process::spawn(&mut sockeye(&["dial", &word]));
    dialled.wait_stdout(LIMIT, |came| came.len() > 100_000);
    dialled.signal(Signal::INT);
    assert_eq!(dialled.wait(LIMIT).code, Some(130));
    let packets = fields(&file, &["tcp.flags.str"]);
    assert!(packets.len() > 5 && packets.last().unwrap().contains(['R', 'F']), "{:?}", packets.last());
}

#[test]
fn people_see_what_goes_each_way_and_nothing_acts_on_their_terminal() {
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    let at = server.address(0);
    let said = |style: &str| {
        let exit = run(&mut sockeye(&["dial", &format!("{at},log={style}")]), b"hi\r\n\x1b[2Jyou", LIMIT);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        // The time stands between our name and the peer's.
        let times = |line: &str| match line.strip_prefix("sockeye: ").and_then(|rest| rest.split_once(' ')) {
            Some((time, rest)) if time.len() == 15 => rest.replace(&at, "PEER"),
            _ => line.to_owned(),
        };
        exit.stderr.lines().map(times).collect::<Vec<_>>()
    };
    let text = [
        "PEER open",
        "PEER > 11 bytes",
        "> hi",
        "> \\x1b[2Jyou",
        "PEER > end",
        "PEER < 11 bytes",
        "< HI",
        "< \\x1b[2JYOU",
        "PEER < end",
        "PEER closed",
    ];
    assert_eq!(said("text"), text);
    let hex = [
        "PEER open",
        "PEER > 11 bytes",
        "00000000  68 69 0d 0a 1b 5b 32 4a  79 6f 75                 hi...[2Jyou",
        "PEER > end",
        "PEER < 11 bytes",
        "00000000  48 49 0d 0a 1b 5b 32 4a  59 4f 55                 HI...[2JYOU",
        "PEER < end",
        "PEER closed",
    ];
    assert_eq!(said("hex"), hex);
}

#[test]
fn programs_are_told_the_same_as_objects() {
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0,frame=line"]);
    let word = format!("{},frame=line,log=hex", server.address(0));
    let exit = run(&mut sockeye(&["dial", "--log", "json", &word]), b"hi\n", LIMIT);
    let told: Vec<Value> = exit.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = told.iter().filter(|event| event["event"] == "traffic").collect();
    let seen: Vec<_> = told.iter().map(|event| event["seen"].as_str().unwrap()).collect();
    assert_eq!(seen, ["open", "message", "end", "message", "end", "closed"]);
    assert_eq!(
        (&told[1]["way"], &told[1]["text"], &told[1]["size"]),
        (&"out".into(), &"hi".into(), &2.into())
    );
    assert_eq!((&told[3]["way"], &told[3]["text"]), (&"in".into(), &"HI".into()));
    assert!(told.windows(2).all(|pair| pair[0]["time"].as_f64() <= pair[1]["time"].as_f64()), "{told:?}");
}

#[test]
fn what_is_long_is_shown_whole_also_in_a_file() {
    let scratch = Scratch::new();
    let log = scratch.path("log");
    let server = listening(&["serve", "discard", "tcp:127.0.0.1:0"]);
    let content = super::noise(3);
    let word = format!("{},log=hex", server.address(0));
    let to = format!("file:{}", log.display());
    let exit = run(&mut sockeye(&["dial", "--log", &to, &word]), &content, LIMIT);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
    let log = fs::read_to_string(&log).unwrap();
    let rows = log.lines().filter(|line| line.as_bytes()[8..10] == *b"  ");
    let values = rows.flat_map(|row| row[10..58].split_whitespace().collect::<Vec<_>>());
    let back: Vec<u8> = values.map(|value| u8::from_str_radix(value, 16).unwrap()).collect();
    assert!(back == content, "{} bytes", back.len());
    assert!(log.starts_with("20") && log.lines().next().unwrap().ends_with(" open"), "{}", &log[..200]);
}

#[test]
fn a_copy_that_finds_no_room_is_told_and_costs_nothing_but_itself() {
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    let exit = run(&mut sockeye(&["dial", &format!("{},tee=/dev/full", server.address(0))]), b"hi", LIMIT);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(0), &b"HI"[..]));
    let told = "sockeye: cannot write to /dev/full: no space left on device; nothing more is written there, and the \
                connection goes on\n";
    assert_eq!(exit.stderr, told);
}

#[test]
fn what_cannot_be_recorded_is_refused_in_words() {
    for (option, told) in [
        ("pcap=/etc/hostname", "pcap: /etc/hostname: it is there already, and no capture in pcapng"),
        ("tee=/nowhere/x", "tee: /nowhere/x: no such file or directory"),
        ("rate=fast", "rate: expected a rate such as 64k/s, 10MB/s or 80Mbit/s, or in:1MB/s+out:64k/s"),
        ("log=xml", "log: expected hex or text"),
    ] {
        let exit = run(&mut sockeye(&["dial", &format!("tcp:127.0.0.1:1,{option}")]), b"", LIMIT);
        assert!(exit.code != Some(0) && exit.stderr.contains(told), "{option}: {exit:?}");
    }
}
