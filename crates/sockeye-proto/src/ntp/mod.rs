//! The Network Time Protocol, version 4 and before (RFC 5905): its packet, its times, and what stands in them.
//!
//! Nothing here reads a clock or keeps one: whoever asks or answers says what time it is.

mod agreement;
mod burst;
mod packet;
mod patience;
mod reading;
mod reference;
mod server;
mod short;
#[cfg(test)]
mod simulated;
mod timestamp;

pub use agreement::{Agreement, agreement};
pub use burst::{Burst, Doubt, Heard, Plan, Step};
pub use packet::{Leap, Mode, Packet, SIZE};
pub use patience::{BURST, Patience, Verdict};
pub use reading::{Reading, Sample};
pub use reference::{Kiss, ReferenceId};
pub use server::Status;
pub use short::Short;
pub use timestamp::Timestamp;

/// The port of its servers.
pub const PORT: u16 = 123;

/// The stratum of a clock that is not synchronised (section 7.3). Servers that mean it also say
/// [`Leap::Unsynchronised`].
pub const UNSYNCHRONISED: u8 = 16;
