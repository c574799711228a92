//! The server's side of one command: its answer in parts, until all are acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Ack, Datagram, Id, SILENCE, WINDOW};

/// So many parts that left later have arrived: then a part is lost, and not only overtaken.
const OVERTAKEN: u64 = 3;

/// Gives out an answer. Times count from a moment that the caller chooses.
///
/// After each call the caller sends what [`Answerer::transmit`] gives until it gives nothing, and at the
/// [`Answerer::deadline`] looks whether the client is gone.
#[derive(Debug)]
pub struct Answerer {
    id: Id,
    /// Those that are not acknowledged altogether, in order.
    pub(super) parts: VecDeque<Part>,
    /// The number of the first of them.
    first: u64,
    /// Whether the last part is among them, or was.
    has_ended: bool,
    /// How often a part has left.
    departures: u64,
    /// When the client was heard last.
    heard: Duration,
    /// Whether it waits for a word.
    is_asked: bool,
    taken: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Part {
    datagram: Vec<u8>,
    /// Its last departure; `None` while it has never left.
    left: Option<u64>,
    /// Whether it is to leave, for the first time or again.
    is_due: bool,
    has_arrived: bool,
}

impl Answerer {
    /// An answer of no parts yet to a request that came now.
    pub fn new(id: Id, now: Duration) -> Self {
        Self {
            id,
            parts: VecDeque::new(),
            first: 0,
            has_ended: false,
            departures: 0,
            heard: now,
            is_asked: false,
            taken: Datagram::Taken.bytes(&id),
        }
    }

    /// Whether another part may be added. While not, the command's output is not to be read.
    pub fn has_room(&self) -> bool {
        self.parts.len() < WINDOW && !self.has_ended
    }

    /// Adds a part: a message of the framed wire, of at most [`super::PART`] bytes.
    pub fn push(&mut self, message: &[u8]) {
        let number = self.first + u64::try_from(self.parts.len()).unwrap_or_default();
        let datagram = Datagram::Part { number, message }.bytes(&self.id);
        self.parts.push_back(Part { datagram, left: None, is_due: true, has_arrived: false });
    }

    /// Adds the last part, for which there is always room.
    pub fn end(&mut self, message: &[u8]) {
        self.push(message);
        self.has_ended = true;
    }

    /// Whether the last part was acknowledged, and all before it.
    pub fn is_over(&self) -> bool {
        self.has_ended && self.parts.is_empty()
    }

    /// Whether the client is gone: it was not heard for [`SILENCE`].
    pub fn is_deserted(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard) >= SILENCE
    }

    /// The request came again.
    pub fn hear_request(&mut self, now: Duration) {
        self.heard = now;
        self.ask();
    }

    /// The client tells what it has. What is there by then frees its room at once.
    pub fn hear(&mut self, ack: Ack, now: Duration) {
        let sent = self.parts.iter().take_while(|part| part.left.is_some()).count();
        let Some(taken) = ack.next.checked_sub(self.first).and_then(|taken| usize::try_from(taken).ok())
        else {
            // Older than what was heard already, but a sign of life.
            self.heard = now;
            return;
        };
        if taken > sent {
            return;
        }
        self.heard = now;
        let gone = self.parts.drain(..taken);
        let mut newest = gone.filter(|part| !part.has_arrived).filter_map(|part| part.left).max();
        self.first = ack.next;
        for (bit, part) in self.parts.iter_mut().enumerate().take(WINDOW) {
            if ack.got >> bit & 1 == 1 && !part.has_arrived {
                // Only what has left can have arrived.
                part.has_arrived = part.left.is_some();
                newest = newest.max(part.left);
            }
        }
        if let Some(newest) = newest {
            self.find_lost(newest);
        }
        if ack.asks {
            self.ask();
        }
    }

    /// What is to be sent next; `None`: nothing until the deadline.
    pub fn transmit(&mut self) -> Option<&[u8]> {
        let next = self.parts.iter_mut().take(WINDOW).find(|part| part.is_due && !part.has_arrived);
        if let Some(part) = next {
            self.departures += 1;
            part.is_due = false;
            part.left = Some(self.departures);
            self.is_asked = false;
            return Some(&part.datagram);
        }
        std::mem::take(&mut self.is_asked).then_some(&self.taken)
    }

    /// When the client may be found to be gone.
    pub fn deadline(&self) -> Duration {
        self.heard + SILENCE
    }

    /// The client has waited for a while: what it does not have is lost. Nothing else has parts sent again, so that whoever takes
    /// none, and does not ask, finds no more of them in its queue.
    fn ask(&mut self) {
        self.is_asked = true;
        self.parts.iter_mut().filter(|part| part.left.is_some()).for_each(|part| part.is_due = true);
    }

    /// Those that left well before `newest`, which has arrived, are to leave again.
    fn find_lost(&mut self, newest: u64) {
        for part in self.parts.iter_mut().filter(|part| !part.has_arrived) {
            part.is_due |= part.left.is_some_and(|left| left + OVERTAKEN <= newest);
        }
    }
}
