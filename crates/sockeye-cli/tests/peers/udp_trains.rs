//! Peers whose kernel sends many datagrams as one (UDP_SEGMENT): each arrives whole and alone, wherever it goes.

use testkit::LIMIT;

use super::listening;
use super::python::{python, python_server};

/// What is said, in trains, and what is to come of each.
const SAID: &str = "
def train(size, count, last=0):
    parts = [bytes([65 + n % 26]) * size for n in range(count)]
    return size, parts + [b'z' * last] * (last > 0)
said = [train(100, 10, 37), train(0, 1), train(1400, 10), train(7, 1), train(1, 20), train(0, 2), train(9000, 3, 8999)]
def say(conn, to=None):
    for size, parts in said:
        for part in parts if size == 0 else [b''.join(parts)]:
            segment = [(socket.SOL_UDP, 103, struct.pack('H', size))] if size else []
            conn.sendmsg([part], segment, 0, to) if to else conn.sendmsg([part], segment)
def hear(conn):
    for _, parts in said:
        for part in parts:
            came = conn.recv(65536)
            assert came == part, (came, part)
socket.SOL_UDP = 17
";

#[test]
fn a_relay_passes_on_each_datagram_of_a_train_in_both_directions() {
    let far = "
server = listen('udp:127.0.0.1:0')
_, peer = server.recvfrom(0, socket.MSG_PEEK)
hear(server)
say(server, peer)
time.sleep(60)
";
    let (_far, address) = python_server(&format!("{SAID}{far}"), &[]);
    let relay = listening(&["relay", "udp-l:127.0.0.1:0", &address]);
    let near = "
conn = connect(sys.argv[1])
say(conn)
hear(conn)
";
    let exit = python(&format!("{SAID}{near}"), &[&relay.address(0)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn a_service_without_sessions_answers_each_datagram_of_a_train() {
    let echo = listening(&["serve", "echo", "udp:127.0.0.1:0"]);
    let near = "
conn = connect(sys.argv[1])
say(conn)
hear(conn)
";
    let exit = python(&format!("{SAID}{near}"), &[&echo.address(0)]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}");
}
