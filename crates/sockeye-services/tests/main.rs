//! Each service over connections inside this process, and over sockets where the kernel has a say.
//!
//! `rows` is about all of them, taken from the table; the other modules are about one or two each.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and so do the functions that several tests share"
)]

mod broker;
mod chargen;
mod datagrams;
mod daytime;
mod echo;
mod exec;
mod exec_client;
mod hello;
mod lab;
mod ntp;
mod rows;
