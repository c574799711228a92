//! How a command ends, and what people are told of one that did not run.

use testkit::{LIMIT, Process, Scratch, Signal};

use super::{run, serving};
use crate::peers::{listening, sockeye};

#[test]
fn signals_limits_and_commands_that_never_ran_have_codes_of_their_own() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    for (words, code, told) in [
        (&["--sh", "kill -9 $$"][..], 137, ""),
        (&["--", "no-such-program"], 255, "sockeye: no-such-program did not run: "),
        (
            &["--timeout", "200ms", "--", "sleep", "60"],
            124,
            "sockeye: sleep had not ended after 200ms, and was ended\n",
        ),
    ] {
        let exit = run(&[&[address.as_str()], words].concat(), b"");
        assert_eq!(exit.code, Some(code), "{exit:?}");
        assert!(exit.stderr.starts_with(told) && told.is_empty() == exit.stderr.is_empty(), "{exit:?}");
    }
    let gone = format!("unix:{}", scratch.path("gone").display());
    let exit = run(&["--retry", "1", &gone, "--", "true"], b"");
    assert_eq!(exit.code, Some(255));
    assert!(exit.stderr.contains("no such file or directory\n         "), "{exit:?}");
}

#[test]
fn ctrl_c_reaches_the_command_then_ends_it_and_at_last_us() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let script = "trap 'echo int' INT; trap 'echo term' TERM; echo ready; while :; do sleep 0.02; done";
    let mut process = Process::spawn(&mut sockeye(&["run", &address, "--sh", script]));
    for (signal, seen) in [(None, "ready\n"), (Some(Signal::INT), "int\n"), (Some(Signal::INT), "term\n")] {
        signal.into_iter().for_each(|signal| process.signal(signal));
        process.wait_stdout(LIMIT, |came| came.ends_with(seen.as_bytes()));
    }
    process.signal(Signal::INT);
    assert_eq!(process.wait(LIMIT).code, Some(130));
    // A command that does not catch it ends by it.
    let mut process = Process::spawn(&mut sockeye(&["run", &address, "--sh", "echo ready; sleep 60"]));
    process.wait_stdout(LIMIT, |came| came == b"ready\n");
    process.signal(Signal::INT);
    assert_eq!(process.wait(LIMIT).code, Some(130));
}

#[test]
fn whatever_still_runs_ends_with_us_and_a_server_that_is_killed_is_told() {
    let scratch = Scratch::new();
    let (server, address) = serving(&scratch, "s");
    let pipe = scratch.path("alive");
    let script = format!("exec 3>{}; echo ready; sleep 60", pipe.display());
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let mut process = Process::spawn(&mut sockeye(&["run", &address, "--sh", &script]));
    let mut alive = std::fs::File::open(&pipe).unwrap();
    process.wait_stdout(LIMIT, |came| came == b"ready\n");
    process.signal(Signal::KILL);
    // Its end is the end of the last process that has the pipe.
    std::io::Read::read_to_end(&mut alive, &mut Vec::new()).unwrap();
    process.wait(LIMIT);

    let mut process = Process::spawn(&mut sockeye(&["run", &address, "--sh", "echo ready; sleep 60"]));
    process.wait_stdout(LIMIT, |came| came == b"ready\n");
    drop(server);
    let exit = process.wait(LIMIT);
    assert_eq!(exit.code, Some(255));
    assert!(exit.stderr.starts_with("sockeye: "), "{exit:?}");
}

#[test]
fn what_is_typed_wrong_is_told_with_what_to_write() {
    for (words, told) in [
        (&["web1", "--", "uptime"][..], "write tcp:web1:PORT"),
        (&["tcp:localhost:1", "uptime"], "put -- before the command"),
        (&["tcp:localhost:1"], "put it behind --"),
        (&["--", "uptime"], "name an address before --"),
        (&["tcp-l:1", "--", "uptime"], "is listened on"),
        (&["tcp:web[3-1]:1", "--", "uptime"], "the range 3-1 begins with its larger number"),
        (&["--env", "A", "tcp:localhost:1", "--", "uptime"], "not NAME=VALUE"),
        (&["--parallel", "0", "tcp:localhost:1", "--", "uptime"], "write 1 to 10000"),
        (&["--pty", "tcp:web[1-2]:1", "--", "uptime"], "--pty is for one host"),
        (&["--token", "env:NO_SUCH_TOKEN", "tcp:localhost:1", "--", "uptime"], "there is no such variable"),
        (&["--sh", "a", "tcp:localhost:1", "--", "uptime"], "leave one of them out"),
    ] {
        let exit = run(words, b"");
        assert_eq!(exit.code, Some(2), "{words:?}: {exit:?}");
        assert!(exit.stderr.contains(told), "{words:?}: {exit:?}");
    }
}

#[test]
fn a_token_comes_from_a_file_a_descriptor_or_a_variable_and_a_wrong_one_is_refused() {
    let scratch = Scratch::new();
    let mut files = Vec::new();
    for (name, mode, text) in [
        ("right", 0o600, "# ours\n0123456789abcdef0\n"),
        ("wrong", 0o600, "0123456789abcdef1\n"),
        ("open", 0o644, "0123456789abcdef0\n"),
    ] {
        let path = scratch.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        files.push(path.display().to_string());
    }
    let address = "tls:127.0.0.1:0";
    let server = listening(&["serve", "exec", "--shell", "--as-root", "--tokens", &files[0], address]);
    let address = format!("tls:localhost:{},verify=no", server.port(0));
    let asked = |token: &str| {
        let mut command = sockeye(&["run", "--token", token, "--recv-only", &address, "--", "echo", "hi"]);
        testkit::run(command.env("A_TOKEN", "0123456789abcdef0"), b"0123456789abcdef0", LIMIT)
    };
    for token in [files[0].as_str(), "fd:0", "env:A_TOKEN"] {
        let exit = asked(token);
        assert_eq!((exit.stdout.as_slice(), exit.code), (&b"hi\n"[..], Some(0)), "{token}: {exit:?}");
    }
    for (token, code, told) in
        [(files[1].as_str(), 255, "the server refuses us"), (files[2].as_str(), 2, "chmod 600")]
    {
        let exit = asked(token);
        assert_eq!(exit.code, Some(code), "{exit:?}");
        assert!(exit.stderr.contains(told), "{exit:?}");
    }
}
