//! A server of commands among those who may have none: other users, pages, strangers; and with whom it meets a sudden end.

use std::process::Command;

use testkit::{Exit, LIMIT, Process, Scratch, Signal, require, run, wait_until};

use super::admission::another_user;
use super::{BINARY, listening, shell, sockeye};

/// The words that serve everything; as root because the tests may be.
const SERVE: [&str; 4] = ["serve", "exec", "--shell", "--as-root"];

fn serve(words: &[&str]) -> testkit::Server {
    listening(&[&SERVE[..], words].concat())
}

/// The client in Python, of the examples.
fn example(port: u16, words: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/exec.py"))
        .args(["127.0.0.1", &port.to_string()])
        .args(words);
    command
}

/// Whether there is a process with this word on its line.
fn runs(word: &str) -> bool {
    let Exit { stdout, .. } = run(Command::new(require("ps")).args(["-eo", "args"]), b"", LIMIT);
    String::from_utf8_lossy(&stdout).lines().any(|line| line.contains(word) && !line.contains("ps -eo"))
}

/// A number of seconds that no other test sleeps, by which a command is known.
fn seconds(of: u32) -> String {
    format!("{}{}", 4000 + of, std::process::id())
}

/// A file with a token, which is no secret.
fn token_file(scratch: &Scratch) -> String {
    let path = scratch.path("tokens");
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn the_example_in_python_is_a_client() {
    let server = serve(&["tcp:127.0.0.1:0"]);
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let came = run(&mut example(server.port(0), &["cat"]), &content, LIMIT);
    assert!(came.stdout == content && came.code == Some(0), "{} bytes, {}", came.stdout.len(), came.stderr);
    let came = run(&mut example(server.port(0), &["sh", "-c", "echo out; echo err >&2; exit 7"]), b"", LIMIT);
    assert_eq!((came.code, &*came.stdout, &*came.stderr), (Some(7), &b"out\n"[..], "err\n"));
    let came = run(&mut example(server.port(0), &["no-such-program"]), b"", LIMIT);
    assert!(came.code == Some(255) && came.stderr.contains("no-such-program"), "{came:?}");
    let came = run(&mut example(server.port(0), &["sh", "-c", "kill -9 $$"]), b"", LIMIT);
    assert_eq!(came.code, Some(128 + 9));
}

#[test]
fn another_user_runs_nothing_without_a_token() {
    let scratch = Scratch::new();
    let run_as = |prefix: &[&str], address: &str, token: &[&str]| {
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).arg(BINARY).args(["run", address]).args(token).args(["--", "echo", "in"]);
        run(&mut command, b"", LIMIT)
    };
    let tokens = format!("--tokens={}", token_file(&scratch));
    let name = format!("unix:@sockeye-test-{}-exec", std::process::id());
    for address in ["tcp:127.0.0.1:0", "tcp:[::1]:0", &name, "ws:127.0.0.1:0"] {
        let server = serve(&[address]);
        let to = server.address(0);
        assert_eq!(run_as(&["env"], &to, &[]).stdout, b"in\n", "{address}");
        let came = run_as(&another_user(), &to, &[]);
        assert!(came.code == Some(255) && came.stdout.is_empty(), "{address}: {came:?}");
        drop(server);
        let server = serve(&[&tokens, address]);
        let to = server.address(0);
        assert_eq!(run_as(&["env"], &to, &[]).stdout, b"in\n", "{address}");
        let came = run_as(&another_user(), &to, &[]);
        assert!(came.code == Some(255) && came.stderr.contains("has no token"), "{address}: {came:?}");
        let token = |token: &str| {
            let mut words = vec![format!("TOKEN={token}")];
            words.splice(0..0, ["env".to_owned()]);
            let prefix: Vec<String> =
                another_user().iter().map(|word| (*word).to_owned()).chain(words).collect();
            run_as(&prefix.iter().map(String::as_str).collect::<Vec<_>>(), &to, &["--token", "env:TOKEN"])
        };
        assert_eq!(token("0123456789abcdef").stdout, b"in\n", "{address}");
        let came = token("0123456789abcdeF");
        assert!(came.code == Some(255) && came.stderr.contains("is not known"), "{address}: {came:?}");
    }
}

#[test]
fn what_can_prove_nothing_or_was_not_meant_does_not_start() {
    let us = rustix::process::geteuid().as_raw();
    for (words, told) in [
        (
            &["serve", "exec", "--shell", "--as-root", "tcp:any:0"][..],
            "others than users of this machine reach it",
        ),
        (
            &["serve", "exec", "--shell", "--as-root", "--tokens=env:PATH", "tcp:any:0"],
            "beyond this machine tokens need TLS",
        ),
        (&["serve", "exec", "--as-root", "tcp:0"], "say what may be run"),
        (&["serve", "exec", "--as-root", "--shell", "--program=cat", "tcp:0"], "leave it out"),
        (&["serve", "exec", "--as-root", "--program=no-such", "tcp:0"], "there is no such program"),
        (&["serve", "exec", "--as-root", "--shell", "--commands=0", "tcp:0"], "a number from 1 on"),
        (&["serve", "exec", "--as-root", "--shell", "--time=soon", "tcp:0"], "a time such as"),
        (&["serve", "exec", "--as-root", "--shell", "--tokens=/no/such", "tcp:0"], "the tokens of /no/such"),
    ] {
        let came = run(&mut sockeye(words), b"", LIMIT);
        assert!(came.code != Some(0) && came.stderr.contains(told), "{words:?}: {came:?}");
    }
    if us == 0 {
        let came = run(&mut sockeye(&["serve", "exec", "--shell", "tcp:0"]), b"", LIMIT);
        assert!(came.code == Some(2) && came.stderr.contains("--as-root"), "{came:?}");
    }
}

#[test]
fn no_page_reaches_it() {
    let scratch = Scratch::new();
    let tokens = format!("--tokens={}", token_file(&scratch));
    let touched = scratch.path("touched");
    for words in [&["tcp:127.0.0.1:0", "ws:127.0.0.1:0"][..], &[&tokens, "tcp:127.0.0.1:0", "ws:127.0.0.1:0"]]
    {
        let server = serve(words);
        let (plain, web) = (server.port(0), server.port(1));
        let mut page = Command::new(require("node"));
        page.env("NODE_PATH", "/usr/share/nodejs").args(["-e", include_str!("exec/page.js"), "--"]);
        page.args([plain.to_string(), web.to_string(), touched.display().to_string()]);
        let came = run(&mut page, b"", LIMIT);
        let said = "fetch failed\nsocket refused\nown page let in\n";
        assert_eq!(String::from_utf8_lossy(&came.stdout), said, "{came:?}");
        let url = format!("http://127.0.0.1:{plain}/");
        let curl = run(Command::new(require("curl")).args(["-sS", "--max-time", "5", &url]), b"", LIMIT);
        assert!(curl.code != Some(0) && curl.stdout.is_empty(), "{curl:?}");
    }
    assert!(!touched.exists());
}

#[test]
fn whoever_is_killed_leaves_nothing_behind() {
    let hides = |word: &str| format!("trap '' TERM HUP; (setsid sleep {word} &) ; echo ready; sleep {word}");
    // The client.
    let mut server = serve(&["tcp:127.0.0.1:0"]);
    let word = seconds(1);
    let mut client = Process::spawn(&mut sockeye(&["run", &server.address(0), "--sh", &hides(&word)]));
    client.wait_stdout(LIMIT, |said| said == b"ready\n");
    client.signal(Signal::KILL);
    wait_until(LIMIT, "its commands to end", || !runs(&word));
    // The command.
    let word = seconds(2);
    let mut client = Process::spawn(&mut sockeye(&[
        "run",
        &server.address(0),
        "--sh",
        &format!("echo $$; exec sleep {word}"),
    ]));
    let said = client.wait_stdout(LIMIT, |said| said.ends_with(b"\n"));
    let pid = String::from_utf8(said).unwrap();
    run(Command::new("kill").args(["-9", pid.trim()]), b"", LIMIT);
    assert_eq!(client.wait(LIMIT).code, Some(128 + 9));
    // The server.
    let word = seconds(3);
    let client = Process::spawn(&mut sockeye(&["run", &server.address(0), "--sh", &hides(&word)]));
    client.wait_stdout(LIMIT, |said| said == b"ready\n");
    server.signal(Signal::KILL);
    wait_until(LIMIT, "its commands to end", || !runs(&word));
}

#[test]
fn a_server_without_room_for_another_descriptor_refuses_that_command_and_no_other() {
    let script = "ulimit -n 64; exec \"$0\" serve exec --shell --as-root tcp:127.0.0.1:0";
    let server = Process::spawn(&mut shell(script, &[]));
    let line = server.wait_stderr_line(LIMIT, |line| line.contains("exec on "));
    let port = line.rsplit(':').next().unwrap();
    let came = run(&mut testkit::python(include_str!("exec/many.py"), &[port]), b"", LIMIT);
    assert_eq!(String::from_utf8_lossy(&came.stdout), "exited too many open files\nagain\n", "{came:?}");
}
