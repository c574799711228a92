//! The client's side of one command: the request until it is answered, then the parts in their order.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{Ack, Datagram, FIRST_WAIT, Id, SILENCE, WINDOW, longer};

/// Asks for a command, and takes its answer in. Times count from a moment that the caller chooses.
///
/// After each call the caller sends what [`Requester::transmit`] gives until it gives nothing, and calls it again at the
/// [`Requester::deadline`].
#[derive(Debug)]
pub struct Requester {
    id: Id,
    request: Vec<u8>,
    phase: Phase,
    /// The number of the part that is taken out next.
    next: u64,
    /// Those from `next` on, where they are here.
    pub(super) here: VecDeque<Option<Vec<u8>>>,
    /// When the server was heard last.
    heard: Duration,
    /// When to ask next, for an answer to the request or for a sign of life.
    ask: Duration,
    wait: Duration,
    /// Whether something came that is to be acknowledged.
    owes: bool,
    refusal: Option<Vec<u8>>,
    scratch: Vec<u8>,
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The server has not said anything.
    Asking,
    /// The server knows of it.
    Answered,
    /// Its answer was taken, and the server need not keep it any longer.
    Leaving,
    /// It is not wanted any more.
    Dropping,
    /// The server has forgotten it, as it was to.
    Left,
}

/// Why no answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequesterError {
    /// The server knows nothing of the command any more: it began anew, or has given us up.
    Gone,
    /// The server was not heard for [`SILENCE`], after it had answered.
    Silent,
    /// The server never answered.
    Unanswered,
}

impl fmt::Display for RequesterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = SILENCE.as_secs();
        match self {
            Self::Gone => f.write_str("the server knows nothing of the command any more; it may have run"),
            Self::Silent => {
                write!(f, "the server has said nothing for {seconds} s; the command may have run")
            }
            Self::Unanswered => write!(f, "no answer within {seconds} s"),
        }
    }
}

impl Error for RequesterError {}

impl Requester {
    /// Asks for a command: a request of the framed wire, and behind it all that the command reads.
    pub fn new(id: Id, token: &[u8], command: &[u8], now: Duration) -> Self {
        Self {
            id,
            request: Datagram::Request { token, command }.bytes(&id),
            phase: Phase::Asking,
            next: 0,
            here: VecDeque::new(),
            heard: now,
            ask: now,
            wait: FIRST_WAIT,
            owes: false,
            refusal: None,
            scratch: Vec::new(),
        }
    }

    /// How many bytes the request has: it goes in one datagram.
    pub fn request_len(&self) -> usize {
        self.request.len()
    }

    /// Takes in a datagram. What is not about this command, or cannot be read, changes nothing: anybody can have sent
    /// it.
    ///
    /// # Errors
    /// The server does not know the command any more.
    pub fn hear(&mut self, datagram: &[u8], now: Duration) -> Result<(), RequesterError> {
        let Ok((id, datagram)) = Datagram::read(datagram) else { return Ok(()) };
        if id != self.id {
            return Ok(());
        }
        match datagram {
            Datagram::Gone => match self.phase {
                Phase::Asking | Phase::Answered => return Err(RequesterError::Gone),
                Phase::Dropping | Phase::Leaving | Phase::Left => self.phase = Phase::Left,
            },
            Datagram::Part { number, message } => self.keep(number, message, now),
            // A request that was refused did not run, and so has no answer.
            Datagram::Refused { message } if self.phase == Phase::Asking => {
                self.refusal = Some(message.to_vec())
            }
            Datagram::Taken => {}
            Datagram::Ack(_) | Datagram::Drop | Datagram::Refused { .. } | Datagram::Request { .. } => {
                return Ok(());
            }
        }
        if self.phase == Phase::Asking {
            self.phase = Phase::Answered;
            self.wait_anew(now);
        }
        self.heard = now;
        Ok(())
    }

    /// The next message of the answer, if it is here. Who takes none lets the command wait.
    pub fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        let message = self.here.pop_front_if(|part| part.is_some())??;
        self.next += 1;
        self.owes = true;
        self.wait_anew(now);
        Some(message)
    }

    /// The message that says why, where the server did not run the command.
    pub fn refusal(&self) -> Option<&[u8]> {
        self.refusal.as_deref()
    }

    /// The last message was taken: what is sent from here on tells the server so, until [`Requester::has_left`] or the caller
    /// has no patience. A server that was not told keeps the answer for as long as [`SILENCE`].
    pub fn leave(&mut self, now: Duration) {
        self.phase = Phase::Leaving;
        (self.ask, self.wait) = (now, FIRST_WAIT);
    }

    /// The command is not wanted any more: what is sent from here on has it ended, until [`Requester::has_left`] or the caller
    /// has no patience. A command whose server was not told ends after [`SILENCE`].
    pub fn give_up(&mut self, now: Duration) {
        self.phase = Phase::Dropping;
        (self.ask, self.wait) = (now, FIRST_WAIT);
    }

    /// Whether the server has forgotten the command since it was told to.
    pub fn has_left(&self) -> bool {
        self.phase == Phase::Left
    }

    /// What is to be sent next; `None`: nothing until the deadline.
    ///
    /// # Errors
    /// The server is gone.
    pub fn transmit(&mut self, now: Duration) -> Result<Option<&[u8]>, RequesterError> {
        if now.saturating_sub(self.heard) >= SILENCE {
            let is_unanswered = self.phase == Phase::Asking;
            return Err(if is_unanswered { RequesterError::Unanswered } else { RequesterError::Silent });
        }
        let asks = now >= self.ask;
        if !asks && !self.owes || self.phase == Phase::Left {
            return Ok(None);
        }
        if asks {
            self.ask = now + self.wait;
            self.wait = longer(self.wait);
        }
        self.owes = false;
        match self.phase {
            Phase::Asking => return Ok(Some(&self.request)),
            Phase::Dropping => {
                self.scratch.clear();
                Datagram::Drop.write(&self.id, &mut self.scratch);
                return Ok(Some(&self.scratch));
            }
            Phase::Answered | Phase::Leaving | Phase::Left => {}
        }
        let got =
            self.here.iter().enumerate().fold(0, |got, (bit, part)| got | u16::from(part.is_some()) << bit);
        self.scratch.clear();
        Datagram::Ack(Ack { next: self.next, got, asks }).write(&self.id, &mut self.scratch);
        Ok(Some(&self.scratch))
    }

    /// When the next call of [`Requester::transmit`] is due.
    pub fn deadline(&self) -> Duration {
        self.ask.min(self.heard + SILENCE)
    }

    fn keep(&mut self, number: u64, message: &[u8], now: Duration) {
        self.owes = true;
        let Some(at) = number.checked_sub(self.next).and_then(|at| usize::try_from(at).ok()) else { return };
        if at >= WINDOW {
            return;
        }
        if self.here.len() <= at {
            self.here.resize(at + 1, None);
        }
        if let Some(part @ None) = self.here.get_mut(at) {
            *part = Some(message.to_vec());
            self.wait_anew(now);
        }
    }

    /// Something has moved on: the next question is due only after a first wait.
    fn wait_anew(&mut self, now: Duration) {
        self.wait = FIRST_WAIT;
        self.ask = now + self.wait;
    }
}
