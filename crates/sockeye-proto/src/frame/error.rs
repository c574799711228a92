//! Why bytes are no message, or a message cannot be sent.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;

use super::delimiter::Delimiter;
use super::{Framing, length};

/// A stream that cannot be decoded any further, or a message that cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameError {
    /// Sending: the message holds what would end it.
    DelimiterInside(Delimiter),
    /// Sending: a message without bytes cannot be seen in a burst.
    Empty,
    /// Receiving: this is no netstring.
    Netstring {
        /// What should stand there.
        expected: &'static str,
    },
    /// Sending: the message is larger than its framing, or the limit, lets through.
    TooLarge {
        /// The bytes of the message.
        size: usize,
        /// The most that can be sent.
        most: usize,
    },
    /// Receiving: a message is longer than the limit.
    TooLong {
        /// The most bytes of one message.
        most: usize,
    },
    /// Receiving: the stream has ended inside a message.
    Unfinished,
    /// Receiving: a length of more than 64 bits.
    Varint,
    /// Sending: messages of another length cannot be told apart.
    WrongLength {
        /// The bytes of the message.
        size: usize,
        /// What each message has.
        fixed: NonZeroU32,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DelimiterInside(delimiter) => {
                let what = match delimiter {
                    Delimiter::CrLf | Delimiter::Line => "line end",
                    Delimiter::Nul => "zero byte",
                };
                write!(
                    f,
                    "a message with a {what} inside cannot go as frame={}",
                    Framing::Delimited(*delimiter)
                )
            }
            Self::Empty => f.write_str("an empty message cannot go as frame=burst"),
            Self::Netstring { expected } => write!(f, "this is no netstring: {expected} should stand there"),
            Self::TooLarge { size, most } => write!(f, "a message of {size} bytes, where {most} is the most"),
            Self::TooLong { most } => {
                write!(f, "a message longer than {most} bytes; max-message= sets the most")
            }
            Self::Unfinished => f.write_str("the connection ended inside a message"),
            Self::Varint => f.write_str("the length of a message is no varint of at most 64 bits"),
            Self::WrongLength { size, fixed } => {
                write!(f, "a message of {size} bytes, where frame=fixed={fixed} needs {}", length(*fixed))
            }
        }
    }
}

impl Error for FrameError {}
