//! The binary from end to end: as people meet it.

mod peers;
mod usage;
