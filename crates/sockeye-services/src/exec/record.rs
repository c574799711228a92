//! One line about each command: who asked for it, what it was, how long it ran and how it came out.

use std::sync::Arc;

use sockeye::proto::exec::What;
use sockeye::proto::words;
use sockeye::{Event, Events, Outcome, Peer, Wants};
use tokio::time::Instant;

/// How many bytes of a command are told.
const TOLD: usize = 200;

/// What will be told of a command, at the latest when this is dropped.
#[derive(Debug)]
pub(crate) struct Record {
    events: Events,
    peer: Arc<Peer>,
    command: Arc<str>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    began: Option<Instant>,
    outcome: Option<Outcome>,
}

impl Record {
    /// Begins one of a command that is asked for; `None` where the peer was refused before.
    pub(crate) fn new(events: &Events, peer: &Arc<Peer>, what: Option<&What>) -> Self {
        let command = what.map(spelled).unwrap_or_default().into();
        Self {
            events: events.clone(),
            peer: peer.clone(),
            command,
            received: 0,
            sent: 0,
            began: None,
            outcome: None,
        }
    }

    /// It runs from now on.
    pub(crate) fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// How it came out; what was said first holds.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }

    /// Why it does not run.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.end(Outcome::Refused(why.into()));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| Outcome::Ended("the server was stopped".into()));
        let Self { peer, command, received, sent, began, .. } = self;
        self.events.tell(Wants::Trouble, || Event::Ran {
            peer: peer.clone(),
            command: command.clone(),
            received: *received,
            sent: *sent,
            lasted: began.map(|began| began.elapsed()).unwrap_or_default(),
            outcome,
        });
    }
}

/// The line, or the words as a shell would read them.
fn spelled(what: &What) -> String {
    let mut text = match what {
        What::Line(line) => String::from_utf8_lossy(line).into_owned(),
        What::Words(words) => {
            let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            words::quote(words.iter().map(|word| &**word))
        }
    };
    if text.len() > TOLD {
        text.truncate(text.floor_char_boundary(TOLD));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_as_it_could_be_typed_and_a_long_one_in_part() {
        let words = |words: &[&str]| What::Words(words.iter().map(|word| word.as_bytes().to_vec()).collect());
        assert_eq!(spelled(&words(&["ls", "-l", "a b", "", "it's"])), r"ls -l 'a b' '' 'it'\''s'");
        assert_eq!(spelled(&What::Line(b"a | b".to_vec())), "a | b");
        let long = spelled(&What::Line("ü".repeat(300).into_bytes()));
        assert!(long.len() <= TOLD + 3 && long.ends_with("ü…"), "{long}");
    }
}
