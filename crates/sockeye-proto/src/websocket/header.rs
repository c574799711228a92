//! The head of a frame (RFC 6455, section 5.2).

use super::error::WebSocketError;
use super::mask::Key;
use super::{MAX_CONTROL, Party};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// What follows of a message in pieces.
    Continuation,
    /// A message of text, or its first piece.
    Text,
    /// A message of any bytes, or its first piece.
    Binary,
    /// No more will come.
    Close,
    /// A pong is asked for.
    Ping,
    /// The answer to a ping, or a sign of life.
    Pong,
}

impl Opcode {
    fn of(number: u8) -> Option<Self> {
        let known =
            [Self::Continuation, Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong].into_iter();
        known.into_iter().find(|opcode| opcode.number() == number)
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The longest head, in bytes: two, a length of eight, and a key.
pub(super) const LONGEST: usize = 14;

/// The head of a frame that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_final: bool,
    pub(super) opcode: Opcode,
    /// What it is masked with; zeros where it is not.
    pub(super) key: Key,
    /// The bytes of its payload.
    pub(super) size: u64,
    /// The bytes of the head itself.
    pub(super) length: usize,
}

impl Header {
    /// Reads one at the front of `bytes`, as it may come to `party`; `None` where it is not all there.
    pub(super) fn read(bytes: &[u8], party: Party) -> Result<Option<Self>, WebSocketError> {
        let Some((&[first, second], behind)) = bytes.split_first_chunk() else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(WebSocketError::Reserved);
        }
        let Some(opcode) = Opcode::of(first & 0x0f) else {
            return Err(WebSocketError::Opcode(first & 0x0f));
        };
        let (is_final, is_masked) = (first & 0x80 != 0, second & 0x80 != 0);
        match (party, is_masked) {
            (Party::Server, false) => return Err(WebSocketError::Unmasked),
            (Party::Client, true) => return Err(WebSocketError::Masked),
            (Party::Client, false) | (Party::Server, true) => {}
        }
        let short = second & 0x7f;
        if opcode.is_control() && (!is_final || usize::from(short) > MAX_CONTROL) {
            return Err(WebSocketError::Control);
        }
        let (size, least, behind) = match short {
            126 => match behind.split_first_chunk() {
                Some((size, behind)) => (u64::from(u16::from_be_bytes(*size)), 126, behind),
                None => return Ok(None),
            },
            127 => match behind.split_first_chunk() {
                Some((size, behind)) => (u64::from_be_bytes(*size), 1 << 16, behind),
                None => return Ok(None),
            },
            short => (short.into(), 0, behind),
        };
        // Of eight bytes the highest bit is zero.
        if size < least || size > i64::MAX.cast_unsigned() {
            return Err(WebSocketError::Length);
        }
        let (key, behind) = match (is_masked, behind.split_first_chunk()) {
            (false, _) => (Key::default(), behind),
            (true, Some((key, behind))) => (Key(*key), behind),
            (true, None) => return Ok(None),
        };
        Ok(Some(Self { is_final, opcode, key, size, length: bytes.len() - behind.len() }))
    }
}
