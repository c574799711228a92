//! What is known of one command, and what came for it while nobody took it.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use sockeye::proto::exec::{Allowance, Credit, Ended, ExecError, FromServer, Refusal, Stream};

use super::ROOM;

/// What happens to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It has ended, or never ran: the last event.
    Ended(End),
    /// So many bytes that it wrote to its standard error are in the buffer.
    Errors(usize),
    /// So many bytes that it wrote to its standard output are in the buffer.
    Output(usize),
    /// It runs.
    Started,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// The server ended it because a limit ran out; which one, in its words for people.
    Limit(Box<str>),
    /// It never ran; why, in the server's words for people.
    Refused(Refusal, Box<str>),
    /// By this signal, of x86-64 Linux.
    Signalled(i32),
}

impl From<Ended<'_>> for End {
    fn from(ended: Ended<'_>) -> Self {
        match ended {
            Ended::Exited(code) => Self::Exited(code),
            Ended::Limit(text) => Self::Limit(text.into()),
            Ended::Signalled(signal) => Self::Signalled(signal),
        }
    }
}

/// A command of a connection.
#[derive(Debug)]
pub(super) struct Slot {
    /// What may be sent for its input.
    pub(super) credit: Credit,
    /// What the server may send for it.
    allowance: Allowance,
    /// What is to be granted to the server and is not sent yet.
    pub(super) owed: u32,
    /// Whether it is known to run, and whether that was told.
    started: Option<bool>,
    end: Option<End>,
    /// Nobody wants more of it: what comes is dropped, until its end.
    pub(super) is_dropped: bool,
    /// What nobody has taken yet: how many bytes of which stream, one after the other, and the bytes.
    runs: VecDeque<(Stream, usize)>,
    bytes: VecDeque<u8>,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            credit: Credit::new(0),
            allowance: Allowance::new(ROOM),
            owed: 0,
            started: None,
            end: None,
            is_dropped: false,
            runs: VecDeque::new(),
            bytes: VecDeque::new(),
        }
    }

    /// Whether it takes no more input.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Whether nothing waits to be taken, so that what comes next may go past.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.started != Some(false)
    }

    /// Nobody wants more of it.
    pub(super) fn give_up(&mut self) {
        self.is_dropped = true;
        self.runs.clear();
        self.owed = self.owed.saturating_add(self.allowance.take(self.bytes.len()).unwrap_or_default());
        self.bytes = VecDeque::new();
    }

    /// The next event, with its bytes in `buffer`, which is not empty.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Option<Event> {
        if self.started == Some(false) {
            self.started = Some(true);
            return Some(Event::Started);
        }
        let Some((stream, left)) = self.runs.front_mut() else { return self.end.clone().map(Event::Ended) };
        let (stream, taken) = (*stream, buffer.len().min(*left));
        *left -= taken;
        if *left == 0 {
            self.runs.pop_front();
        }
        buffer.iter_mut().zip(self.bytes.drain(..taken)).for_each(|(place, byte)| *place = byte);
        Some(self.passed(stream, taken))
    }

    /// So many bytes of that stream are in the hands of whoever waited for them.
    pub(super) fn passed(&mut self, stream: Stream, bytes: usize) -> Event {
        self.owed = self.owed.saturating_add(self.allowance.take(bytes).unwrap_or_default());
        if stream == Stream::Errors { Event::Errors(bytes) } else { Event::Output(bytes) }
    }

    /// A message with so many bytes of data begins.
    pub(super) fn expect(&mut self, bytes: usize) -> Result<(), ExecError> {
        self.allowance.receive(bytes)
    }

    /// Keeps bytes until they are taken.
    pub(super) fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        if self.is_dropped {
            self.owed = self.owed.saturating_add(self.allowance.take(bytes.len()).unwrap_or_default());
            return;
        }
        self.bytes.extend(bytes);
        match self.runs.back_mut() {
            Some((last, length)) if *last == stream => *length += bytes.len(),
            _ => self.runs.push_back((stream, bytes.len())),
        }
    }

    /// Takes a message that is no data. `Break` is its end.
    pub(super) fn hear(&mut self, said: &FromServer<'_>) -> Result<ControlFlow<()>, ExecError> {
        match *said {
            FromServer::Started { credit } => {
                self.started.get_or_insert(false);
                self.credit.grant(credit)?;
            }
            FromServer::Credit(bytes) => self.credit.grant(bytes)?,
            FromServer::Exit(ended) => {
                self.end = Some(ended.into());
                return Ok(ControlFlow::Break(()));
            }
            FromServer::Refused { why, text } => {
                self.end = Some(End::Refused(why, text.into()));
                return Ok(ControlFlow::Break(()));
            }
            // These never come here: data is read past, and a welcome is about the connection.
            FromServer::Errors(_) | FromServer::Output(_) | FromServer::Welcome { .. } => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}
