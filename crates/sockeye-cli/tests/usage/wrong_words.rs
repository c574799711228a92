//! Verbs, flags and words that make no sense: exit code 2, a sentence, and what to try.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{assert_all_wrong_usage, assert_refused, sockeye};

#[test]
fn a_verb_that_is_unknown_is_named_with_what_was_perhaps_meant() {
    assert_all_wrong_usage(&[
        (&["dail"], "sockeye: there is no verb \"dail\"", "         did you mean dial?"),
        (&["help", "chekc"], "sockeye: there is no verb \"chekc\"", "         did you mean check?"),
        (
            &["frobnicate"],
            "sockeye: there is no verb \"frobnicate\"",
            "         sockeye --help shows what there is",
        ),
        (
            &["tcp:localhost:80"],
            "sockeye: there is no verb \"tcp:localhost:80\"",
            "         to connect there: sockeye dial tcp:localhost:80",
        ),
        (&[""], "sockeye: there is no verb \"\"", "         sockeye --help shows what there is"),
    ]);
}

#[test]
fn a_service_that_is_unknown_is_named_with_what_was_perhaps_meant() {
    assert_all_wrong_usage(&[
        (&["serve", "ehco", "tcp:0"], "sockeye: there is no service \"ehco\"", "         did you mean echo?"),
        (
            &["serve", "echo", "tcp:0", "frobnicate", "tcp:0"],
            "sockeye: there is no service \"frobnicate\"",
            "         there are echo, discard, chargen, daytime, upper, hello, reply, time32, time, exec, ntp",
        ),
        (
            &["serve", "", "tcp:0"],
            "sockeye: there is no service \"\"",
            "         there are echo, discard, chargen, daytime, upper, hello, reply, time32, time, exec, ntp",
        ),
    ]);
}

#[test]
fn a_flag_that_is_unknown_or_belongs_elsewhere_is_named() {
    assert_all_wrong_usage(&[
        (
            &["dial", "--waitt", "3", "tcp:localhost:1"],
            "sockeye: there is no flag --waitt",
            "         did you mean --wait?",
        ),
        (
            &["dial", "tcp:localhost:1", "--frobnicate"],
            "sockeye: there is no flag --frobnicate",
            "         see sockeye dial --help",
        ),
        (
            &["dial", "-x", "tcp:localhost:1"],
            "sockeye: there is no flag -x",
            "         see sockeye dial --help",
        ),
        (
            &["dial", "--keep", "tcp:localhost:1"],
            "sockeye: there is no flag --keep",
            "         see sockeye dial --help",
        ),
        (
            &["serve", "reply", "tcp:0", "--texd", "x"],
            "sockeye: there is no flag --texd",
            "         did you mean --text?",
        ),
        (
            &["serve", "echo", "tcp:0", "--text", "x"],
            "sockeye: there is no flag --text",
            "         --text is a flag of reply, and stands behind that word",
        ),
    ]);
}

#[test]
fn a_flag_with_a_value_that_it_cannot_take_says_what_it_takes() {
    assert_all_wrong_usage(&[
        (
            &["dial", "--wait", "3x", "tcp:localhost:1"],
            "sockeye: --wait 3x: not a time",
            "         write 1.5s, 250ms or 2m",
        ),
        (
            &["serve", "--threads", "0", "echo", "tcp:0"],
            "sockeye: --threads 0: not a number of threads",
            "         write 1 to 1024",
        ),
        (
            &["relay", "--threads", "2", "tcp:localhost:1", "tcp:localhost:2"],
            "sockeye: relay: --threads is for one that listens, and tcp:localhost:1 is dialled",
            "         leave it out",
        ),
        (
            &["dial", "tcp:localhost:1", "--wait"],
            "sockeye: missing argument for option '--wait'",
            "         see sockeye dial --help",
        ),
        (
            &["dial", "--crlf=3", "tcp:localhost:1"],
            "sockeye: unexpected argument for option '--crlf': \"3\"",
            "         see sockeye dial --help",
        ),
        (
            &["listen", "--log", "jsn", "tcp:0"],
            "sockeye: --log jsn: no such format",
            "         write text or json, or file:PATH or json:PATH for a file",
        ),
        (
            &["listen", "tcp:0", "-o"],
            "sockeye: missing argument for option '-o'",
            "         see sockeye listen --help",
        ),
        (
            &["listen", "-o", "once", "tcp:0"],
            "sockeye: -o stands behind the address that it is for",
            "         see sockeye listen --help",
        ),
    ]);
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    assert_all_wrong_usage(&[
        (
            &["listen", "-4", "-6", "tcp:0"],
            "sockeye: -4 and -6 exclude each other",
            "         leave both out for both",
        ),
        (
            &["dial", "--send-only", "--recv-only", "tcp:localhost:1"],
            "sockeye: --send-only and --recv-only exclude each other",
            "         leave both out for both ways",
        ),
        (
            &["dial", "--send-only", "--chunks", "tcp:localhost:1"],
            "sockeye: --send-only and --chunks exclude each other",
            "         nothing that comes is shown with --send-only",
        ),
        (
            &["listen", "--hex", "--send-only", "tcp:0"],
            "sockeye: --send-only and --hex exclude each other",
            "         nothing that comes is shown with --send-only",
        ),
        (
            &["dial", "--chunks", "--raw", "tcp:localhost:1"],
            "sockeye: --raw and --chunks exclude each other",
            "         --chunks is never as it came",
        ),
        (
            &["dial", "--raw", "--hex", "tcp:localhost:1"],
            "sockeye: --raw and --hex exclude each other",
            "         --hex is never as it came",
        ),
        (
            &["dial", "--lines", "--crlf", "tcp:localhost:1,frame=burst"],
            "sockeye: --lines and --crlf exclude each other",
            "         a line is a message without its end",
        ),
    ]);
}

#[test]
fn flags_for_one_peer_and_for_many_are_not_mixed_up() {
    assert_all_wrong_usage(&[
        (
            &["listen", "--broker", "--operator", "tcp:0"],
            "sockeye: --broker and --operator exclude each other",
            "         with --broker the peers hear each other, with --operator you hear and answer them",
        ),
        (
            &["listen", "--broker", "--crlf", "tcp:0"],
            "sockeye: --crlf is for one peer at a time, and --broker takes many",
            "         leave --crlf out",
        ),
        (
            &["listen", "--operator", "--recv-only", "tcp:0"],
            "sockeye: --recv-only is for one peer at a time, and --operator takes many",
            "         leave --recv-only out",
        ),
        (
            &["listen", "--operator", "--slow", "oldest", "tcp:0"],
            "sockeye: --slow oldest is for --broker",
            "         leave --slow out",
        ),
        (
            &["listen", "--slow", "drop", "tcp:0"],
            "sockeye: --slow drop is for --broker",
            "         leave --slow out",
        ),
        (
            &["listen", "--broker", "--slow", "newest", "tcp:0"],
            "sockeye: --slow newest: no such policy",
            "         write drop or oldest",
        ),
    ]);
}

#[test]
fn flags_for_messages_and_for_bytes_are_refused_where_they_make_no_sense() {
    assert_all_wrong_usage(&[
        (
            &["dial", "--lines", "tcp:localhost:1"],
            "sockeye: --lines is for peers that carry messages, and tcp:localhost:1 carries bytes",
            "         frame=line makes messages of bytes; sockeye help address has other frames",
        ),
        (
            &["listen", "--plan", "--crlf", "tcp:0,frame=burst"],
            "sockeye: --crlf: each line of standard input is a message here, without its end",
            "         leave it out",
        ),
        (
            &["listen", "--keep", "tcp:0,frame=burst,max-conns=3"],
            "sockeye: listen serves one peer at a time",
            "         leave max-conns= out",
        ),
    ]);
}

#[test]
fn too_few_and_too_many_words_are_told_with_how_it_is_typed() {
    let (dial, how_to_dial) =
        ("sockeye: dial: expected one address", "         usage: sockeye dial [FLAG]... ADDR");
    let (listen, how_to_listen) =
        ("sockeye: listen: expected one address", "         usage: sockeye listen [FLAG]... ADDR");
    let (relay, how_to_relay) =
        ("sockeye: relay: expected two addresses", "         usage: sockeye relay [FLAG]... ADDR ADDR");
    assert_all_wrong_usage(&[
        (&["dial"], dial, how_to_dial),
        (&["dial", "tcp:localhost:1", "tcp:localhost:2"], dial, how_to_dial),
        (&["dial", "--", "tcp:localhost:1", "--plan"], dial, how_to_dial),
        (&["listen"], listen, how_to_listen),
        (&["listen", "tcp:0", "tcp:0"], listen, how_to_listen),
        (&["relay"], relay, how_to_relay),
        (&["relay", "tcp:localhost:1"], relay, how_to_relay),
        (&["relay", "tcp-l:0", "tcp:localhost:1", "tcp:localhost:2"], relay, how_to_relay),
        (
            &["check"],
            "sockeye: check: expected an address, or several",
            "         usage: sockeye check [FLAG]... ADDR...",
        ),
        (
            &["serve", "echo"],
            "sockeye: echo: expected an address",
            "         say where: sockeye serve echo tcp:7700",
        ),
        (
            &["serve", "echo", "tcp:0", "upper"],
            "sockeye: upper: expected an address",
            "         say where: sockeye serve upper tcp:7704",
        ),
        (
            &["serve", "tcp:0"],
            "sockeye: tcp:0: which service?",
            "         name the service first: sockeye serve echo tcp:0",
        ),
    ]);
}

#[test]
fn who_listens_and_who_dials_is_not_mixed_up() {
    assert_all_wrong_usage(&[
        (
            &["dial", "tcp-l:8080"],
            "sockeye: tcp-l:8080 is listened on",
            "         try: sockeye listen tcp-l:8080",
        ),
        (
            &["check", "tcp:localhost:1", "unix-l:/run/x"],
            "sockeye: unix-l:/run/x is listened on",
            "         name an address to connect to",
        ),
        (
            &["relay", "tcp:localhost:1", "tcp-l:2"],
            "sockeye: relay: only the first address may listen",
            "         name the one that listens first: sockeye relay tcp-l:2 tcp:localhost:1",
        ),
        (
            &["relay", "tcp-l:1", "tcp-l:2"],
            "sockeye: relay: only the first address may listen",
            "         the second is dialled: write it without -l",
        ),
    ]);
}

#[test]
fn what_nobody_listens_on_is_not_checked_and_what_is_for_one_is_not_given_to_many() {
    assert_all_wrong_usage(&[
        (
            &["check", "-"],
            "sockeye: - is nothing that anybody listens on",
            "         name an address to connect to",
        ),
        (
            &["check", "tcp:localhost:1", "file:notes.txt,write"],
            "sockeye: file:notes.txt,write is nothing that anybody listens on",
            "         name an address to connect to",
        ),
        (
            &["check", "tcp:localhost:1", "udp:localhost:1"],
            "sockeye: udp has no handshake: nothing can be known without asking",
            "         try: echo | sockeye dial udp:localhost:1",
        ),
        (
            &["check", "--plan", "unix-dgram:socket"],
            "sockeye: unix-dgram has no handshake: nothing can be known without asking",
            "         try: echo | sockeye dial unix-dgram:socket",
        ),
        (
            &["check", "tcp:localhost:1,fastopen-connect"],
            "sockeye: tcp:localhost:1,fastopen-connect connects with the first bytes, and check sends none",
            "         leave fastopen-connect out",
        ),
        (
            &["relay", "tcp-l:0", "-,eof=close"],
            "sockeye: -,eof=close is there for one connection, and tcp-l:0 accepts many",
            "         add ,once to the first address, or see sockeye listen --keep",
        ),
        (
            &["listen", "tcp:0,max-conns=3"],
            "sockeye: listen serves one peer at a time",
            "         leave max-conns= out",
        ),
        (
            &["relay", "tcp-l:0", "file:x,write"],
            "sockeye: file:x,write is there for one connection, and tcp-l:0 accepts many",
            "         add ,once to the first address, or see sockeye listen --keep",
        ),
        (
            &["relay", "unix-l:socket", "fd:3"],
            "sockeye: fd:3 is there for one connection, and unix-l:socket accepts many",
            "         add ,once to the first address, or see sockeye listen --keep",
        ),
    ]);
}

#[test]
fn bytes_are_not_joined_to_messages() {
    assert_all_wrong_usage(&[
        (
            &["relay", "mem-seq:x", "tcp:localhost:1"],
            "sockeye: mem-seq:x carries messages, and tcp:localhost:1 bytes",
            "         frame=line makes messages of bytes; sockeye help address has other frames",
        ),
        (
            &["relay", "unix-l:x", "tcp:localhost:1,frame=burst"],
            "sockeye: unix-l:x carries bytes, and tcp:localhost:1,frame=burst messages",
            "         frame=line makes messages of bytes; sockeye help address has other frames",
        ),
    ]);
}

#[test]
fn a_word_that_is_not_utf8_is_refused_wherever_it_stands() {
    let bytes = OsStr::from_bytes;
    let hint = "         name it in another way, such as a link to it";
    for (words, shown) in [
        (&[bytes(b"\xff")][..], r"\xff"),
        (&[bytes(b"help"), bytes(b"d\xffal")], r"d\xffal"),
        (&[bytes(b"dial"), bytes(b"unix:/tmp/\xff\x1b[2J")], r"unix:/tmp/\xff\x1b[2J"),
        (&[bytes(b"dial"), bytes(b"tcp:localhost:1"), bytes(b"-o"), bytes(b"bind=\xff")], r"bind=\xff"),
        (&[bytes(b"serve"), bytes(b"reply"), bytes(b"--text"), bytes(b"\xe9"), bytes(b"tcp:0")], r"\xe9"),
    ] {
        assert_refused(&sockeye(words), 2, &[&format!("sockeye: {shown}: not UTF-8"), hint]);
    }
}

#[test]
fn control_characters_and_line_feeds_reach_no_terminal() {
    for words in [
        &["a:b\nc\u{1b}[31md"][..],
        &["x\u{1b}]0;title\u{7}\ny"],
        &["help", "\n\u{1b}"],
        &["dial", "--\u{1b}\nx"],
        &["dial", "-\u{1b}"],
        &["dial", "--wait", "\u{1b}\n", "tcp:localhost:1"],
        &["dial", "--crlf=\u{1b}\n", "tcp:localhost:1"],
        &["dial", "unix-l:\u{1b}\n"],
        &["dial", "unix:x", "-o", "\u{1b}\n=\u{202e}"],
        &["listen", "--log", "\u{1b}\n", "tcp:0"],
        &["check", "unix-l:\u{1b}\n"],
        &["relay", "tcp:localhost:1", "unix-l:\n\u{1b}[31m"],
        &["relay", "mem-seq:\n\u{1b}", "unix:\n\u{1b}"],
        &["serve", "\u{1b}\n", "tcp:0"],
        &["serve", "tcp:\u{1b}\n"],
        &["serve", "echo", "unix:x,owner=\n\u{1b}"],
    ] {
        let exit = sockeye(words);
        assert_eq!((exit.code, exit.stdout.as_slice()), (Some(2), &b""[..]), "{words:?}: {exit:?}");
        assert_eq!(exit.stderr.lines().count(), 2, "{words:?}: {exit:?}");
        let acting = exit.stderr.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
        assert_eq!(acting, None, "{words:?}: {exit:?}");
    }
}
