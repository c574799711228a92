//! Why a connection to a server of commands is over.

use std::fmt;

use sockeye::proto::exec::parts::RequesterError;
use sockeye::proto::exec::{ExecError, Refusal};

/// Why no more can be heard of any command of a connection. Cloning is cheap: each of them is told.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection failed.
    Conn(sockeye::Error),
    /// The server ended the connection while commands were running.
    Ended,
    /// Over datagrams: nothing more comes from the server.
    Parts(RequesterError),
    /// The server refuses this client, with its words for people.
    Refused(Refusal, Box<str>),
    /// The command and its input are larger than one datagram.
    TooLarge {
        /// Their bytes.
        size: usize,
        /// The most that a datagram holds.
        most: usize,
    },
    /// What was to be sent is longer than a message may be (64 KiB). Only that is not sent.
    TooLong,
    /// What came is not of this wire.
    Wire(ExecError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conn(error) => write!(f, "{error}: {}", error.cause()),
            Self::Ended => f.write_str("the server closed the connection before the command had ended"),
            Self::Refused(_, text) => write!(f, "the server refuses us: {text}"),
            Self::Parts(error) => error.fmt(f),
            Self::TooLarge { size, most } => write!(
                f,
                "the command and its input are {size} bytes, and one datagram holds {most}; tcp: or unix: takes any number"
            ),
            Self::TooLong => f.write_str("the command, its variables or the token are longer than 64 KiB"),
            Self::Wire(error) => {
                write!(f, "this is no server of commands, or another version of one: {error}")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<sockeye::Error> for Fault {
    fn from(error: sockeye::Error) -> Self {
        Self::Conn(error)
    }
}

impl From<ExecError> for Fault {
    fn from(error: ExecError) -> Self {
        Self::Wire(error)
    }
}

impl From<RequesterError> for Fault {
    fn from(error: RequesterError) -> Self {
        Self::Parts(error)
    }
}
