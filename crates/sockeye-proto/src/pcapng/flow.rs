//! A conversation as the segments of TCP that would have carried it.

use std::time::Duration;

use super::packet::{ACK, Ends, FIN, MOST, PSH, RST, SYN, Segment, segment};
use super::{Direction, Stamp};

/// One conversation: from its handshake to its end, whatever really carried it.
///
/// All times are since 1970. What is said after a reset is left out, and a side's end is shown once.
#[derive(Debug)]
pub struct Flow {
    ends: Ends,
    /// The numbers of the next bytes.
    ours: u32,
    theirs: u32,
    have_we_ended: bool,
    has_peer_ended: bool,
    is_reset: bool,
}

impl Flow {
    /// Appends the handshake, of which the first packet has the comment. `opener` is the way that it went.
    pub fn open(ends: Ends, opener: Direction, at: Duration, comment: &str, out: &mut Vec<u8>) -> Self {
        let mut flow =
            Self { ends, ours: 0, theirs: 0, have_we_ended: false, has_peer_ended: false, is_reset: false };
        let answer = opposite(opener);
        let stamp = Stamp { at, direction: opener, comment: Some(comment) };
        segment(&stamp, ends, Segment { flags: SYN, ..Segment::default() }, b"", out);
        *flow.next(opener) = 1;
        flow.put(answer, SYN, b"", at, out);
        *flow.next(answer) = 1;
        flow.put(opener, 0, b"", at, out);
        flow
    }

    /// Appends the segments of what went that way at once: one, unless it is more than a packet carries. What was said in
    /// one piece ends with the flag PSH.
    pub fn say(&mut self, direction: Direction, bytes: &[u8], at: Duration, out: &mut Vec<u8>) {
        let mut rest = bytes;
        loop {
            let (now, later) = rest.split_at_checked(MOST).unwrap_or((rest, b""));
            let flags = if later.is_empty() { PSH } else { 0 };
            self.put(direction, flags, now, at, out);
            let next = self.next(direction);
            *next = next.wrapping_add(u32::try_from(now.len()).unwrap_or_default());
            rest = later;
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Appends the end of one side.
    pub fn end(&mut self, direction: Direction, at: Duration, out: &mut Vec<u8>) {
        let has_ended = match direction {
            Direction::In => &mut self.has_peer_ended,
            Direction::Out => &mut self.have_we_ended,
        };
        if std::mem::replace(has_ended, true) {
            return;
        }
        self.put(direction, FIN, b"", at, out);
        let next = self.next(direction);
        *next = next.wrapping_add(1);
    }

    /// Appends the reset with which one side breaks off.
    pub fn reset(&mut self, direction: Direction, at: Duration, out: &mut Vec<u8>) {
        self.put(direction, RST, b"", at, out);
        self.is_reset = true;
    }

    fn put(&mut self, direction: Direction, flags: u8, bytes: &[u8], at: Duration, out: &mut Vec<u8>) {
        if self.is_reset {
            return;
        }
        let (number, acknowledged) = match direction {
            Direction::In => (self.theirs, self.ours),
            Direction::Out => (self.ours, self.theirs),
        };
        let head = Segment { number, acknowledged, flags: flags | ACK };
        segment(&Stamp { at, direction, comment: None }, self.ends, head, bytes, out);
    }

    fn next(&mut self, direction: Direction) -> &mut u32 {
        match direction {
            Direction::In => &mut self.theirs,
            Direction::Out => &mut self.ours,
        }
    }
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::In => Direction::Out,
        Direction::Out => Direction::In,
    }
}
