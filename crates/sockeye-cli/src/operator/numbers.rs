//! Which message has which number, and whom a line of the operator is for.

use std::collections::VecDeque;

/// How many of the last messages can be answered by their numbers.
const KEPT: usize = 1000;

/// The senders of the last [`KEPT`] messages. The first message of all has the number 1.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    senders: VecDeque<T>,
    /// Messages that came before the first of `senders`.
    forgotten: u64,
}

/// Why a line is for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nobody {
    /// The message of that number was too long ago.
    Forgotten(u64),
    /// No message has come yet.
    Yet,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { senders: VecDeque::new(), forgotten: 0 }
    }
}

impl<T> Numbers<T> {
    /// Gives a message of that sender the next number.
    pub(super) fn add(&mut self, sender: T) -> u64 {
        if self.senders.len() == KEPT {
            self.senders.pop_front();
            self.forgotten += 1;
        }
        self.senders.push_back(sender);
        self.last()
    }

    fn last(&self) -> u64 {
        self.forgotten.saturating_add(u64::try_from(self.senders.len()).unwrap_or(u64::MAX))
    }

    /// Whom a line is for, and what it says: `3 text` is for the sender of the third message, and what does not begin
    /// with the number of a message and a space is for the sender of the last.
    pub(super) fn read<'a>(&'a self, line: &'a [u8]) -> Result<(&'a T, &'a [u8]), Nobody> {
        let Some((number, text)) = numbered(line).filter(|(number, _)| (1..=self.last()).contains(number))
        else {
            return self.senders.back().map(|sender| (sender, line)).ok_or(Nobody::Yet);
        };
        let place = number.checked_sub(self.forgotten + 1).and_then(|place| usize::try_from(place).ok());
        let sender = place.and_then(|place| self.senders.get(place));
        sender.map(|sender| (sender, text)).ok_or(Nobody::Forgotten(number))
    }
}

/// The number that a line begins with, and what is behind the space that follows it.
fn numbered(line: &[u8]) -> Option<(u64, &[u8])> {
    let end = line.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = line.split_at_checked(end)?;
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest.strip_prefix(b" ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Numbers<&'static str> {
        let mut numbers = Numbers::default();
        assert_eq!(["ann", "bob", "cem"].map(|sender| numbers.add(sender)), [1, 2, 3]);
        numbers
    }

    #[test]
    fn a_number_and_a_space_name_the_sender_and_all_else_is_for_the_last() {
        for (line, sender, text) in [
            ("1 hi", "ann", "hi"),
            ("02  hi", "bob", " hi"),
            ("3 ", "cem", ""),
            ("hi", "cem", "hi"),
            ("", "cem", ""),
            ("1", "cem", "1"),
            ("1hi", "cem", "1hi"),
            (" 1 hi", "cem", " 1 hi"),
            ("0 hi", "cem", "0 hi"),
            ("4 hi", "cem", "4 hi"),
            ("-1 hi", "cem", "-1 hi"),
            ("99999999999999999999 bottles", "cem", "99999999999999999999 bottles"),
        ] {
            assert_eq!(three().read(line.as_bytes()), Ok((&sender, text.as_bytes())), "{line:?}");
        }
    }

    #[test]
    fn before_the_first_message_there_is_nobody_to_answer() {
        let numbers = Numbers::<()>::default();
        assert_eq!(numbers.read(b"hi"), Err(Nobody::Yet));
        assert_eq!(numbers.read(b"1 hi"), Err(Nobody::Yet));
    }

    #[test]
    fn only_the_last_thousand_are_known() {
        let mut numbers = Numbers::default();
        (1..=1005).for_each(|number| assert_eq!(numbers.add(number), number));
        assert_eq!(numbers.senders.len(), KEPT);
        assert_eq!(numbers.read(b"5 hi"), Err(Nobody::Forgotten(5)));
        assert_eq!(numbers.read(b"6 hi"), Ok((&6, &b"hi"[..])));
        assert_eq!(numbers.read(b"1005 hi"), Ok((&1005, &b"hi"[..])));
        assert_eq!(numbers.read(b"1006 hi"), Ok((&1005, &b"1006 hi"[..])));
    }
}
