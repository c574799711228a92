//! What can go wrong with a connection: which operation, on what address, on which side, and why.

mod tls;

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use sockeye_proto::address::ParseError;
use sockeye_proto::admission::Refusal;
use sockeye_proto::frame::FrameError;
use sockeye_proto::shape::Shape;
use sockeye_proto::sniff::Protocol;
use sockeye_proto::websocket::WebSocketError;
use sockeye_sys::lookup::{LookupError, LookupErrorKind};

use crate::exit::Exit;

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

/// Why it failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The word is no address.
    Address(ParseError),
    /// The kernel, or a layer, said so.
    Io(io::Error),
    /// The peer of a command has left for good, while the command went on.
    Deserted,
    /// Two options that cannot both be set.
    Exclusive(&'static str, &'static str),
    /// Bytes that are no message, or a message that its frame cannot carry.
    Frame(FrameError),
    /// We lack a capability (capabilities(7)).
    Lacks(&'static str),
    /// A time limit ran out.
    Limit(Limit, Duration),
    /// The name has no address.
    Lookup(LookupError),
    /// Whose a peer is cannot be told on the address, where only our own user may come in.
    NoUsers,
    /// The rules of the listener refuse the peer, now that its certificate is known.
    NotAdmitted(Refusal),
    /// The name has addresses, but of the other family than `-4` or `-6` asks for.
    OtherFamily,
    /// Others than users of this machine reach the address, where only our own user may come in.
    OpenToOthers,
    /// The kernel refused an option of a socket.
    Option(Refused),
    /// The path of a Unix socket is taken.
    PathTaken(PathTaken),
    /// The address was read against other rows than it was opened with: those have no scheme or layer of that name.
    NoRow(&'static str),
    /// A rule on who may come in, as it was written, can name nobody.
    Rule(String, RuleFault),
    /// A message is larger than the connection carries.
    TooLarge {
        /// The bytes of the message.
        size: usize,
        /// The most that the connection carries.
        most: usize,
    },
    /// A stop was in a hurry.
    Stopped,
    /// TLS failed.
    Tls(TlsFault),
    /// More waits for a peer than may, because it takes too little of what it is sent.
    TooSlow,
    /// Several cannot share a listening address.
    Unshared(Unshared),
    /// The peer speaks a protocol that nobody takes at this address.
    Unspoken(Protocol),
    /// Messages were asked of a connection that carries bytes, or the other way round.
    WrongShape {
        /// What the connection carries.
        has: Shape,
    },
    /// There is no user or group of that name.
    UnknownOwner(String),
    /// A command ended like this, which is no success.
    Exited(Exit),
    /// A command could not be started.
    Unstarted(Unstarted, io::Error),
    /// A WebSocket came to no handshake, or to a bad end.
    WebSocket(WebSocketError),
}

/// An option of a socket that could not be set.
#[derive(Debug)]
pub struct Refused {
    /// Its name, as its row has it.
    pub option: &'static str,
    /// The capability that we lack for it (capabilities(7)), where that is the reason.
    pub lacks: Option<&'static str>,
    /// What setsockopt(2), or socket(2), said.
    pub error: io::Error,
}

/// What kept a command from being started.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unstarted {
    /// Its working folder: `cwd=`.
    Folder(String),
    /// Becoming another user, or being in another group: `user=`, `group=`.
    Identity,
    /// The link to its terminal: `link=`.
    Link(String),
    /// Its processes, streams or limits.
    Process,
    /// Its program.
    Program(String),
}

/// The limits in time that an address or a server can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`set_timeout`](crate::blocking::Conn::set_timeout): until a single call of [`crate::blocking`] is done.
    Call,
    /// `connect=`: until a dialled connection is open, name look-up included.
    Connect,
    /// `handshake=`: until the layers of an accepted connection are on.
    Handshake,
    /// `idle=`: with nothing read or written.
    Idle,
    /// `sniff=`: until a newcomer's first bytes tell which of several at one address it has come for.
    Sniff,
}

/// Why a rule on who may come in can name nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleFault {
    /// Who comes to a Unix socket has no IP address.
    NoAddresses,
    /// Nobody is asked for a certificate there.
    NoCertificates,
    /// There is no such user.
    NoSuchUser,
    /// Whose a peer is cannot be told.
    NoUsers,
    /// Others than users of this machine reach the address, and a user could come in among them.
    OpenToOthers,
}

/// Why several cannot share a listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unshared {
    /// Two of them would take the same protocol.
    Alike {
        /// One of them, and its address.
        one: String,
        /// The other.
        other: String,
        /// What both would take.
        protocol: Protocol,
    },
    /// Its connections carry messages, of which the first tells nothing.
    Messages,
    /// One sets an option of the sockets, or of their listener, that the first does not set to the same.
    Option {
        /// The name of the option.
        name: &'static str,
        /// Who sets it, and its address.
        of: String,
        /// The first, and its address.
        first: String,
    },
}

/// What stands where a Unix socket is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathTaken {
    /// Somebody accepts connections there.
    Answered,
    /// Another process holds the lock beside the path: it listens there, or is about to.
    Locked,
    /// A file that is no socket.
    NotASocket,
    /// A socket of another user.
    OtherOwner,
}

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
        match &self.0.cause {
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

/// What a system error says, as people are told: std begins it with a capital and appends "(os error 111)".
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(_) => text.split(" (os error").next().unwrap_or(&text).to_lowercase(),
        None => text,
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

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        let option = |error: io::Error| error.downcast().map_or_else(Self::Io, Self::Option);
        let tls = |error: io::Error| error.downcast().map_or_else(option, Self::Tls);
        let frame = |error: io::Error| error.downcast().map_or_else(tls, Self::Frame);
        error.downcast().map_or_else(frame, Self::WebSocket)
    }
}

impl From<TlsFault> for Cause {
    fn from(fault: TlsFault) -> Self {
        Self::Tls(fault)
    }
}

impl From<WebSocketError> for Cause {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(error)
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<LookupError> for Cause {
    fn from(error: LookupError) -> Self {
        Self::Lookup(error)
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

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&words(error)),
            Self::Address(error) => {
                f.write_str(error.reason())?;
                error.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
            Self::Deserted => f.write_str("the peer has left, while the command still ran for it"),
            Self::Exclusive(one, other) => write!(f, "{one} and {other} exclude each other"),
            Self::Frame(error) => write!(f, "{error}"),
            Self::Lacks(capability) => write!(f, "it takes the capability {capability}, which we lack"),
            Self::Limit(limit, after) => {
                let what = match limit {
                    Limit::Call => "not done within",
                    Limit::Connect => "no answer within",
                    Limit::Handshake => "not finished within",
                    Limit::Idle => "idle for",
                    Limit::Sniff => "it did not say what it speaks within",
                };
                write!(f, "{what} {}", sockeye_proto::unit::print_duration(*after))
            }
            Self::Lookup(error) => write!(f, "{error}"),
            Self::NoRow(name) => {
                write!(f, "{name} is none of the schemes and layers that it was opened with")
            }
            Self::OtherFamily => f.write_str("it has no address of the family that was asked for"),
            Self::Option(refused) => write!(f, "{refused}"),
            Self::PathTaken(taken) => write!(f, "{taken}"),
            Self::NoUsers => f.write_str("whose a peer is cannot be told there"),
            Self::NotAdmitted(why) => write!(f, "{why}"),
            Self::OpenToOthers => f.write_str("others than users of this machine reach it"),
            Self::Rule(rule, fault) => write!(f, "{rule}{}", fault.said()),
            Self::Stopped => f.write_str("cut off by the stop"),
            Self::Tls(fault) => write!(f, "{fault}"),
            Self::TooLarge { size, most } => write!(f, "a message of {size} bytes, where {most} is the most"),
            Self::TooSlow => f.write_str("it reads too slowly, and too much waits for it"),
            Self::UnknownOwner(name) => write!(f, "there is no user or group {name:?}"),
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::Unstarted(what, error) => {
                match what {
                    Unstarted::Folder(path) => write!(f, "the folder {path}: ")?,
                    Unstarted::Identity => f.write_str("as another user or group: ")?,
                    Unstarted::Link(path) => write!(f, "the link {path}: ")?,
                    Unstarted::Process => f.write_str("a process for it: ")?,
                    Unstarted::Program(name) => write!(f, "the program {name}: ")?,
                }
                f.write_str(&words(error))
            }
            Self::Unshared(why) => write!(f, "{why}"),
            Self::Unspoken(Protocol::Text) => f.write_str("it speaks no protocol that is served there"),
            Self::Unspoken(protocol) => write!(f, "it speaks {protocol}, which is not served there"),
            Self::WebSocket(error) => write!(f, "{error}"),
            Self::WrongShape { has } => write!(f, "it carries {has}"),
        }
    }
}

impl std::error::Error for Cause {}

impl RuleFault {
    /// What stands behind the rule.
    fn said(self) -> &'static str {
        match self {
            Self::NoAddresses => " names nobody: who comes there has a user, and no IP address",
            Self::NoCertificates => " names nobody: who comes there is asked for no certificate",
            Self::NoSuchUser => ": there is no such user",
            Self::NoUsers => " names nobody: whose a peer is cannot be told there",
            Self::OpenToOthers => " cannot be told there: whose a connection is shows on loopback alone",
        }
    }
}

impl fmt::Display for PathTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered => "somebody listens there already",
            Self::Locked => "another process holds the lock beside it",
            Self::NotASocket => "a file is there that is no socket",
            Self::OtherOwner => "a socket of another user is there",
        })
    }
}

impl fmt::Display for Unshared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alike { one, other, protocol: Protocol::Text } => {
                write!(f, "{one} and {other} cannot be told apart by what a client says first")
            }
            Self::Alike { one, other, protocol } => write!(f, "{one} and {other} would both take {protocol}"),
            Self::Messages => f.write_str("it carries messages, and only one can take those"),
            Self::Option { name, of, first } => {
                write!(f, "{of} sets {name}= otherwise than {first}, whose sockets it shares")
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, words(&self.error))
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
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
