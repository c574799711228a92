//! What a running program tells people on standard error: where it listens, who comes and goes, and what they say.

use testkit::{LIMIT, Scratch, Signal, Stream, connect, exchange, run};

use super::{command, listening, sockeye};

#[test]
fn a_port_alone_is_told_for_both_families_and_is_the_same() {
    let server = listening(&["serve", "echo", "tcp:0", "upper", "tcp:any:0"]);
    let port = server.port(0);
    assert_eq!(server.address(0), format!("tcp:127.0.0.1:{port}"));
    assert_eq!(server.address(1), format!("tcp:[::1]:{port}"));
    let port = server.port(2);
    assert_eq!(server.address(2), format!("tcp:0.0.0.0:{port}"));
    assert_eq!(server.address(3), format!("tcp:[::]:{port}"));
    let names: Vec<String> =
        server.stderr().lines().map(|line| line.split(" on ").next().unwrap().to_owned()).collect();
    assert_eq!(names, ["sockeye: echo", "sockeye: echo", "sockeye: upper", "sockeye: upper"]);
    assert_eq!(server.stdout(), b"");
}

#[test]
fn one_family_alone_is_told_alone() {
    for (flag, host) in [("-4", "127.0.0.1"), ("-6", "[::1]")] {
        let mut server = listening(&["serve", flag, "echo", "tcp:0"]);
        let address = format!("tcp:{host}:{}", server.port(0));
        server.signal(Signal::TERM);
        assert_eq!(server.wait(LIMIT).stderr, format!("sockeye: echo on {address}\n"));
    }
}

#[test]
fn every_address_that_is_told_can_be_dialled_as_it_stands() {
    let scratch = Scratch::new();
    let path = scratch.path("with space").display().to_string();
    let name = format!("@sockeye-telling-{}", std::process::id());
    let words = ["tcp:127.0.0.1:0", "tcp:[::1]:0", &format!("unix:{path}"), &format!("unix:{name}")];
    let server = listening(&[&["serve", "upper"], &words[..]].concat());
    let told: Vec<String> = (0..words.len()).map(|n| server.address(n)).collect();
    assert_eq!(told[2..], [format!("unix:{path}"), format!("unix:{name}")]);
    for address in told {
        let exit = run(&mut command(&["dial", &address]), b"hi", LIMIT);
        assert_eq!((exit.code, exit.stdout.as_slice()), (Some(0), &b"HI"[..]), "{address}: {exit:?}");
        assert_eq!(exit.stderr, "");
    }
}

#[test]
fn listen_and_relay_tell_where_they_are() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let listener = listening(&["listen", &format!("unix:{path}")]);
    assert_eq!(listener.stderr(), format!("sockeye: listening on unix:{path}\n"));
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", "unix:/nonexistent"]);
    assert_eq!(relay.stderr(), format!("sockeye: relay on {}\n", relay.address(0)));
}

#[test]
fn without_being_asked_nothing_is_told_of_those_who_come() {
    let mut server = listening(&["serve", "echo", "tcp:127.0.0.1:0,once"]);
    let address = server.address(0);
    assert_eq!(exchange(&mut connect(&address), b"hi"), b"hi");
    assert_eq!(server.wait(LIMIT).stderr, format!("sockeye: echo on {address}\n"));
}

#[test]
fn verbose_tells_who_came_and_how_much_they_said() {
    let server = listening(&["serve", "-v", "hello", "tcp:127.0.0.1:0"]);
    let mut guest = connect(&server.address(0));
    assert_eq!(exchange(&mut guest, b"mike"), b"HelloHello,mike!");
    let Stream::Tcp(guest) = guest else { panic!("not TCP") };
    let peer = format!("tcp:{}", guest.local_addr().unwrap());
    server.wait_stderr_line(LIMIT, |line| line == format!("sockeye: {peer} came to hello"));
    let left = server.wait_stderr_line(LIMIT, |line| line.contains(" left after "));
    assert!(left.starts_with(&format!("sockeye: {peer} left after ")), "{left}");
    assert!(left.ends_with("s, 4 B in, 16 B out"), "{left}");
}

#[test]
fn a_peer_without_a_name_is_told_by_where_it_came_to() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let mut server = listening(&["serve", "-v", "echo", &format!("unix:{path},once")]);
    assert_eq!(exchange(&mut connect(&server.address(0)), b"hi"), b"hi");
    let exit = server.wait(LIMIT);
    let lines: Vec<&str> = exit.stderr.lines().skip(1).collect();
    let [came, left, _sums] = lines[..] else { panic!("{exit:?}") };
    assert_eq!(came, format!("sockeye: unix:{path} came to echo"));
    assert!(left.starts_with(&format!("sockeye: unix:{path} left after ")), "{left}");
}

#[test]
fn verbose_dial_tells_to_which_address_of_a_name_it_came() {
    let server = listening(&["serve", "-4", "echo", "tcp:0"]);
    let port = server.port(0);
    let exit = sockeye(&["dial", "-v", &format!("tcp:localhost:{port}")]);
    let first = exit.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with("sockeye: connected to tcp:"), "{exit:?}");
    assert!(first.ends_with(&format!("tcp:127.0.0.1:{port}")), "{exit:?}");
}

#[test]
fn what_peers_say_is_shown_and_reaches_no_terminal_as_it_is() {
    let mut server = listening(&["serve", "upper", "--show", "tcp:127.0.0.1:0,once"]);
    let sent = b"a\x1b]0;title\x07\r\nb\t\xff\xe2\x80\xae";
    let mut guest = connect(&server.address(0));
    assert_eq!(exchange(&mut guest, sent).len(), sent.len());
    let Stream::Tcp(guest) = guest else { panic!("not TCP") };
    let peer = format!("tcp:{}", guest.local_addr().unwrap());
    let exit = server.wait(LIMIT);
    let shown: Vec<&str> = exit.stderr.lines().skip(1).collect();
    assert_eq!(
        shown,
        [
            format!(r"sockeye: {peer} says a\x1b]0;title\x07\r\nb\t\xff\u{{202e}}"),
            format!(r"sockeye: {peer} hears A\x1b]0;TITLE\x07\r\nB\t\xff\u{{202e}}"),
        ]
    );
}

#[test]
fn of_a_long_message_the_beginning_is_shown_and_how_much_there_was() {
    let mut server = listening(&["serve", "echo", "--show", "tcp:127.0.0.1:0,once"]);
    let said = [b'x'; 300_000];
    assert_eq!(exchange(&mut connect(&server.address(0)), &said).len(), said.len());
    let exit = server.wait(LIMIT);
    let mut heard = 0;
    for line in exit.stderr.lines().filter(|line| line.contains(" hears ")) {
        assert!(line.len() < 5000, "{} bytes in a line", line.len());
        let (_, shown) = line.split_once(" hears ").unwrap();
        let (shown, more) = shown.split_once(" … and ").unwrap_or((shown, "0 bytes more"));
        assert!(shown.bytes().all(|byte| byte == b'x'), "{shown}");
        heard += shown.len() + more.strip_suffix(" bytes more").unwrap().parse::<usize>().unwrap();
    }
    assert_eq!(heard, said.len());
}

#[test]
fn a_relay_that_cannot_go_on_says_why_unasked() {
    let mut relay = listening(&["relay", "tcp-l:127.0.0.1:0,once", "unix:/nonexistent"]);
    let failed = sockeye(&["dial", &relay.address(0)]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let exit = relay.wait(LIMIT);
    let lines: Vec<&str> = exit.stderr.lines().skip(1).collect();
    let [told, why, hint] = lines[..] else { panic!("{exit:?}") };
    let cause = "cannot connect to unix:/nonexistent: no such file or directory";
    assert!(told.ends_with(&format!(", 0 B in, 0 B out: {cause}")), "{told}");
    assert_eq!(why, format!("sockeye: {cause}"));
    assert_eq!(hint, "         check what is named there, or start what listens there first");
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(1), &b""[..]));
}

#[test]
fn check_prints_a_line_for_each_address_in_the_order_in_which_they_were_named() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let server = listening(&["serve", "-4", "echo", &format!("unix:{path}"), "tcp:0"]);
    let words = ["unix:/nonexistent", &format!("unix:{path}"), &format!("tcp:localhost:{}", server.port(1))];
    let exit = sockeye(&[&["check"], &words[..]].concat());
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(1), ""), "{exit:?}");
    let lines = String::from_utf8(exit.stdout).unwrap();
    let width = words.iter().map(|word| word.len()).max().unwrap();
    let wanted = [
        ("fails  ", "no such file or directory"),
        ("answers", words[1]),
        ("answers", &format!("tcp:127.0.0.1:{}", server.port(1))),
    ];
    assert_eq!(lines.lines().count(), 3, "{lines}");
    for ((word, (how, who)), line) in words.iter().zip(wanted).zip(lines.lines()) {
        assert!(line.starts_with(&format!("{word:width$}  {how}  ")), "{line}");
        assert!(line.ends_with(&format!("s  {who}")), "{line}");
    }
}
