//! Why somebody did not tell the time.

use std::fmt;
use std::time::Duration;

use sockeye::Error;
use sockeye::proto::ntp::Kiss;
use sockeye::proto::unit::{print_duration, rounded};

/// Why somebody did not tell the time.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It ended before it had said anything.
    Ended,
    /// It could not be reached, or the connection broke off.
    Failed(Error),
    /// It does not want to be asked, or not so often.
    Kiss(Kiss),
    /// What it said is no time: so many bytes, where there are to be so many.
    Malformed {
        /// How many came.
        came: usize,
        /// How many there are to be.
        wanted: usize,
    },
    /// No answer came.
    Silent {
        /// For so long.
        after: Duration,
        /// How many datagrams came instead that were no answers to what was asked.
        doubts: usize,
    },
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("it ended without a word"),
            Self::Failed(error) => write!(f, "{}", error.cause()),
            Self::Kiss(Kiss::Deny) => f.write_str("it does not want to be asked (DENY)"),
            Self::Kiss(Kiss::Rate) => f.write_str("it asks not to be asked so often (RATE)"),
            Self::Kiss(Kiss::Other(id)) => write!(f, "it sent a kiss of death ({})", id.text(0)),
            Self::Malformed { came, wanted } => {
                write!(f, "it said {came} bytes, where the time has {wanted}")
            }
            Self::Silent { after, doubts } => {
                write!(f, "no answer within {}", print_duration(rounded(*after)))?;
                match doubts {
                    0 => Ok(()),
                    1 => f.write_str(", and what came was not believed: it answers something else"),
                    more => write!(f, ", and {more} that came were not believed: they answer something else"),
                }
            }
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Ended | Self::Kiss(_) | Self::Malformed { .. } | Self::Silent { .. } => None,
        }
    }
}
