//! The server's side of one command: its answer in parts, until all are acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Ack, Datagram, FIRST_WAIT, Id, SILENCE, WINDOW, longer};

/// So many parts that left later have arrived: then a part is lost, and not only overtaken.
const OVERTAKEN: u64 = 3;

/// Gives out an answer. Times count from a moment that the caller chooses.
///
/// After each call the caller sends what [`Answerer::transmit`] gives until it gives nothing, and calls it again at the
/// [`Answerer::deadline`].
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
    /// When what is under way is taken to be lost, while anything is.
    loss: Option<Duration>,
    wait: Duration,
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
            loss: None,
            wait: FIRST_WAIT,
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
        self.is_asked = true;
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
        self.is_asked |= ack.asks;
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
            self.wait = FIRST_WAIT;
            self.find_lost(newest);
            self.loss = self.is_under_way().then_some(now + self.wait);
        }
    }

    /// What is to be sent next; `None`: nothing until the deadline.
    pub fn transmit(&mut self, now: Duration) -> Option<&[u8]> {
        if self.loss.is_some_and(|at| at <= now) {
            // The whole window, since whoever stopped taking it for so long may have lost all.
            for part in self.parts.iter_mut().filter(|part| !part.has_arrived) {
                part.is_due = true;
            }
            self.wait = longer(self.wait);
            self.loss = None;
        }
        let next = self.parts.iter_mut().take(WINDOW).find(|part| part.is_due && !part.has_arrived);
        if let Some(part) = next {
            self.departures += 1;
            part.is_due = false;
            part.left = Some(self.departures);
            self.loss.get_or_insert(now + self.wait);
            self.is_asked = false;
            return Some(&part.datagram);
        }
        std::mem::take(&mut self.is_asked).then_some(&self.taken)
    }

    /// When the next call of [`Answerer::transmit`] is due, or the client may be found to be gone.
    pub fn deadline(&self) -> Duration {
        let deserted = self.heard + SILENCE;
        self.loss.map_or(deserted, |loss| loss.min(deserted))
    }

    fn is_under_way(&self) -> bool {
        self.parts.iter().any(|part| part.left.is_some() && !part.has_arrived)
    }

    /// Those that left well before `newest`, which has arrived, are to leave again.
    fn find_lost(&mut self, newest: u64) {
        for part in self.parts.iter_mut().filter(|part| !part.has_arrived) {
            part.is_due |= part.left.is_some_and(|left| left + OVERTAKEN <= newest);
        }
    }
}
