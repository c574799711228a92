//! What can go wrong with a WebSocket.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::close::Close;
use crate::printable;
use crate::unit::print_duration;

/// Why a handshake failed, or a connection came to a bad end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebSocketError {
    /// A Close with a code that none may have.
    CloseCode(u16),
    /// A Close of one byte.
    CloseLength,
    /// The peer has closed, and not because all went well.
    Closed(Close),
    /// A ping, pong or Close that is too long, or in pieces.
    Control,
    /// The connection has ended without a Close (1006).
    Gone,
    /// A length that is not written as short as can be, or of more than 63 bits.
    Length,
    /// A server has masked what it sent.
    Masked,
    /// A frame continues a message, where none was begun.
    NothingToContinue,
    /// Text that is no UTF-8.
    NotText,
    /// A frame of a kind that there is not.
    Opcode(u8),
    /// A reserved bit is set, for an extension that nobody agreed on.
    Reserved,
    /// Nothing has come for so long, not even an answer to a ping.
    Silent(Duration),
    /// A message of more bytes than we take.
    TooLarge {
        /// The most bytes of one message.
        most: usize,
    },
    /// A message begins within another.
    Unfinished,
    /// A client has not masked what it sent.
    Unmasked,

    /// Handshake: the server has answered with another status than 101.
    Answered {
        /// The status (RFC 9110, section 15).
        status: u16,
        /// Where it says that this is to be found.
        location: Option<String>,
    },
    /// Handshake: what came is no HTTP, or the connection ended before all of it had come.
    NotHttp,
    /// Handshake: the head is longer than is taken.
    HeadTooLong,
    /// Handshake: a field is missing, or says what it must not.
    Field(&'static str),
    /// Handshake: the server has chosen a subprotocol that was not offered, or the client wanted none of ours.
    Subprotocol(String),
    /// Handshake: a plain request of HTTP, or for another version.
    NoUpgrade,
    /// Handshake: another path was asked for than is served.
    Path(String),
    /// Handshake: a page of that origin may not come in.
    Origin(String),
}

impl WebSocketError {
    /// What a Close tells the peer of it (RFC 6455, section 7.4.1); `None` where no Close is sent.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::CloseCode(_)
            | Self::CloseLength
            | Self::Control
            | Self::Length
            | Self::Masked
            | Self::NothingToContinue
            | Self::Opcode(_)
            | Self::Reserved
            | Self::Unfinished
            | Self::Unmasked => Some(1002),
            Self::NotText => Some(1007),
            Self::TooLarge { .. } => Some(1009),
            Self::Closed(_)
            | Self::Gone
            | Self::Silent(_)
            | Self::Answered { .. }
            | Self::NotHttp
            | Self::HeadTooLong
            | Self::Field(_)
            | Self::Subprotocol(_)
            | Self::NoUpgrade
            | Self::Path(_)
            | Self::Origin(_) => None,
        }
    }
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseCode(code) => write!(f, "its Close has the code {code}, which none may have"),
            Self::CloseLength => f.write_str("its Close has half a code"),
            Self::Closed(close) => write!(f, "it closed with {close}"),
            Self::Control => f.write_str("a ping, pong or Close is too long or in pieces"),
            Self::Gone => f.write_str("the connection ended without a Close"),
            Self::Length => f.write_str("the length of a frame is not written as it must be"),
            Self::Masked => f.write_str("it masks what it sends, as only clients do"),
            Self::NothingToContinue => f.write_str("a frame continues a message that was not begun"),
            Self::NotText => f.write_str("a text is no UTF-8"),
            Self::Opcode(number) => write!(f, "a frame of kind {number}, which there is not"),
            Self::Reserved => f.write_str("a frame has a reserved bit set"),
            Self::Silent(time) => {
                write!(f, "nothing came for {}, and no answer to a ping", print_duration(*time))
            }
            Self::TooLarge { most } => write!(f, "a message of more than {most} bytes"),
            Self::Unfinished => f.write_str("a message begins within another"),
            Self::Unmasked => f.write_str("it does not mask what it sends, as clients must"),
            Self::Answered { status, location } => {
                write!(f, "the server answered {status}{}", meaning(*status))?;
                match location {
                    Some(location) => write!(f, " and names {}", printable::line(location.as_bytes())),
                    None => Ok(()),
                }
            }
            Self::NotHttp => f.write_str("what came is no HTTP, with which every WebSocket begins"),
            Self::HeadTooLong => f.write_str("the head of what it says has no end"),
            Self::Field(name) => write!(f, "{name} is missing, or wrong"),
            Self::Subprotocol(name) => {
                write!(f, "no subprotocol that both sides speak: {}", printable::line(name.as_bytes()))
            }
            Self::NoUpgrade => f.write_str("a plain request of HTTP, where a WebSocket is served"),
            Self::Path(path) => write!(f, "it asked for {}", printable::line(path.as_bytes())),
            Self::Origin(origin) => {
                write!(f, "a page of {} may not come in", printable::line(origin.as_bytes()))
            }
        }
    }
}

/// The words for a status, where one is likely.
fn meaning(status: u16) -> &'static str {
    match status {
        200..=299 => " (a plain page)",
        300..=399 => " (it is elsewhere)",
        400 => " (a bad request)",
        401 => " (who are you?)",
        403 => " (not for you)",
        404 => " (nothing there)",
        405 => " (not that way)",
        407 => " (a proxy asks who you are)",
        426 => " (another protocol or version)",
        429 => " (too often)",
        502..=504 => " (what stands behind it does not answer)",
        500..=599 => " (it failed)",
        _ => "",
    }
}

impl Error for WebSocketError {}
