//! The library against its own ends: every scheme, the accept loop, the relay, and what is told of them.
//!
//! Each module says what belongs in it. Time stands still (`start_paused`) only where no socket is involved; every
//! other wait is under a limit of `lab`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and so do the functions that several tests share"
)]

mod accept;
mod admission;
mod blocking;
mod bulk;
mod conn;
mod events;
mod examples;
mod fallback;
mod fault;
mod fork;
mod frame;
mod inherited;
mod lab;
mod log;
mod matrix;
mod messages;
mod open;
mod options;
mod page;
mod process;
mod rate;
mod raw;
mod reconnect;
mod record;
mod relay;
mod rows;
mod stream;
mod tcp;
mod terms;
mod tls;
mod tls_own;
mod udp;
mod unix;
mod unix_dgram;
mod unix_seq;
mod vsock;
mod websocket;
