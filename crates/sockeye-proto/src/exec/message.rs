//! The messages of the wire, and what they are as bytes.

use super::fields::Fields;
use super::request::{Request, Window};
use super::{ExecError, HEAD, MAGIC, MAX_BODY};

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromClient<'a> {
    /// It may be sent so many more bytes of output and errors together.
    Credit(u32),
    /// It wants nothing more of the command, which is ended with all that it started.
    Drop,
    /// The first message, of the connection itself.
    Hello {
        /// The version that it speaks.
        version: u8,
        /// What proves that it may run commands; empty for none.
        token: &'a [u8],
    },
    /// Bytes for the input of the command.
    Input(&'a [u8]),
    /// The input is at its end.
    InputEnd,
    /// A signal of this number on x86-64 Linux, 1 to 31, for the process group of the command; at a terminal for the one in front.
    Signal(u8),
    /// Runs a command.
    Start {
        /// What to run.
        request: Request,
        /// How many bytes of output and errors together it may be sent at first.
        credit: u32,
    },
    /// The terminal has another size.
    Window(Window),
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// It may be sent so many more bytes of input.
    Credit(u32),
    /// Bytes that the command wrote to its standard error.
    Errors(&'a [u8]),
    /// The command has ended: the last word about it.
    Exit(Ended<'a>),
    /// Bytes that the command wrote to its standard output.
    Output(&'a [u8]),
    /// The command does not run: the last word about it; of command 0, about the connection.
    Refused {
        /// What kind of reason there is.
        why: Refusal,
        /// The reason, for people.
        text: &'a str,
    },
    /// The command runs, and may be sent so many bytes of input.
    Started {
        /// The credit for its input.
        credit: u32,
    },
    /// The answer to a hello, of the connection itself.
    Welcome {
        /// The version that is spoken from now on.
        version: u8,
        /// How many commands may run at once on this connection.
        most: u32,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// By itself, with this code.
    Exited(i32),
    /// It was ended because a limit ran out; which one, for people.
    Limit(&'a str),
    /// By this signal.
    Signalled(i32),
}

/// Why a command does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It could not be started.
    Failed,
    /// What was sent makes no sense.
    Malformed,
    /// There is no such program, or it cannot be executed.
    Missing,
    /// The client may not do that.
    NotPermitted,
    /// As many run as may.
    TooMany,
}

/// Where the data of a message belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The command's standard error.
    Errors,
    /// The command's standard input.
    Input,
    /// The command's standard output.
    Output,
}

const HELLO: u8 = 1;
const START: u8 = 2;
const INPUT: u8 = 3;
const INPUT_END: u8 = 4;
const SIGNAL: u8 = 5;
const WINDOW: u8 = 6;
const MORE_OUTPUT: u8 = 7;
const DROP: u8 = 8;
const WELCOME: u8 = 17;
const STARTED: u8 = 18;
const OUTPUT: u8 = 19;
const ERRORS: u8 = 20;
const MORE_INPUT: u8 = 21;
const EXIT: u8 = 22;
const REFUSED: u8 = 23;

impl Stream {
    /// What stands before the data in a message, for who has the data elsewhere than behind it: at most [`MAX_BODY`] bytes.
    pub fn head(self, command: u32) -> [u8; HEAD] {
        let kind = match self {
            Self::Errors => ERRORS,
            Self::Input => INPUT,
            Self::Output => OUTPUT,
        };
        head(kind, command)
    }

    /// What a server's message with this head is, for who reads the data behind it to where they are wanted: the stream
    /// and the command that they belong to. `None` where it is another message, which is to be decoded whole.
    pub fn of_head(head: [u8; HEAD]) -> Option<(Self, u32)> {
        let [kind, command @ ..] = head;
        let stream = match kind {
            ERRORS => Self::Errors,
            OUTPUT => Self::Output,
            _ => return None,
        };
        Some((stream, u32::from_be_bytes(command)))
    }
}

impl<'a> FromClient<'a> {
    /// Reads a whole message, and says which command it is about.
    ///
    /// # Errors
    /// It is none that a client may send.
    pub fn decode(message: &'a [u8]) -> Result<(u32, Self), ExecError> {
        let (kind, command, mut body) = split(message)?;
        let said = match kind {
            HELLO => {
                let told = body.bytes().map_err(|_| ExecError::Magic)?;
                if told != *MAGIC {
                    return Err(ExecError::Magic);
                }
                Self::Hello { version: body.byte()?, token: std::mem::take(&mut body.0) }
            }
            START => {
                let (request, rest) = Request::decode(body.0)?;
                body = Fields(rest);
                Self::Start { request, credit: body.long()? }
            }
            INPUT => Self::Input(std::mem::take(&mut body.0)),
            INPUT_END => Self::InputEnd,
            SIGNAL => Self::Signal(signal(body.byte()?)?),
            WINDOW => Self::Window(Window::decode(&mut body)?),
            MORE_OUTPUT => Self::Credit(body.long()?),
            DROP => Self::Drop,
            other => return Err(ExecError::Type(other)),
        };
        body.end()?;
        if matches!(said, Self::Hello { .. }) == (command == 0) {
            Ok((command, said))
        } else {
            Err(ExecError::Command)
        }
    }

    /// Appends it to `out`, as a message about this command.
    ///
    /// # Errors
    /// It is longer than a message may be; `out` is as it was.
    pub fn encode(&self, command: u32, out: &mut Vec<u8>) -> Result<(), ExecError> {
        let mut put = |kind, pieces: &[&[u8]]| put(kind, command, pieces, out);
        match self {
            Self::Credit(bytes) => put(MORE_OUTPUT, &[&bytes.to_be_bytes()]),
            Self::Drop => put(DROP, &[]),
            Self::Hello { version, token } => put(HELLO, &[MAGIC, &[*version], token]),
            Self::Input(data) => put(INPUT, &[data]),
            Self::InputEnd => put(INPUT_END, &[]),
            Self::Signal(number) => put(SIGNAL, &[&[*number]]),
            Self::Start { request, credit } => {
                let mut body = Vec::new();
                request.encode(&mut body);
                put(START, &[&body, &credit.to_be_bytes()])
            }
            Self::Window(window) => put(WINDOW, &[&window.bytes()]),
        }
    }
}

impl<'a> FromServer<'a> {
    /// Reads a whole message, and says which command it is about.
    ///
    /// # Errors
    /// It is none that a server may send.
    pub fn decode(message: &'a [u8]) -> Result<(u32, Self), ExecError> {
        let (kind, command, mut body) = split(message)?;
        let said = match kind {
            WELCOME => Self::Welcome { version: body.byte()?, most: body.long()? },
            STARTED => Self::Started { credit: body.long()? },
            OUTPUT => Self::Output(std::mem::take(&mut body.0)),
            ERRORS => Self::Errors(std::mem::take(&mut body.0)),
            MORE_INPUT => Self::Credit(body.long()?),
            EXIT => {
                let (kind, number) = (body.byte()?, i32::from_be_bytes(body.bytes()?));
                let text = Fields(std::mem::take(&mut body.0)).text()?;
                Self::Exit(Ended::of(kind, number, text)?)
            }
            REFUSED => {
                let why = Refusal::of(body.byte()?)?;
                Self::Refused { why, text: Fields(std::mem::take(&mut body.0)).text()? }
            }
            other => return Err(ExecError::Type(other)),
        };
        body.end()?;
        let fits = match said {
            Self::Welcome { .. } => command == 0,
            Self::Refused { .. } => true,
            _ => command != 0,
        };
        if fits { Ok((command, said)) } else { Err(ExecError::Command) }
    }

    /// Appends it to `out`, as a message about this command.
    ///
    /// # Errors
    /// It is longer than a message may be; `out` is as it was.
    pub fn encode(&self, command: u32, out: &mut Vec<u8>) -> Result<(), ExecError> {
        let mut put = |kind, pieces: &[&[u8]]| put(kind, command, pieces, out);
        match self {
            Self::Credit(bytes) => put(MORE_INPUT, &[&bytes.to_be_bytes()]),
            Self::Errors(data) => put(ERRORS, &[data]),
            Self::Exit(ended) => {
                let (kind, number, text) = ended.fields();
                put(EXIT, &[&[kind], &number.to_be_bytes(), text.as_bytes()])
            }
            Self::Output(data) => put(OUTPUT, &[data]),
            Self::Refused { why, text } => put(REFUSED, &[&[why.number()], text.as_bytes()]),
            Self::Started { credit } => put(STARTED, &[&credit.to_be_bytes()]),
            Self::Welcome { version, most } => put(WELCOME, &[&[*version], &most.to_be_bytes()]),
        }
    }
}

impl<'a> Ended<'a> {
    fn of(kind: u8, number: i32, text: &'a str) -> Result<Self, ExecError> {
        match kind {
            0 => Ok(Self::Exited(number)),
            1 => Ok(Self::Signalled(number)),
            2 => Ok(Self::Limit(text)),
            other => Err(ExecError::Kind(other)),
        }
    }

    fn fields(self) -> (u8, i32, &'a str) {
        match self {
            Self::Exited(code) => (0, code, ""),
            Self::Signalled(signal) => (1, signal, ""),
            Self::Limit(text) => (2, 0, text),
        }
    }
}

impl Refusal {
    fn of(number: u8) -> Result<Self, ExecError> {
        let known = [Self::NotPermitted, Self::Missing, Self::TooMany, Self::Failed, Self::Malformed];
        known.into_iter().find(|refusal| refusal.number() == number).ok_or(ExecError::Kind(number))
    }

    fn number(self) -> u8 {
        match self {
            Self::NotPermitted => 0,
            Self::Missing => 1,
            Self::TooMany => 2,
            Self::Failed => 3,
            Self::Malformed => 4,
        }
    }
}

fn signal(number: u8) -> Result<u8, ExecError> {
    if (1..32).contains(&number) { Ok(number) } else { Err(ExecError::Kind(number)) }
}

/// The type, the command and the body of a message.
fn split(message: &[u8]) -> Result<(u8, u32, Fields<'_>), ExecError> {
    if message.len() > HEAD + MAX_BODY {
        return Err(ExecError::Long);
    }
    let mut fields = Fields(message);
    Ok((fields.byte()?, fields.long()?, fields))
}

fn head(kind: u8, command: u32) -> [u8; HEAD] {
    let [a, b, c, d] = command.to_be_bytes();
    [kind, a, b, c, d]
}

/// Appends a message whose body is these pieces, unless it is longer than one may be.
fn put(kind: u8, command: u32, pieces: &[&[u8]], out: &mut Vec<u8>) -> Result<(), ExecError> {
    if pieces.iter().map(|piece| piece.len()).sum::<usize>() > MAX_BODY {
        return Err(ExecError::Long);
    }
    out.extend(head(kind, command));
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    Ok(())
}
