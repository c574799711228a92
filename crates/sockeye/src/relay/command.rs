//! A side of a relay that may be a command, which tells how it ended.

use std::task::{Context, Poll};

use crate::conn::Conn;
use crate::error::{Cause, Error, Op, Side};
use crate::exit::Exit;

/// What is known of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Command {
    /// It is a command that has not ended, or was not asked yet.
    #[default]
    Runs,
    /// It is a command that has ended like this.
    Ended(Exit),
    /// It is none.
    None,
}

impl Command {
    /// Looks whether it has ended.
    pub(super) fn poll(&mut self, conn: &mut Conn, cx: &mut Context<'_>) {
        if *self == Self::Runs {
            *self = match conn.poll_exit(cx) {
                Poll::Pending => Self::Runs,
                Poll::Ready(Some(exit)) => Self::Ended(exit),
                Poll::Ready(None) => Self::None,
            };
        }
    }

    /// Whether it has ended.
    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// Why the conversation failed, where a command says that it did.
    pub(super) fn failure(self, conn: &Conn, side: Side) -> Option<Error> {
        match self {
            Self::Ended(exit) if !exit.is_success() => {
                Some(Error::new(Op::Run, Cause::Exited(exit)).on(conn.peer()).at(side))
            }
            _ => None,
        }
    }
}
