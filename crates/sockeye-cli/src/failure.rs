//! What went wrong, as people are told: what failed on what and why, and a second line with what to try.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

use sockeye::Op;
use sockeye::proto::address::ParseError;
use sockeye::proto::printable;
use unicode_width::UnicodeWidthStr as _;

use crate::args::Request;
use crate::config::Fault;
use crate::exit::Exit;
use crate::say::{self, INDENT, NAME};
use crate::{hint, log};

/// Why a verb could not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An address that cannot be read.
    Address(ParseError),
    /// Something in a config file that cannot be taken.
    Config(Fault),
    /// A file that we were to write.
    File(sockeye::Error),
    /// A connection or a listener failed.
    Run(sockeye::Error),
    /// Flags and words that make no sense.
    Usage {
        /// What is wrong.
        reason: String,
        /// What to try.
        hint: String,
    },
    /// The machine refused us something that every verb needs.
    Start(io::Error),
}

impl Failure {
    pub(crate) fn usage(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { reason: reason.into(), hint: hint.into() }
    }

    /// For programs, as one JSON object.
    pub(crate) fn json(&self) -> serde_json::Value {
        let (error, hint) = match self {
            Self::Address(error) => (error.to_string(), None),
            Self::Config(fault) => (fault.sentence(), fault.advice().map(str::to_owned)),
            Self::File(error) => (one_line(error), Some(hint::FILE.to_owned())),
            Self::Run(error) => (one_line(error), hint::of(error).map(Cow::into_owned)),
            Self::Start(error) => (error.to_string(), None),
            Self::Usage { reason, hint } => (reason.clone(), Some(hint.clone())),
        };
        serde_json::json!({ "event": "failed", "error": error, "hint": hint, "exit": self.exit().code() })
    }

    /// Tells it where that is asked for as JSON; otherwise it is still to be told.
    pub(crate) fn tell(self, request: &Request) -> Result<Exit, Self> {
        if !log::wants_json(request) {
            return Err(self);
        }
        say::to_people(&log::timed(self.json()).to_string());
        Ok(self.exit())
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Address(_) | Self::Config(_) | Self::Usage { .. } => Exit::Usage,
            Self::File(_) | Self::Start(_) => Exit::Failed,
            Self::Run(error) => match (error.cause(), error.kind()) {
                (sockeye::Cause::Limit(..), _) => Exit::TimeLimit,
                (_, sockeye::Kind::Usage) => Exit::Usage,
                _ => Exit::Failed,
            },
        }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::Address(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Config(fault)
    }
}

impl From<sockeye::Error> for Failure {
    fn from(error: sockeye::Error) -> Self {
        Self::Run(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => {
                writeln!(f, "{NAME}: {}", printable::line(error.to_string().as_bytes()))?;
                write!(f, "{INDENT}{}", caret(error.text(), error.span()))
            }
            Self::Config(fault) => write!(f, "{NAME}: {fault}"),
            Self::File(error) => write!(f, "{NAME}: {}\n{INDENT}{}", one_line(error), hint::FILE),
            Self::Run(error) => {
                write!(f, "{NAME}: {}", one_line(error))?;
                hint::of(error).map_or(Ok(()), |hint| write!(f, "\n{INDENT}{hint}"))
            }
            Self::Start(error) => write!(f, "{NAME}: cannot start: {error}"),
            Self::Usage { reason, hint } => {
                let (reason, hint) = (printable::line(reason.as_bytes()), printable::line(hint.as_bytes()));
                write!(f, "{NAME}: {reason}\n{INDENT}{hint}")
            }
        }
    }
}

/// The line beneath `text` that points at its bytes `span`, or at the place where something is missing.
pub(crate) fn caret(text: &str, span: Range<usize>) -> String {
    let columns = |text: Option<&str>| printable::line(text.unwrap_or_default().as_bytes()).width();
    let (before, at) = (text.get(..span.start), text.get(span));
    format!("{}{}", " ".repeat(columns(before)), "^".repeat(columns(at).max(1)))
}

/// Why a file of ours cannot be written.
pub(crate) fn unwritable(path: &Path, error: io::Error) -> sockeye::Error {
    sockeye::Error::new(Op::Write, error).on(path.display())
}

/// What failed on what, and why, without the name of the program.
pub(crate) fn one_line(error: &sockeye::Error) -> String {
    let text = match (error.address(), error.op()) {
        (Some("-"), Op::Read) => format!("cannot read from standard input: {}", error.cause()),
        (Some("-"), Op::Write) => format!("cannot write to standard output: {}", error.cause()),
        (Some(command), Op::Run) => format!("{command} {}", error.cause()),
        _ => format!("{error}: {}", error.cause()),
    };
    // What a peer or a path is called was chosen by others, and may hold anything.
    printable::line(text.as_bytes())
}
