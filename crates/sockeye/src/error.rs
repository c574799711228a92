//! What can go wrong with a connection: which operation, on what address, on which side, and why.

mod cause;
mod kind;
mod tls;

use std::sync::Arc;
use std::{fmt, io};

use sockeye_proto::frame::FrameError;
use sockeye_proto::websocket::WebSocketError;

pub(crate) use cause::words;
pub use cause::{Cause, Limit, PathTaken, Refused, RuleFault, Unshared, Unstarted};
pub use kind::Kind;
pub use tls::{Alert, CertificateFault, FileFault, TlsFault};

/// The result of an operation on a connection.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation that failed. Cloning is cheap.
///
/// [`fmt::Display`] says what failed on what; the cause is [`std::error::Error::source`], or [`Error::cause`].
/// [`fmt::Debug`] says both in one line, since that is what a `main` prints that returns it.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    op: Op,
    address: Option<String>,
    side: Option<Side>,
    cause: Cause,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Taking the next connection of a listener.
    Accept,
    /// Connecting to an address.
    Dial,
    /// Putting a layer on a connection.
    Handshake,
    /// Listening on an address.
    Listen,
    /// Reading bytes, or receiving a message.
    Read,
    /// Joining two connections.
    Relay,
    /// Running a command.
    Run,
    /// Writing bytes, or sending a message.
    Write,
}

/// One of the two connections of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that was named first, or that was accepted.
    Left,
    /// The other.
    Right,
}
impl Error {
    /// A failure of `op`.
    pub fn new(op: Op, cause: impl Into<Cause>) -> Self {
        Self(Arc::new(Inner { op, address: None, side: None, cause: cause.into() }))
    }

    /// Names the address, unless it is named already.
    #[must_use]
    pub fn on(self, address: impl fmt::Display) -> Self {
        if self.0.address.is_some() {
            self
        } else {
            self.with(|inner| inner.address = Some(address.to_string()))
        }
    }

    /// Names the side of a relay.
    #[must_use]
    pub fn at(self, side: Side) -> Self {
        self.with(|inner| inner.side = Some(side))
    }

    /// Whether only the one message was refused, and the connection carries others.
    pub fn is_refusal(&self) -> bool {
        let is_uncarried = self.kind() == Kind::TooLarge
            || matches!(self.0.cause, Cause::Frame(_) | Cause::WebSocket(WebSocketError::NotText));
        self.0.op == Op::Write && is_uncarried
    }

    /// Whether the same may go well a little later although nothing is changed here: nobody listens yet, the network or a
    /// name server does not answer, the other side has left in the middle. Not so where what was asked is wrong, is not
    /// ours to do, or was not believed.
    pub fn may_pass(&self) -> bool {
        match (self.kind(), &self.0.cause) {
            (Kind::Exhausted | Kind::Refused | Kind::Reset | Kind::TimeLimit | Kind::Unreachable, _) => true,
            (Kind::InUse | Kind::NotFound, cause) => matches!(cause, Cause::Io(_)),
            (_, cause) => matches!(cause, Cause::Frame(FrameError::Unfinished)),
        }
    }

    /// Changes an error that was made just now, so that nobody else holds it; one that is held is left as it is.
    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
        self
    }

    /// What was tried.
    pub fn op(&self) -> Op {
        self.0.op
    }

    /// The address it was tried on, as the user wrote it or the kernel names it.
    pub fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The side of a relay.
    pub fn side(&self) -> Option<Side> {
        self.0.side
    }

    /// Why it failed.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The number that the kernel gave (errno(3)); `None` where no system call failed, as with a time limit of ours or a
    /// name that has no address.
    pub fn errno(&self) -> Option<i32> {
        match &self.0.cause {
            Cause::Io(error) | Cause::Unstarted(_, error) => error.raw_os_error(),
            _ => None,
        }
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.0.cause)
    }
}

/// For callers that know the errors of the standard library alone. This one is inside.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match (error.cause(), error.kind()) {
            (Cause::Io(cause), _) => cause.kind(),
            (_, Kind::InUse) => io::ErrorKind::AddrInUse,
            (_, Kind::NotFound) => io::ErrorKind::NotFound,
            (_, Kind::NoRight) => io::ErrorKind::PermissionDenied,
            (_, Kind::Exhausted) => io::ErrorKind::OutOfMemory,
            (_, Kind::Refused) => io::ErrorKind::ConnectionRefused,
            (_, Kind::Reset) => io::ErrorKind::ConnectionReset,
            (_, Kind::TimeLimit) => io::ErrorKind::TimedOut,
            (_, Kind::Unreachable) => io::ErrorKind::HostUnreachable,
            (_, Kind::TooLarge | Kind::Usage) => io::ErrorKind::InvalidInput,
            (_, Kind::Other) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, joint) = match self.0.op {
            Op::Dial if matches!(self.0.cause, Cause::Unstarted(..)) => ("cannot start", ""),
            Op::Accept => ("cannot accept", " on"),
            Op::Dial => ("cannot connect", " to"),
            Op::Handshake => ("no handshake", " with"),
            Op::Listen => ("cannot listen", " on"),
            Op::Read => ("cannot read", " from"),
            Op::Relay => ("cannot relay", " to"),
            Op::Run => return f.write_str(self.0.address.as_deref().unwrap_or("the command")),
            Op::Write => ("cannot write", " to"),
        };
        f.write_str(what)?;
        match &self.0.address {
            Some(address) => write!(f, "{joint} {address}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}: {}", self.cause())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.cause)
    }
}
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_address_stays_and_the_cause_is_said_once() {
        let refused = io::Error::from(rustix::io::Errno::CONNREFUSED);
        let error = Error::new(Op::Dial, refused).on("tcp:localhost:1").on("tcp:[::1]:1").at(Side::Right);
        assert_eq!(error.to_string(), "cannot connect to tcp:localhost:1");
        assert_eq!(error.cause().to_string(), "connection refused");
        assert_eq!(format!("{error:?}"), "cannot connect to tcp:localhost:1: connection refused");
        assert_eq!((error.kind(), error.side()), (Kind::Refused, Some(Side::Right)));
    }

    #[test]
    fn an_error_of_the_standard_library_keeps_its_kind_and_ours_inside() {
        let refused = Error::new(Op::Dial, rustix::io::Errno::CONNREFUSED).on("tcp:localhost:1");
        assert_eq!(refused.errno(), Some(rustix::io::Errno::CONNREFUSED.raw_os_error()));
        let std = io::Error::from(refused);
        assert_eq!(
            (std.kind(), std.to_string().as_str()),
            (io::ErrorKind::ConnectionRefused, "cannot connect to tcp:localhost:1")
        );
        assert!(std.get_ref().is_some_and(|inside| inside.is::<Error>()));

        let late = Error::new(Op::Dial, Cause::Limit(Limit::Connect, Duration::from_secs(1)));
        assert_eq!((late.errno(), io::Error::from(late).kind()), (None, io::ErrorKind::TimedOut));
    }

    #[test]
    fn an_exhausted_table_of_files_has_its_own_kind() {
        assert_eq!(Error::new(Op::Accept, rustix::io::Errno::MFILE).kind(), Kind::Exhausted);
    }
}
