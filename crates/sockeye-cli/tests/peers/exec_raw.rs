//! Commands as the programs of tutorials send and take them: a text there, a text back, read at once.

use std::process::Command;

use testkit::{Exit, LIMIT, run};

use super::python::{python, python_server};
use super::{BINARY, listening};

const CLIENT: &str = r#"
conn = connect(sys.argv[1])
for command in sys.argv[2:]:
    conn.sendall(command.encode("utf-8"))
    print(conn.recv(1024).decode("gbk").rstrip("\n"))
"#;

const SERVER: &str = r#"
import subprocess
listener = listen(sys.argv[1])
is_stream = listener.type == socket.SOCK_STREAM
conn = listener.accept()[0] if is_stream else listener
command, client = conn.recvfrom(1024)
done = subprocess.run(command.decode("utf-8"), shell=True, capture_output=True)
answer = done.stderr or done.stdout or "执行成功".encode("gbk")
conn.sendall(answer) if is_stream else conn.sendto(answer, client)
time.sleep(5)
"#;

const ADDRESSES: [&str; 2] = ["tcp:127.0.0.1:0", "udp:127.0.0.1:0"];

fn ask(address: &str, words: &[&str]) -> Exit {
    let mut command = Command::new(BINARY);
    command.args(["run", "--wire", "raw", "--encoding", "gbk", address, "--"]).args(words);
    run(&mut command, b"", LIMIT)
}

#[test]
fn a_client_that_reads_once_gets_the_output_or_the_errors_or_a_text_for_neither() {
    for address in ADDRESSES {
        let server = listening(&[
            "serve",
            "exec",
            address,
            "--wire",
            "raw",
            "--encoding",
            "gbk",
            "--shell",
            "--as-root",
        ]);
        let mut client = python(CLIENT, &[&server.address(0), "echo 套接字", "echo 错 >&2; echo no", "true"]);
        let Exit { code, stdout, .. } = client.wait(LIMIT);
        assert_eq!(
            (code, &*String::from_utf8(stdout).unwrap()),
            (Some(0), "套接字\n错\n执行成功\n"),
            "{address}"
        );
    }
}

#[test]
fn a_server_that_answers_at_once_is_understood_and_an_answer_that_may_be_cut_is_told() {
    for address in ADDRESSES {
        for (words, output, is_told) in [
            (&["echo", "a  b"][..], "a  b\n", false),
            (&["true"], "执行成功\n", false),
            (&["printf", "%01024d", "1"], &format!("{:01024}\n", 1), true),
        ] {
            let (_server, at) = python_server(SERVER, &[address]);
            let Exit { code, stdout, stderr, .. } = ask(&at, words);
            assert_eq!((code, &*String::from_utf8(stdout).unwrap()), (Some(0), output), "{at}: {stderr}");
            assert_eq!(stderr.contains("may have been cut"), is_told, "{at}: {stderr}");
        }
    }
}
