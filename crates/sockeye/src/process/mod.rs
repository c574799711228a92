//! Commands: everything that this library runs is started here.
//!
//! A [`Program`] says what is to run; [`Program::start`] gives what of it is in our hands: its streams, and a [`Handle`]
//! that tells how it ends. Each command runs under a guard ([`sockeye_sys::guard`]), which ends all that it started once
//! it is over or its handle is dropped, also where this process is killed. A task of [`Ctx::tasks`](crate::Ctx::tasks)
//! keeps the guard: it hears how the command fares, and takes what is left in the end.

mod account;
mod asked;
mod environment;
mod handle;
mod job;
mod keeper;
mod lines;
mod program;
mod streams;
mod terminal;

pub use self::asked::check_program;
pub use self::handle::Handle;
pub(crate) use self::job::Job;
pub(crate) use self::lines::tell_lines;
pub use self::program::{Limits, Program, Running, Streams};
pub use self::streams::{Input, Output};
pub(crate) use self::terminal::{Link, Terminal};
