//! What a failure means for the one who asked.

use std::io;

use sockeye_proto::frame::FrameError;
use sockeye_proto::websocket::WebSocketError;
use sockeye_sys::lookup::LookupErrorKind;

use super::{Cause, Refused, TlsFault};

/// What a failure means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The address is taken.
    InUse,
    /// The host, the service, the path or the descriptor is not there.
    NotFound,
    /// We may not.
    NoRight,
    /// Too many files are open, or memory is short.
    Exhausted,
    /// Nobody listens there.
    Refused,
    /// The peer ended the connection abruptly, or no longer reads.
    Reset,
    /// A limit in time ran out, ours or the network's.
    TimeLimit,
    /// The message is too large.
    TooLarge,
    /// The host cannot be reached.
    Unreachable,
    /// What was asked makes no sense on this connection.
    Usage,
    /// Anything else; the cause says it.
    Other,
}
impl Kind {
    /// What that cause means.
    pub(super) fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Io(error) | Cause::Option(Refused { error, .. }) | Cause::Unstarted(_, error) => {
                io_kind(error)
            }
            Cause::Frame(error) => match error {
                FrameError::TooLarge { .. } | FrameError::TooLong { .. } => Kind::TooLarge,
                _ => Kind::Other,
            },
            Cause::WebSocket(error) => match error {
                WebSocketError::Closed(_) | WebSocketError::Gone => Kind::Reset,
                WebSocketError::Silent(_) => Kind::TimeLimit,
                WebSocketError::TooLarge { .. } => Kind::TooLarge,
                WebSocketError::Answered { status: 404 | 410, .. } => Kind::NotFound,
                WebSocketError::Answered { status: 401 | 403 | 407, .. } | WebSocketError::Origin(_) => {
                    Kind::NoRight
                }
                _ => Kind::Other,
            },
            Cause::Deserted => Kind::Reset,
            Cause::Lacks(_) => Kind::NoRight,
            Cause::Limit(..) => Kind::TimeLimit,
            Cause::Lookup(error) => match error.kind() {
                LookupErrorKind::NoSuchHost | LookupErrorKind::NoSuchService => Kind::NotFound,
                LookupErrorKind::TryLater => Kind::Unreachable,
                LookupErrorKind::Other => Kind::Other,
            },
            Cause::OtherFamily => Kind::NotFound,
            Cause::Tls(fault) => match fault {
                TlsFault::Cut | TlsFault::Deserted => Kind::Reset,
                TlsFault::BadName(_) | TlsFault::NoName => Kind::Usage,
                _ => Kind::Other,
            },
            Cause::PathTaken(_) => Kind::InUse,
            Cause::Exited(_)
            | Cause::NotAdmitted(_)
            | Cause::Stopped
            | Cause::TooSlow
            | Cause::Unspoken(_) => Kind::Other,
            Cause::TooLarge { .. } => Kind::TooLarge,
            Cause::Address(_)
            | Cause::Exclusive(..)
            | Cause::NoRow(_)
            | Cause::NoUsers
            | Cause::OpenToOthers
            | Cause::Rule(..)
            | Cause::UnknownOwner(_)
            | Cause::Unshared(_)
            | Cause::WrongShape { .. } => Kind::Usage,
        }
    }
}

fn io_kind(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::AddrInUse => Kind::InUse,
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Kind::Reset,
        io::ErrorKind::ConnectionRefused => Kind::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Kind::Unreachable,
        io::ErrorKind::OutOfMemory => Kind::Exhausted,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::NoRight,
        io::ErrorKind::TimedOut => Kind::TimeLimit,
        // std has no kind for "too many open files".
        _ => match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOBUFS) => {
                Kind::Exhausted
            }
            Some(rustix::io::Errno::BADF) => Kind::NotFound,
            Some(rustix::io::Errno::MSGSIZE) => Kind::TooLarge,
            _ => Kind::Other,
        },
    }
}
