//! `listen` for what people connect with: one peer or one after another, the end of each way, and what is left
//! behind.

use std::fs;
use std::io::Write as _;

use testkit::{LIMIT, Process, Scratch, Signal, connect, read_to_end, run};

use super::client::CLIENTS;
use super::python::python;
use super::{listening, noise, shell, sockeye};

#[test]
fn every_client_talks_with_us_and_then_we_are_done() {
    let scratch = Scratch::new();
    let path = format!("unix:{}", scratch.path("socket").display());
    for client in CLIENTS {
        for at in ["tcp:127.0.0.1:0", "tcp:[::1]:0", &path] {
            if client.connect(at).is_none() {
                continue;
            }
            let mut here = listening(&["listen", at]);
            let (mut command, greeting) = client.connect(&here.address(0)).unwrap();
            let mut there = Process::spawn(&mut command);
            there.write("Grüße\n".as_bytes());
            // telnet sends CR LF.
            let came = here.wait_stdout(LIMIT, |came| came.ends_with(b"\n"));
            assert_eq!(String::from_utf8_lossy(&came).replace('\r', ""), "Grüße\n", "{command:?}");
            here.write("日本\n".as_bytes());
            let came = there.wait_stdout(LIMIT, |came| came.len() > greeting.len() && came.ends_with(b"\n"));
            assert_eq!(String::from_utf8_lossy(&came), format!("{greeting}日本\n"), "{command:?}");
            there.close_stdin();
            here.close_stdin();
            let (here, there) = (here.wait(LIMIT), there.wait(LIMIT));
            assert_eq!((here.code, there.code), (Some(0), Some(0)), "{command:?}\n{here:?}\n{there:?}");
            assert_eq!(here.stderr.lines().count(), 1, "{command:?}\n{here:?}");
        }
        assert!(!scratch.path("socket").exists(), "{}", client.name);
    }
}

#[test]
fn a_mebibyte_goes_each_way_at_the_same_time_unchanged() {
    let (ours, theirs) = (noise(6), noise(7));
    for client in CLIENTS.iter().filter(|client| client.is_transparent) {
        let mut here = listening(&["listen", "tcp:127.0.0.1:0"]);
        let mut there = Process::spawn(&mut client.connect(&here.address(0)).unwrap().0);
        here.write(&ours);
        there.write(&theirs);
        here.close_stdin();
        there.close_stdin();
        let (here, there) = (here.wait(LIMIT), there.wait(LIMIT));
        assert!(here.stdout == theirs && there.stdout == ours, "changed on the way, with {}", client.name);
        assert_eq!((here.code, there.code), (Some(0), Some(0)), "{}", client.name);
    }
}

#[test]
fn the_end_of_the_peer_ends_our_output_and_what_we_still_say_arrives() {
    let mut here = listening(&["listen", "tcp:127.0.0.1:0"]);
    let mut there = connect(&here.address(0));
    there.write_all(b"question").unwrap();
    there.shutdown_write();
    assert_eq!(here.wait_stdout_end(LIMIT), b"question");
    here.write(b"answer");
    here.close_stdin();
    assert_eq!(read_to_end(&mut there), b"answer");
    assert_eq!(here.wait(LIMIT).code, Some(0));
}

#[test]
fn our_end_is_seen_by_the_peer_and_what_it_still_says_arrives() {
    let mut here = listening(&["listen", "tcp:127.0.0.1:0"]);
    let mut there = connect(&here.address(0));
    here.write(b"question");
    here.close_stdin();
    assert_eq!(read_to_end(&mut there), b"question");
    there.write_all(b"answer").unwrap();
    there.shutdown_write();
    let exit = here.wait(LIMIT);
    assert_eq!((exit.stdout.as_slice(), exit.code), (&b"answer"[..], Some(0)), "{exit:?}");
}

#[test]
fn without_keep_only_the_first_is_let_in() {
    let here = listening(&["listen", "tcp:127.0.0.1:0"]);
    let mut first = connect(&here.address(0));
    first.write_all(b"here").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"here");
    let exit = run(&mut sockeye(&["dial", &here.address(0)]), b"", LIMIT);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.stderr.contains("connection refused"), "{exit:?}");
}

#[test]
fn with_keep_the_second_waits_until_the_first_has_left_and_our_output_stays_open() {
    let mut here = listening(&["listen", "--keep", "tcp:127.0.0.1:0"]);
    here.close_stdin();
    let mut first = connect(&here.address(0));
    let mut second = connect(&here.address(0));
    second.write_all(b"I am the second.\n").unwrap();
    second.shutdown_write();
    first.write_all(b"I am ").unwrap();
    here.wait_stdout(LIMIT, |came| came == b"I am ");
    first.write_all(b"the first.\n").unwrap();
    first.shutdown_write();
    assert_eq!((read_to_end(&mut first), read_to_end(&mut second)), (Vec::new(), Vec::new()));
    // telnet leaves at once when we have nothing to say.
    for client in CLIENTS.iter().filter(|client| client.is_transparent) {
        let before = here.stdout().len();
        let mut there = Process::spawn(&mut client.connect(&here.address(0)).unwrap().0);
        there.write(client.name.as_bytes());
        there.write(b"\n");
        here.wait_stdout(LIMIT, |came| came.len() > before && came.ends_with(b"\n"));
        there.close_stdin();
        assert_eq!(there.wait(LIMIT).code, Some(0), "{}", client.name);
    }
    here.signal(Signal::TERM);
    let exit = here.wait(LIMIT);
    let want = "I am the first.\nI am the second.\nnc\nncat\nsocat\nPython\n";
    assert_eq!(String::from_utf8_lossy(&exit.stdout), want);
    assert_eq!(exit.code, Some(130), "{exit:?}");
}

#[test]
fn recv_only_leaves_our_input_to_others() {
    let mut here = Process::spawn(&mut shell("sockeye listen --recv-only tcp:127.0.0.1:0; cat", &[]));
    here.write(b", and from here");
    here.close_stdin();
    let line = here.wait_stderr_line(LIMIT, |line| line.contains(" on tcp:"));
    let mut there = connect(line.split(" on ").nth(1).unwrap());
    there.write_all(b"from there").unwrap();
    there.shutdown_write();
    assert_eq!(read_to_end(&mut there), b"");
    assert_eq!(String::from_utf8_lossy(&here.wait(LIMIT).stdout), "from there, and from here");
}

#[test]
fn with_keep_and_recv_only_an_input_that_never_ends_holds_nobody_up() {
    let here = listening(&["listen", "--keep", "--recv-only", "tcp:127.0.0.1:0"]);
    for said in [b"one", b"two"] {
        let mut there = connect(&here.address(0));
        there.write_all(said).unwrap();
        there.shutdown_write();
        assert_eq!(read_to_end(&mut there), b"");
    }
    here.wait_stdout(LIMIT, |came| came == b"onetwo");
}

#[test]
fn with_keep_a_peer_that_breaks_off_does_not_end_us() {
    let mut here = listening(&["listen", "--keep", "tcp:127.0.0.1:0"]);
    here.close_stdin();
    let program = "
conn = connect(sys.argv[1])
conn.sendall(b'half of')
wait_for_word()
reset(conn)
";
    let mut rude = python(program, &[&here.address(0)]);
    here.wait_stdout(LIMIT, |came| came == b"half of");
    rude.write(b"go on\n");
    assert_eq!(rude.wait(LIMIT).code, Some(0));
    let mut polite = connect(&here.address(0));
    polite.write_all(b" and all of it").unwrap();
    polite.shutdown_write();
    here.wait_stdout(LIMIT, |came| came == b"half of and all of it");
}

#[test]
fn a_reader_of_our_output_who_has_enough_ends_us_with_success() {
    for flags in ["", "--keep"] {
        let script = format!("sockeye listen {flags} tcp:127.0.0.1:0 </dev/null | head -1");
        let mut here = Process::spawn(&mut shell(&script, &[]));
        let line = here.wait_stderr_line(LIMIT, |line| line.contains(" on tcp:"));
        let mut there = connect(line.split(" on ").nth(1).unwrap());
        // It is let go once nobody reads: by then some of it may be in buffers.
        while there.write_all(b"line\n").is_ok() {}
        let exit = here.wait(LIMIT);
        assert_eq!((exit.stdout.as_slice(), exit.code), (&b"line\n"[..], Some(0)), "{flags} {exit:?}");
    }
}

#[test]
fn the_path_of_a_unix_socket_goes_with_whoever_listens_there() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let at = format!("unix:{}", path.display());
    let everything = || fs::read_dir(scratch.path("")).unwrap().count();
    let listener = format!("unix-l:{}", path.display());
    for (words, code) in [
        (["listen", &at].as_slice(), 130),
        (&["listen", "--keep", &at], 130),
        (&["serve", "echo", &at], 0),
        (&["relay", &listener, "tcp:127.0.0.1:1"], 0),
    ] {
        for signal in [Signal::INT, Signal::TERM] {
            let mut here = listening(words);
            assert!(path.exists(), "{words:?}");
            here.signal(signal);
            let exit = here.wait(LIMIT);
            assert_eq!((exit.code, everything()), (Some(code), 0), "{words:?}, {signal:?}: {exit:?}");
        }
    }
}

#[test]
fn an_interrupt_ends_a_conversation_with_130() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut here = listening(&["listen", "tcp:127.0.0.1:0"]);
        let mut there = connect(&here.address(0));
        there.write_all(b"hi").unwrap();
        here.wait_stdout(LIMIT, |came| came == b"hi");
        here.signal(signal);
        assert_eq!(here.wait(LIMIT).code, Some(130), "{signal:?}");
    }
}
