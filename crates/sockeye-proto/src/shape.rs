//! The two things that a connection can carry.

use std::fmt;

/// What goes over a connection. There is no third shape, and only a visible layer changes one into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A stream of bytes: order is kept, borders are not.
    Bytes,
    /// Whole messages: each arrives as it was sent or not at all.
    Messages,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Messages => "messages",
        })
    }
}
