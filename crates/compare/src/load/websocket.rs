//! What a client of WebSocket says and hears (RFC 6455).

use std::io;
use std::sync::LazyLock;

use super::MESSAGE;

/// The nonce is that of the RFC's own example.
pub(super) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Every client masks alike: the server has to take it off all the same.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Text, and the last frame of its message.
const TEXT: u8 = 0x81;
const LENGTH: u8 = 64;

/// A message as a client sends it, masked.
pub(super) static ASKED: [u8; 6 + MESSAGE.len()] = asked();
/// The same as a server does.
pub(super) static ANSWERED: [u8; 2 + MESSAGE.len()] = answered();

/// How many messages a burst has.
pub(super) const MESSAGES: u8 = 16;

/// What is said, and heard, in bursts.
pub(super) static BURST: LazyLock<(Vec<u8>, Vec<u8>)> =
    LazyLock::new(|| (ASKED.repeat(MESSAGES.into()), ANSWERED.repeat(MESSAGES.into())));

#[expect(clippy::indexing_slicing, reason = "the compiler does it, and finds out")]
const fn asked() -> [u8; 6 + MESSAGE.len()] {
    let mut frame = [0; 6 + MESSAGE.len()];
    (frame[0], frame[1]) = (TEXT, 0x80 | LENGTH);
    let mut at = 0;
    while at < MESSAGE.len() {
        if at < 4 {
            frame[2 + at] = MASK[at];
        }
        frame[6 + at] = MESSAGE[at] ^ MASK[at % 4];
        at += 1;
    }
    frame
}

#[expect(clippy::indexing_slicing, reason = "the compiler does it, and finds out")]
const fn answered() -> [u8; 2 + MESSAGE.len()] {
    let mut frame = [0; 2 + MESSAGE.len()];
    (frame[0], frame[1]) = (TEXT, LENGTH);
    let mut at = 0;
    while at < MESSAGE.len() {
        frame[2 + at] = MESSAGE[at];
        at += 1;
    }
    frame
}

/// Whether the answer to the request is whole.
///
/// # Errors
/// It is no, or endless.
pub(super) fn is_agreed(head: &[u8]) -> io::Result<bool> {
    const YES: &[u8] = b"HTTP/1.1 101 ";
    let read = head.len().min(YES.len());
    if head.get(..read) != YES.get(..read) || head.len() > 4096 {
        return Err(io::Error::other("it does not agree to WebSocket"));
    }
    Ok(head.ends_with(b"\r\n\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_answered_without_its_mask() {
        let payload: Vec<u8> =
            ASKED[6..].iter().zip(ASKED[2..6].iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert_eq!((&payload, &ANSWERED[2..]), (&MESSAGE.to_vec(), &MESSAGE[..]));
        assert_eq!((ASKED[1], ANSWERED[1]), (0x80 | 64, 64));
    }

    #[test]
    fn only_an_answer_that_agrees_is_taken() {
        assert!(!is_agreed(b"HTTP/1.1").unwrap());
        assert!(is_agreed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n").unwrap());
        assert!(is_agreed(b"HTTP/1.1 400 Bad Request\r\n").is_err());
    }
}
