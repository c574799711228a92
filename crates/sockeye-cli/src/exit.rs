//! How the program ends, as the shell sees it.

use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done. A closed standard output, and a server that drained when told to stop, are this.
    Done,
    /// The network or the peer failed.
    Failed,
    /// What was typed makes no sense.
    Usage,
    /// A time limit ran out.
    TimeLimit,
    /// Interrupted before it was done.
    Interrupted,
    /// As a command ended that was run elsewhere.
    Command(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TimeLimit => 124,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }
}

/// Each code, and what help says of it.
pub(crate) const MEANINGS: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::Failed, "the network or the peer failed"),
    (Exit::Usage, "wrong usage"),
    (Exit::TimeLimit, "a time limit ran out"),
    (Exit::Interrupted, "interrupted"),
];

/// Those of a verb that runs commands elsewhere, beside these.
pub(crate) const OF_COMMANDS: &[(&str, &str)] = &[
    ("255", "the command never ran, or its connection was lost"),
    ("others", "the command's own; of one that was killed, 128 and the number of the signal"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
