//! `relay`: what people connect with on one end, what they listen with on the other, and us between them.

use std::fs;

use testkit::{LIMIT, Process, Scratch, connect, exchange, run};

use super::client::{CLIENTS, NC, NCAT, PYTHON, SOCAT, TELNET};
use super::listener::LISTENERS;
use super::python::{python, python_server};
use super::{listening, noise, shell, sockeye};

#[test]
fn every_client_reaches_every_listener_through_us() {
    // Each listener once, and each client several times.
    let clients = [&NC, &NCAT, &SOCAT, &TELNET, &PYTHON, &NC, &NCAT, &SOCAT, &TELNET, &PYTHON, &NC];
    let scratch = Scratch::new();
    let path = format!("unix-l:{}", scratch.path("socket").display());
    for (listener, client) in LISTENERS.iter().zip(clients) {
        for at in ["tcp-l:127.0.0.1:0", "tcp-l:[::1]:0", &path] {
            if client.connect(&at.replace("-l:", ":")).is_none() {
                continue;
            }
            let mut right = listener.start();
            let relay = listening(&["relay", at, &right.address]);
            let (mut command, greeting) = client.connect(&relay.address(0)).unwrap();
            let mut left = Process::spawn(&mut command);
            left.write("Grüße\n".as_bytes());
            let came = right.process.wait_stdout(LIMIT, |came| came.ends_with(b"\n"));
            // telnet sends CR LF.
            assert_eq!(String::from_utf8_lossy(&came).replace('\r', ""), "Grüße\n", "{command:?}");
            right.process.write("日本\n".as_bytes());
            let came = left.wait_stdout(LIMIT, |came| came.len() > greeting.len() && came.ends_with(b"\n"));
            assert_eq!(String::from_utf8_lossy(&came), format!("{greeting}日本\n"), "{command:?}");
            left.close_stdin();
            right.process.close_stdin();
            let ends = (left.wait(LIMIT).code, right.process.wait(LIMIT).code);
            assert_eq!(ends, (Some(0), Some(0)), "{command:?} and {}", listener.name);
            assert_eq!(relay.stderr().lines().count(), 1, "{command:?} and {}: {relay:?}", listener.name);
        }
    }
}

#[test]
fn a_mebibyte_goes_each_way_at_the_same_time_unchanged() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let (ours, theirs) = (noise(8), noise(9));
    for (left, right) in [
        ("tcp-l:127.0.0.1:0", "tcp:127.0.0.1:0"),
        ("tcp-l:127.0.0.1:0", &*format!("unix:{path}")),
        (&*format!("unix-l:{path}"), "tcp:[::1]:0"),
    ] {
        let (mut there, address) = python_server("join(accept(sys.argv[1]))", &[right]);
        let relay = listening(&["relay", left, &address]);
        there.write(&theirs);
        there.close_stdin();
        let came = exchange(&mut connect(&relay.address(0)), &ours);
        assert!(
            came == theirs && there.wait(LIMIT).stdout == ours,
            "changed on the way from {left} to {right}"
        );
        fs::remove_file(&path).ok();
    }
}

#[test]
fn standard_input_and_output_may_be_either_end() {
    for place in 0..2 {
        let (mut there, address) = python_server("join(accept('tcp:127.0.0.1:0'))", &[]);
        let mut words = ["-", "-"];
        words[place] = &address;
        let mut here = Process::spawn(&mut sockeye(&["relay", words[0], words[1]]));
        here.write(b"from here");
        here.close_stdin();
        assert_eq!(there.wait_stdout_end(LIMIT), b"from here");
        there.write(b"and back");
        there.close_stdin();
        let exit = here.wait(LIMIT);
        assert_eq!((exit.stdout.as_slice(), exit.code), (&b"and back"[..], Some(0)), "{words:?}: {exit:?}");
    }
}

#[test]
fn standard_input_and_output_takes_options_as_any_address() {
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    let mut here = Process::spawn(&mut sockeye(&["relay", "-,eof=close", &server.address(0)]));
    here.write(b"hi");
    here.wait_stdout(LIMIT, |came| came == b"HI");
    here.close_stdin();
    assert_eq!(here.wait(LIMIT).code, Some(0));
}

#[test]
fn what_goes_one_way_arrives_whole_however_much_the_server_talks_meanwhile() {
    let scratch = Scratch::new();
    let (file, data) = (scratch.path("data").display().to_string(), noise(10));
    fs::write(&file, &data).unwrap();
    for command in [
        "sockeye relay --one-way file:$2 $1",
        "sockeye relay --one-way - $1 <$2",
        "sockeye dial --send-only $1 <$2",
        "sockeye relay - -o eof=close $1 <$2 >/dev/null",
    ] {
        let (mut there, address) = python_server(TALKS_WHILE_IT_READS, &[]);
        let exit = run(&mut shell(command, &[&address, &file]), b"", LIMIT);
        assert_eq!((exit.code, exit.stdout, exit.stderr.as_str()), (Some(0), Vec::new(), ""), "{command}");
        assert!(there.wait(LIMIT).stdout == data, "{command}: changed on the way");
    }
}

#[test]
fn one_way_to_standard_output_leaves_standard_input_to_others() {
    let scratch = Scratch::new();
    let file = scratch.path("file").display().to_string();
    fs::write(&file, "from a file").unwrap();
    let script = "sockeye relay --one-way file:$1 -; cat";
    let exit = run(&mut shell(script, &[&file]), b", and from here", LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "from a file, and from here", "{exit:?}");
}

#[test]
fn once_takes_what_every_client_sends_into_a_file_and_ends() {
    let scratch = Scratch::new();
    let (file, data) = (scratch.path("file"), noise(11));
    let to = format!("file:{},write", file.display());
    for client in CLIENTS.iter().filter(|client| client.is_transparent) {
        let mut relay = listening(&["relay", "tcp-l:127.0.0.1:0,once", &to]);
        let (mut command, _) = client.connect(&relay.address(0)).unwrap();
        let exit = run(&mut command, &data, LIMIT);
        assert_eq!((exit.code, exit.stdout.as_slice()), (Some(0), &b""[..]), "{exit:?}");
        assert_eq!(relay.wait(LIMIT).code, Some(0), "{}", client.name);
        assert!(fs::read(&file).unwrap() == data, "changed on the way from {}", client.name);
    }
}

#[test]
fn what_comes_can_be_appended_to_a_file() {
    let scratch = Scratch::new();
    let file = scratch.path("file");
    fs::write(&file, "before\n").unwrap();
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &format!("file:{},append", file.display())]);
    for line in ["one\n", "two\n"] {
        assert_eq!(exchange(&mut connect(&relay.address(0)), line.as_bytes()), b"");
    }
    testkit::wait_until(LIMIT, "both lines in the file", || {
        fs::read_to_string(&file).unwrap() == "before\none\ntwo\n"
    });
}

#[test]
fn once_ends_after_its_only_connection_which_may_take_its_time() {
    let (mut there, address) = python_server("join(accept('tcp:127.0.0.1:0'))", &[]);
    let mut relay = listening(&["relay", "tcp-l:127.0.0.1:0,once", &address]);
    let mut client = Process::spawn(&mut NC.connect(&relay.address(0)).unwrap().0);
    client.write(b"first");
    there.wait_stdout(LIMIT, |came| came == b"first");
    let second = run(&mut sockeye(&["check", &relay.address(0)]), b"", LIMIT);
    assert_eq!(second.code, Some(1), "{second:?}");
    there.write(b"answer");
    client.wait_stdout(LIMIT, |came| came == b"answer");
    client.close_stdin();
    there.close_stdin();
    assert_eq!(relay.wait(LIMIT).code, Some(0));
    assert_eq!((client.wait(LIMIT).code, there.wait(LIMIT).stdout), (Some(0), b"first".to_vec()));
}

#[test]
fn two_hundred_at_once_are_joined_each_with_its_own() {
    let program = "
listener = listen('tcp:127.0.0.1:0', 256)
def serve(conn):
    conn.sendall(b'you said ' + read_all(conn))
    conn.close()
while True:
    conn, _ = listener.accept()
    threading.Thread(target=serve, args=[conn], daemon=True).start()
";
    let (_there, address) = python_server(program, &[]);
    let relay = listening(&["relay", "tcp-l:127.0.0.1:0", &address]);
    let program = "
conns = [connect(sys.argv[1]) for _ in range(200)]
for number, conn in enumerate(conns):
    conn.sendall(b'%d' % number * 1000)
for conn in conns:
    conn.shutdown(socket.SHUT_WR)
for number, conn in enumerate(conns):
    assert read_all(conn) == b'you said ' + b'%d' % number * 1000, number
";
    let exit = python(program, &[&relay.address(0)]).wait(LIMIT);
    assert_eq!((exit.code, relay.stderr().lines().count()), (Some(0), 1), "{exit:?}");
}

#[test]
fn descriptors_that_were_left_open_for_us_are_ends_too() {
    let program = "
import subprocess
sockeye, address = sys.argv[1:]
ours, theirs = socket.socketpair()
child = subprocess.Popen([sockeye, 'relay', f'fd:{theirs.fileno()}', address], pass_fds=[theirs.fileno()])
theirs.close()
ours.sendall(b'by socket')
ours.shutdown(socket.SHUT_WR)
say(read_all(ours) + b' %d' % child.wait())

reading, writing = os.pipe()
words = [sockeye, 'relay', '--one-way', f'fd:{reading}', '-']
child = subprocess.Popen(words, pass_fds=[reading], stdout=subprocess.PIPE)
os.close(reading)
os.write(writing, b'by pipe')
os.close(writing)
say(child.communicate()[0] + b' %d' % child.returncode)
";
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    let exit = python(program, &[super::BINARY, &server.address(0)]).wait(LIMIT);
    assert_eq!(String::from_utf8_lossy(&exit.stdout), "BY SOCKET 0by pipe 0", "{exit:?}");
}

#[test]
fn a_descriptor_that_the_shell_opens_is_an_end_too() {
    let scratch = Scratch::new();
    let file = scratch.path("file").display().to_string();
    let server = listening(&["serve", "upper", "tcp:127.0.0.1:0"]);
    fs::write(&file, "from a file").unwrap();
    let exit = run(&mut shell("sockeye relay --one-way fd:3 - 3<$1", &[&file]), b"", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"from a file"[..], Some(0)), "{exit:?}");
    let exit = run(
        &mut shell("sockeye relay fd:3 - 3<>/dev/tcp/127.0.0.1/$1", &[&server.port(0).to_string()]),
        b"hi",
        LIMIT,
    );
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"HI"[..], Some(0)), "{exit:?}");
    let exit = run(&mut shell("sockeye relay fd:3 -", &[]), b"", LIMIT);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert_eq!(exit.stderr.lines().count(), 2, "{exit:?}");
}

/// To talk to who has closed is to be reset, and with that goes what is still on its way.
const TALKS_WHILE_IT_READS: &str = "
conn = accept('tcp:127.0.0.1:0')
while part := conn.recv(65536):
    say(part)
    conn.sendall(b'yes')
";
