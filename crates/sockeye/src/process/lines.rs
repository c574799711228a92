//! What a command says on its standard error, told line by line.

use std::sync::Arc;

use super::streams::Output;
use crate::event::{Event, Events, SHOWN, Wants};
use crate::peer::Peer;

/// Tells each line that comes from the pipe, which does not block, as an event, until its end. A command never waits
/// for those who read events, who may miss some.
pub(crate) async fn tell_lines(
    mut pipe: Output,
    command: Arc<str>,
    caller: Option<Arc<Peer>>,
    events: Events,
) {
    let mut line = Line::default();
    let tell = |line: &[u8]| {
        let (command, caller) = (command.clone(), caller.clone());
        events.tell(Wants::Trouble, || Event::Said { command, caller, line: line.into() });
    };
    let mut buffer = [0; 1024];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(read) if read > 0 => line.take(buffer.get(..read).unwrap_or_default(), tell),
            _ => return line.finish(tell),
        }
    }
}

/// A line that is not yet whole.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// Gives each line that is whole to `tell`, without its end; one that is longer than [`SHOWN`] in pieces.
    fn take(&mut self, bytes: &[u8], tell: impl Fn(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (content, is_whole) = piece.strip_suffix(b"\n").map_or((piece, false), |line| (line, true));
            for content in content.chunks(SHOWN) {
                if self.0.len() + content.len() > SHOWN {
                    tell(&self.0);
                    self.0.clear();
                }
                self.0.extend_from_slice(content);
            }
            if is_whole {
                tell(&self.0);
                self.0.clear();
            }
        }
    }

    /// Gives what has no line end.
    fn finish(self, tell: impl Fn(&[u8])) {
        if !self.0.is_empty() {
            tell(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn lines(reads: &[&[u8]]) -> Vec<Vec<u8>> {
        let (told, mut line) = (RefCell::new(Vec::new()), Line::default());
        let tell = |line: &[u8]| told.borrow_mut().push(line.to_vec());
        reads.iter().for_each(|read| line.take(read, tell));
        line.finish(tell);
        told.into_inner()
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let want = [&b"one"[..], b"", b"two", b"no end"];
        assert_eq!(lines(&[b"one\n\ntwo\nno end"]), want);
        assert_eq!(lines(&[b"o", b"ne", b"\n", b"\ntwo\nno", b" end"]), want);
        assert_eq!(lines(&[b"\n"]), [b""]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn what_is_held_of_a_long_line_is_bounded() {
        let long = vec![b'x'; 3 * SHOWN + 1];
        let told = lines(&[&long, b"\nshort\n"]);
        assert!(told.iter().all(|line| line.len() <= SHOWN));
        assert_eq!(told.concat(), [&long[..], b"short"].concat());
        assert_eq!(told.last().map(Vec::as_slice), Some(&b"short"[..]));
    }
}
