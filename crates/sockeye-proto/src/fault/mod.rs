//! Faults that are put on a connection on purpose: what a bad network does, decided by a seed.
//!
//! What each fault is called stands in [`FAULTS`]. [`Stream`] is one way of a connection of bytes, [`Traffic`] one way of
//! a connection of messages: they hold what is under way, and say when what may go on. What is decided about the n-th byte
//! or message depends on the seed, the connection's number, the way and n alone; when it comes is the network's affair.

mod deeds;
mod gate;
mod random;
mod rows;
mod stream;
#[cfg(test)]
mod tests;
mod traffic;

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use crate::shape::Shape;
use crate::unit::print_duration;
use crate::way::Way;

pub use deeds::Deeds;
pub use gate::Step;
pub use random::Chance;
pub use rows::{FAULTS, FaultRow, name_in};
pub use stream::Stream;
pub use traffic::{Parcel, Traffic};

/// The most bytes that are under way where a fault lets them come later, each way: 1 MiB, and one message. Then whoever
/// sends waits.
pub const HELD: usize = 1 << 20;

/// A fault, and which way it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// `None` is both ways, each for itself.
    pub way: Option<Way>,
    /// What happens.
    pub what: What,
}

/// What happens to what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Messages are lost in a row: Gilbert and Elliott's channel of two states, which is asked before each message.
    BurstLoss {
        /// How likely a good channel becomes one that loses everything.
        enter: Chance,
        /// How likely that one becomes good again.
        leave: Chance,
    },
    /// A bit of a byte is turned, with this chance for each byte.
    Corrupt(Chance),
    /// All is over.
    Cut(Cut, After),
    /// Everything comes later. Bytes keep their order; messages that jitter overtakes do not.
    Delay {
        /// How much later.
        by: Duration,
        /// Up to so much more or less, each as likely.
        jitter: Duration,
    },
    /// A message comes twice.
    Duplicate(Chance),
    /// Bytes that come within this time come together.
    Glue(Duration),
    /// A message is lost.
    Loss(Chance),
    /// Messages of more bytes than these are lost.
    Mtu(NonZeroUsize),
    /// Nothing more is read.
    NoRead(After),
    /// At most so many bytes a second.
    Rate(NonZeroU64),
    /// Later messages overtake one.
    Reorder {
        /// How likely it is that a message is overtaken.
        chance: Chance,
        /// By how many at most, 1 to 64.
        depth: u32,
    },
    /// Bytes come in pieces.
    Slice {
        /// The most bytes of a piece.
        most: NonZeroUsize,
        /// How much later the next one comes.
        pause: Duration,
    },
    /// Nothing moves for a while.
    Stall {
        /// When that begins.
        after: After,
        /// How long it lasts.
        lasts: Duration,
    },
    /// What a message has beyond so many bytes is cut off.
    Truncate(usize),
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// With an end of file that way, as by a peer that ends its side.
    Fin,
    /// With a reset of both ends.
    Rst,
    /// Nobody is told: what is sent from then on goes nowhere, its end too.
    Silence,
}

/// When something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum After {
    /// Once so many bytes have passed that way.
    Bytes(u64),
    /// So long after the connection began.
    Time(Duration),
}

impl After {
    /// Whether it is so far.
    fn is_reached(self, passed: u64, now: Duration) -> bool {
        match self {
            Self::Bytes(bytes) => passed >= bytes,
            Self::Time(time) => now >= time,
        }
    }

    /// How many bytes may pass until then.
    fn left(self, passed: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.saturating_sub(passed),
            Self::Time(_) => u64::MAX,
        }
    }
}

impl Fault {
    /// Whether it is on that way.
    pub fn concerns(&self, way: Way) -> bool {
        self.way.or(self.row().way).is_none_or(|own| own == way)
    }

    /// Whether chance decides about it, so that a seed matters.
    pub fn is_random(&self) -> bool {
        match self.what {
            // Which bit, and by how many, is decided too.
            What::BurstLoss { .. } | What::Corrupt(_) | What::Reorder { .. } => true,
            What::Duplicate(chance) | What::Loss(chance) => !chance.is_certain(),
            What::Delay { jitter, .. } => !jitter.is_zero(),
            What::Cut(..)
            | What::Glue(_)
            | What::Mtu(_)
            | What::NoRead(_)
            | What::Rate(_)
            | What::Slice { .. }
            | What::Stall { .. }
            | What::Truncate(_) => false,
        }
    }

    /// Whether an address cannot have both. It may stall several times.
    pub fn excludes(&self, other: &Self) -> bool {
        let is_one_way = [Way::In, Way::Out].iter().any(|way| self.concerns(*way) && other.concerns(*way));
        is_one_way && self.what.name() == other.what.name() && !matches!(self.what, What::Stall { .. })
    }

    /// Why this cannot happen to a connection of that shape, over that scheme; `None` where it can.
    pub fn refusal(&self, shape: Shape, scheme: &str) -> Option<String> {
        if let Some((_, why)) = self.row().not_on.filter(|(not_on, _)| *not_on == shape) {
            return Some(why.to_owned());
        }
        let What::Cut(how, _) = self.what else { return None };
        rows::uncuttable(how, scheme)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.what.name()
    }

    fn row(&self) -> &'static FaultRow {
        rows::of(self.what)
    }
}

impl What {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::BurstLoss { .. } => "burst-loss",
            Self::Corrupt(_) => "corrupt",
            Self::Cut(..) => "cut",
            Self::Delay { .. } => "delay",
            Self::Duplicate(_) => "duplicate",
            Self::Glue(_) => "glue",
            Self::Loss(_) => "loss",
            Self::Mtu(_) => "mtu",
            Self::NoRead(_) => "no-read",
            Self::Rate(_) => "rate",
            Self::Reorder { .. } => "reorder",
            Self::Slice { .. } => "slice",
            Self::Stall { .. } => "stall",
            Self::Truncate(_) => "truncate",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            None => Ok(()),
            Some(Way::In) => f.write_str("in:"),
            Some(Way::Out) => f.write_str("out:"),
        }?;
        f.write_str(self.what.name())?;
        match self.what {
            What::BurstLoss { enter, leave } => write!(f, ":{enter}:{leave}"),
            What::Corrupt(chance) | What::Duplicate(chance) | What::Loss(chance) => write!(f, ":{chance}"),
            What::Cut(how, after) => write!(f, ":{how}:{after}"),
            What::Delay { by, jitter } if jitter.is_zero() => write!(f, ":{}", print_duration(by)),
            What::Delay { by, jitter } => write!(f, ":{}:{}", print_duration(by), print_duration(jitter)),
            What::Glue(time) => write!(f, ":{}", print_duration(time)),
            What::Mtu(bytes) => write!(f, ":{bytes}"),
            What::NoRead(After::Bytes(0)) => Ok(()),
            What::NoRead(after) => write!(f, ":{after}"),
            What::Rate(bytes) => write!(f, ":{bytes}/s"),
            What::Reorder { chance, depth } => write!(f, ":{chance}:{depth}"),
            What::Slice { most, pause } if pause.is_zero() => write!(f, ":{most}"),
            What::Slice { most, pause } => write!(f, ":{most}:{}", print_duration(pause)),
            What::Stall { after, lasts } => write!(f, ":{after}:{}", print_duration(lasts)),
            What::Truncate(bytes) => write!(f, ":{bytes}"),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Silence => "silence",
        })
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Time(time) => f.write_str(&print_duration(*time)),
        }
    }
}
