//! What is wrong with a message.

use std::fmt;

use super::MAX_BODY;

/// Why bytes are no message of the wire. None of them leaves a way to go on: the connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecError {
    /// A variable is no `NAME=VALUE`.
    Assignment,
    /// A message of the connection names a command, or one of a command names none.
    Command,
    /// The other side was sent more credit than can be counted, or sent more than it had.
    Credit,
    /// A flag that is not known is set.
    Flag,
    /// A number that stands for one of several things is none of them.
    Kind(u8),
    /// It is larger than a message may be.
    Long,
    /// It is not the first message of this protocol.
    Magic,
    /// A zero byte stands in what a program is handed.
    Nul,
    /// It ends too early.
    Short,
    /// What is for people is no UTF-8.
    Text,
    /// More bytes follow than belong to it.
    Trailing,
    /// The type of the message is not known, or it is not one that this side is sent.
    Type(u8),
    /// There is no program, or a line for a shell that is not one word.
    Words,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assignment => f.write_str("a variable is not NAME=VALUE"),
            Self::Command => {
                f.write_str("a message has the number of a command where it may have none, or none")
            }
            Self::Credit => f.write_str("more was sent than was asked for"),
            Self::Flag => f.write_str("a flag is set that is not known"),
            Self::Kind(kind) => write!(f, "{kind} stands for nothing here"),
            Self::Long => write!(f, "a message has more than {MAX_BODY} bytes behind its head"),
            Self::Magic => f.write_str("the first message is not one of sockeye-exec"),
            Self::Nul => f.write_str("a word or a variable has a zero byte in it"),
            Self::Short => f.write_str("a message ends too early"),
            Self::Text => f.write_str("a text is not UTF-8"),
            Self::Trailing => f.write_str("a message has bytes behind its end"),
            Self::Type(kind) => write!(f, "no message of type {kind} may come here"),
            Self::Words => f.write_str("no program is named"),
        }
    }
}

impl std::error::Error for ExecError {}
