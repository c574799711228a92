//! Commands on another machine: the messages that `serve exec` and `sockeye run` send each other.
//!
//! A message is a type (one byte), the number of a command (four) and a body; all numbers are big-endian. Command 0 is the
//! connection itself; a client numbers its commands from 1 on, and uses no number twice. What tells one message from the next is
//! not decided here: a reliable connection of messages does, and on bytes a length of four bytes before each.
//!
//! - [`Request`]: what is to run, and how.
//! - [`FromClient`], [`FromServer`]: the messages, decoded without a copy of the data in them.
//! - [`Credit`], [`Allowance`]: how much may be sent before the other side has asked for more.
//! - [`parts`]: the same over datagrams, which are lost, doubled and overtaken.

mod credit;
mod error;
mod fields;
mod message;
pub mod parts;
mod request;
#[cfg(test)]
mod tests;

pub use credit::{Allowance, Credit};
pub use error::ExecError;
pub use message::{Ended, FromClient, FromServer, Refusal, Stream};
pub use request::{Request, What, Window};

/// What the first message of a client begins with.
pub const MAGIC: &[u8; 12] = b"sockeye-exec";
/// The version of the wire that is spoken here.
pub const VERSION: u8 = 1;
/// The bytes before the body of a message.
pub const HEAD: usize = 5;
/// The most bytes of a body: 64 KiB.
pub const MAX_BODY: usize = 64 << 10;
/// The most bytes of a message.
pub const MAX_MESSAGE: usize = HEAD + MAX_BODY;
