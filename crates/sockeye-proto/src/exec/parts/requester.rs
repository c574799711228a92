//! The client's side of one command: the request until it is answered, then the parts in their order.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{Ack, Datagram, FIRST_WAIT, Id, SILENCE, WINDOW, longer};

/// How often the end is acknowledged: nobody is here to do it again, and a server that misses it keeps the answer for
/// as long as a silence.
const FAREWELLS: u8 = 3;

/// Asks for a command, and takes its answer in. Times count from a moment that the caller chooses.
///
/// After each call the caller sends what [`Requester::transmit`] gives until it gives nothing, and calls it again at the
/// [`Requester::deadline`].
#[derive(Debug)]
pub struct Requester {
    id: Id,
    request: Vec<u8>,
    /// Whether the server has said anything.
    is_answered: bool,
    /// The number of the part that is taken out next.
    next: u64,
    /// Those from `next` on, where they are here.
    pub(super) here: VecDeque<Option<Vec<u8>>>,
    /// When the server was heard last.
    heard: Duration,
    /// When to ask next, for an answer to the request or for a sign of life.
    ask: Duration,
    wait: Duration,
    /// How many acknowledgements are to be sent.
    acks: u8,
    refusal: Option<Vec<u8>>,
    scratch: Vec<u8>,
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
            is_answered: false,
            next: 0,
            here: VecDeque::new(),
            heard: now,
            ask: now,
            wait: FIRST_WAIT,
            acks: 0,
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
            Datagram::Gone => return Err(RequesterError::Gone),
            Datagram::Part { number, message } => self.keep(number, message, now),
            // A request that was refused did not run, and so has no answer.
            Datagram::Refused { message } if !self.is_answered => self.refusal = Some(message.to_vec()),
            Datagram::Taken => {}
            Datagram::Ack(_) | Datagram::Drop | Datagram::Refused { .. } | Datagram::Request { .. } => {
                return Ok(());
            }
        }
        if !self.is_answered {
            self.is_answered = true;
            self.wait_anew(now);
        }
        self.heard = now;
        Ok(())
    }

    /// The next message of the answer, if it is here. Who takes none lets the command wait.
    pub fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        let message = self.here.pop_front_if(|part| part.is_some())??;
        self.next += 1;
        self.acks = self.acks.max(1);
        self.wait_anew(now);
        Some(message)
    }

    /// The message that says why, where the server did not run the command.
    pub fn refusal(&self) -> Option<&[u8]> {
        self.refusal.as_deref()
    }

    /// The last message was taken: what is sent from here on tells the server so.
    pub fn finish(&mut self) {
        self.acks = FAREWELLS;
    }

    /// What is to be sent next; `None`: nothing until the deadline.
    ///
    /// # Errors
    /// The server is gone.
    pub fn transmit(&mut self, now: Duration) -> Result<Option<&[u8]>, RequesterError> {
        if now.saturating_sub(self.heard) >= SILENCE {
            return Err(if self.is_answered { RequesterError::Silent } else { RequesterError::Unanswered });
        }
        let asks = now >= self.ask;
        if asks {
            self.ask = now + self.wait;
            self.wait = longer(self.wait);
            if !self.is_answered {
                return Ok(Some(&self.request));
            }
        } else if self.acks == 0 {
            return Ok(None);
        }
        self.acks = self.acks.saturating_sub(1);
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

    /// The datagram that has the command ended. It may be lost: then the silence of who sent it ends the command.
    pub fn drop_it(&self) -> Vec<u8> {
        Datagram::Drop.bytes(&self.id)
    }

    fn keep(&mut self, number: u64, message: &[u8], now: Duration) {
        self.acks = self.acks.max(1);
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
