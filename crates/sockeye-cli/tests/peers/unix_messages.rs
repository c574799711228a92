//! Unix sockets that keep messages apart, `unix-dgram` and `unix-seq`, with Python at the other end.

use testkit::{LIMIT, Process, Scratch, run};

use super::python::{python, python_server};
use super::{listening, sockeye};

#[test]
fn python_gets_along_with_services_on_unix_datagrams() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let server = listening(&["serve", "upper", &format!("unix-dgram:{path}")]);
    // Who has no name cannot be answered, and does no harm. Names are paths, and the abstract ones of the kernel.
    let program = "
path = sys.argv[1]
new_socket('unix-dgram:').sendto(b'from nobody', path)
for name in path + '.own', '', '':
    own = new_socket('unix-dgram:')
    own.bind(name)
    for asked in b'hi', b'', b'x' * 65536:
        own.sendto(asked, path)
        assert own.recvfrom(100000) == (asked.upper(), path), (name, len(asked))
";
    let exit = python(program, &[&path]).wait(LIMIT);
    assert_eq!(exit.code, Some(0), "{exit:?}\n{server:?}");
}

#[test]
fn python_gets_along_with_services_on_unix_messages() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let server = listening(&["serve", "upper", &format!("unix-seq:{path}")]);
    // An empty message is none the less a message, and the end is passed on.
    let program = "
conn = connect(sys.argv[1])
for asked in b'hi', b'', b'x' * 65536:
    conn.send(asked)
    assert conn.recv(100000) == asked.upper(), len(asked)
conn.send(b'last')
conn.shutdown(socket.SHUT_WR)
say(conn.recv(100) + conn.recv(100))
";
    let exit = python(program, &[&server.address(0)]).wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"LAST"[..], Some(0)), "{exit:?}\n{server:?}");
}

#[test]
fn we_get_along_with_unix_datagrams_of_python() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    let program = "
server = listen(sys.argv[1])
while True:
    asked, peer = server.recvfrom(100000)
    server.sendto(asked.upper(), peer)
";
    let (_server, address) = python_server(program, &[&format!("unix-dgram:{path}")]);
    // The answers have a way back to the kernel's choice of a name, and to one of ours.
    for address in [address.clone(), format!("{address},bind={path}.own")] {
        let exit = run(&mut sockeye(&["relay", "-,frame=line", &address]), b"hi\n\nyou\n", LIMIT);
        assert_eq!((exit.stdout.as_slice(), exit.code), (&b"HI\n\nYOU\n"[..], Some(0)), "{exit:?}");
        assert!(!scratch.path("socket.own").exists(), "{exit:?}");
    }
}

#[test]
fn we_get_along_with_unix_messages_of_python() {
    let scratch = Scratch::new();
    let path = scratch.path("socket").display().to_string();
    // It says more after our end.
    let program = "
conn = accept(sys.argv[1])
while asked := conn.recv(100000):
    conn.send(asked.upper())
conn.send(b'last')
conn.close()
";
    let (_server, address) = python_server(program, &[&format!("unix-seq:{path}")]);
    let mut dialled = Process::spawn(&mut sockeye(&["relay", "-,frame=line", &address]));
    for (typed, want) in [("hi\n", "HI\n"), ("you\n", "HI\nYOU\n")] {
        dialled.write(typed.as_bytes());
        dialled.wait_stdout(LIMIT, |seen| seen == want.as_bytes());
    }
    dialled.close_stdin();
    let exit = dialled.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"HI\nYOU\nlast\n"[..], Some(0)), "{exit:?}");
}
