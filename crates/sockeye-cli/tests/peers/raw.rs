//! Raw sockets of Python, and the kernel's own answers to a ping, in networks of the test's own: there everybody has the
//! right to open such sockets.

use testkit::{LIMIT, Process, run};

use super::python::python_words;
use crate::namespace::Namespace;

/// A network with two addresses of each family: 127.0.0.1 and 127.0.0.2, `fd00::1` and `fd00::2`.
fn network() -> Namespace {
    let network = Namespace::new();
    let script = "for n in 1 2; do ip addr add fd00::$n/64 dev lo nodad; done";
    let exit = run(&mut network.command(&["sh", "-ec", script]), b"", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    network
}

/// A `sockeye` that has told of the last place where it listens.
fn listening(network: &Namespace, words: &[&str], last: &str) -> Process {
    let server = Process::spawn(&mut network.command(&[&["sockeye"], words].concat()));
    server.wait_stderr_line(LIMIT, |line| line.contains(last));
    server
}

/// Runs Python to its end, and says what it printed.
fn python(network: &Namespace, program: &str) -> String {
    let exit = run(&mut network.command(&python_words(program, &[])), b"", LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    String::from_utf8(exit.stdout).unwrap()
}

#[test]
fn python_gets_along_with_services_on_raw_sockets() {
    let network = network();
    let words = ["serve", "upper", "raw:253:127.0.0.1", "raw:253:fd00::1"];
    let server = listening(&network, &words, " on raw:253:[fd00::1]");
    // The kernel shows the header of IPv4 to Python, 20 bytes, and that of IPv6 to nobody.
    let program = "
for family, to, own, most in (2, '127.0.0.1', '127.0.0.2', 65515), (10, 'fd00::1', 'fd00::2', 65535):
    conn = socket.socket(family, socket.SOCK_RAW, 253)
    conn.bind((own, 0))
    conn.connect((to, 0))
    for size in 0, 1, 1472, 9000, most:
        conn.send(b'x' * size)
        answer = conn.recv(70000)
        assert answer[20 if family == 2 else 0:] == b'X' * size, (family, size, len(answer))
say('done')
";
    assert_eq!(python(&network, program), "done\n", "{server:?}");
}

/// Who sends from the address of a listener to it is not heard, because the listener itself could be who it is.
#[test]
fn a_listener_does_not_answer_its_own_answers() {
    let network = network();
    let services = listening(&network, &["serve", "upper", "raw:253:127.0.0.1"], " on raw:253:127.0.0.1");
    let words = ["listen", "--keep", "--recv-only", "--lines", "raw:253:127.0.0.1"];
    let sessions = listening(&network, &words, " on raw:253:127.0.0.1");
    let program = "
same, other = (socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) for _ in range(2))
same.bind(('127.0.0.1', 0))
other.bind(('127.0.0.2', 0))
for asked in b'same', b'other', b'last':
    (same if asked == b'same' else other).sendto(asked, ('127.0.0.1', 0))
for answer in b'OTHER', b'LAST':
    assert other.recv(100)[20:] == answer
same.settimeout(0)
try:
    while True:
        say(same.recv(100)[20:] + b'\\n')
except BlockingIOError:
    pass
";
    assert_eq!(python(&network, program), "same\nother\nlast\n", "{services:?}");
    assert_eq!(
        sessions.wait_stdout(LIMIT, |said| said.ends_with(b"last\n")),
        b"other\nlast\n",
        "{sessions:?}"
    );
}

#[test]
fn with_hdrincl_the_header_is_ours_to_write_and_on_ipv4_to_read() {
    let network = network();
    let program = "
for family, own in (2, '127.0.0.2'), (10, 'fd00::2'):
    conn = socket.socket(family, socket.SOCK_RAW, 253)
    conn.bind((own, 0))
    if family == 10:
        conn.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    say('ready')
    packet, other, _, peer = conn.recvmsg(100, 100)
    hops, asked = (packet[8], packet[20:]) if family == 2 else (other[0][2][0], packet)
    assert (hops, asked) == (7, b'hi'), (hops, packet)
    conn.sendto(b'an answer', peer)
say('done')
";
    let peer = Process::spawn(&mut network.command(&python_words(program, &[])));
    let dial = |address: &str, packet: &[u8]| {
        let exit = run(&mut network.command(&["sockeye", "dial", address]), packet, LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{peer:?}");
        exit.stdout
    };
    peer.wait_stdout(LIMIT, |said| said == b"ready\n");
    // The kernel fills in the length and the checksum, and whatever address is zero (raw(7)).
    let mut header = [0; 20];
    (header[0], header[8], header[9]) = (0x45, 7, 253);
    header[16..].copy_from_slice(&[127, 0, 0, 2]);
    let answer = dial("raw:253:127.0.0.2,hdrincl", &[&header[..], b"hi"].concat());
    let (header, payload) = answer.split_at(20);
    assert_eq!(
        (header[0], header[9], &header[12..], payload),
        (0x45, 253, &[127, 0, 0, 2, 127, 0, 0, 1][..], &b"an answer"[..])
    );

    peer.wait_stdout(LIMIT, |said| said == b"ready\nready\n");
    let mut header = [0; 40];
    (header[0], header[5], header[6], header[7]) = (0x60, 2, 253, 7);
    for (at, last) in [(8, 1), (24, 2)] {
        (header[at], header[at + 15]) = (0xfd, last);
    }
    let answer = dial("raw:253:fd00::2,bind=fd00::1,hdrincl", &[&header[..], b"hi"].concat());
    assert_eq!(answer, b"an answer");
    peer.wait_stdout(LIMIT, |said| said.ends_with(b"done\n"));
}

#[test]
fn the_kernel_answers_a_ping() {
    let network = network();
    // The checksum of ICMP is the sender's affair; that of its sibling, over the addresses too, is the kernel's.
    for (address, ask, answer) in
        [("raw:icmp:127.0.0.2", 8, 0), ("raw:icmpv6:fd00::2,bind=fd00::1", 128, 129)]
    {
        let mut packet = [&[ask, 0, 0, 0, 0, 0, 0, 1][..], b"a ping"].concat();
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
        let exit = run(&mut network.command(&["sockeye", "dial", address]), &packet, LIMIT);
        let came = &exit.stdout;
        assert_eq!(
            (exit.code, came.len(), came[0], &came[4..]),
            (Some(0), 14, answer, &packet[4..]),
            "{exit:?}"
        );
    }
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()
}

#[test]
fn who_may_not_is_told_which_right_to_give_to_which_program() {
    let network = network();
    for (words, tried) in [
        (&["dial", "raw:icmp:127.0.0.1"][..], "connect to raw:icmp:127.0.0.1"),
        (&["listen", "raw:icmp:127.0.0.1"], "listen on raw-l:icmp:127.0.0.1"),
        (&["relay", "raw-l:253", "raw:253:127.0.0.2"], "listen on raw-l:253"),
    ] {
        let without = ["setpriv", "--bounding-set=-net_raw", "sockeye"];
        let exit = run(&mut network.command(&[&without, words].concat()), b"", LIMIT);
        let said = format!(
            "sockeye: cannot {tried}: it takes the capability cap_net_raw, which we lack
         run as root, or give it the right once: sudo setcap cap_net_raw+ep /tmp/bin/sockeye\n"
        );
        assert_eq!((exit.code, exit.stderr), (Some(1), said), "{words:?}");
    }
}

#[test]
fn what_a_raw_socket_cannot_do_is_told_in_words() {
    let network = network();
    for (words, code, said) in [
        (
            &["dial", "raw:icmp:fd00::1"][..],
            1,
            "sockeye: cannot connect to raw:icmp:[fd00::1]: icmp goes over IPv4 alone: over IPv6 it is icmpv6\n",
        ),
        (
            &["serve", "echo", "raw:253,allow=root"],
            2,
            "sockeye: cannot listen on raw-l:253: allow=root names nobody: whose a peer is cannot be told there
         name addresses, such as 10.0.0.0/8\n",
        ),
        (
            &["listen", "--lines", "--exec", "cat", "raw:253"],
            2,
            "sockeye: cannot listen on raw-l:253: whose a peer is cannot be told there
         listen on loopback by tcp: or udp:, or on a Unix socket\n",
        ),
        (
            &["dial", "raw:253:127.255.255.255"],
            1,
            "sockeye: cannot connect to raw:253:127.255.255.255: permission denied
         to send to a broadcast address, add ,broadcast\n",
        ),
        (
            &["dial", "raw:253:127.0.0.1,hdrincl"],
            1,
            "sockeye: cannot write to raw:253:127.0.0.1: invalid argument
         with hdrincl, and on protocol 255, a message begins with a whole header of IP\n",
        ),
        (
            &["listen", "raw:253:any"],
            2,
            "sockeye: raw:253:any: a listener on every address would hear its own words, too; \
             name one of this machine's: ip addr
                 ^^^\n",
        ),
    ] {
        let exit = run(&mut network.command(&[&["sockeye"], words].concat()), b"hi", LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(code), said), "{words:?}");
    }
}
