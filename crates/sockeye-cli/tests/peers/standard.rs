//! The standard streams of `dial`: whatever a shell makes of them, each is used as its other users expect.

use std::fs;

use testkit::{LIMIT, Process, Scratch, Server, run};

use super::{listening, noise, shell, sockeye};

fn echo() -> (Server, String) {
    let server = listening(&["serve", "echo", "tcp:127.0.0.1:0"]);
    let address = server.address(0);
    (server, address)
}

#[test]
fn input_may_be_a_file_a_pipe_nothing_or_closed() {
    let scratch = Scratch::new();
    let (file, data) = (scratch.path("data").display().to_string(), noise(5));
    fs::write(&file, &data).unwrap();
    let (_server, address) = echo();
    for (script, want) in [
        ("sockeye dial $1 <$2", data.as_slice()),
        ("cat $2 | sockeye dial $1", &data),
        ("sockeye dial $1 </dev/null", b""),
        ("sockeye dial $1 <&-", b""),
        ("sockeye dial $1 <<<here", b"here\n"),
        ("sockeye dial $1 < <(printf piece)", b"piece"),
    ] {
        let exit = run(&mut shell(script, &[&address, &file]), b"not for us", LIMIT);
        assert!(exit.stdout == want, "{script}: {exit:?}");
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{script}");
    }
}

#[test]
fn output_may_be_a_file_that_others_write_too_and_each_goes_on_where_the_last_ended() {
    let scratch = Scratch::new();
    let file = scratch.path("file").display().to_string();
    let (_server, address) = echo();
    for script in [
        "echo before >$2; echo hi | sockeye dial $1 >>$2; echo after >>$2",
        "{ echo before; echo hi | sockeye dial $1; echo after; } >$2",
        "exec 1<>$2; echo before; echo hi | sockeye dial $1; echo after",
        "printf 'before\\nXX\\nafter\\n' >$2; exec 1<>$2; read -r line <&1; echo hi | sockeye dial $1",
    ] {
        fs::write(&file, "").unwrap();
        let exit = run(&mut shell(script, &[&address, &file]), b"", LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{script}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "before\nhi\nafter\n", "{script}");
    }
}

#[test]
fn a_file_as_input_is_read_from_where_the_one_before_us_stopped() {
    let scratch = Scratch::new();
    let file = scratch.path("file").display().to_string();
    fs::write(&file, "for the shell\nfor us\n").unwrap();
    let (_server, address) = echo();
    let script = "{ read -r line; sockeye dial $1; } <$2";
    let exit = run(&mut shell(script, &[&address, &file]), b"", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"for us\n"[..], Some(0)), "{exit:?}");
}

#[test]
fn a_full_disk_is_a_failure_that_names_standard_output() {
    let (_server, address) = echo();
    let exit = run(&mut shell("sockeye dial $1 >/dev/full", &[&address]), b"hi", LIMIT);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    let line = "sockeye: cannot write to standard output: no space left on device";
    assert_eq!(exit.stderr.lines().next(), Some(line));
    assert!(exit.stderr.lines().count() <= 2, "{exit:?}");
}

#[test]
fn pipes_that_we_share_stay_blocking_for_the_others() {
    let (_server, address) = echo();
    let script = "show() { grep flags /proc/self/fdinfo/[01]; }; show; sockeye dial $1; show";
    let exit = run(&mut shell(script, &[&address]), b"--\n", LIMIT);
    let text = String::from_utf8(exit.stdout).unwrap();
    let (before, after) = text.split_once("--\n").unwrap();
    assert_eq!((before, before.lines().count()), (after, 2));
}

#[test]
fn what_comes_is_written_at_once() {
    let (_server, address) = echo();
    let mut here = Process::spawn(&mut sockeye(&["dial", &address]));
    for sent in [&b"no line end"[..], b"\n", b"\xff"] {
        let before = here.stdout().len();
        here.write(sent);
        assert_eq!(here.wait_stdout(LIMIT, |came| came.len() > before)[before..], *sent);
    }
    here.close_stdin();
    assert_eq!(here.wait(LIMIT).code, Some(0));
}
