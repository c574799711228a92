//! Options of sockets, limits and commands: one row each, which parser, help, documentation and tests read.

mod command;
mod connection;
mod entrance;
mod held;
mod ip;
mod kernel;
mod socket;
mod tcp;

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use sockeye_proto::address::{Address, Kind, OptionGrammar, Side, Value};

use self::kernel::Kernel;
use crate::ctx::Limits;
use crate::error::Refused;

pub use self::held::{Held, held};
pub use self::kernel::Phase;
pub(crate) use self::tcp::protocol;

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

/// Options that belong together.
#[derive(Debug)]
pub struct OptionGroup {
    /// What they are options of, for help.
    pub title: &'static str,
    /// The options, by name.
    pub rows: &'static [OptionRow],
}

/// Every option that is not of one scheme or layer alone.
pub static GROUPS: &[OptionGroup] = &[
    OptionGroup { title: "options of a connection", rows: connection::ROWS },
    OptionGroup { title: "options on who may come in", rows: entrance::ROWS },
    OptionGroup { title: "options of a command", rows: command::ROWS },
    OptionGroup { title: "options of a socket", rows: socket::ROWS },
    OptionGroup { title: "options of IP", rows: ip::ROWS },
    OptionGroup { title: "options of TCP", rows: tcp::ROWS },
];

/// What an option changes.
pub(crate) enum Effect {
    /// A limit of the listener, or of the dialled connection.
    Limit(fn(&mut Limits, &Value)),
    /// The socket, in the kernel.
    Kernel(Kernel),
    /// Something that whoever serves a connection reads for itself.
    Read,
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Limit(_) => f.write_str("Limit"),
            Self::Kernel(kernel) => write!(f, "Kernel({:?})", kernel.phase),
            Self::Read => f.write_str("Read"),
        }
    }
}

impl OptionRow {
    /// When it takes hold of a socket; `None` where it is none of the kernel's options.
    pub fn phase(&self) -> Option<Phase> {
        self.kernel().map(|kernel| kernel.phase)
    }

    fn kernel(&self) -> Option<&Kernel> {
        match &self.effect {
            Effect::Kernel(kernel) => Some(kernel),
            Effect::Limit(_) | Effect::Read => None,
        }
    }

    /// Whether it stands on an address of that scheme and role.
    fn is_known_to(&self, address: &Address) -> bool {
        self.grammar.schemes.contains(&address.scheme().name) && self.grammar.side.includes(address.role())
    }
}

/// Every row, for parser, help and documentation.
pub fn options() -> impl Iterator<Item = &'static OptionRow> + Clone {
    GROUPS.iter().flat_map(|group| group.rows)
}

/// Sets what the address asks for in this phase, and what every socket has by default.
///
/// # Errors
/// The option that the kernel refused: a [`Refused`].
pub(crate) fn apply(socket: BorrowedFd<'_>, address: &Address, phase: Phase) -> io::Result<()> {
    for (row, kernel) in of_kernel().filter(|(_, kernel)| kernel.phase == phase) {
        let name = row.grammar.name;
        if address.options().value(name).is_some() {
            set_asked(socket, address, row, kernel)?;
        } else if let Some(ours) = (kernel.ours)(address)
            && row.is_known_to(address)
        {
            match kernel.set(socket, &ours) {
                Err(error) if !is_without(&error) => return Err(refused(name, error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Sets again on an accepted socket what the kernel does not hand down to it.
///
/// # Errors
/// As [`apply`].
pub(crate) fn apply_to_accepted(socket: BorrowedFd<'_>, address: &Address) -> io::Result<()> {
    not_inherited(address).try_for_each(|(row, kernel)| set_asked(socket, address, row, kernel))
}

/// Whether [`apply_to_accepted`] has anything to do.
pub(crate) fn concerns_accepted(address: &Address) -> bool {
    not_inherited(address).next().is_some()
}

/// TCP hands down most of what was set before it listened. Unix sockets hand nothing down.
fn not_inherited(address: &Address) -> impl Iterator<Item = (&'static OptionRow, &'static Kernel)> {
    let inherits = address.scheme().name == "tcp";
    of_kernel().filter(move |(row, kernel)| {
        let is_lost = match kernel.phase {
            Phase::Connected => true,
            Phase::New => !(inherits && kernel.is_inherited),
            Phase::Made | Phase::Bound | Phase::Listening => false,
        };
        is_lost && address.options().value(row.grammar.name).is_some()
    })
}

fn of_kernel() -> impl Iterator<Item = (&'static OptionRow, &'static Kernel)> {
    options().filter_map(|row| Some((row, row.kernel()?)))
}

fn set_asked(socket: BorrowedFd<'_>, address: &Address, row: &OptionRow, kernel: &Kernel) -> io::Result<()> {
    let name = row.grammar.name;
    address
        .options()
        .values(name)
        .try_for_each(|value| kernel.set(socket, value).map_err(|error| refused(name, error)))
}

/// Says of which option the kernel refused something, and what right that takes.
pub(crate) fn refused(option: &'static str, error: io::Error) -> io::Error {
    let row = of_kernel().find(|(row, _)| row.grammar.name == option);
    let lacks = row.filter(|_| error.kind() == io::ErrorKind::PermissionDenied);
    let lacks = lacks.map(|(_, kernel)| kernel.capability);
    io::Error::new(error.kind(), Refused { option, lacks, error })
}

/// Whether a socket is of a kind that does not have the option, or no longer: MPTCP knows fewer than TCP, and one that
/// was bound by others keeps its families. Nobody asked for what we set ourselves.
fn is_without(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOPROTOOPT | Errno::OPNOTSUPP | Errno::INVAL))
}

/// The limits that the address sets, and `base` for the others. What a listener has besides is known to its scheme:
/// [`crate::Scheme::limits`].
pub fn limits(address: &Address, base: &Limits) -> Limits {
    let mut limits = *base;
    for row in options() {
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
        let row = options().find(|row| row.grammar.name == name);
        row.is_some_and(|row| matches!(row.effect, Effect::Limit(_) | Effect::Read))
    };
    let mut names: Vec<&'static str> = before.iter().chain(after.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !before.values(name).eq(after.values(name)) && !is_live(name));
    names
}

/// The schemes that are sockets of the kernel.
const SOCKETS: &[&str] = &["tcp", "udp", "raw", "unix", "unix-dgram", "unix-seq"];

/// Those of them that are on IP.
const INET: &[&str] = &["tcp", "udp"];

/// The schemes whose sockets are connected, one for each peer.
const CONNECTED: &[&str] = &["tcp", "unix", "unix-seq", "vsock"];

/// The schemes that several can listen on together.
const STREAMS: &[&str] = &["tcp", "unix", "vsock", "mem"];

/// The schemes that lead to somebody who may come back.
const NETWORKED: &[&str] =
    &["tcp", "udp", "raw", "unix", "unix-dgram", "unix-seq", "vsock", "mem", "mem-seq"];

/// The schemes whose peers can be counted.
const COUNTED: &[&str] = &["tcp", "udp", "raw", "unix", "unix-dgram", "unix-seq", "vsock"];

/// The beginning of a row's grammar.
const fn row(name: &'static str, schemes: &'static [&'static str], side: Side, kind: Kind) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes, side, kind, help: "" }
}

fn switch(value: &Value) -> bool {
    *value == Value::Switch(true)
}

fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Count(count) => u32::try_from(*count).ok(),
        _ => None,
    }
}
