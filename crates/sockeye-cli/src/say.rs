//! The two ways out: data for programs, and lines for people.

use std::io::Write as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::args::Request;
use crate::exit::Exit;
use crate::log;

/// Writes data to standard output. One that is closed is success: whoever read it had enough.
pub(crate) fn data(text: &str) -> Exit {
    more_data(text).err().unwrap_or(Exit::Done)
}

/// As [`data`], where more is to follow; an error is how to end instead.
pub(crate) fn more_data(text: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit::Done),
        Err(error) => {
            let failed = sockeye::Error::new(sockeye::Op::Write, error).on("standard output");
            line(&crate::failure::one_line(&failed));
            Err(Exit::Failed)
        }
    }
}

/// Writes text for people to standard error.
///
/// One that nobody reads must not hold us: a server that cannot say goodbye still has to end. So what finds no room
/// for [`PATIENCE`] is dropped.
pub(crate) fn to_people(text: &str) {
    let text = line_of(text);
    let mut rest = text.as_bytes();
    while !rest.is_empty() && has_room() && write_some(&mut rest) {}
}

/// Writes a part of a line to standard error, for people at a terminal. What finds no room is dropped.
pub(crate) fn part(text: &[u8]) {
    if has_room() {
        let (Ok(_) | Err(_)) = rustix::io::write(rustix::stdio::stderr(), text);
    }
}

/// As [`to_people`], for a thread that may be held for as long as standard error is.
pub(crate) fn patiently(text: &str) {
    let text = line_of(text);
    let mut rest = text.as_bytes();
    while !rest.is_empty() && (!has_room() || write_some(&mut rest)) {}
}

fn line_of(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// Writes what can be written without waiting, whole lines if it can: one that fits a pipe's buffer is not mixed with
/// another thread's. `false` where standard error is gone, and nobody is left to tell.
fn write_some(rest: &mut &[u8]) -> bool {
    let piece = rest.get(..PIPE_BUF).unwrap_or(rest);
    let lines =
        piece.iter().rposition(|byte| *byte == b'\n').map_or(piece, |at| piece.get(..=at).unwrap_or(piece));
    match rustix::io::write(rustix::stdio::stderr(), lines) {
        Ok(written) => *rest = rest.get(written..).unwrap_or_default(),
        Err(Errno::INTR | Errno::AGAIN) => {}
        Err(_) => return false,
    }
    true
}

/// Waits for room on standard error; `false` where there is none in time.
fn has_room() -> bool {
    let stderr = rustix::stdio::stderr();
    let mut asked = [PollFd::new(&stderr, PollFlags::OUT)];
    let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    loop {
        match poll(&mut asked, Some(&patience)) {
            Ok(ready) => return ready > 0,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// How long standard error may be full.
const PATIENCE: Duration = Duration::from_secs(1);

/// What can be written to a pipe that poll(2) calls writable, without waiting (pipe(7)).
const PIPE_BUF: usize = 4096;

/// Says something to people, or with `--log json` to programs.
pub(crate) fn note(request: &Request, object: serde_json::Value, text: &str) {
    if log::wants_json(request) { to_people(&log::timed(object).to_string()) } else { line(text) }
}

/// As [`note`], for lines that have our name before them already.
pub(crate) fn note_lines(request: &Request, object: serde_json::Value, text: &str) {
    to_people(&if log::wants_json(request) { log::timed(object).to_string() } else { text.to_owned() });
}

/// One line for people, with our name before it.
pub(crate) fn line(text: &str) {
    to_people(&format!("{NAME}: {text}"));
}

/// What stands before each line for people.
pub(crate) const NAME: &str = "sockeye";

/// As wide as [`NAME`] and its colon: what stands before a second line.
pub(crate) const INDENT: &str = "         ";
