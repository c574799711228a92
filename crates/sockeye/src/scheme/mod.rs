//! The kinds of address: a row each, and below it what dials and listens.

mod command;
mod datagram;
mod descriptor;
mod fd;
mod file;
mod inet;
mod mem;
mod pty;
mod race;
mod raw;
mod socket;
mod stdio;
mod tcp;
mod udp;
mod unix;
mod unix_dgram;
mod vsock;

use std::time::Duration;

use sockeye_proto::address::{Address, Role, SchemeGrammar};

use crate::conn::Conn;
use crate::ctx::{Ctx, Limits};
use crate::error::Result;
use crate::listener::Listener;
use crate::option;
use crate::service::BoxFuture;

/// What opens a connection.
pub type Dial = for<'a> fn(&'a Address, &'a Ctx) -> BoxFuture<'a, Result<Conn>>;
/// What opens a listener.
pub type Listen = for<'a> fn(&'a Address, &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>>;

/// A kind of address.
#[derive(Debug)]
pub struct Scheme {
    /// How its addresses are written.
    pub grammar: SchemeGrammar,
    /// What it is, in one line of at most 60 columns.
    pub help: &'static str,
    /// An address of this kind.
    pub example: &'static str,
    /// The largest message that each of its connections carries, in bytes; `None` for bytes, and where that depends on
    /// the socket's buffer. A connection may carry larger ones, and states its own limit.
    pub max_message: Option<usize>,
    /// Whether one side can end and still hear the other.
    pub half_close: bool,
    /// After how long a listener takes a silent peer to have left, unless `idle=` is set; `None` where peers say when
    /// they leave.
    pub idle: Option<Duration>,
    /// Whether that address serves one connection only: a second would find nothing there, or undo what the first did.
    pub dials_once: fn(&Address) -> bool,
    /// Whether a connection to it runs a program: who joins it to a listener should let in our own users alone
    /// ([`crate::Newcomers::Ours`]).
    pub runs: bool,
    /// Opens a connection, without layers. Whoever calls it keeps the limit of `connect=`.
    pub dial: Dial,
    /// Opens a listener of bare connections. Called only where the grammar says that it listens.
    pub listen: Listen,
}

/// Every scheme.
pub static ALL: &[&Scheme] = &[
    &tcp::TCP,
    &udp::UDP,
    &raw::RAW,
    &unix::UNIX,
    &unix_dgram::UNIX_DGRAM,
    &unix::UNIX_SEQ,
    &vsock::VSOCK,
    &stdio::STDIO,
    &file::FILE,
    &fd::FD,
    &command::EXEC,
    &command::SH,
    &pty::PTY,
    &mem::MEM,
    &mem::MEM_SEQ,
];

impl Scheme {
    /// The limits that an address of this scheme sets, those that the scheme has where it is listened on, and `base` for
    /// the others.
    pub fn limits(&self, address: &Address, base: &Limits) -> Limits {
        let idle = if address.role() == Role::Listen { self.idle } else { None };
        option::limits(address, &Limits { idle: base.idle.or(idle), ..*base })
    }
}

/// For schemes that are only dialled: their grammar keeps such an address from being parsed.
///
/// # Errors
/// Always: it cannot be listened on.
pub fn no_listener<'a>(_: &'a Address, _: &'a Ctx) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
    let cause = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Box::pin(std::future::ready(Err(crate::error::Error::new(crate::error::Op::Listen, cause))))
}

/// What an address whose target has another form than its row says is told; parsing keeps it from happening.
fn wrong_target() -> crate::error::Cause {
    std::io::Error::from(std::io::ErrorKind::InvalidInput).into()
}
