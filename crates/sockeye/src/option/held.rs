//! What the kernel holds of a socket's options, beside what its address asks for.

use std::os::fd::BorrowedFd;

use sockeye_proto::address::{Address, Value};

use super::{OptionRow, of_kernel};
use crate::error::Refused;

/// An option of a socket.
#[derive(Debug)]
pub struct Held {
    /// Its row.
    pub row: &'static OptionRow,
    /// What the address sets it to; `None` where it does not.
    pub asked: Option<Value>,
    /// What it is; `Ok(None)` where it is nothing, or the kernel does not tell, and the failure where the socket does not
    /// have it. The kernel may round, or double, what it
    /// was asked for, and changes some options by itself.
    pub has: Result<Option<Value>, Refused>,
}

/// Reads a socket's options back: every one that an address of this scheme and role can set on a socket, as the kernel has it on `socket`. Of those
/// that have no name there are only those that the address sets.
pub fn held(socket: BorrowedFd<'_>, address: &Address) -> Vec<Held> {
    let mut all = Vec::new();
    for (row, kernel) in of_kernel().filter(|(row, _)| row.is_known_to(address)) {
        let read = |asked: Option<&Value>| {
            let option = row.grammar.name;
            kernel.read(socket, asked).map_err(|error| Refused { option, lacks: None, error })
        };
        let mut asked = address.options().values(row.grammar.name).cloned().peekable();
        if asked.peek().is_none() && !row.grammar.kind.repeats() {
            all.push(Held { row, asked: None, has: read(None) });
        }
        all.extend(asked.map(|asked| {
            let has = read(Some(&asked));
            Held { row, asked: Some(asked), has }
        }));
    }
    all
}
