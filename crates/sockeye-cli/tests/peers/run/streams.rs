//! The three streams of a command, whole, at once and in both directions.

use testkit::{LIMIT, Scratch};

use super::{run, serving};
use crate::peers::{noise, shell};

#[test]
fn words_streams_and_exit_code_are_the_commands() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let script = "cat; echo \"$1|$2\"; echo bad >&2; exit 7";
    let exit = run(&[&address, "--", "sh", "-c", script, "x", "a  b", "$HOME *"], b"in\n");
    assert_eq!((exit.stdout.as_slice(), exit.stderr.as_str()), (&b"in\na  b|$HOME *\n"[..], "bad\n"));
    assert_eq!(exit.code, Some(7));
    let exit = run(&[&address, "--cwd", "/", "--env", "A=b c", "--sh", "pwd; echo \"$A\" | tr b B"], b"");
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"/\nB c\n"[..], Some(0)), "{exit:?}");
}

#[test]
fn megabytes_go_in_and_come_out_of_both_outputs_at_once() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let sent: Vec<u8> = (0..4).flat_map(noise).collect();
    let exit = run(&[&address, "--", "sh", "-c", "tee /dev/stderr | tr 'a' 'a'"], &sent);
    assert!(exit.stdout == sent, "{} bytes of {}", exit.stdout.len(), sent.len());
    // Those are shown with U+FFFD where they are no text.
    assert!(exit.stderr == String::from_utf8_lossy(&sent), "{} bytes of errors", exit.stderr.len());
}

#[test]
fn a_producer_that_waits_for_its_own_answer_gets_it() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let mut process = testkit::Process::spawn(&mut crate::peers::sockeye(&["run", &address, "--", "cat"]));
    for line in ["one\n", "two\n"] {
        process.write(line.as_bytes());
        process.wait_stdout(LIMIT, |came| came.ends_with(line.as_bytes()));
    }
    process.close_stdin();
    assert_eq!(process.wait(LIMIT).code, Some(0));
}

#[test]
fn a_closed_standard_output_is_success_and_ends_the_command() {
    let scratch = Scratch::new();
    let (_server, address) = serving(&scratch, "s");
    let script = "sockeye run \"$1\" -- yes </dev/null | head -n 2";
    let exit = testkit::run(&mut shell(script, &[&address]), b"", LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"y\ny\n"[..], Some(0)), "{exit:?}");
}

#[test]
fn messages_carry_it_too() {
    let scratch = Scratch::new();
    let sent = noise(5);
    for scheme in ["unix-seq", "ws+unix", "tls+unix"] {
        let path = scratch.path(scheme);
        let options = if scheme == "ws+unix" { ",path=/x,host=h" } else { "" };
        let listened = format!("{scheme}:{}", path.display());
        let _server = crate::peers::listening(&["serve", "exec", "--shell", "--as-root", &listened]);
        let verify = if scheme == "tls+unix" { ",verify=no" } else { "" };
        let exit = run(&[&format!("{listened}{options}{verify}"), "--", "cat"], &sent);
        assert!(
            exit.stdout == sent && exit.code == Some(0),
            "{scheme}: {}: {}",
            exit.stdout.len(),
            exit.stderr
        );
    }
}
