//! Commands that run elsewhere, as they go over the wire.

pub mod parts;
