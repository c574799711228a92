//! Addresses that cannot be read: exit code 2, a sentence, and a caret under what is wrong.

use unicode_width::UnicodeWidthStr;

use super::{assert_all_wrong_usage, sockeye};

/// The caret line stands beneath what `sockeye: ` begins.
#[test]
fn the_caret_stands_under_the_fault() {
    assert_all_wrong_usage(&[
        (
            &["dial", "tpc:localhost:80"],
            "sockeye: tpc:localhost:80: there is no scheme \"tpc\"; did you mean \"tcp\"?",
            "         ^^^",
        ),
        (
            &["dial", "localhost:80"],
            "sockeye: localhost:80: there is no scheme \"localhost\"; for TCP write tcp:localhost:80",
            "         ^^^^^^^^^",
        ),
        (&["dial", "a:80"], "sockeye: a:80: there is no scheme \"a\"; for TCP write tcp:a:80", "         ^"),
        (
            &["dial", "/run/x"],
            "sockeye: /run/x: there is no scheme \"/run/x\"; for a Unix socket write unix:/run/x",
            "         ^^^^^^",
        ),
        (
            &["check", "tcp:localhost:80", "tcp"],
            "sockeye: tcp: expected a colon and a target",
            "            ^",
        ),
        (
            &["dial", "tcp:localhost:80,nodelya"],
            "sockeye: tcp:localhost:80,nodelya: tcp has no option \"nodelya\"; did you mean \"nodelay\"?",
            "                          ^^^^^^^",
        ),
        (
            &["dial", "unix:/run/x,nodelay"],
            "sockeye: unix:/run/x,nodelay: unix has no option \"nodelay\"",
            "                     ^^^^^^^",
        ),
        (
            &["relay", "tcp-l:0,tls.min=3", "tcp:localhost:1"],
            "sockeye: tcp-l:0,tls.min=3: there is no \"tls\" on this address to set \"min\" of",
            "                 ^^^^^^^^^",
        ),
    ]);
}

#[test]
fn a_target_that_cannot_be_is_refused() {
    assert_all_wrong_usage(&[
        (
            &["dial", "tcp:localhost:65536"],
            "sockeye: tcp:localhost:65536: port 65536 is out of range: 0 to 65535",
            "                       ^^^^^",
        ),
        (
            &["dial", "tcp:localhost:0"],
            "sockeye: tcp:localhost:0: port 0 can be listened on, but not dialled",
            "                       ^",
        ),
        (
            &["dial", "tcp:80"],
            "sockeye: tcp:80: expected HOST:PORT; localhost:80 is this machine",
            "             ^^",
        ),
        (
            &["dial", "tcp:localhost"],
            "sockeye: tcp:localhost: the port is missing; write localhost:PORT",
            "             ^^^^^^^^^",
        ),
        (
            &["listen", "tcp:*:80"],
            "sockeye: tcp:*:80: \"*\" is not a host; any is every address",
            "             ^^^^",
        ),
        (
            &["dial", "tcp:any:80"],
            "sockeye: tcp:any:80: any can be listened on, but not dialled; name a host",
            "             ^^^^^^",
        ),
        (&["listen", "-"], "sockeye: -: - cannot be listened on", "         ^"),
        (
            &["serve", "echo", "file:notes.txt"],
            "sockeye: file:notes.txt: file cannot be listened on",
            "         ^^^^",
        ),
        (&["dial", "fd:x"], "sockeye: fd:x: expected the number of an open descriptor", "            ^"),
    ]);
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_refused_and_not_cut() {
    let path = format!("/tmp/{}", "a".repeat(103));
    let hint = "use a shorter path, or one relative to the working folder";
    let reason = "108 bytes are too long for a Unix socket, which takes 107";
    let word = format!("unix:{path}");
    let said = format!("sockeye: {word}: {reason}; {hint}");
    let caret = format!("{}{}", " ".repeat("sockeye: unix:".len()), "^".repeat(108));
    assert_all_wrong_usage(&[(&["dial", &word], &said, &caret), (&["listen", &word], &said, &caret)]);
}

#[test]
fn layers_stand_where_they_belong() {
    assert_all_wrong_usage(&[
        (
            &["dial", "mem-seq:x,frame=burst"],
            "sockeye: mem-seq:x,frame=burst: frame needs bytes beneath it, and mem-seq carries messages",
            "                   ^^^^^^^^^^^",
        ),
        (
            &["serve", "hello", "frame+tcp:0"],
            "sockeye: frame+tcp:0: frame is written as an option, behind the target; write ,frame=…",
            "         ^^^^^",
        ),
        (
            &["dial", "tcp+unix:/run/x"],
            "sockeye: tcp+unix:/run/x: tcp is a scheme: it stands last, and alone",
            "         ^^^",
        ),
        (
            &["dial", "unix:/run/x,frame=burst,frame=burst"],
            "sockeye: unix:/run/x,frame=burst,frame=burst: frame is set twice",
            "                                 ^^^^^^^^^^^",
        ),
    ]);
}

#[test]
fn a_frame_that_is_not_known_is_refused_with_those_that_are() {
    let known =
        "one of line crlf nul len8 len16 len32 len16le len32le varint netstring fixed=N burst burst=MS";
    let said = |word: &str, hint: &str| format!("sockeye: {word}: frame: expected {known}{hint}");
    let caret =
        |value: &str| format!("                         {}", "^".repeat("frame=".len() + value.len()));
    for (value, hint) in [
        ("lien", "; did you mean \"line\"?"),
        ("fixd=512", "; did you mean \"fixed\"?"),
        ("fixed=0", ""),
        ("burst=60001", ""),
        ("messages", ""),
    ] {
        let word = format!("tcp:localhost:1,frame={value}");
        assert_all_wrong_usage(&[(&["dial", &word], &said(&word, hint), &caret(value))]);
    }
}

#[test]
fn an_option_on_the_wrong_side_set_twice_or_with_a_bad_value_is_refused() {
    assert_all_wrong_usage(&[
        (
            &["dial", "tcp:localhost:1,max-conns=3"],
            "sockeye: tcp:localhost:1,max-conns=3: max-conns is for addresses that are listened on",
            "                         ^^^^^^^^^^^",
        ),
        (
            &["listen", "tcp:0,connect=3s"],
            "sockeye: tcp:0,connect=3s: connect is for addresses that are dialled",
            "               ^^^^^^^^^^",
        ),
        (
            &["dial", "tcp:localhost:1,nodelay,tcp-nodelay=no"],
            "sockeye: tcp:localhost:1,nodelay,tcp-nodelay=no: nodelay is set twice",
            "                                 ^^^^^^^^^^^^^^",
        ),
        (
            &["listen", "tcp:0,once=maybe"],
            "sockeye: tcp:0,once=maybe: once: expected yes or no",
            "               ^^^^^^^^^^",
        ),
        (
            &["listen", "unix:/run/x,mode=9"],
            "sockeye: unix:/run/x,mode=9: mode: expected octal permissions such as 0660",
            "                     ^^^^^^",
        ),
        (
            &["dial", "tcp:localhost:1,connect=fast"],
            "sockeye: tcp:localhost:1,connect=fast: connect: expected a time such as 1.5s, 250ms or 2m, or off",
            "                         ^^^^^^^^^^^^",
        ),
        (
            &["listen", "tcp:0,backlog=70000"],
            "sockeye: tcp:0,backlog=70000: backlog: expected a number from 0 to 65535",
            "               ^^^^^^^^^^^^^",
        ),
        (
            &["dial", "tcp:localhost:1,sndbuf=3g"],
            "sockeye: tcp:localhost:1,sndbuf=3g: sndbuf: expected bytes such as 65536, 64k or 1MB",
            "                         ^^^^^^^^^",
        ),
        (
            &["dial", "tcp:localhost:1,bind=here"],
            "sockeye: tcp:localhost:1,bind=here: bind: expected an IP address, with or without a port, such as 127.0.0.1 or [::1]:4000",
            "                         ^^^^^^^^^",
        ),
    ]);
}

#[test]
fn an_option_beside_the_address_has_the_caret_under_itself() {
    assert_all_wrong_usage(&[
        (
            &["dial", "tcp:localhost:1", "-o", "nodelay=no", "-o", "conect=3s"],
            "sockeye: conect=3s: tcp has no option \"conect\"; did you mean \"connect\"?",
            "         ^^^^^^^^^",
        ),
        (
            &["dial", "tcp:localhost:1,nodelay", "-o", "nodelay=no"],
            "sockeye: nodelay=no: nodelay is set twice",
            "         ^^^^^^^^^^",
        ),
    ]);
}

#[test]
fn what_is_missing_is_shown_where_it_should_stand() {
    assert_all_wrong_usage(&[
        (
            &["dial", ""],
            "sockeye: \"\": expected a scheme; an address is SCHEME:TARGET, such as tcp:localhost:80",
            "         ^",
        ),
        (
            &["dial", ":80"],
            "sockeye: :80: expected a scheme; an address is SCHEME:TARGET, such as tcp:localhost:80",
            "         ^",
        ),
        (&["dial", "unix:"], "sockeye: unix:: expected a path, or @ and an abstract name", "              ^"),
        (
            &["dial", "tcp:localhost:1,,nodelay"],
            "sockeye: tcp:localhost:1,,nodelay: expected an option between the commas",
            "                         ^",
        ),
        (
            &["dial", "tcp:localhost:1", "-o", ""],
            "sockeye: \"\": expected an option between the commas",
            "         ^",
        ),
    ]);
}

/// An ideograph takes two columns, a combining accent none, and what is escaped as many as its escape.
#[test]
fn the_caret_stands_under_the_fault_whatever_stands_before_it() {
    assert_all_wrong_usage(&[
        (
            &["listen", "unix:/tmp/套接字,mdoe=600"],
            "sockeye: unix:/tmp/套接字,mdoe=600: unix has no option \"mdoe\"; did you mean \"mode\"?",
            "                          ^^^^^^^^",
        ),
        (
            &["listen", "unix:/tmp/e\u{301}e\u{301},mdoe=600"],
            "sockeye: unix:/tmp/e\u{301}e\u{301},mdoe=600: unix has no option \"mdoe\"; did you mean \"mode\"?",
            "                      ^^^^^^^^",
        ),
        (
            &["listen", "unix:/tmp/\u{1b}[31m\t\u{202e}\n,mdoe=600"],
            "sockeye: unix:/tmp/\\x1b[31m\\t\\u{202e}\\n,mdoe=600: unix has no option \"mdoe\"; did you mean \"mode\"?",
            "                                        ^^^^^^^^",
        ),
        (&["dial", "套接:字"], "sockeye: 套接:字: there is no scheme \"套接\"", "         ^^^^"),
    ]);
}

/// The same law for many words at once: as many columns of spaces as stand before the fault, and carets as wide as
/// it is.
#[test]
fn the_caret_is_as_wide_as_the_fault_and_as_far_as_what_stands_before_it() {
    for before in ["a", "/tmp/套接字", "ﾊﾝｶｸ", "👋", "e\u{301}", "\u{200d}", "한국어/х"] {
        for fault in ["mdoe", "套=字", "e\u{301}\u{301}=1", "\u{1f600}"] {
            let exit = sockeye(&["listen", &format!("unix:{before},{fault}")]);
            let lines: Vec<&str> = exit.stderr.lines().collect();
            let [sentence, caret] = lines[..] else { panic!("not two lines: {exit:?}") };
            let at = sentence.find(',').unwrap() + 1;
            assert!(sentence[at..].starts_with(fault), "{exit:?}");
            let wanted = " ".repeat(sentence[..at].width()) + &"^".repeat(fault.width());
            assert_eq!(caret, wanted, "{exit:?}");
        }
    }
}
