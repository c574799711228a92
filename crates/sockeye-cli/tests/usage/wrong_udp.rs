//! What people get wrong with datagrams and groups: each has its sentence.

use super::{assert_all_wrong_usage, assert_refused, sockeye};

#[test]
fn an_address_of_udp_that_cannot_be_is_refused() {
    assert_all_wrong_usage(&[
        (
            &["dial", "udp:localhost:0"],
            "sockeye: udp:localhost:0: port 0 can be listened on, but not dialled",
            "                       ^",
        ),
        (
            &["dial", "udp:53"],
            "sockeye: udp:53: expected HOST:PORT; localhost:53 is this machine",
            "             ^^",
        ),
        (
            &["dial", "udp:any:53"],
            "sockeye: udp:any:53: any can be listened on, but not dialled; name a host",
            "             ^^^^^^",
        ),
        (
            &["dial", "udp:localhost:1,frame=line"],
            "sockeye: udp:localhost:1,frame=line: frame needs bytes beneath it, and udp carries messages",
            "                         ^^^^^^^^^^",
        ),
        (
            &["serve", "echo", "udp:0,frame=len32"],
            "sockeye: udp:0,frame=len32: frame needs bytes beneath it, and udp carries messages",
            "               ^^^^^^^^^^^",
        ),
        (
            &["relay", "udp-l:0", "tcp:localhost:1"],
            "sockeye: udp-l:0 carries messages, and tcp:localhost:1 bytes",
            "         frame=line makes messages of bytes; sockeye help address has other frames",
        ),
    ]);
}

#[test]
fn an_option_of_udp_that_cannot_be_is_refused() {
    assert_all_wrong_usage(&[
        (
            &["serve", "echo", "udp:0,bind=127.0.0.1"],
            "sockeye: udp:0,bind=127.0.0.1: bind is for addresses that are dialled",
            "               ^^^^^^^^^^^^^^",
        ),
        (
            &["serve", "echo", "udp:0,open"],
            "sockeye: udp:0,open: open is for addresses that are dialled",
            "               ^^^^",
        ),
        (
            &["dial", "udp:localhost:1,backlog=3"],
            "sockeye: udp:localhost:1,backlog=3: udp has no option \"backlog\"",
            "                         ^^^^^^^^^",
        ),
        (
            &["dial", "udp:localhost:1,multicast-ttl=256"],
            "sockeye: udp:localhost:1,multicast-ttl=256: multicast-ttl: expected a number from 0 to 255",
            "                         ^^^^^^^^^^^^^^^^^",
        ),
    ]);
}

#[test]
fn what_is_no_group_cannot_be_joined() {
    let reason = "join: expected a multicast group such as 239.1.2.3, ff02::1 or 239.1.2.3@eth0";
    for value in ["192.168.1.1", "::1", "all", "239.1.2.3@", "239.1.2.3@a/b", "239.1.2.3@sixteen-letters-"] {
        let word = format!("udp:0,join={value}");
        let caret = format!("               {}", "^".repeat("join=".len() + value.len()));
        assert_all_wrong_usage(&[(&["serve", "echo", &word], &format!("sockeye: {word}: {reason}"), &caret)]);
    }
}

#[test]
fn who_would_not_hear_the_group_is_told() {
    for (word, wrong) in [
        (
            "udp:127.0.0.1:0,join=239.1.2.3",
            "cannot listen on udp-l:127.0.0.1:0: a socket on 127.0.0.1 does not hear 239.1.2.3: write the port alone, or any:",
        ),
        (
            "udp:239.1.2.4:0,join=239.1.2.3",
            "cannot listen on udp-l:239.1.2.4:0: a socket on 239.1.2.4 does not hear 239.1.2.3: write the port alone, or any:",
        ),
        (
            "udp:[::]:0,join=239.1.2.3",
            "cannot listen on udp-l:[::]:0: a socket on :: does not hear 239.1.2.3: write the port alone, or any:",
        ),
        (
            "udp:0,join=ff02::123",
            "cannot listen on udp-l:0: each link has its own ff02::123: write join=ff02::123@INTERFACE",
        ),
        ("udp:0,join=239.1.2.3@nosuch", "cannot listen on udp-l:0: no interface \"nosuch\""),
    ] {
        assert_refused(&sockeye(&["serve", "echo", word]), 1, &[&format!("sockeye: {wrong}")]);
    }
    for (options, wrong) in [
        ("join=ff02::1", "a socket on 127.0.0.1 does not hear ff02::1: join a group of the same family"),
        ("join=239.1.2.3@nosuch", "no interface \"nosuch\""),
    ] {
        let word = format!("udp:127.0.0.1:1,{options}");
        let exit = sockeye(&["relay", "-,frame=line", &word]);
        assert_refused(&exit, 1, &[&format!("sockeye: cannot connect to udp:127.0.0.1:1: {wrong}")]);
    }
}

#[test]
fn our_own_address_is_of_this_machine_and_of_the_family_that_is_dialled() {
    for source in ["[::1]", "192.0.2.1"] {
        for scheme in ["tcp", "udp"] {
            let word = format!("{scheme}:127.0.0.1:1");
            let exit = sockeye(&["dial", &format!("{word},bind={source}")]);
            let said = format!("sockeye: cannot connect to {word}: cannot assign requested address");
            let hint =
                "         bind= takes an address of this machine (ip addr), of the family that is dialled";
            assert_refused(&exit, 1, &[&said, hint]);
        }
    }
}
