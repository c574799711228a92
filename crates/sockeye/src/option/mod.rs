//! Options of sockets and limits: one row each, which parser, help and documentation read.

mod table;

use std::os::fd::BorrowedFd;

use rustix::io::Result;
use sockeye_proto::address::{Address, OptionGrammar, Value};

use crate::ctx::Limits;

pub(crate) use table::ALL;

/// An option that several schemes know.
#[derive(Debug)]
pub struct OptionRow {
    /// How it is written.
    pub grammar: OptionGrammar,
    /// What it is where nobody sets it, for help.
    pub default: &'static str,
    /// What it changes.
    pub(crate) effect: Effect,
}

/// What an option changes.
pub(crate) enum Effect {
    /// A limit of the listener, or of the dialled connection.
    Limit(fn(&mut Limits, &Value)),
    /// The socket itself, as soon as it is made; `None` as value where nobody set it. TCP connections
    /// inherit it from the socket that accepted them (tcp(7)), so a newcomer costs no call.
    Socket(fn(BorrowedFd<'_>, Option<&Value>) -> Result<()>),
    /// Something that its scheme reads when it opens the socket.
    Open,
    /// Something that whoever serves a connection reads for itself.
    Read,
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Limit(_) => "Limit",
            Self::Socket(_) => "Socket",
            Self::Open => "Open",
            Self::Read => "Read",
        })
    }
}

/// Sets what the address asks for on a new socket, and the defaults of every socket.
///
/// # Errors
/// The option that the kernel refused.
pub(crate) fn apply(
    socket: BorrowedFd<'_>,
    address: &Address,
) -> std::result::Result<(), (&'static str, rustix::io::Errno)> {
    for row in ALL.iter().filter(|row| row.grammar.schemes.contains(&address.scheme().name)) {
        if let Effect::Socket(set) = row.effect
            && row.grammar.side.includes(address.role())
        {
            set(socket, address.options().value(row.grammar.name))
                .map_err(|errno| (row.grammar.name, errno))?;
        }
    }
    Ok(())
}

/// The limits that the address sets, and `base` for the others. What a listener has besides is known to its scheme:
/// [`crate::Scheme::limits`].
pub fn limits(address: &Address, base: &Limits) -> Limits {
    let mut limits = *base;
    for row in ALL {
        if let (Effect::Limit(set), Some(value)) = (&row.effect, address.options().value(row.grammar.name)) {
            set(&mut limits, value);
        }
    }
    limits
}

/// The options that two addresses of one place set differently, and that a socket has from when it is opened: what was
/// opened as `opened` does not become `wanted` by new [`crate::Terms`] alone.
pub fn fixed(opened: &Address, wanted: &Address) -> Vec<&'static str> {
    let (before, after) = (opened.options(), wanted.options());
    let is_live = |name: &str| {
        let row = ALL.iter().find(|row| row.grammar.name == name);
        row.is_some_and(|row| matches!(row.effect, Effect::Limit(_) | Effect::Read))
    };
    let mut names: Vec<&'static str> = before.iter().chain(after.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| before.value(name) != after.value(name) && !is_live(name));
    names
}

/// Every row, for help and documentation.
pub fn options() -> &'static [OptionRow] {
    ALL
}
