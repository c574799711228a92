//! The examples of this crate as their readers run them, against peers that are not ours.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use testkit::{LIMIT, Process, Signal, python, require, run};

/// The program that cargo built of an example: beside the folder of this one.
fn example(name: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let built = own.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(built.exists(), "{}: type cargo build -p sockeye --examples", built.display());
    Command::new(built)
}

fn start(command: &mut Command, words: &[&str]) -> Process {
    Process::spawn(command.args(words))
}

/// The first address that it says it listens on.
fn ready(process: &Process) -> String {
    let said = process.wait_stdout(LIMIT, |said| said.ends_with(b"\n"));
    let said = String::from_utf8(said).unwrap();
    said.lines().find_map(|line| line.strip_prefix("listening on ")).unwrap().to_owned()
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

fn through_netcat(address: &str, input: &[u8]) -> Vec<u8> {
    run(Command::new(require("nc.openbsd")).args(["-N", "127.0.0.1", port(address)]), input, LIMIT).stdout
}

#[test]
fn each_is_short_and_is_run_here() {
    let own = include_str!("examples.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(own.contains(&format!("example(\"{name}\")")), "{name} is not run");
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 60, "{name} has {lines} lines");
    }
}

#[test]
fn the_echo_server_answers_many_and_lets_those_inside_finish() {
    let mut server = start(&mut example("echo"), &["tcp:127.0.0.1:0"]);
    let address = ready(&server);
    let mut inside = testkit::connect(&address);
    inside.write_all(b"first").unwrap();
    let mut back = [0; 5];
    inside.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"first");
    assert_eq!(through_netcat(&address, b"second"), b"second");

    server.signal(Signal::INT);
    inside.write_all(b"third").unwrap();
    inside.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"third");
    drop(inside);
    let exit = server.wait(LIMIT);
    assert!(exit.code == Some(0) && exit.stdout.ends_with(b"\n2 came\n"), "{exit:?}");
}

#[test]
fn the_echo_server_answers_datagrams() {
    let server = start(&mut example("echo"), &["udp:127.0.0.1:0"]);
    let address = ready(&server);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    peer.connect(address.strip_prefix("udp:").unwrap()).unwrap();
    let mut back = [0; 64];
    for said in [&b"one"[..], b"", b"three"] {
        peer.send(said).unwrap();
        let size = peer.recv(&mut back).unwrap();
        assert_eq!(&back[..size], said);
    }
}

#[test]
fn a_scheme_of_ones_own_is_relayed_to_a_peer() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    let to = format!("udp:{}", peer.local_addr().unwrap());
    let mut beating = start(&mut example("custom_scheme"), &["every:20ms", &to]);
    let mut beat = [0; 64];
    for _ in 0..3 {
        let size = peer.recv(&mut beat).unwrap();
        assert_eq!(&beat[..size], b"alive\n");
    }
    beating.signal(Signal::TERM);
    beating.wait(LIMIT);

    let wrong = run(example("custom_scheme").args(["every:day", &to]), b"", LIMIT);
    assert!(
        wrong.code == Some(1) && wrong.stderr.contains("cannot connect to every:day: invalid input"),
        "{wrong:?}"
    );
}

#[test]
fn a_layer_of_ones_own_changes_what_goes_either_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("shout+tcp:{}", listener.local_addr().unwrap());
    let mut shouting = start(&mut example("custom_layer"), &[&to]);
    let (mut peer, _) = listener.accept().unwrap();
    let mut said = [0; 6];
    peer.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HELLO\n");
    peer.write_all("wörld\n".as_bytes()).unwrap();
    drop(peer);
    let exit = shouting.wait(LIMIT);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(0), "WöRLD\n".as_bytes()), "{exit:?}");
}

#[test]
fn a_service_of_ones_own_answers_lines_and_datagrams() {
    let lines = start(&mut example("custom_service"), &["tcp:127.0.0.1:0,frame=line"]);
    assert_eq!(through_netcat(&ready(&lines), b"three short words\n\none\n"), b"3\n0\n1\n");

    let datagrams = start(&mut example("custom_service"), &["udp:127.0.0.1:0"]);
    let address = ready(&datagrams);
    let asked = run(example("udp_request").args([&address, "two words"]), b"", LIMIT);
    assert_eq!(String::from_utf8(asked.stdout).unwrap(), format!("{}: 2\n", &address["udp:".len()..]));
}

#[test]
fn the_relay_leads_to_another_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp:{}", listener.local_addr().unwrap());
    let relay = start(&mut example("relay"), &["tcp:127.0.0.1:0", &to]);
    let address = ready(&relay);
    let far = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut said = String::new();
        peer.read_to_string(&mut said).unwrap();
        write!(peer, "{said}, to the end").unwrap();
    });
    assert_eq!(through_netcat(&address, b"heard"), b"heard, to the end");
    far.join().unwrap();

    let wrong = run(example("relay").args(["tcp:0", "udp:127.0.0.1:1"]), b"", LIMIT);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("carries bytes, and udp:"), "{wrong:?}");
}

#[test]
fn a_request_is_sent_again_until_it_is_answered() {
    const DEAF_TWICE: &str = r#"
import socket
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("127.0.0.1", 0))
print("listening on udp:127.0.0.1:%d" % peer.getsockname()[1])
for heard in range(3):
    request, who = peer.recvfrom(99)
peer.sendto(request.upper(), who)
"#;
    let deaf = start(&mut python(DEAF_TWICE, &[]), &[]);
    let address = ready(&deaf);
    let asked = run(example("udp_request").args([&address, "anybody?"]), b"", LIMIT);
    assert_eq!(String::from_utf8(asked.stdout).unwrap(), format!("{}: ANYBODY?\n", &address["udp:".len()..]));

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = format!("udp:{}", silent.local_addr().unwrap());
    let unheard = run(example("udp_request").args([&to, "anybody?"]), b"", LIMIT);
    assert!(unheard.code == Some(1) && unheard.stderr.contains("no answer"), "{unheard:?}");
}
