//! The two ways that something can go over a connection.

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the peer to us.
    In,
    /// From us to the peer.
    Out,
}
