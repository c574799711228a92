//! What people are told of bytes that are no message, and of messages that a frame does not carry.

use std::fs;

use testkit::Scratch;

use super::sockeye;

/// The bytes that come, their frame, the frame that they leave by, what is wrong, and what to try.
type Row = (&'static [u8], &'static str, &'static str, &'static str, &'static str);

const LIMIT: &str = "a larger max-message= takes it, if the peer means the same frame= as you do";
const OTHER: &str = "does the peer mean the same frame= as you do? sockeye help address has others";
const CARRIES: &str = "frame=len32 carries any message; sockeye help address has other frames";

#[test]
fn bytes_that_are_no_message_end_the_relay_and_are_told_with_what_to_try() {
    let rows: &[Row] = &[
        (
            b"\0\x05one",
            "len16",
            "line",
            "the connection ended inside a message",
            "the peer broke off, or means another frame= than you do",
        ),
        (
            b"long\n",
            "line,max-message=3",
            "line",
            "a message longer than 3 bytes; max-message= sets the most",
            LIMIT,
        ),
        (
            &[0xff; 10],
            "varint",
            "line",
            "a message longer than 16777216 bytes; max-message= sets the most",
            LIMIT,
        ),
        (&[0x80; 10], "varint", "line", "the length of a message is no varint of at most 64 bits", OTHER),
        (b"hello", "netstring", "line", "this is no netstring: a digit should stand there", OTHER),
    ];
    let scratch = Scratch::new();
    for (bytes, read, write, why, hint) in rows {
        let (from, _, stderr) = relayed(&scratch, bytes, read, write);
        assert_eq!(stderr, format!("sockeye: cannot read from {from}: {why}\n         {hint}\n"));
    }
}

#[test]
fn a_message_that_a_frame_does_not_carry_is_told_with_what_to_try() {
    let rows: &[Row] = &[
        (b"\x03a\nb", "len8", "line", "a message with a line end inside cannot go as frame=line", CARRIES),
        (b"a\0b\n", "line", "nul", "a message with a zero byte inside cannot go as frame=nul", CARRIES),
        (b"two\n", "line", "fixed=512", "a message of 3 bytes, where frame=fixed=512 needs 512", CARRIES),
        (b"\n", "line", "burst", "an empty message cannot go as frame=burst", CARRIES),
        (
            &[b'x'; 256],
            "line",
            "len8",
            "a message of 256 bytes, where 255 is the most",
            "send smaller messages, or over tcp: or unix: with a frame= and max-message= that fit",
        ),
    ];
    let scratch = Scratch::new();
    for (bytes, read, write, why, hint) in rows {
        let (from, to, stderr) = relayed(&scratch, bytes, read, write);
        let told = format!("sockeye: a message from {from} did not go to {to}: {why}\n");
        assert_eq!(stderr, format!("{told}         {hint}\n"));
    }
}

/// Relays a file to another, which fails and leaves that one empty: the addresses of both, and what is said.
#[track_caller]
fn relayed(scratch: &Scratch, bytes: &[u8], read: &str, write: &str) -> (String, String, String) {
    let (from, to) = (scratch.path("from"), scratch.path("to"));
    fs::write(&from, bytes).unwrap();
    let (source, target) = (format!("file:{}", from.display()), format!("file:{}", to.display()));
    let words = [format!("{source},frame={read}"), format!("{target},write,frame={write}")];
    let exit = sockeye(&["relay", "--one-way", &words[0], &words[1]]);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(1), &b""[..]), "{exit:?}");
    assert_eq!(fs::read(&to).unwrap(), b"", "a part of it was sent");
    (source, target, exit.stderr)
}
