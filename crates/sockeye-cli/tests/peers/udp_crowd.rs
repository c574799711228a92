//! Two thousand UDP peers who speak first at the same moment: each is answered, once, and with what was meant for it.

use testkit::{LIMIT, Server};

use super::listening;
use super::python::{python, python_server};

/// Python's own buffer would hold some 250 small datagrams.
const UPPER: &str = "
server = listen('udp:127.0.0.1:0')
try:
    server.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
except PermissionError:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
server.settimeout(None)
while True:
    asked, peer = server.recvfrom(65536)
    server.sendto(asked.upper(), peer)
";

#[test]
fn a_service_answers_two_thousand_peers_that_start_at_once() {
    let server = listening(&["serve", "echo", "udp:127.0.0.1:0"]);
    each_is_answered(&server.address(0), &[&server]);
}

#[test]
fn a_relay_joins_two_thousand_peers_that_start_at_once_each_with_its_own() {
    let upper = listening(&["serve", "upper", "udp:127.0.0.1:0"]);
    let relay = listening(&["relay", "udp-l:127.0.0.1:0", &upper.address(0)]);
    each_is_answered(&relay.address(0), &[&relay, &upper]);
}

#[test]
fn a_relay_leads_two_thousand_peers_that_start_at_once_to_a_server_in_python() {
    let (_upper, address) = python_server(UPPER, &[]);
    let relay = listening(&["relay", "udp-l:127.0.0.1:0", &address]);
    each_is_answered(&relay.address(0), &[&relay]);
}

/// Nobody asks twice, and every server has nothing to say but where it listens.
fn each_is_answered(address: &str, servers: &[&Server]) {
    let exit = python(include_str!("udp_crowd.py"), &[address, "2000"]).wait(2 * LIMIT);
    let told: Vec<String> = servers.iter().map(|server| server.stderr()).collect();
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "0 were missed\n", "{exit:?}\n{told:?}");
    assert!(told.iter().all(|told| told.lines().count() == 1), "{told:?}");
}
