//! Where the lines of the log go: standard error, or a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde_json::json;
use sockeye::Clock;

use super::timed;
use crate::failure::{Failure, one_line, unwritable};
use crate::say;

/// The permissions of a new log: what peers say is nobody else's business.
const MODE: u32 = 0o640;

/// Standard error, or a file that is appended to.
pub(super) struct Sink {
    is_json: bool,
    file: Option<Appended>,
    unwritten: Arc<AtomicU64>,
    /// Lines that were lost since the last one that was written; told when they begin, and when they end.
    missing: u64,
    /// Counts writes, for who waits for the last.
    steps: Arc<AtomicU64>,
}

struct Appended {
    path: PathBuf,
    file: File,
    /// The last line was written in part.
    is_torn: bool,
}

impl Sink {
    /// Opens the file, if one is named.
    pub(super) fn open(
        is_json: bool,
        path: Option<&Path>,
        unwritten: Arc<AtomicU64>,
    ) -> Result<Self, Failure> {
        let file = path.map(|path| {
            let file = append(path).map_err(|error| Failure::File(unwritable(path, error)))?;
            Ok::<_, Failure>(Appended { path: path.to_owned(), file, is_torn: false })
        });
        Ok(Self { is_json, file: file.transpose()?, unwritten, missing: 0, steps: Arc::default() })
    }

    /// A count that grows with each write.
    pub(super) fn steps(&self) -> Arc<AtomicU64> {
        self.steps.clone()
    }

    /// Whether its lines are for programs.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Writes a line for people: in a file with the time before it, else with our name.
    pub(super) fn say(&mut self, line: &str) {
        let line = match self.file {
            Some(_) => stamped(line),
            None => format!("{}: {line}", say::NAME),
        };
        self.write(&line);
    }

    /// Writes lines for people about something that was seen at that time, to the microsecond.
    pub(super) fn say_at(&mut self, at: SystemTime, lines: &str) {
        let Ok(at) = Timestamp::try_from(at) else { return self.say(lines) };
        match self.file {
            Some(_) => self.write(&format!("{at:.6} {lines}")),
            None => self.write(&format!("{}: {} {lines}", say::NAME, at.strftime("%H:%M:%S%.6f"))),
        }
    }

    /// Writes lines as they are. Of what cannot be written it is told, once, until something can be again.
    pub(super) fn write(&mut self, lines: &str) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        let Some(file) = &mut self.file else { return say::patiently(lines) };
        let told = match self.missing {
            0 => String::new(),
            missing if self.is_json => {
                format!("{}\n", timed(json!({ "event": "unwritten", "lines": missing })))
            }
            missing => stamped(&format!("{missing} lines could not be written\n")),
        };
        match file.write(&format!("{told}{}\n", lines.trim_end_matches('\n'))) {
            Ok(()) => self.missing = 0,
            Err(error) => {
                let lost = u64::try_from(lines.lines().count()).unwrap_or(u64::MAX);
                self.unwritten.fetch_add(lost, Ordering::Relaxed);
                if self.missing == 0 {
                    let told = one_line(&unwritable(&file.path, error));
                    say::line(&format!("{told}; the log has a gap from here on"));
                }
                self.missing += lost;
            }
        }
    }

    /// Opens the file anew, which somebody moved away; the old one goes on where that fails.
    pub(super) fn reopen(&mut self) {
        let Some(file) = &mut self.file else { return };
        match append(&file.path) {
            Ok(new) => (file.file, file.is_torn) = (new, false),
            Err(error) => {
                let told = one_line(&unwritable(&file.path, error));
                say::line(&format!("{told}; the old file is written on"));
            }
        }
    }
}

impl Appended {
    fn write(&mut self, text: &str) -> io::Result<()> {
        let whole = if self.is_torn { format!("\n{text}") } else { text.to_owned() };
        let mut rest = whole.as_bytes();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A line of a file, with the time before it.
fn stamped(line: &str) -> String {
    let now = Timestamp::try_from(Clock::default().wall());
    now.map_or_else(|_| line.to_owned(), |now| format!("{now:.3} {line}"))
}

/// A named pipe that nobody reads is an error at once, and one that is full loses lines, rather than hold us.
fn append(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn what_found_no_room_is_told_with_the_time_once_there_is_some_and_no_line_is_torn() {
        let path = std::env::temp_dir().join(format!("sockeye-sink-{}", std::process::id()));
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut reader = reading(&path);
        let unwritten = Arc::<AtomicU64>::default();
        let mut sink = Sink::open(false, Some(&path), unwritten.clone()).unwrap();
        std::fs::remove_file(&path).unwrap();
        (0..2000).for_each(|_| sink.say("a line that takes some room in the pipe, which nobody reads"));
        let mut before = String::new();
        assert_eq!(reader.read_to_string(&mut before).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        sink.say("room");
        let mut after = String::new();
        assert_eq!(reader.read_to_string(&mut after).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let lost = unwritten.load(Ordering::Relaxed);
        assert!(lost > 0, "the pipe takes it all");
        let told: Vec<&str> =
            after.lines().filter_map(|line| line.split_once("Z ")).map(|(_, said)| said).collect();
        assert_eq!(told, [format!("{lost} lines could not be written").as_str(), "room"], "{after}");
        assert_eq!(
            before.lines().filter(|line| line.ends_with("reads")).count(),
            2000 - usize::try_from(lost).unwrap()
        );
    }

    /// The other end, which does not wait.
    fn reading(path: &Path) -> File {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
        OpenOptions::new().read(true).custom_flags(flags).open(path).unwrap()
    }
}
