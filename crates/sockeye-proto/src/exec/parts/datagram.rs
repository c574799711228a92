//! One datagram, as bytes.

use std::error::Error;
use std::fmt;

/// What each datagram begins with, before its version.
const MAGIC: &[u8; 4] = b"skyx";
/// The version of this wire.
const VERSION: u8 = 1;

/// The name of one command: 16 random bytes.
pub type Id = [u8; 16];

/// What a datagram says about the command of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// To the server: which parts are here.
    Ack(Ack),
    /// To the server: nothing more is wanted.
    Drop,
    /// To the client: the command, or its answer, is not known any more.
    Gone,
    /// To the client: a piece of the answer.
    Part {
        /// Its number, from 0.
        number: u64,
        /// A message of the framed wire about command 1.
        message: &'a [u8],
    },
    /// To the client: the command did not run.
    Refused {
        /// A message of the framed wire about command 1 that says why.
        message: &'a [u8],
    },
    /// To the server: a command to be run.
    Request {
        /// Who asks, where that is not known otherwise; may be empty.
        token: &'a [u8],
        /// A request of the framed wire, and behind it all that the command reads.
        command: &'a [u8],
    },
    /// To the client: the command is known, and there is nothing to say.
    Taken,
}

/// Which parts a client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// All below this were taken out.
    pub next: u64,
    /// Which of those from `next` on are here, too: the lowest bit is `next` itself.
    pub got: u16,
    /// Whether the server is to say that it is there.
    pub asks: bool,
}

/// Why bytes are no datagram of this wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramError {
    /// It begins as one, and goes on otherwise.
    Malformed,
    /// It is something else altogether.
    OtherProtocol,
    /// It is of a version that is not spoken here.
    Version {
        /// Which.
        version: u8,
        /// The command it is about.
        id: Id,
    },
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("a datagram of the exec wire that cannot be read"),
            Self::OtherProtocol => f.write_str("a datagram that is not of the exec wire"),
            Self::Version { version, .. } => {
                write!(f, "version {version} of the exec wire over datagrams; version {VERSION} is spoken here")
            }
        }
    }
}

impl Error for DatagramError {}

impl<'a> Datagram<'a> {
    /// Reads a datagram, and which command it is about. What it holds stays where it is.
    ///
    /// # Errors
    /// It is no datagram of this wire, or of another version.
    pub fn read(bytes: &'a [u8]) -> Result<(Id, Self), DatagramError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(DatagramError::OtherProtocol)?;
        Self::read_rest(&mut rest).ok_or(DatagramError::Malformed)?
    }

    /// What stands behind the magic.
    fn read_rest(rest: &mut &'a [u8]) -> Option<Result<(Id, Self), DatagramError>> {
        let [version, kind] = take(rest)?;
        let id = take(rest)?;
        if version != VERSION {
            return Some(Err(DatagramError::Version { version, id }));
        }
        let datagram = match kind {
            1 => Self::Request { token: sized(rest)?, command: std::mem::take(rest) },
            2 => Self::Ack(Ack {
                next: u64::from_be_bytes(take(rest)?),
                got: u16::from_be_bytes(take(rest)?),
                asks: take(rest)? == [1],
            }),
            3 => Self::Drop,
            17 => Self::Taken,
            18 => Self::Part { number: u64::from_be_bytes(take(rest)?), message: std::mem::take(rest) },
            19 => Self::Gone,
            20 => Self::Refused { message: std::mem::take(rest) },
            _ => return None,
        };
        rest.is_empty().then_some(Ok((id, datagram)))
    }

    /// Puts it behind what is in `out`.
    pub fn write(&self, id: &Id, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        out.extend([VERSION, self.kind()]);
        out.extend_from_slice(id);
        match self {
            Self::Ack(Ack { next, got, asks }) => {
                out.extend(next.to_be_bytes());
                out.extend(got.to_be_bytes());
                out.push(u8::from(*asks));
            }
            Self::Part { number, message } => {
                out.extend(number.to_be_bytes());
                out.extend_from_slice(message);
            }
            Self::Refused { message } => out.extend_from_slice(message),
            Self::Request { token, command } => {
                // What does not fit into a datagram is refused where that is sent.
                out.extend(u32::try_from(token.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(token);
                out.extend_from_slice(command);
            }
            Self::Drop | Self::Gone | Self::Taken => {}
        }
    }

    /// The same, as a datagram of its own.
    pub fn bytes(&self, id: &Id) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(id, &mut out);
        out
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Request { .. } => 1,
            Self::Ack(_) => 2,
            Self::Drop => 3,
            Self::Taken => 17,
            Self::Part { .. } => 18,
            Self::Gone => 19,
            Self::Refused { .. } => 20,
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

/// Bytes behind their length.
fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(take(rest)?)).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}
