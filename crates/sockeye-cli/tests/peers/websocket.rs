//! WebSockets with the libraries that people have, each way round: `websockets` of Python and `ws` of Node.

use std::process::Command;

use testkit::{Exit, LIMIT, Process, Signal, require, run};

use super::{listening, sockeye};

/// A program on one of the libraries.
#[derive(Debug, Clone, Copy)]
enum Library {
    Python,
    Node,
}

const BOTH: [Library; 2] = [Library::Python, Library::Node];

impl Library {
    fn client(self, url: &str) -> Exit {
        let mut command = match self {
            Self::Python => python(include_str!("websocket/client.py")),
            Self::Node => node(include_str!("websocket/client.js")),
        };
        run(command.arg(url), b"", LIMIT)
    }

    /// A server that sends messages back, and does what some of them ask for; and its port.
    fn server(self) -> (Process, String) {
        let process = Process::spawn(&mut match self {
            Self::Python => python(include_str!("websocket/server.py")),
            Self::Node => node(include_str!("websocket/server.js")),
        });
        let line = process.wait_stderr_line(LIMIT, |line| line.starts_with("listening on "));
        let port = line.rsplit(' ').next().unwrap().to_owned();
        (process, port)
    }
}

/// That of Debian, which has the packages of Debian.
fn python(program: &str) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", program]);
    command
}

fn node(program: &str) -> Command {
    let mut command = Command::new(require("node"));
    command.env("NODE_PATH", "/usr/share/nodejs").args(["-e", program, "--"]);
    command
}

/// Waits for a line of a server, which tells how a connection ended.
#[track_caller]
fn wait_line(server: &Process, line: &str) {
    server.wait_stdout(LIMIT, |seen| String::from_utf8_lossy(seen).lines().any(|known| known.trim() == line));
}

#[test]
fn clients_get_back_what_they_send_text_as_text_and_in_one_piece() {
    let server = listening(&["serve", "echo", "ws-l:127.0.0.1:0,subprotocol=b", "-o", "max-message=2M"]);
    for library in BOTH {
        let exit = library.client(&format!("ws://127.0.0.1:{}/chat", server.port(0)));
        let want = "subprotocol b\nstr 4 same\nbytes 6 same\nstr 0 same\nstr 9 same\nstr 1048576 same\n\
                    bytes 1048576 same\npong\nclosed 1000 \nclosed 4001\n";
        assert_eq!(String::from_utf8_lossy(&exit.stdout), want, "{library:?}: {}", exit.stderr);
    }
}

#[test]
fn through_a_relay_it_is_as_without() {
    let server = listening(&["serve", "echo", "ws-l:127.0.0.1:0,subprotocol=b"]);
    let to = format!("ws:127.0.0.1:{},subprotocol=b", server.port(0));
    let relay = listening(&["relay", "ws-l:127.0.0.1:0,subprotocol=b", &to]);
    for library in BOTH {
        let exit = library.client(&format!("ws://127.0.0.1:{}/", relay.port(0)));
        let stdout = String::from_utf8_lossy(&exit.stdout).into_owned();
        let want = "str 1048576 same\nbytes 1048576 same\npong\nclosed 1000 \nclosed 4001\n";
        assert!(stdout.ends_with(want), "{library:?}: {stdout}{}", exit.stderr);
    }
}

#[test]
fn servers_hear_what_is_said_and_that_all_was() {
    let large = vec![0xff; 1 << 20];
    for library in BOTH {
        let (server, port) = library.server();
        let url = format!("ws://127.0.0.1:{port}/chat?a=b");
        for (said, want) in
            [(&b"hi"[..], &b"hi"[..]), (b"pieces", b"in pieces"), (b"ping", b"pong"), (&large, &large)]
        {
            let exit = run(&mut sockeye(&["dial", &url]), said, LIMIT);
            let want = [want, b"\n"].concat();
            assert!(exit.stdout == want, "{library:?}: {:?}", exit.stderr);
            assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{library:?}");
            wait_line(&server, "closed 1000");
        }
        let who = ["dial", &url, "-o", "auth=env:WHO", "-o", "header=X-A:b", "-o", "subprotocol=b"];
        let exit = run(sockeye(&who).env("WHO", "user:password"), b"who", LIMIT);
        assert_eq!(
            String::from_utf8_lossy(&exit.stdout),
            "/chat?a=b Basic dXNlcjpwYXNzd29yZA== b b\n",
            "{library:?}"
        );
    }
}

#[test]
fn a_bad_end_is_a_failure_that_says_how_and_a_relay_passes_it_on() {
    for library in BOTH {
        let (mut server, port) = library.server();
        let url = format!("ws://127.0.0.1:{port}/");
        let exit = run(&mut sockeye(&["dial", &url]), b"close", LIMIT);
        let want = "it closed with 4002: bye now";
        assert!(exit.code == Some(1) && exit.stderr.contains(want), "{library:?}: {exit:?}");

        let relay = listening(&["relay", "ws-l:127.0.0.1:0", &format!("ws:127.0.0.1:{port}")]);
        let exit = run(&mut sockeye(&["dial", &format!("ws:127.0.0.1:{}", relay.port(0))]), b"close", LIMIT);
        assert!(exit.code == Some(1) && exit.stderr.contains(want), "{library:?}: {exit:?}");

        let mut here = Process::spawn(&mut sockeye(&["dial", "--lines", &url]));
        here.write(b"hi\n");
        here.wait_stdout(LIMIT, |seen| seen == b"hi\n");
        server.signal(Signal::KILL);
        let exit = here.wait(LIMIT);
        assert!(
            exit.code == Some(1) && exit.stderr.contains("ended without a Close"),
            "{library:?}: {exit:?}"
        );
    }
}

#[test]
fn a_foreign_page_starts_no_command_and_is_told_so() {
    let server = listening(&["listen", "--keep", "--lines", "--exec", "cat", "ws:127.0.0.1:0,path=/chat"]);
    let program = "
import asyncio, sys, websockets
async def main():
    for origin in [None, 'http://evil.example', sys.argv[1].replace('ws', 'http', 1)]:
        try:
            async with websockets.connect(sys.argv[1] + '/chat', origin=origin) as ws:
                await ws.send('hi')
                print(await ws.recv())
        except websockets.InvalidStatusCode as error:
            print(error.status_code)
asyncio.run(main())
";
    let url = format!("ws://127.0.0.1:{}", server.port(0));
    let exit = run(python(program).arg(&url), b"", LIMIT);
    let stdout = String::from_utf8_lossy(&exit.stdout).into_owned();
    assert_eq!(stdout.lines().collect::<Vec<_>>(), ["hi", "403", "hi"], "{}", exit.stderr);
    let exit = run(&mut sockeye(&["dial", &url]), b"hi", LIMIT);
    let want = "answered 404 (nothing there)\n         check the path: ws://host/path, or path=/path\n";
    assert!(exit.code == Some(1) && exit.stderr.ends_with(want), "{exit:?}");
}
