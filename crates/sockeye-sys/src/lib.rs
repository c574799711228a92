//! The unsafe code of sockeye: small safe functions over calls that no safe library offers.
//!
//! - [`mod@clock`]: how well the clock of this machine is kept.
//! - [`datagram`]: datagrams in batches, with what the kernel knows of each.
//! - [`environment`]: variables that our parent meant for us alone.
//! - [`guard`]: commands, each under a process that ends all of what it started.
//! - [`lookup`]: names and services into addresses, with the resolver's own words for what failed.
//! - [`inherited`]: descriptors that our parent left open for us.
//! - [`readiness`]: descriptors that a runtime watches.
//! - [`socket_option`]: options of sockets by their numbers.
//! - [`mod@unsent`]: how much of what was written has not arrived.
//! - [`vsock`]: the names of sockets between machines that share one host.
//!
//! Each block says what it relies on and who sees to it.
#![allow(unsafe_code, reason = "this crate is the one place for it")]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod clock;
pub mod datagram;
pub mod environment;
pub mod guard;
pub mod inherited;
pub mod lookup;
pub mod readiness;
pub mod socket_option;
pub mod unsent;
pub mod vsock;
