//! `-4`, `-6` and `-n`: names with addresses of both families or of one, in a namespace with a table of hosts of its
//! own.

use std::fs;
use std::process::Command;

use testkit::{Exit, LIMIT, Scratch, require, run};

use super::{BINARY, listening, sockeye};

const HOSTS: &str = "127.0.0.1 both.test four.test\n::1 both.test\nfd00::1 six.test\n";

/// Runs `sockeye` where names are looked up in [`HOSTS`] and nowhere else.
fn among_hosts(words: &[&str]) -> Exit {
    let scratch = Scratch::new();
    let (hosts, switch) = (scratch.path("hosts"), scratch.path("nsswitch.conf"));
    fs::write(&hosts, HOSTS).unwrap();
    fs::write(&switch, "hosts: files\n").unwrap();
    let script =
        "mount --bind $1 /etc/hosts && mount --bind $2 /etc/nsswitch.conf && shift 2 && exec \"$0\" \"$@\"";
    let mut command = Command::new(require("unshare"));
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script, BINARY])
        .args([hosts, switch])
        .args(words);
    run(&mut command, b"hi", LIMIT)
}

#[test]
fn a_name_with_both_families_reaches_a_server_on_either_and_the_flags_choose() {
    for (at, right, wrong) in [("tcp:127.0.0.1:0", "-4", "-6"), ("tcp:[::1]:0", "-6", "-4")] {
        let server = listening(&["serve", "upper", at]);
        let address = format!("tcp:both.test:{}", server.port(0));
        for flags in [&["dial"][..], &["dial", right]] {
            let exit = among_hosts(&[flags, &[&address]].concat());
            assert_eq!(
                (exit.stdout.as_slice(), exit.code),
                (&b"HI"[..], Some(0)),
                "{flags:?} {at}: {exit:?}"
            );
        }
        let exit = among_hosts(&["dial", wrong, &address]);
        assert_eq!((exit.stdout.as_slice(), exit.code), (&b""[..], Some(1)), "{exit:?}");
        assert!(
            exit.stderr.starts_with(&format!("sockeye: cannot connect to {address}: connection refused\n"))
        );
    }
}

#[test]
fn localhost_is_reached_where_only_ipv4_listens() {
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    let exit = run(&mut sockeye(&["dial", &format!("tcp:localhost:{}", server.port(0))]), b"hi", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"HI"[..], Some(0)), "{exit:?}");
}

#[test]
fn a_name_without_an_address_of_the_family_says_so_and_what_to_try() {
    for (flag, name) in [("-6", "four.test"), ("-4", "six.test")] {
        let exit = among_hosts(&["dial", flag, &format!("tcp:{name}:1")]);
        assert_eq!(exit.code, Some(1), "{exit:?}");
        let want = format!(
            "sockeye: cannot connect to tcp:{name}:1: it has no address of the family that was asked for\n         \
             try without -4 or -6\n"
        );
        assert_eq!(exit.stderr, want);
    }
}

#[test]
fn a_number_of_the_other_family_says_the_same() {
    for (flag, host) in [("-6", "127.0.0.1"), ("-4", "[::1]")] {
        let exit = run(&mut sockeye(&["dial", flag, &format!("tcp:{host}:1")]), b"", LIMIT);
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(
            exit.stderr.contains("no address of the family") && exit.stderr.contains("without -4 or -6"),
            "{exit:?}"
        );
    }
}

#[test]
fn numeric_refuses_names_and_takes_numbers() {
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    let exit = among_hosts(&["dial", "-n", &format!("tcp:both.test:{}", server.port(0))]);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b""[..], Some(1)), "{exit:?}");
    assert!(exit.stderr.contains("with -n only numbers"), "{exit:?}");
    let exit = run(&mut sockeye(&["dial", "-n", &server.address(0)]), b"hi", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"HI"[..], Some(0)), "{exit:?}");
}

#[test]
fn a_port_alone_listens_on_the_families_that_the_flags_choose() {
    for (flags, hosts) in
        [(&[][..], &["127.0.0.1", "[::1]"][..]), (&["-4"], &["127.0.0.1"]), (&["-6"], &["[::1]"])]
    {
        let server = listening(&[&["serve", "upper", "tcp:0"][..], flags].concat());
        for host in ["127.0.0.1", "[::1]"] {
            let exit = run(&mut sockeye(&["dial", &format!("tcp:{host}:{}", server.port(0))]), b"hi", LIMIT);
            let (stdout, code) = if hosts.contains(&host) { (&b"HI"[..], 0) } else { (&b""[..], 1) };
            assert_eq!(
                (exit.stdout.as_slice(), exit.code),
                (stdout, Some(code)),
                "{flags:?} {host}: {exit:?}"
            );
        }
        assert_eq!(server.stderr().lines().count(), hosts.len(), "{server:?}");
    }
}
