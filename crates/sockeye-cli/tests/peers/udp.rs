//! Services over UDP, as the users of every client expect them, and datagrams of every size.

use testkit::{LIMIT, Process, Server, wait_until};

use super::client::{Client, NC, NCAT, PYTHON, SOCAT};
use super::python::python;
use super::{BINARY, listening, noise};
use crate::namespace::Namespace;

/// A service, and what is typed to it line by line, each with what comes back before the next is typed.
type Talk = (&'static str, &'static [(&'static str, &'static str)]);

const TALKS: &[Talk] = &[
    ("echo", &[("hi\n", "hi\n"), ("grüße, 日本\n", "grüße, 日本\n")]),
    ("upper", &[("mike\n", "MIKE\n"), ("grüße, 日本 [a-z]\n", "GRüßE, 日本 [A-Z]\n")]),
    ("hello", &[("mike\n", "HelloHello,mike!\n"), ("日本\n", "Hello,日本!\n")]),
    ("reply", &[("hi\n", "Hello, client!"), ("hi\n", "Hello, client!")]),
    ("chargen", &[("hi\n", CHARGEN)]),
];

/// One line of the pattern (RFC 864).
const CHARGEN: &str = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n";

#[test]
fn nc_gets_along_with_every_service_over_udp() {
    gets_along(&NC);
}

#[test]
fn ncat_gets_along_with_every_service_over_udp() {
    gets_along(&NCAT);
}

#[test]
fn socat_gets_along_with_every_service_over_udp() {
    gets_along(&SOCAT);
}

#[test]
fn python_gets_along_with_every_service_over_udp() {
    gets_along(&PYTHON);
}

#[test]
fn daytime_is_today_for_whoever_asks_with_a_datagram() {
    let server = listening(&["serve", "daytime", "udp:0"]);
    let program = "
def today():
    return time.strftime('%A, %B ') + str(time.localtime().tm_mday) + time.strftime(', %Y ')
for address in sys.argv[1:]:
    conn = connect(address)
    for question in b'', b'What time is it?':
        before = today()
        conn.send(question)
        line = conn.recv(100).decode()
        assert line.startswith((before, today())) and line.endswith('\\r\\n'), line
";
    let exit = python(program, &[&server.address(0), &server.address(1)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn discard_answers_nothing() {
    let server = listening(&["serve", "discard", "udp:127.0.0.1:0", "echo", "udp:127.0.0.1:0"]);
    // One socket asks both, again and again: an answer of the first would come between those of the second.
    let program = "
conn = new_socket('udp:127.0.0.1:0')
discard, echo = (name_of(address)[1] for address in sys.argv[1:])
for _ in range(100):
    conn.sendto(b'anybody?', discard)
    conn.sendto(b'hi', echo)
    assert conn.recvfrom(100) == (b'hi', echo)
";
    let [discard, echo] = [server.address(0), server.address(1)];
    let exit = python(program, &[&discard, &echo]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn a_datagram_of_any_size_comes_back_whole_and_alone() {
    let words = ["serve", "echo", "udp:0", "upper", "udp:0", "reply", "udp:0", "--text", "once"];
    let server = listening(&words);
    // As long as one of IPv4 can be, and of IPv6.
    let program = "
for number, address in enumerate(sys.argv[1:]):
    conn = connect(address)
    for size in 0, 1, 1024, 9000, 65507, 65527:
        if size == 65527 and conn.family == socket.AF_INET:
            continue
        asked = os.urandom(size)
        conn.send(asked)
        answers = asked, asked.upper(), b'once'
        assert conn.recv(65536) == answers[number // 2], (address, size)
    conn.settimeout(0)
    try:
        raise AssertionError(conn.recv(65536))
    except BlockingIOError:
        say('nothing more')
";
    let addresses: Vec<String> = (0..6).map(|n| server.address(n)).collect();
    let exit = python(program, &addresses.iter().map(String::as_str).collect::<Vec<_>>()).wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "nothing more\n".repeat(6), "{exit:?}");
}

#[test]
fn eight_kibibytes_come_back_to_every_client_however_it_cuts_them() {
    let data = &noise(20)[..8192];
    let server = listening(&["serve", "echo", "udp:127.0.0.1:0"]);
    for client in [&NC, &NCAT, &SOCAT, &PYTHON] {
        let (mut command, _) = client.connect(&server.address(0)).unwrap();
        let process = Process::spawn(&mut command);
        process.write(data);
        let came = process.wait_stdout(LIMIT, |came| came.len() >= data.len());
        assert!(came == data, "{}: changed on the way", client.name);
    }
}

#[test]
fn eight_kibibytes_go_each_way_between_us_and_whoever_listens() {
    let (ours, theirs) = (&noise(21)[..8192], &noise(22)[..8192]);
    let namespace = Namespace::new();
    for (port, listen) in [
        (5001, "nc.openbsd -u -l 127.0.0.1 5001"),
        (5002, "ncat -u -l 127.0.0.1 5002"),
        (5003, "socat -b 65536 - UDP4-LISTEN:5003,bind=127.0.0.1"),
    ] {
        let words: Vec<&str> = listen.split(' ').collect();
        let right = Process::spawn(&mut namespace.command_in_network(&words));
        wait_until(LIMIT, listen, || is_bound(&right, port));
        let words = [BINARY, "relay", "-,frame=burst", &format!("udp:127.0.0.1:{port}")];
        let left = Process::spawn(&mut namespace.command_in_network(&words));
        for (from, to, data) in [(&left, &right, ours), (&right, &left, theirs)] {
            from.write(data);
            let came = to.wait_stdout(LIMIT, |came| came.len() >= data.len());
            assert!(came == data, "{listen}: changed on the way");
        }
    }
}

/// Whether somebody has this port of UDP in the network of `process`.
fn is_bound(process: &Process, port: u16) -> bool {
    let table = std::fs::read_to_string(format!("/proc/{}/net/udp", process.pid())).unwrap();
    let wanted = format!(":{port:04X}");
    table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&wanted)))
}

/// Has the client talk to every service, on both families, as one peer each.
fn gets_along(client: &Client) {
    let words = TALKS.iter().flat_map(|(service, _)| [*service, "udp:0"]);
    let server = listening(&["serve"].into_iter().chain(words).collect::<Vec<_>>());
    for (place, (service, talk)) in TALKS.iter().enumerate() {
        for address in [server.address(2 * place), server.address(2 * place + 1)] {
            let (mut command, _) = client.connect(&address).unwrap();
            let process = Process::spawn(&mut command);
            let mut want = String::new();
            for (typed, answer) in *talk {
                process.write(typed.as_bytes());
                want.push_str(answer);
                let seen = process.wait_stdout(LIMIT, |seen| seen.len() >= want.len());
                assert_eq!(String::from_utf8_lossy(&seen), want, "{service}: {command:?}");
            }
        }
    }
    assert_nothing_is_lost(&server);
}

/// What a server tells beyond where it listens would be losses.
fn assert_nothing_is_lost(server: &Server) {
    assert!(!server.stderr().contains("lost"), "{server:?}");
}
