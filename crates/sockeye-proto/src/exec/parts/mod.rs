//! The wire of commands over datagrams: a command in one, its answer in numbered parts.
//!
//! A datagram is `"skyx" · version u8 · type u8 · id 16 bytes · body`, numbers big endian. The id is that of one command,
//! and random: who did not see it cannot meddle. A part carries a message of the framed wire, about command 1.
//!
//! ```text
//! client -> server
//!    1 REQUEST  u32 length · token, a request as in START, standard input (the rest)
//!    2 ACK      next u64, got u16, ask u8: all parts below `next` were taken, and where bit n of `got` is set,
//!               next + n is here, too. With `ask` 1 the server is to say that it is there: PART, TAKEN or GONE.
//!    3 DROP     nothing more is wanted of the command: it and all it started is ended. The answer is GONE.
//! server -> client
//!   17 TAKEN    the command is known, and nothing is to be said now
//!   18 PART     number u64 from 0 · message: OUTPUT, ERRORS, or as the last one EXIT or REFUSED
//!   19 GONE     nothing is known of the command any more, or of its answer; it may have run. Also said when the last part
//!               is acknowledged: a client that has heard it may leave.
//!   20 REFUSED  message REFUSED: it did not run, and nothing of it is remembered
//! ```
//!
//! What is lost is sent again. The request is, until something answers it; its command runs once, because ids are
//! remembered ([`Seen`]). A part is, to a client that asks and does not have it, and no more than [`WINDOW`] of them are
//! under way: when the client does not take them, the command waits. Who is silent for [`SILENCE`] is taken to be gone.
//!
//! This is for one machine: loopback and Unix sockets. So nothing is measured, and a window that fits into the queue of
//! a socket stands for what would keep a network from being flooded.

mod answerer;
mod datagram;
mod requester;
mod seen;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use answerer::Answerer;
pub use datagram::{Ack, Datagram, DatagramError, Id};
pub use requester::{Requester, RequesterError};
pub use seen::Seen;

/// The most bytes of a part's message: with them a datagram fits into 8 KiB of the kernel's, with what that
/// keeps beside it.
pub const PART: usize = 7 << 10;

/// The most parts that are under way: together they fit into the queue of a socket that never asked for a larger one.
pub const WINDOW: usize = 16;

/// How long a client has patience to hear that the server has forgotten its command: a few tries.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Who was not heard for so long is gone.
pub const SILENCE: Duration = Duration::from_secs(15);

/// How long an answer is waited for before something is sent again; then twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The next of these waits.
fn longer(wait: Duration) -> Duration {
    (wait * 2).min(LONGEST_WAIT)
}
