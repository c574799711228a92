//! Groups and broadcasts between hosts with networks of their own, joined by a bridge.

use std::ffi::OsStr;
use std::process::Command;

use testkit::{LIMIT, Process, run, wait_until};

use super::BINARY;
use super::python::python_words;
use crate::namespace::{Namespace, enter};

/// Where hosts are heard by all on the link, as a group is written in an address and as `join=` takes it.
const GROUPS: [(&str, &str); 2] = [("239.1.2.3", "239.1.2.3@eth0"), ("[ff02::123]", "ff02::123@eth0")];

#[test]
fn whoever_has_joined_a_group_answers_who_dials_it() {
    let lan = Lan::new(4);
    for (group, join) in GROUPS {
        let deaf = lan.replies(3, "udp:any:5000");
        // Two words for the same: on the group alone, and on every address.
        let _hosts = [
            lan.replies(1, &format!("udp:5000,join={join}")),
            lan.replies(2, &format!("udp:any:5000,join={join}")),
        ];
        let to = format!("udp:{group}:5000,join={join}");
        assert_eq!(lan.heard(0, &to), ["host 1", "host 2"], "{to}: {deaf:?}");
    }
}

#[test]
fn an_answer_to_a_group_comes_from_the_host_that_answers() {
    let lan = Lan::new(3);
    for ((group, join), hosts) in GROUPS.into_iter().zip(["10.1.0.", "fd00::"]) {
        let _hosts = [1, 2].map(|host| lan.replies(host, &format!("udp:5000,join={join}")));
        let program = "
address, hosts = sys.argv[1:]
conn = new_socket(address)
if conn.family == socket.AF_INET6:
    conn.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('eth0'))
conn.bind((hosts + '1', 0))
conn.sendto(b'who is there?', name_of(address)[1])
came = [conn.recvfrom(100) for _ in range(2)]
say(sorted((answer.decode(), peer[0], peer[1]) for answer, peer in came))
";
        let words = python_words(program, &[&format!("udp:{group}:5000"), hosts]);
        let exit = run(&mut lan.command(0, &words), b"", LIMIT);
        let want = format!("[('host 1', '{hosts}2', 5000), ('host 2', '{hosts}3', 5000)]\n");
        assert_eq!(String::from_utf8_lossy(&exit.stdout), want, "{exit:?}");
    }
}

#[test]
fn how_far_a_message_to_a_group_goes_is_set() {
    let lan = Lan::new(3);
    for (group, join) in GROUPS {
        let _hosts = [0, 1, 2].map(|host| lan.replies(host, &format!("udp:5000,join={join}")));
        for (option, want) in [
            ("", &["host 0", "host 1", "host 2"][..]),
            (",multicast-loop=no", &["host 1", "host 2"]),
            (",multicast-ttl=0", &["host 0"]),
        ] {
            let to = format!("udp:{group}:5000,join={join}{option}");
            assert_eq!(lan.heard(0, &to), want, "{to}");
        }
    }
}

#[test]
fn a_message_to_a_group_has_as_many_networks_before_it_as_was_asked_for() {
    let lan = Lan::new(2);
    let program = "
hears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
hears.bind(('', 5000))
joined = socket.inet_aton('239.1.2.3') + socket.inet_aton('10.1.0.2')
hears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
hears.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
hears6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
hears6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
hears6.bind(('', 5000))
joined = socket.inet_pton(socket.AF_INET6, 'ff02::123') + struct.pack('I', socket.if_nametoindex('eth0'))
hears6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
hears6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
say('ready')
for conn in hears, hears, hears6, hears6:
    _, [(_, _, hops)], _, peer = conn.recvmsg(100, 100)
    conn.sendto(b'%d' % struct.unpack('i', hops), peer)
";
    let there = Process::spawn(&mut lan.command(1, &python_words(program, &[])));
    there.wait_stdout(LIMIT, |said| said == b"ready\n");
    for (group, join) in GROUPS {
        for (option, want) in [("", "1"), (",multicast-ttl=7", "7")] {
            let to = format!("udp:{group}:5000,join={join}{option}");
            assert_eq!(lan.heard(0, &to), [want], "{to}: {there:?}");
        }
    }
}

#[test]
fn three_on_one_host_share_the_port_of_a_group() {
    let lan = Lan::new(2);
    for (group, join) in GROUPS {
        let _all = [1; 3].map(|host| lan.replies(host, &format!("udp:5000,join={join}")));
        let to = format!("udp:{group}:5000,join={join}");
        assert_eq!(lan.heard(0, &to), ["host 1"; 3], "{to}");
    }
}

#[test]
fn who_has_joined_a_group_on_every_address_hears_no_group_of_others_on_this_host() {
    let lan = Lan::new(2);
    for [ours, theirs] in [["239.1.2.3", "239.1.2.4"], ["ff02::123", "ff02::124"]] {
        let _ours = lan.replies(1, &format!("udp:any:5000,join={ours}@eth0"));
        let _theirs = lan.replies(1, &format!("udp:any:5000,join={theirs}@eth0"));
        let to = if ours.contains(':') { format!("[{ours}]") } else { ours.to_owned() };
        let to = format!("udp:{to}:5000,join={ours}@eth0");
        assert_eq!(lan.heard(0, &to), ["host 1"], "{to}");
    }
}

#[test]
fn a_broadcast_is_heard_by_all_and_only_sent_where_that_was_asked_for() {
    let lan = Lan::new(3);
    let _hosts = [1, 2].map(|host| lan.replies(host, "udp:0.0.0.0:5000"));
    for to in ["udp:10.1.0.255:5000", "udp:255.255.255.255:5000"] {
        assert_eq!(lan.heard(0, &format!("{to},broadcast")), ["host 1", "host 2"], "{to}");
        let exit = run(&mut lan.command(0, &[BINARY, "relay", "-,frame=line", to]), b"hi\n", LIMIT);
        let said = format!(
            "sockeye: cannot connect to {to}: permission denied
         to send to a broadcast address, add ,broadcast\n"
        );
        assert_eq!((exit.code, exit.stderr), (Some(1), said), "{to}");
    }
}

/// Hosts on one link, from 10.1.0.1 and `fd00::1` on.
struct Lan {
    hosts: Vec<Process>,
    _switch: Namespace,
}

impl Lan {
    fn new(count: usize) -> Self {
        let switch = Namespace::new();
        let on_switch = |script: &str, words: &[&str]| {
            let words = [&["sh", "-ec", script, "sh"], words].concat();
            let exit = run(&mut switch.command_in_network(&words), b"", LIMIT);
            assert_eq!(exit.code, Some(0), "{exit:?}");
            exit.stdout
        };
        on_switch("ip link add switch type bridge mcast_snooping 0; ip link set switch up", &[]);
        let mut hosts = Vec::new();
        for number in 1..=count {
            let host = switch.network_beside();
            let number = number.to_string();
            on_switch(PLUG_IN, &[&number, &host.pid().to_string()]);
            let mut command = enter(&host, &["--user", "--net"]);
            let exit = run(command.args(["sh", "-ec", SET_UP, "sh", &number]), b"", LIMIT);
            assert_eq!(exit.code, Some(0), "{exit:?}");
            hosts.push(host);
        }
        wait_until(LIMIT, "every cable to be live", || {
            let ports = String::from_utf8(on_switch("bridge link show", &[])).unwrap();
            ports.matches("state forwarding").count() == count
        });
        Self { hosts, _switch: switch }
    }

    /// A command on a host, counted from 0.
    fn command(&self, host: usize, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = enter(&self.hosts[host], &["--user", "--net"]);
        command.args(words);
        command
    }

    /// A service on a host, which answers with its number.
    fn replies(&self, host: usize, at: &str) -> Process {
        let words = [BINARY, "serve", "reply", at, "--text", &format!("host {host}")];
        let server = Process::spawn(&mut self.command(host, &words));
        server.wait_stderr_line(LIMIT, |line| line.starts_with("sockeye: reply on "));
        server
    }

    /// What comes back to one message from a host, in order of the alphabet, until nothing more comes for a second.
    fn heard(&self, host: usize, to: &str) -> Vec<String> {
        let words = [BINARY, "dial", "--lines", to];
        let exit = run(&mut self.command(host, &words), b"who is there?\n", LIMIT);
        assert_eq!((exit.code, &*exit.stderr), (Some(0), ""), "{to}");
        let mut heard: Vec<String> =
            String::from_utf8(exit.stdout).unwrap().lines().map(str::to_owned).collect();
        heard.sort();
        heard
    }
}

/// Leads a cable from the switch to the host of this number, whose network is that of this process.
const PLUG_IN: &str = "ip link add port$1 type veth peer name eth0 netns $2
ip link set port$1 master switch up";

/// Addresses are used at once: there is nobody who could have them too.
const SET_UP: &str = "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up
ip link set eth0 up
ip address add 10.1.0.$1/24 dev eth0
ip address add fd00::$1/64 dev eth0 nodad
ip route add default dev eth0";
