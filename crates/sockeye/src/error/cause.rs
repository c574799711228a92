//! Why something failed, and the words for it.

use std::time::Duration;
use std::{fmt, io};

use sockeye_proto::address::ParseError;
use sockeye_proto::admission::Refusal;
use sockeye_proto::frame::FrameError;
use sockeye_proto::shape::Shape;
use sockeye_proto::sniff::Protocol;
use sockeye_proto::websocket::WebSocketError;
use sockeye_sys::lookup::LookupError;

use super::TlsFault;
use crate::exit::Exit;

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
            Self::Rule(rule, fault) => write!(f, "{rule}{fault}"),
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

/// What is said of a rule, behind it.
impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddresses => " names nobody: who comes there has a user, and no IP address",
            Self::NoCertificates => " names nobody: who comes there is asked for no certificate",
            Self::NoUsers => " names nobody: whose a peer is cannot be told there",
            Self::NoSuchUser => ": there is no such user",
            Self::OpenToOthers => " cannot be told there: whose a connection is shows on loopback alone",
        })
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
/// What a system error says, as people are told: std begins it with a capital and appends "(os error 111)".
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(_) => text.split(" (os error").next().unwrap_or(&text).to_lowercase(),
        None => text,
    }
}
