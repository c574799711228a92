//! What the tests of all crates share: running the binary and its peers, waiting under a limit, scratch
//! folders, and talking to a server over blocking sockets.
//!
//! A helper lives here when two test crates need it; what one test needs stays in that test. Helpers panic,
//! because a failed helper is a failed test. Every wait has a limit, and what a test started ends with the
//! test.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "only tests use this crate, and a test fails by a panic"
)]

pub mod fuzz;

mod authority;
mod credentials;
mod output;
mod peer;
mod process;
mod python;
mod scratch;
mod server;
mod show;
mod wait;
mod wire;

pub use authority::{Authority, Issued};
pub use credentials::Credentials;
pub use peer::require;
pub use process::{Exit, Process, run};
pub use python::python;
pub use rustix::process::Signal;
pub use scratch::Scratch;
pub use server::Server;
pub use wait::{LIMIT, wait_until};
pub use wire::{Stream, connect, exchange, read_to_end};
