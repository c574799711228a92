//! One datagram, as bytes.

use std::error::Error;
use std::fmt;

use super::super::ExecError;
use super::super::fields::{Fields, put_string};

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
                write!(
                    f,
                    "version {version} of the exec wire over datagrams; version {VERSION} is spoken here"
                )
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
        let rest = bytes.strip_prefix(MAGIC).ok_or(DatagramError::OtherProtocol)?;
        Self::read_rest(Fields(rest)).map_err(|_| DatagramError::Malformed)?
    }

    /// What stands behind the magic.
    fn read_rest(mut fields: Fields<'a>) -> Result<Result<(Id, Self), DatagramError>, ExecError> {
        let [version, kind] = fields.bytes()?;
        let id = fields.bytes()?;
        if version != VERSION {
            return Ok(Err(DatagramError::Version { version, id }));
        }
        let datagram = match kind {
            1 => Self::Request { token: fields.string()?, command: std::mem::take(&mut fields.0) },
            2 => Self::Ack(Ack {
                next: u64::from_be_bytes(fields.bytes()?),
                got: fields.short()?,
                asks: match fields.byte()? {
                    0 => false,
                    1 => true,
                    other => return Err(ExecError::Kind(other)),
                },
            }),
            3 => Self::Drop,
            17 => Self::Taken,
            18 => Self::Part {
                number: u64::from_be_bytes(fields.bytes()?),
                message: std::mem::take(&mut fields.0),
            },
            19 => Self::Gone,
            20 => Self::Refused { message: std::mem::take(&mut fields.0) },
            other => return Err(ExecError::Type(other)),
        };
        fields.end()?;
        Ok(Ok((id, datagram)))
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
                put_string(token, out);
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
