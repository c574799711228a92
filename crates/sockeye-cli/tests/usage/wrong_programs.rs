//! A program for each peer that makes no sense: exit code 2, a sentence, and what to try.

use super::{assert_all_wrong_usage, assert_refused, sockeye};

#[test]
fn what_excludes_a_program_for_each_peer_is_named() {
    let alone = "         the program has the peer to itself";
    assert_all_wrong_usage(&[
        (
            &["listen", "--exec", "cat", "--sh", "cat", "tcp:0"],
            "sockeye: --exec and --sh exclude each other",
            alone,
        ),
        (
            &["listen", "--broker", "--exec", "cat", "tcp:0"],
            "sockeye: --exec and --broker exclude each other",
            alone,
        ),
        (
            &["listen", "--sh", "cat", "--operator", "tcp:0"],
            "sockeye: --sh and --operator exclude each other",
            alone,
        ),
        (
            &["listen", "--sh", "cat", "--slow", "drop", "tcp:0"],
            "sockeye: --sh and --slow exclude each other",
            alone,
        ),
        (
            &["listen", "--exec", "cat", "--public", "--lines", "udp:0"],
            "sockeye: --exec and --public exclude each other",
            alone,
        ),
        (
            &["listen", "--exec", "cat", "--hex", "tcp:0"],
            "sockeye: --exec and --hex exclude each other",
            alone,
        ),
        (
            &["listen", "--exec", "cat", "--wait", "3s", "tcp:0"],
            "sockeye: --exec and --wait exclude each other",
            alone,
        ),
    ]);
}

#[test]
fn what_makes_messages_of_a_programs_bytes_is_asked_for_where_it_is_needed_and_only_there() {
    let (bytes, leave_out) =
        ("sockeye: tcp-l:0 carries bytes, as the program does", "         leave --lines and --frame out");
    assert_all_wrong_usage(&[
        (
            &["listen", "--exec", "cat", "--lines", "--frame", "nul", "udp:0"],
            "sockeye: --lines and --frame exclude each other",
            "         --lines is --frame line",
        ),
        (&["listen", "--exec", "cat", "--lines", "tcp:0"], bytes, leave_out),
        (&["listen", "--sh", "cat", "--frame", "nul", "tcp:0"], bytes, leave_out),
        (
            &["listen", "--exec", "cat", "udp:0"],
            "sockeye: udp-l:0 carries messages, and a program reads and writes bytes",
            "         --lines makes a line of each message, and a message of each line; --frame has other ways",
        ),
        (
            &["listen", "--frame", "nul", "tcp:0"],
            "sockeye: --frame is for --exec and --sh",
            "         write frame= behind the address",
        ),
    ]);
}

#[test]
fn a_program_that_is_not_there_to_be_started_is_pointed_at() {
    assert_all_wrong_usage(&[
        (
            &["listen", "--exec", "cat 'a", "tcp:0"],
            "sockeye: exec:cat 'a: a quote ' is not closed",
            "              ^^^^^^",
        ),
        (&["listen", "--exec", "", "tcp:0"], "sockeye: exec:: expected a program", "              ^"),
        (&["listen", "--sh", "", "tcp:0"], "sockeye: sh:: expected a command", "            ^"),
    ]);
}

#[test]
fn a_program_that_is_nowhere_is_refused_at_the_start() {
    let hint = "         check the spelling, and PATH; sh: runs what only a shell knows";
    let said = |word: &str, why: &str| format!("sockeye: cannot start {word}: the program {why}");
    for (words, said, hint) in [
        (
            ["listen", "--exec", "no-such a", "tcp:0"],
            said("exec:no-such a", "no-such: no such file or directory"),
            hint,
        ),
        (
            ["relay", "tcp-l:0", "pty:no-such", "--log=text"],
            said("pty:no-such", "no-such: no such file or directory"),
            hint,
        ),
        (
            ["listen", "--exec", "/etc/passwd", "tcp:0"],
            said("exec:/etc/passwd", "/etc/passwd: permission denied"),
            "         check who may execute it: ls -l, id",
        ),
    ] {
        assert_refused(&sockeye(&words), 1, &[&said, hint]);
    }
}

#[test]
fn a_program_for_everybody_is_refused_at_the_start() {
    let hint = "         listen on loopback or a Unix socket, or let in by certificate: tls:HOST:PORT,client-ca=FILE,allow=cert:NAME";
    let tcp = "sockeye: cannot listen on tcp-l:any:0: others than users of this machine reach it";
    assert_all_wrong_usage(&[
        (&["listen", "--exec", "cat", "tcp:any:0"], tcp, hint),
        (&["relay", "tcp-l:any:0", "sh:cat"], tcp, hint),
        (&["relay", "tcp-l:any:0", "pty:cat"], tcp, hint),
        (
            &["listen", "--sh", "cat", "--lines", "udp:0.0.0.0:0"],
            "sockeye: cannot listen on udp-l:0.0.0.0:0: others than users of this machine reach it",
            hint,
        ),
    ]);
}
