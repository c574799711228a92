//! How the program ends, as the shell sees it.

use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done. A closed standard output, and a server that drained when told to stop, are this.
    Done = 0,
    /// The network or the peer failed.
    Failed = 1,
    /// What was typed makes no sense.
    Usage = 2,
    /// A time limit ran out.
    TimeLimit = 124,
    /// Interrupted before it was done.
    Interrupted = 130,
}

/// Each code, and what help says of it.
pub(crate) const MEANINGS: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::Failed, "the network or the peer failed"),
    (Exit::Usage, "wrong usage"),
    (Exit::TimeLimit, "a time limit ran out"),
    (Exit::Interrupted, "interrupted"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
