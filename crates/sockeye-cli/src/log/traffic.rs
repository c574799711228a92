//! What goes over a connection with `log=`, as people and programs read it.

use std::time::SystemTime;

use serde_json::{Value, json};
use sockeye::proto::hex;
use sockeye::proto::printable::Printable;
use sockeye::{Content, Peer, Seen, Style, Way};

use super::programs::set_payload;
use super::sink::Sink;
use super::{seconds, set};

/// Writes a line that says what was seen, and the bytes below it, if there were any.
pub(super) fn write(peer: &Peer, at: SystemTime, style: Style, seen: &Seen, sink: &mut Sink) {
    let mut text = format!("{peer} {}\n", headline(seen));
    let (way, bytes, offset) = match seen {
        Seen::Bytes { way, bytes, offset } => (way, bytes, *offset),
        Seen::Message { way, bytes, .. } => (way, bytes, 0),
        _ => return sink.say_at(at, &text),
    };
    // A message may be long, and many times as long in hexadecimal.
    let mut is_first = true;
    let mut put = |text: &mut String| {
        if std::mem::take(&mut is_first) {
            sink.say_at(at, text)
        } else {
            sink.write(text)
        }
        text.clear();
    };
    match style {
        Style::Hex => {
            for (offset, rows) in (offset..).step_by(CHUNK).zip(bytes.chunks(CHUNK)) {
                text.push_str(&hex::dump(offset, rows));
                put(&mut text);
            }
        }
        Style::Text => {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                text.push_str(&marked(*way, line));
                if text.len() >= CHUNK {
                    put(&mut text);
                }
            }
        }
    }
    if !text.is_empty() {
        put(&mut text);
    }
}

/// How many bytes are made to text at once, in whole rows of a dump.
const CHUNK: usize = 16 << 10;

/// What was seen, and which way: `<` is from the peer and `>` to it.
fn headline(seen: &Seen) -> String {
    match seen {
        Seen::Opened => "open".to_owned(),
        Seen::Bytes { way, bytes, .. } => format!("{} {}", arrow(*way), counted(bytes.len())),
        Seen::Message { way, bytes, content, cut } => {
            let kind = match content {
                Content::Unknown => "",
                Content::Binary => "binary ",
                Content::Text => "text ",
            };
            let cut = if *cut { ", and its end was cut off" } else { "" };
            format!("{} {kind}message of {}{cut}", arrow(*way), counted(bytes.len()))
        }
        Seen::Ended(way) => format!("{} end", arrow(*way)),
        Seen::Failed(way, why) => format!("{} broke off: {why}", arrow(*way)),
        Seen::Closed { aborted: false } => "closed".to_owned(),
        Seen::Closed { aborted: true } => "closed, and broken off by us".to_owned(),
    }
}

fn arrow(way: Way) -> char {
    match way {
        Way::In => '<',
        Way::Out => '>',
    }
}

fn counted(bytes: usize) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// A line with its direction before it, safe for a terminal. How it ended is what hexadecimal is for.
fn marked(way: Way, line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (mut printable, mut safe) = (Printable::default(), Vec::new());
    printable.push(line, &mut safe);
    printable.finish(&mut safe);
    format!("{} {}\n", arrow(way), String::from_utf8_lossy(&safe))
}

/// As one object.
pub(super) fn for_programs(peer: &Peer, seen: &Seen) -> Value {
    let (what, way) = match seen {
        Seen::Opened => ("open", None),
        Seen::Bytes { way, .. } => ("bytes", Some(way)),
        Seen::Message { way, .. } => ("message", Some(way)),
        Seen::Ended(way) => ("end", Some(way)),
        Seen::Failed(way, _) => ("failed", Some(way)),
        Seen::Closed { .. } => ("closed", None),
    };
    let way = way.map(|way| match way {
        Way::In => "in",
        Way::Out => "out",
    });
    let mut object = json!({ "peer": peer.to_string(), "seen": what, "way": way });
    match seen {
        Seen::Bytes { bytes, offset, .. } => {
            set(&mut object, "size", bytes.len());
            set(&mut object, "offset", *offset);
            set_payload(&mut object, bytes);
        }
        Seen::Message { bytes, content, cut, .. } => {
            let content = match content {
                Content::Unknown => None,
                Content::Binary => Some("binary"),
                Content::Text => Some("text"),
            };
            set(&mut object, "size", bytes.len());
            set(&mut object, "content", content);
            set(&mut object, "cut", *cut);
            set_payload(&mut object, bytes);
        }
        Seen::Failed(_, why) => set(&mut object, "error", &**why),
        Seen::Closed { aborted } => set(&mut object, "aborted", *aborted),
        Seen::Opened | Seen::Ended(_) => {}
    }
    object
}

/// The time at which it was seen, in place of that at which it is written.
pub(super) fn set_time(object: &mut Value, at: SystemTime) {
    set(object, "time", seconds(at));
}
