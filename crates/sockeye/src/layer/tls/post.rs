//! What comes in records beside data once the handshake is done: alerts, tickets and new keys (RFC 8446 sections 4.6
//! and 6).

use rustls::{Error, ProtocolVersion};

use super::keys::Keys;
use super::records::Opener;
use super::{fault, number};
use crate::error::{Alert, TlsFault};

/// What a record beside data means for those who read.
pub(super) enum Meaning {
    /// The peer will send no more.
    End,
    /// The peer has a new key from here on, and may have asked for one of ours.
    Key(Opener, bool),
    /// Nothing.
    Nothing,
}

/// What we cannot go on after, and the alert that tells the peer so; none where the peer has ended it.
pub(super) struct Fatal {
    pub(super) fault: TlsFault,
    pub(super) alert: Option<u8>,
}

impl From<Error> for Fatal {
    fn from(error: Error) -> Self {
        Self { fault: fault::of(&error), alert: Some(number::of(&error)) }
    }
}

/// What came of a message that is not whole yet, and how often nothing came of records.
#[derive(Default)]
pub(super) struct Post {
    /// The beginning of a message of the handshake, of at most [`MOST`] bytes.
    begun: Vec<u8>,
    /// Records in a row that held no data.
    idle: u8,
}

impl Post {
    /// Data came.
    pub(super) fn data(&mut self) {
        self.idle = 0;
    }

    /// A record came that held nothing for those who read. Each costs us work, and its sender next to nothing.
    pub(super) fn idle(&mut self) -> Result<(), Fatal> {
        self.idle += 1;
        if self.idle > IDLE { Err(refused("it sends records without data")) } else { Ok(()) }
    }

    /// An alert. Those that only warn, as TLS 1.2 has them, change nothing.
    pub(super) fn alert(&mut self, alert: &[u8]) -> Result<Meaning, Fatal> {
        match *alert {
            [_, number::CLOSE_NOTIFY] => Ok(Meaning::End),
            [_, number::USER_CANCELED] | [number::WARNING, number::NO_RENEGOTIATION] => Ok(Meaning::Nothing),
            [_, alert] => Err(Fatal { fault: TlsFault::Alert(Alert(alert)), alert: None }),
            _ => Err(refused("an alert of it is none")),
        }
    }

    /// A part of the messages of a handshake.
    pub(super) fn handshake(&mut self, part: &[u8], keys: &mut Keys) -> Result<Meaning, Fatal> {
        if keys.suite().version().version != ProtocolVersion::TLSv1_3 {
            // Whoever wants to begin anew may be somebody else than who began.
            let fault = TlsFault::Protocol("the peer wants a second handshake".into());
            return Err(Fatal { fault, alert: Some(number::NO_RENEGOTIATION) });
        }
        self.begun.extend_from_slice(part);
        if self.begun.len() > MOST {
            return Err(refused("a message of its handshake is too long"));
        }
        let mut meaning = Meaning::Nothing;
        let begun = std::mem::take(&mut self.begun);
        let mut rest = begun.as_slice();
        while let Some((kind, message, behind)) = message(rest) {
            rest = behind;
            match (kind, message) {
                (TICKET, ticket) if keys.keep_ticket(ticket)? => {}
                // What follows is sealed with the next key, so nothing may follow here (RFC 8446 section 5.1).
                (KEY_UPDATE, [asks @ 0..=1]) if rest.is_empty() => {
                    meaning = Meaning::Key(keys.next_opener()?, *asks == 1);
                }
                _ => return Err(refused("it sends a message that does not belong there")),
            }
        }
        self.begun = rest.to_vec();
        Ok(meaning)
    }
}

/// The message at the front, when all of it is there: its kind, what it holds, and what is behind it.
fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(4)?;
    let [kind, length @ ..] = head else { return None };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (message, behind) = rest.split_at_checked(length)?;
    Some((*kind, message, behind))
}

fn refused(why: &str) -> Fatal {
    let fault = TlsFault::Protocol(format!("the peer breaks the rules of TLS: {why}"));
    Fatal { fault, alert: Some(number::UNEXPECTED_MESSAGE) }
}

/// A change of keys that asks for none of ours.
pub(super) const NEW_KEY: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];

/// The most bytes of a message: tickets are some hundred, and no other message may come.
const MOST: usize = 64 << 10;

/// The most records in a row without data.
const IDLE: u8 = 32;

const TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
