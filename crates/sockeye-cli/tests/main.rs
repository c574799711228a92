//! The binary from end to end: as people meet it.

mod namespace;
mod peers;
mod usage;
