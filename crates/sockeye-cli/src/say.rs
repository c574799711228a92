//! The two ways out: data for programs, and lines for people.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::args::Request;
use crate::exit::Exit;
use crate::log;

/// Writes data to standard output. One that is closed is success: whoever read it had enough.
pub(crate) fn data(text: &str) -> Exit {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            let failed = sockeye::Error::new(sockeye::Op::Write, error).on("standard output");
            line(&crate::failure::one_line(&failed));
            Exit::Failed
        }
    }
}

/// Writes text for people to standard error, whole, so that two threads do not mix their lines.
///
/// One that nobody reads must not hold us: a server that cannot say goodbye still has to end. So what finds no room
/// for [`PATIENCE`] is dropped.
pub(crate) fn to_people(text: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _mine = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{line_end}");
    let mut rest = text.as_bytes();
    while !rest.is_empty() && has_room() {
        let piece = rest.get(..PIPE_BUF).unwrap_or(rest);
        match rustix::io::write(rustix::stdio::stderr(), piece) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // With standard error gone there is nobody left to tell.
            Err(_) => return,
        }
    }
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

/// One line for people, with our name before it.
pub(crate) fn line(text: &str) {
    to_people(&format!("{NAME}: {text}"));
}

/// What stands before each line for people.
pub(crate) const NAME: &str = "sockeye";
