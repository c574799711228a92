//! WebSocket (RFC 6455): messages over a stream, behind a handshake in HTTP.
//!
//! - [`Decoder`]: from bytes, cut anywhere, to whole messages, pings and the end.
//! - [`Encoded`]: from a message to its one frame.
//! - [`Close`]: why a side has ended.
//! - [`handshake`]: what client and server say to each other first.
//!
//! No extension is spoken: a frame that has a reserved bit set is refused.

mod close;
mod decode;
mod encode;
mod error;
pub mod handshake;
mod header;
mod mask;
#[cfg(test)]
mod tests;

pub use close::Close;
pub use decode::{Decoder, Item};
pub use encode::Encoded;
pub use error::WebSocketError;
pub use header::Opcode;
pub use mask::Key;

/// Which side of a connection we are: what a client sends is masked, and what a server sends is not (RFC 6455, section
/// 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// We have dialled.
    Client,
    /// We were dialled.
    Server,
}

/// The most bytes of what a ping, a pong or a Close carries (RFC 6455, section 5.5).
pub const MAX_CONTROL: usize = 125;
