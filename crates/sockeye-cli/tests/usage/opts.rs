//! `opts`: which options there are, and what the kernel has of them.

use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;
use testkit::{LIMIT, Scratch, require, run};
use unicode_width::UnicodeWidthStr as _;

use super::{BINARY, assert_all_wrong_usage, assert_refused, sockeye};

/// What is printed by a run that goes well.
#[track_caller]
fn said(words: &[&str]) -> String {
    let exit = sockeye(words);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{words:?}");
    String::from_utf8(exit.stdout).unwrap()
}

#[track_caller]
fn objects(words: &[&str]) -> Vec<Value> {
    said(words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names that are listed.
fn names(words: &[&str]) -> Vec<String> {
    let name = |object: &Value| object["option"].as_str().unwrap().to_owned();
    objects(&[words, &["--json"]].concat()).iter().map(name).collect()
}

#[test]
fn the_list_has_every_row_of_every_table() {
    let listed = names(&["opts"]);
    let vocabulary = sockeye::vocabulary();
    let of_schemes = vocabulary.schemes.iter().flat_map(|scheme| scheme.options);
    let of_layers = vocabulary.layers.iter().flat_map(|layer| layer.options);
    for row in vocabulary.options.iter().copied().chain(of_schemes).chain(of_layers) {
        assert!(listed.iter().any(|name| name == row.name), "{} is not listed", row.name);
    }
    let page = said(&["opts"]);
    assert!(listed.iter().all(|name| page.contains(&format!("\n  {name}"))), "{page}");
    assert!(page.lines().all(|line| line.width() <= 79), "{page}");
    for line in [
        "options of TCP:",
        "  keepalive=TIME          ask a silent peer whether it lives, after so long",
        "                          tcp; to dial and to listen; on a new socket",
        "                          unless set: 60s",
        "                          also keepidle, tcp-keepidle",
    ] {
        assert!(page.lines().any(|printed| printed == line), "{line:?} is not in\n{page}");
    }
}

#[test]
fn a_scheme_lists_what_its_addresses_can_have() {
    let (tcp, listener, pty) = (names(&["opts", "tcp"]), names(&["opts", "tcp-l"]), names(&["opts", "pty"]));
    let has = |list: &[String], name: &str| list.iter().any(|listed| listed == name);
    for (name, in_tcp, in_listener, in_pty) in [
        ("nodelay", true, true, false),
        ("fastopen", true, true, false),
        ("fastopen-connect", true, false, false),
        ("passcred", false, false, false),
        ("frame", true, true, true),
        ("idle", true, true, true),
        ("drain", true, true, false),
        ("size", false, false, true),
        ("cwd", false, false, true),
    ] {
        let lists = (has(&tcp, name), has(&listener, name), has(&pty, name));
        assert_eq!(lists, (in_tcp, in_listener, in_pty), "{name}");
    }
    assert_eq!(names(&["opts", "unix-stream"]), names(&["opts", "unix"]));
    assert!(has(&names(&["opts", "-"]), "input"));
}

#[test]
fn an_address_shows_what_the_kernel_has_and_what_it_was_asked_for() {
    let word = "tcp-l:127.0.0.1:0,rcvbuf=32k,keepidle=90s,dscp=ef,sockopt=socket:9:1,abort";
    let text = said(&["opts", word]);
    assert!(text.starts_with("tcp:127.0.0.1:"), "{text}");
    for line in [
        "  rcvbuf              65536           set to 32768",
        "  keepalive           90s             set",
        "  keepalive-interval  10s",
        "  dscp                46              set",
        "  sockopt             socket:9:1      set",
        "  abort               yes             set",
        "  nodelay             yes",
        "  backlog             4096",
        "  device              -",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line:?} is not in\n{text}");
    }
    // Each family has a socket.
    let both = said(&["opts", "udp-l:0"]);
    assert!(both.starts_with("udp:127.0.0.1:") && both.contains("\nudp:[::1]:"), "{both}");
}

#[test]
fn a_dialled_address_is_connected_and_closed_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let word = format!("tcp:{},quickack=no", listener.local_addr().unwrap());
    let told = objects(&["opts", "--json", &word]);
    let (mut came, _) = listener.accept().unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut came, &mut rest).unwrap();
    assert!(rest.is_empty());
    let of = |name: &str| told.iter().find(|object| object["option"] == name).unwrap();
    assert_eq!((&of("quickack")["value"], &of("quickack")["asked"]), (&false.into(), &false.into()));
    assert_eq!((&of("keepalive")["value"], &of("keepalive")["asked"]), (&60.0.into(), &Value::Null));
    assert_eq!((&of("user-timeout")["value"], &of("mark")["value"]), (&0.0.into(), &0.into()));
    assert_eq!(of("bind")["value"], came.peer_addr().unwrap().to_string());
    let bare = word.split(',').next().unwrap();
    assert!(told.iter().all(|object| object["address"] == bare && object["socket"] == bare), "{told:?}");
}

#[test]
fn a_plan_opens_nothing_and_a_path_is_gone_again() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let word = format!("unix-l:{}", path.display());
    let plan = said(&["opts", "--plan", &word]);
    assert!(plan.starts_with(&format!("opts     {word}\n")), "{plan}");
    assert!(!path.exists());
    assert!(said(&["opts", &word]).contains("  passcred            no\n"));
    assert!(!path.exists());
}

#[test]
fn an_address_that_is_no_socket_is_refused_before_it_is_opened() {
    let scratch = Scratch::new();
    let touch = format!("exec:touch {}", scratch.path("made").display());
    assert_refused(
        &sockeye(&["opts", &touch]),
        2,
        &["sockeye: exec has no options of a socket", "         what can be set there: sockeye opts exec"],
    );
    assert!(!scratch.path("made").exists());
    assert_all_wrong_usage(&[
        (&["opts", "tpc"], "sockeye: tpc: there is no scheme \"tpc\"; did you mean \"tcp\"?", "         ^^^"),
        (
            &["opts", "tcp", "udp"],
            "sockeye: opts: expected a scheme or an address, or nothing",
            "         usage: sockeye opts [FLAG]... [SCHEME|ADDR]",
        ),
    ]);
    assert_refused(
        &sockeye(&["opts", "unix:/nonexistent"]),
        1,
        &[
            "sockeye: cannot connect to unix:/nonexistent: no such file or directory",
            "         check what is named there, or start what listens there first",
        ],
    );
}

#[test]
fn a_value_that_an_option_does_not_take_is_shown_with_what_it_takes() {
    let refused = |option: &str, expected: &str| {
        let first =
            format!("sockeye: tcp:h:1,{option}: {}: expected {expected}", option.split('=').next().unwrap());
        let carets = format!("                 {}", "^".repeat(option.len()));
        assert_refused(&sockeye(&["dial", &format!("tcp:h:1,{option}")]), 2, &[&first, &carets]);
    };
    refused("ttl=0", "a number from 1 to 255");
    refused("mark=0x1ffffffff", "a number from 0 to 4294967295");
    refused("dscp=af44", "a number from 0 to 63, or a name such as ef, af41 or cs5");
    refused("device=eth/0", "the name of an interface such as eth0");
    refused("keepalive-interval=1.5s", "whole seconds such as 10s, from 1s to 32767s");
    refused("abort=1", "yes or no");
    refused("bind=here", "an IP address, with or without a port, such as 127.0.0.1 or [::1]:4000");
    refused("user-timeout=soon", "a time such as 1.5s, 250ms or 2m, or off");
    refused("notsent-lowat=some", "bytes such as 65536, 64k or 1MB");
    let raw = "LEVEL:NUMBER:VALUE, with socket, ip, ipv6, tcp, udp or a number, and bytes as x0a0b";
    refused("sockopt=tcp:nodelay:1", raw);
    assert_all_wrong_usage(&[
        (
            &["dial", "tcp:h:1,sockopt=tcp:1:1,sockopt=tcp:1:0"],
            "sockeye: tcp:h:1,sockopt=tcp:1:1,sockopt=tcp:1:0: sockopt=tcp:1 is set twice",
            "                                 ^^^^^^^^^^^^^^^",
        ),
        (
            &["dial", "tcp:h:1,fastopen=9"],
            "sockeye: tcp:h:1,fastopen=9: fastopen is for addresses that are listened on",
            "                 ^^^^^^^^^^",
        ),
        (
            &["dial", "unix:/x,ttl=9"],
            "sockeye: unix:/x,ttl=9: unix has no option \"ttl\"",
            "                 ^^^^^",
        ),
    ]);
}

#[test]
fn an_option_that_the_kernel_refuses_says_what_to_do() {
    let listen = |option: &str| sockeye(&["listen", &format!("tcp:127.0.0.1:0,{option}")]);
    for (option, why, hint) in [
        (
            "congestion=nonsense",
            "congestion: no such file or directory",
            "sysctl net.ipv4.tcp_available_congestion_control lists what there is",
        ),
        ("device=nonsense", "device: no such device", "ip link lists the interfaces"),
        (
            "sockopt=socket:9999:1",
            "sockopt: protocol not available",
            "the kernel does not have it on such a socket: leave it out",
        ),
    ] {
        let first = format!("sockeye: cannot listen on tcp-l:127.0.0.1:0: {why}");
        assert_refused(&listen(option), 1, &[&first, &format!("         {hint}")]);
    }
    let mut command = Command::new(require("unshare"));
    let exit = run(command.args(["--map-user=1", BINARY, "dial", "udp:127.0.0.1:9,mark=1"]), b"", LIMIT);
    assert_refused(
        &exit,
        1,
        &[
            "sockeye: cannot connect to udp:127.0.0.1:9: mark: operation not permitted",
            &format!(
                "         run as root, or give it the right once: sudo setcap cap_net_admin+ep {BINARY}"
            ),
        ],
    );
}
