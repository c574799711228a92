//! Cuts what is typed, or what a program writes, into messages: a line each, or all of it as one.
//!
//! Frames of peers are not cut here: they have limits and rules of their own.

use std::fmt;

/// What one message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Piece {
    /// A line without its end: a line feed, and a carriage return before it. An empty line is an empty message. A
    /// last line may have no end.
    Line,
    /// All there is, unless that is nothing.
    Whole,
}

/// Cuts bytes into messages. Where the input was cut before makes no difference.
///
/// It holds the beginning of one message: at most one byte more than the most that a message may have.
#[derive(Debug)]
pub struct Cutter {
    piece: Piece,
    held: Vec<u8>,
    lines: u64,
}

/// A message is longer than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// The number of the line, counted from 1; `None` where a message is no line.
    pub line: Option<u64>,
    /// The most that a message may have, in bytes.
    pub most: usize,
}

impl Cutter {
    /// Nothing held yet.
    pub fn new(piece: Piece) -> Self {
        Self { piece, held: Vec::new(), lines: 0 }
    }

    /// How many bytes may be read before the next [`Cutter::take`]. All of a long input need not be read to know
    /// that it is too long.
    pub fn room(&self, most: usize) -> usize {
        match self.piece {
            Piece::Line => usize::MAX,
            Piece::Whole => most.saturating_add(1).saturating_sub(self.held.len()).max(1),
        }
    }

    /// Takes bytes from the front of `input`, and says how many, and whether a message is whole with them.
    ///
    /// # Errors
    /// The message is longer than `most` bytes.
    pub fn take(&mut self, input: &[u8], most: usize) -> Result<(usize, bool), TooLong> {
        let end = match self.piece {
            Piece::Line => input.iter().position(|byte| *byte == b'\n'),
            Piece::Whole => None,
        };
        let (content, taken) = match end {
            Some(end) => (input.get(..end).unwrap_or_default(), end + 1),
            None => (input, input.len()),
        };
        // A carriage return may still turn out to belong to the end of the line.
        let slack = usize::from(self.piece == Piece::Line);
        if self.held.len().saturating_add(content.len()) > most.saturating_add(slack) {
            return Err(self.too_long(most));
        }
        self.held.extend_from_slice(content);
        if end.is_some() {
            self.held.pop_if(|last| *last == b'\r');
        }
        if self.held.len() > most && (end.is_some() || self.held.last() != Some(&b'\r')) {
            return Err(self.too_long(most));
        }
        Ok((taken, end.is_some()))
    }

    /// The input has ended: whether what is held is a message.
    ///
    /// # Errors
    /// It is longer than `most` bytes.
    pub fn finish(&self, most: usize) -> Result<bool, TooLong> {
        if self.held.len() > most { Err(self.too_long(most)) } else { Ok(!self.held.is_empty()) }
    }

    /// What is held, once it is a message. Then the next begins.
    pub fn message(&mut self) -> Vec<u8> {
        self.lines += 1;
        std::mem::take(&mut self.held)
    }

    fn too_long(&self, most: usize) -> TooLong {
        let line = match self.piece {
            Piece::Line => Some(self.lines + 1),
            Piece::Whole => None,
        };
        TooLong { line, most }
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line} has ")?;
        }
        write!(f, "more than {} bytes, which is the most of one message", self.most)
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 8;

    #[test]
    fn a_line_is_a_message_without_its_end() {
        let table: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b"a", &[b"a"]),
            (b"a\n", &[b"a"]),
            (b"a\r\nb", &[b"a", b"b"]),
            (b"\n\r\n\n", &[b"", b"", b""]),
            (b"a\r\r\n", &[b"a\r"]),
            (b"a\rb\n\r", &[b"a\rb", b"\r"]),
            (b"12345678\r\n", &[b"12345678"]),
        ];
        for (input, want) in table {
            assert_eq!(cut(Piece::Line, &[input]).unwrap(), *want, "input {}", input.escape_ascii());
        }
    }

    #[test]
    fn all_of_it_is_one_message_unless_it_is_nothing() {
        assert_eq!(cut(Piece::Whole, &[b""]).unwrap(), [b""; 0]);
        assert_eq!(cut(Piece::Whole, &[b"a\n", b"b\r\n"]).unwrap(), [b"a\nb\r\n"]);
        assert_eq!(cut(Piece::Whole, &[b"12345678"]).unwrap(), [b"12345678"]);
    }

    #[test]
    fn what_is_too_long_is_told_with_its_line_and_the_limit() {
        let told = |piece, input: &[u8]| cut(piece, &[input]).unwrap_err().to_string();
        let rest = "more than 8 bytes, which is the most of one message";
        assert_eq!(told(Piece::Whole, b"123456789"), rest);
        assert_eq!(told(Piece::Line, b"1\n2\n123456789"), format!("line 3 has {rest}"));
        assert_eq!(told(Piece::Line, b"12345678\r"), format!("line 1 has {rest}"));
        assert_eq!(told(Piece::Line, b"12345678\r\r\n"), format!("line 1 has {rest}"));
    }

    #[test]
    fn one_byte_more_than_the_most_is_read_and_no_further() {
        let mut cutter = Cutter::new(Piece::Whole);
        assert_eq!(cutter.room(MOST), MOST + 1);
        cutter.take(b"12345", MOST).unwrap();
        assert_eq!(cutter.room(MOST), MOST - 4);
        cutter.take(b"678", MOST).unwrap();
        assert_eq!(cutter.room(MOST), 1);
    }

    proptest! {
        #[test]
        fn any_chunking_agrees_with_the_plain_rule(chunks in prop::collection::vec(line_ends(), 0..6)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let whole = chunks.concat();
            prop_assert_eq!(cut(Piece::Line, &chunks).ok(), plain_lines(&whole));
            let one = (whole.len() <= MOST).then(|| Vec::from_iter((!whole.is_empty()).then_some(whole)));
            prop_assert_eq!(cut(Piece::Whole, &chunks).ok(), one);
        }
    }

    fn line_ends() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x'), Just(b'y'), any::<u8>()];
        prop::collection::vec(byte, 0..12)
    }

    fn plain_lines(input: &[u8]) -> Option<Vec<Vec<u8>>> {
        let lines = input.split_inclusive(|byte| *byte == b'\n').map(|line| match line {
            [line @ .., b'\r', b'\n'] | [line @ .., b'\n'] => line,
            line => line,
        });
        lines.map(|line| (line.len() <= MOST).then(|| line.to_vec())).collect()
    }

    fn cut(piece: Piece, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut cutter = Cutter::new(piece);
        let mut messages = Vec::new();
        for mut chunk in chunks.iter().copied() {
            while !chunk.is_empty() {
                let (taken, is_whole) = cutter.take(chunk, MOST)?;
                chunk = &chunk[taken..];
                assert!(cutter.held.len() <= MOST + 1, "{} bytes are held", cutter.held.len());
                messages.extend(is_whole.then(|| cutter.message()));
            }
        }
        messages.extend(cutter.finish(MOST)?.then(|| cutter.message()));
        Ok(messages)
    }
}
