//! How it went on a host: the exit code, and a sentence where it needs one.

use std::time::Duration;

use sockeye::proto::printable;
use sockeye::proto::unit::print_duration;
use sockeye_services::exec_client::{End, Fault};

use crate::exit::Exit;
use crate::failure::{Failure, one_line};

/// How it went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The command ended, or the server said why it never ran.
    Ended(End),
    /// Our own streams failed.
    Here(sockeye::Error),
    /// It had not ended by then.
    Late(Duration),
    /// The connection failed before the command had ended, or could not be opened.
    Lost(Fault),
    /// Nobody reads our standard output any more.
    Unread,
}

impl Outcome {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Ended(End::Exited(0)) | Self::Unread => Exit::Done,
            // What does not fit into a byte is no success all the same.
            Self::Ended(End::Exited(code)) => Exit::Command(u8::try_from(*code).unwrap_or(NEVER_RAN)),
            Self::Ended(End::Signalled(signal)) => {
                // A number that is none, which a server may send, is no success either.
                Exit::Command(128_u8.saturating_add(u8::try_from(*signal).unwrap_or(u8::MAX)))
            }
            Self::Ended(End::Limit(_)) | Self::Late(_) => Exit::TimeLimit,
            Self::Ended(End::Refused(..)) | Self::Lost(_) => Exit::Command(NEVER_RAN),
            Self::Here(_) => Exit::Failed,
        }
    }

    /// What people are told; nothing where the exit code says it all. The second line is what to try.
    pub(super) fn sentence(&self, program: &str) -> Option<(String, Option<String>)> {
        let text = match self {
            Self::Ended(End::Exited(_) | End::Signalled(_)) | Self::Unread => return None,
            Self::Ended(End::Limit(text)) => format!("{program} was ended: {text}"),
            Self::Ended(End::Refused(_, text)) => format!("{program} did not run: {text}"),
            Self::Here(error) => one_line(error),
            Self::Late(limit) => {
                format!("{program} had not ended after {}, and was ended", print_duration(*limit))
            }
            Self::Lost(Fault::Conn(error)) => {
                let told = Failure::Run(error.clone());
                let hint = told.json().get("hint").and_then(|hint| hint.as_str()).map(str::to_owned);
                return Some((one_line(error), hint));
            }
            Self::Lost(fault) => fault.to_string(),
        };
        Some((printable::line(text.as_bytes()), None))
    }

    /// In a word or two, for one host of many.
    pub(super) fn in_short(&self, program: &str) -> Option<String> {
        match self {
            Self::Ended(End::Exited(0)) => None,
            Self::Ended(End::Exited(code)) => Some(format!("exited with {code}")),
            Self::Ended(End::Signalled(signal)) => Some(format!("ended by signal {signal}")),
            other => other.sentence(program).map(|(sentence, _)| sentence),
        }
    }
}

/// The exit code of a command that never ran, or whose end we did not see: ssh(1) has the same.
pub(super) const NEVER_RAN: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_commands_own_and_none_that_failed_is_a_success() {
        for (outcome, code) in [
            (Outcome::Ended(End::Exited(0)), 0),
            (Outcome::Ended(End::Exited(7)), 7),
            (Outcome::Ended(End::Exited(256)), 255),
            (Outcome::Ended(End::Exited(-1)), 255),
            (Outcome::Ended(End::Signalled(9)), 137),
            (Outcome::Ended(End::Signalled(128)), 255),
            (Outcome::Ended(End::Signalled(-1)), 255),
            (Outcome::Ended(End::Limit("time".into())), 124),
            (Outcome::Ended(End::Refused(sockeye::proto::exec::Refusal::Missing, "no".into())), 255),
            (Outcome::Late(Duration::from_secs(1)), 124),
            (Outcome::Lost(Fault::Ended), 255),
            (Outcome::Unread, 0),
        ] {
            assert_eq!(outcome.exit().code(), code, "{outcome:?}");
        }
    }
}
