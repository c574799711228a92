//! What is to run, and how.

use super::ExecError;
use super::fields::{Fields, put_count, put_string};

/// A request to run a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is to run.
    pub what: What,
    /// Variables of its environment: names, which are not empty and have no `=` in them, and values.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// The folder to run in; empty where the server chooses.
    pub folder: Vec<u8>,
    /// It runs at a terminal of this size, which also joins its errors to its output.
    pub terminal: Option<Window>,
    /// Whether it reads what it is sent; otherwise its input is at its end.
    pub has_input: bool,
    /// Whether its errors are told as part of its output.
    pub is_joined: bool,
}

/// What is to run. No zero byte is in any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A line for a shell.
    Line(Vec<u8>),
    /// A program and its arguments: one word at least.
    Words(Vec<Vec<u8>>),
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Window {
    /// How wide it is.
    pub columns: u16,
    /// How high it is.
    pub rows: u16,
}

const LINE: u8 = 1;
const TERMINAL: u8 = 2;
const NO_INPUT: u8 = 4;
const JOINED: u8 = 8;

impl Request {
    /// A program and its arguments, with input, without a terminal, in an environment and a folder of the server's choice.
    pub fn of(what: What) -> Self {
        Self {
            what,
            variables: Vec::new(),
            folder: Vec::new(),
            terminal: None,
            has_input: true,
            is_joined: false,
        }
    }

    /// Appends it to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        let (is_line, words) = match &self.what {
            What::Line(line) => (true, std::slice::from_ref(line)),
            What::Words(words) => (false, &words[..]),
        };
        out.push(
            flag(LINE, is_line)
                | flag(TERMINAL, self.terminal.is_some())
                | flag(NO_INPUT, !self.has_input)
                | flag(JOINED, self.is_joined),
        );
        out.extend(self.terminal.unwrap_or_default().bytes());
        put_count(words.len(), out);
        words.iter().for_each(|word| put_string(word, out));
        put_count(self.variables.len(), out);
        for (name, value) in &self.variables {
            put_string(&[&name[..], b"=", value].concat(), out);
        }
        put_string(&self.folder, out);
    }

    /// Reads one at the front of `bytes`, and gives what stands behind it.
    ///
    /// # Errors
    /// It is cut, names no program, has zero bytes in it, a variable that is none, or a flag that is not known.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), ExecError> {
        let mut fields = Fields(bytes);
        let flags = fields.byte()?;
        if flags & !(LINE | TERMINAL | NO_INPUT | JOINED) != 0 {
            return Err(ExecError::Flag);
        }
        let window = Window::decode(&mut fields)?;
        let words: Vec<Vec<u8>> = fields.strings()?.into_iter().map(<[u8]>::to_vec).collect();
        let what = match (flags & LINE != 0, <[_; 1]>::try_from(words)) {
            (true, Ok([line])) => What::Line(line),
            (true, Err(_)) => return Err(ExecError::Words),
            (false, Ok(word)) => What::Words(word.into()),
            (false, Err(words)) => What::Words(words),
        };
        if matches!(&what, What::Words(words) if words.first().is_none_or(Vec::is_empty)) {
            return Err(ExecError::Words);
        }
        let variables = fields.strings()?.into_iter().map(assignment).collect::<Result<_, _>>()?;
        let folder = fields.string()?.to_vec();
        let request = Self {
            what,
            variables,
            folder,
            terminal: (flags & TERMINAL != 0).then_some(window),
            has_input: flags & NO_INPUT == 0,
            is_joined: flags & JOINED != 0,
        };
        Ok((request, fields.0))
    }
}

impl Window {
    pub(super) fn bytes(self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.columns.to_be_bytes(), self.rows.to_be_bytes());
        [a, b, c, d]
    }

    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, ExecError> {
        Ok(Self { columns: fields.short()?, rows: fields.short()? })
    }
}

fn assignment(text: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ExecError> {
    let at = text.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
    let (name, value) = at.and_then(|at| text.split_at_checked(at)).ok_or(ExecError::Assignment)?;
    Ok((name.to_vec(), value.get(1..).unwrap_or_default().to_vec()))
}
