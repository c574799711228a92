//! How a message, or what one read brought, is written to standard output.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sockeye::Clock;
use sockeye::proto::{hex, printable};

/// How what comes is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it came, one behind the other.
    AsItIs,
    /// A line for each, which tells when it came, how long it is and whatever else is known, and its content.
    Chunk(View),
    /// With a line feed behind it, unless it ends in one.
    Line,
}

/// How the content of a chunk is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// In lines of its own: offset, hexadecimal and ASCII.
    Hex,
    /// As text that is safe for a terminal, in the same line.
    Text,
}

/// How a message came, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Who sent it, where that is not clear.
    pub(super) from: Option<String>,
    /// When.
    pub(super) at: Option<SystemTime>,
    /// Whether its end was cut off.
    pub(super) cut: bool,
    /// How many before it were lost.
    pub(super) dropped_before: u32,
}

impl Form {
    /// Appends to `out` what is to be written for `payload`.
    pub(super) fn write(self, payload: &[u8], origin: &Origin, clock: Clock, out: &mut Vec<u8>) {
        match self {
            Self::AsItIs => out.extend_from_slice(payload),
            Self::Chunk(view) => {
                let at = origin.at.unwrap_or_else(|| clock.wall());
                out.extend_from_slice(chunk(payload, view, origin, at, TimeZone::system()).as_bytes());
            }
            Self::Line => {
                out.extend_from_slice(payload);
                if payload.last() != Some(&b'\n') {
                    out.push(b'\n');
                }
            }
        }
    }
}

/// `14:03:59.250        5 B from udp:127.0.0.1:53: hello`, or a hex dump below. What is known stands before the
/// payload, so that no payload can pretend to be it.
fn chunk(payload: &[u8], view: View, origin: &Origin, at: SystemTime, zone: TimeZone) -> String {
    // A clock that stands outside the years -9999 to 9999 is shown as the nearest that has a name.
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::MAX).to_zoned(zone);
    let mut text = format!("{} {:8} B", at.strftime("%H:%M:%S%.3f"), payload.len());
    if let Some(from) = &origin.from {
        text.push_str(&format!(" from {from}"));
    }
    match origin.dropped_before {
        0 => {}
        lost => text.push_str(&format!(", {lost} lost before it")),
    }
    if origin.cut {
        text.push_str(", its end cut off");
    }
    match view {
        View::Hex => {
            text.push('\n');
            text.push_str(&hex::dump(0, payload));
        }
        View::Text if payload.is_empty() => text.push('\n'),
        View::Text => text.push_str(&format!(": {}\n", printable::line(payload))),
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A quarter past 2 in the night of the first day.
    const THEN: Duration = Duration::from_millis(2 * 3_600_000 + 15 * 60_000 + 7);

    fn told(payload: &[u8], view: View, origin: &Origin) -> String {
        chunk(payload, view, origin, SystemTime::UNIX_EPOCH + THEN, TimeZone::UTC)
    }

    #[test]
    fn a_chunk_is_one_line_whatever_it_holds() {
        let plain = Origin::default();
        assert_eq!(told(b"hello", View::Text, &plain), "02:15:00.007        5 B: hello\n");
        assert_eq!(told(b"", View::Text, &plain), "02:15:00.007        0 B\n");
        assert_eq!(told(b"\x1b[2J\r\n", View::Text, &plain), "02:15:00.007        6 B: \\x1b[2J\\r\\n\n");
    }

    #[test]
    fn what_is_known_of_a_message_stands_before_it() {
        let origin =
            Origin { from: Some("udp:[::1]:53".into()), cut: true, dropped_before: 3, ..Origin::default() };
        let want = "02:15:00.007        2 B from udp:[::1]:53, 3 lost before it, its end cut off: hi\n";
        assert_eq!(told(b"hi", View::Text, &origin), want);
    }

    #[test]
    fn a_hex_dump_stands_below_its_line() {
        let want = "02:15:00.007        2 B\n\
                    00000000  68 69                                             hi\n";
        assert_eq!(told(b"hi", View::Hex, &Origin::default()), want);
        assert_eq!(told(b"", View::Hex, &Origin::default()), "02:15:00.007        0 B\n");
    }

    #[test]
    fn the_time_is_when_it_came_if_that_is_known() {
        let clock = Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_millis(9));
        let seen = |at| {
            let mut out = Vec::new();
            Form::Chunk(View::Text).write(b"", &Origin { at, ..Origin::default() }, clock, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert!(seen(None).contains(".009 "), "{}", seen(None));
        let at = SystemTime::UNIX_EPOCH + THEN;
        assert!(seen(Some(at)).contains(".007 "), "{}", seen(Some(at)));
        let never = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50);
        assert!(seen(Some(never)).ends_with(" 0 B\n"));
    }

    #[test]
    fn a_line_has_one_end() {
        for (payload, want) in [(&b"a"[..], &b"a\n"[..]), (b"a\n", b"a\n"), (b"", b"\n"), (b"a\r", b"a\r\n")]
        {
            let mut out = Vec::new();
            Form::Line.write(payload, &Origin::default(), Clock::default(), &mut out);
            assert_eq!(out, want);
        }
    }
}
