//! What a peer hears and what is told, of ours and of the programs that people have.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};

use testkit::{LIMIT, Stream, connect, exchange, read_to_end, wait_until};

use super::servers::{Program, SOCAT_WAITING, each};
use crate::peers::noise;

#[test]
fn a_mebibyte_of_all_bytes_goes_both_ways_unchanged() {
    each(&[SOCAT_WAITING], |kind| {
        let serving = kind.start(Program::Shell("exec cat"), "");
        let data = noise(1);
        let came = exchange(&mut connect(&serving.address), &data);
        assert!(came == data, "{} of {} bytes came back, or others", came.len(), data.len());
    });
}

#[test]
fn an_answer_two_seconds_after_the_peers_end_of_file_arrives() {
    let program = Program::Shell("cat >/dev/null; sleep 2; echo late");
    each(&[SOCAT_WAITING], |kind| {
        let serving = kind.start(program, "");
        assert_eq!(text(&exchange(&mut connect(&serving.address), b"question")), "late\n");
    });
}

#[test]
fn a_program_that_closes_its_output_may_work_on_what_it_heard_when_its_peer_has_left() {
    // Under its last name only when it is whole.
    let program = Program::Shell("exec >&-; cat >$0.part; sleep 1; mv $0.part $0.heard");
    each(&[], |kind| {
        let serving = kind.start(program, "");
        let mut peer = connect(&serving.address);
        assert_eq!(text(&read_to_end(&mut peer)), "");
        peer.write_all(b"and afterwards").unwrap();
        drop(peer);
        let heard = serving.beside("heard");
        wait_until(LIMIT, "the program to have done its work", || heard.exists());
        assert_eq!(fs::read(heard).unwrap(), b"and afterwards");
    });
}

#[test]
fn an_exit_code_is_told_and_the_peer_sees_an_orderly_end() {
    each(&[], |kind| {
        let serving = kind.start(Program::Shell("echo bye; exit 3"), "");
        assert_eq!(text(&read_to_end(&mut connect(&serving.address))), "bye\n");
        // The one says "code", the other "status".
        serving.process.wait_stderr_line(LIMIT, |line| line.contains("exited with") && line.contains(" 3"));
    });
}

#[test]
fn a_signal_that_kills_a_program_is_told_by_its_name() {
    each(&[], |kind| {
        let serving = kind.start(Program::Shell("echo bye; kill -USR1 $$"), "");
        assert_eq!(text(&read_to_end(&mut connect(&serving.address))), "bye\n");
        serving.process.wait_stderr_line(LIMIT, |line| line.contains("SIGUSR1"));
    });
}

#[test]
fn two_hundred_at_once_have_a_process_each() {
    let program = Program::Shell("echo $$; read line; echo $line");
    each(&[SOCAT_WAITING], |kind| {
        let serving = kind.start(program, "");
        let mut peers: Vec<Stream> = (0..200).map(|_| connect(&serving.address)).collect();
        // When the last has said its number, all of them run.
        let processes: BTreeSet<String> = peers.iter_mut().map(line).collect();
        assert_eq!(processes.len(), 200);
        for (number, peer) in peers.iter_mut().enumerate() {
            let asked = format!("{number}\n");
            assert_eq!(text(&exchange(peer, asked.as_bytes())), asked);
        }
    });
}

#[test]
fn an_answer_of_a_program_that_reads_nothing_arrives_whole() {
    each(&[], |kind| {
        let serving = kind.start(Program::Shell("echo I do not listen"), "");
        assert_eq!(text(&exchange(&mut connect(&serving.address), &noise(2))), "I do not listen\n");
    });
}

#[test]
fn a_program_has_no_descriptors_but_three_and_every_signal_is_as_usual() {
    // The fourth is the folder that `ls` reads. Of signals that have a name, from 1 to 31, none is ignored or held back.
    let program = Program::Shell("ls /proc/self/fd; grep -E 'Sig(Ign|Blk)' /proc/self/status; read end");
    each(&[], |kind| {
        let serving = kind.start(program, "");
        // The sockets of the first are open when the second comes.
        let mut peers = [connect(&serving.address), connect(&serving.address)];
        for peer in &mut peers {
            let descriptors: Vec<String> = (0..4).map(|_| line(peer)).collect();
            assert_eq!(descriptors, ["0", "1", "2", "3"]);
            for _ in ["SigBlk", "SigIgn"] {
                let told = line(peer);
                let signals = told.rsplit('\t').next().unwrap();
                assert_eq!(u64::from_str_radix(signals, 16).unwrap() & 0x7fff_ffff, 0, "{told}");
            }
        }
    });
}

/// A line from a peer, without its end, and nothing that comes behind it.
pub(super) fn line(stream: &mut Stream) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
