//! The same connections for programs without async: calls that wait, and [`Read`](std::io::Read) and
//! [`Write`](std::io::Write).
//!
//! ```
//! use std::io::{Read as _, Write as _};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut listener = sockeye::blocking::listen("tcp:127.0.0.1:0")?;
//! let mut here = sockeye::blocking::dial(&listener.locals()[0].to_string())?;
//! let mut there = listener.accept()?;
//!
//! here.write_all(b"hello")?;
//! here.shutdown_write()?;
//! let mut said = String::new();
//! there.read_to_string(&mut said)?;
//! assert_eq!(said, "hello");
//! # Ok(()) }
//! ```
//!
//! Calls wait for the peer as long as it takes, unless `set_timeout` says otherwise. They are for threads of their own: in
//! a task of an async runtime they panic.

mod conn;
mod listener;
mod runtime;
mod split;

pub use conn::Conn;
pub use listener::Listener;
pub use runtime::Runtime;
pub use split::{ReadHalf, WriteHalf};

use crate::ctx::Ctx;
use crate::error::Result;
use crate::open::ToAddress;
use crate::rows::Rows;

/// Opens a connection, with a [`Runtime`] of its own: see [`crate::dial`].
///
/// # Errors
/// As [`crate::dial`], and where no thread can be started.
pub fn dial(address: &(impl ToAddress + ?Sized)) -> Result<Conn> {
    Runtime::new(Rows::default(), &Ctx::default())?.dial(address)
}

/// Starts to listen, with a [`Runtime`] of its own, which its connections share: see [`crate::listen`].
///
/// # Errors
/// As [`crate::listen`], and where no thread can be started.
pub fn listen(address: &(impl ToAddress + ?Sized)) -> Result<Listener> {
    Runtime::new(Rows::default(), &Ctx::default())?.listen(address)
}
