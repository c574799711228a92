//! A process under test: what goes in, what comes out, and how it ends.
//!
//! The output is collected in the background, so a process never stalls because the test is not reading. It
//! stays in the process group of the test, so that it ends too when the test runner kills the group.

use std::fmt::{self, Debug};
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::output::{Missing, Output};
use crate::show;
use crate::wait::holds_within;

/// Runs `command` to its end with `stdin` as its whole input.
///
/// Panics if it has not ended and closed its output within `limit`.
#[track_caller]
pub fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> Exit {
    let mut process = Process::spawn(command);
    process.write(stdin);
    process.close_stdin();
    process.wait(limit)
}

/// How a process ended, with all of its output.
pub struct Exit {
    /// The exit code, if the process ended by itself.
    pub code: Option<i32>,
    /// The number of the signal that ended the process, if one did.
    pub signal: Option<i32>,
    /// All of stderr, with replacement characters for what is not UTF-8.
    pub stderr: String,
    /// All of stdout.
    pub stdout: Vec<u8>,
}

impl Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, signal, stderr, stdout } = self;
        let stderr = show::text(stderr.as_bytes());
        write!(f, "code {code:?}, signal {signal:?}\nstdout: {}\nstderr:\n{stderr}", show::bytes(stdout))
    }
}

/// A running process with its three standard streams. Dropping it kills the process and waits for its end.
#[derive(Debug)]
pub struct Process {
    child: Child,
    command: String,
    stderr: Output,
    stdin: Option<Sender<Vec<u8>>>,
    stdout: Output,
}

impl Process {
    /// Starts `command` with all three standard streams piped. Panics if it cannot be started.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let command = format!("{command:?}");
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => panic!("cannot start {command}: {error}"),
        };
        Self {
            stderr: Output::collect(child.stderr.take().expect("stderr is piped")),
            stdin: child.stdin.take().map(feed),
            stdout: Output::collect(child.stdout.take().expect("stdout is piped")),
            child,
            command,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `bytes` to stdin in the background, after what was sent before.
    ///
    /// It never blocks. What the process has not taken when it ends or closes its stdin is dropped: a process
    /// may well end without reading. Panics after `close_stdin`.
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) {
        let stdin = self.stdin.as_ref().expect("the test has closed stdin");
        // An error means that the process no longer reads, see above.
        stdin.send(bytes.to_vec()).ok();
    }

    /// Closes stdin once everything written so far is taken.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// All of stdout so far.
    pub fn stdout(&self) -> Vec<u8> {
        self.stdout.bytes()
    }

    /// All of stderr so far, with replacement characters for what is not UTF-8.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes()).into_owned()
    }

    /// Waits until `enough` holds for all of stdout so far, and returns it.
    ///
    /// Panics when `limit` runs out, or at once when stdout ends without it.
    #[track_caller]
    pub fn wait_stdout(&self, limit: Duration, mut enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        match self.stdout.wait_for(limit, |bytes, _| enough(bytes).then(|| bytes.to_vec())) {
            Ok(bytes) => bytes,
            Err(missing) => self.give_up(limit, "the wanted stdout", &missing),
        }
    }

    /// Waits until stdout has ended, and returns all of it. The process may run on.
    ///
    /// Panics when `limit` runs out.
    #[track_caller]
    pub fn wait_stdout_end(&self, limit: Duration) -> Vec<u8> {
        match self.stdout.wait_for(limit, |bytes, ended| ended.then(|| bytes.to_vec())) {
            Ok(bytes) => bytes,
            Err(missing) => self.give_up(limit, "the end of stdout", &missing),
        }
    }

    /// Waits for a line on stderr for which `wanted` holds, and returns it without its line end.
    ///
    /// The first such line since the start counts. A line without a line feed counts only when stderr has
    /// ended. Panics when `limit` runs out, or at once when stderr ends without such a line.
    #[track_caller]
    pub fn wait_stderr_line(&self, limit: Duration, mut wanted: impl FnMut(&str) -> bool) -> String {
        self.find_in_stderr(limit, "the wanted line on stderr", |text| {
            text.lines().find(|line| wanted(line)).map(str::to_owned)
        })
    }

    /// Waits until `find` finds something in the finished lines of stderr. When it does not, `what` tells
    /// what it sought.
    #[track_caller]
    pub(crate) fn find_in_stderr<T>(
        &self,
        limit: Duration,
        what: &str,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let found = self.stderr.wait_for(limit, |bytes, ended| {
            let line_ends = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let finished = if ended { bytes } else { &bytes[..line_ends] };
            find(&String::from_utf8_lossy(finished))
        });
        match found {
            Ok(found) => found,
            Err(missing) => self.give_up(limit, what, &missing),
        }
    }

    /// Waits for the end of the process and of its output. Stdin stays as it is: see `close_stdin`.
    ///
    /// Panics when the process has not ended within `limit`, or when its output has not ended within another
    /// `limit` because a process it started holds it open.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> Exit {
        let mut status = None;
        holds_within(limit, || {
            status = self.child.try_wait().expect("only this handle waits for the process");
            status.is_some()
        });
        let Some(status) = status else { self.give_up(limit, "the end of the process", &Missing::TimeOut) };
        for output in [&self.stdout, &self.stderr] {
            if let Err(missing) = output.wait_for(limit, |_, ended| ended.then_some(())) {
                self.give_up(limit, "the end of the output, after the process itself ended", &missing)
            }
        }
        Exit { code: status.code(), signal: status.signal(), stderr: self.stderr(), stdout: self.stdout() }
    }

    /// Sends `signal` to the process. One that has ended is left alone.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        // The id cannot belong to another process yet: it is free only once this handle has seen the end.
        if self.child.try_wait().expect("only this handle waits for the process").is_none() {
            kill_process(Pid::from_child(&self.child), signal).expect("the process is a child of the test");
        }
    }

    /// How many file descriptors the process has open. Panics if it has ended.
    #[track_caller]
    pub fn open_descriptors(&self) -> usize {
        self.count("fd")
    }

    /// How many threads the process has. Panics if it has ended.
    #[track_caller]
    pub fn threads(&self) -> usize {
        self.count("task")
    }

    #[track_caller]
    fn count(&self, kind: &str) -> usize {
        let folder = format!("/proc/{}/{kind}", self.pid());
        match fs::read_dir(&folder) {
            Ok(entries) => entries.count(),
            Err(error) => panic!("cannot read {folder}: {error}\n{}", self.story()),
        }
    }

    #[track_caller]
    fn give_up(&self, limit: Duration, what: &str, missing: &Missing) -> ! {
        let story = self.story();
        match missing {
            Missing::StreamEnded => panic!("the stream ended without {what}\n{story}"),
            Missing::TimeOut => panic!("waited {limit:?} for {what}\n{story}"),
        }
    }

    fn story(&self) -> String {
        let (stdout, stderr) = (show::bytes(&self.stdout.bytes()), show::text(&self.stderr.bytes()));
        format!("command: {}\nstdout: {stdout}\nstderr:\n{stderr}", self.command)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has been waited for already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes to `stdin` in the background what is sent to the returned end, until that is dropped or nobody
/// reads.
fn feed(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, chunks) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || chunks.iter().try_for_each(|chunk| stdin.write_all(&chunk)));
    sender
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LIMIT, wait_until};

    const SHORT: Duration = Duration::from_millis(30);

    #[test]
    fn run_collects_both_outputs_and_the_code() {
        let exit = run(&mut shell("cat; echo problem >&2; exit 3"), b"data\x00\xff", LIMIT);
        assert_eq!(exit.stdout, b"data\x00\xff");
        assert_eq!(exit.stderr, "problem\n");
        assert_eq!((exit.code, exit.signal), (Some(3), None), "{exit:?}");
    }

    #[test]
    fn run_passes_more_than_a_pipe_holds_in_both_directions() {
        let data = vec![b'x'; 1 << 20];
        let exit = run(&mut Command::new("cat"), &data, LIMIT);
        assert_eq!(exit.stdout.len(), data.len());
    }

    #[test]
    fn run_does_not_mind_a_process_that_ends_without_reading() {
        let exit = run(&mut shell("exit 0"), &vec![b'x'; 1 << 20], LIMIT);
        assert_eq!(exit.code, Some(0));
    }

    #[test]
    fn output_is_seen_while_the_process_runs() {
        let mut cat = Process::spawn(&mut Command::new("cat"));
        cat.write(b"one ");
        assert_eq!(cat.wait_stdout(LIMIT, |bytes| bytes.ends_with(b" ")), b"one ");
        cat.write(b"two");
        assert_eq!(cat.wait_stdout(LIMIT, |bytes| bytes.len() == 7), b"one two");
        cat.close_stdin();
        assert_eq!(cat.wait(LIMIT).code, Some(0));
        assert_eq!(cat.stdout(), b"one two");
    }

    #[test]
    fn the_end_of_stdout_is_seen_while_the_process_runs() {
        let mut shell = Process::spawn(&mut shell("printf all; exec >&-; read go; exit $go"));
        assert_eq!(shell.wait_stdout_end(LIMIT), b"all");
        shell.write(b"3\n");
        assert_eq!(shell.wait(LIMIT).code, Some(3));
    }

    #[test]
    #[should_panic(expected = "waited 30ms for the end of stdout")]
    fn a_stdout_that_does_not_end_fails_the_wait() {
        Process::spawn(&mut Command::new("cat")).wait_stdout_end(SHORT);
    }

    #[test]
    fn descriptors_and_threads_are_counted() {
        let shell = Process::spawn(&mut shell("echo 1; read go; exec 9</dev/null; echo 2; read go"));
        shell.wait_stdout(LIMIT, |bytes| bytes.ends_with(b"1\n"));
        // The test runner may hand down descriptors of its own.
        let before = shell.open_descriptors();
        shell.write(b"go\n");
        shell.wait_stdout(LIMIT, |bytes| bytes.ends_with(b"2\n"));
        assert_eq!(shell.open_descriptors(), before + 1);
        assert_eq!(shell.threads(), 1);
    }

    #[test]
    fn lines_on_stderr_are_found_in_any_order() {
        let process = Process::spawn(&mut shell("echo first >&2; echo second >&2; printf third >&2"));
        assert_eq!(process.wait_stderr_line(LIMIT, |line| line.starts_with('s')), "second");
        assert_eq!(process.wait_stderr_line(LIMIT, |line| line.starts_with('f')), "first");
        assert_eq!(process.wait_stderr_line(LIMIT, |line| line.starts_with('t')), "third");
    }

    #[test]
    fn a_signal_ends_a_process_and_is_reported() {
        let mut cat = Process::spawn(&mut Command::new("cat"));
        cat.signal(Signal::TERM);
        let exit = cat.wait(LIMIT);
        assert_eq!((exit.code, exit.signal), (None, Some(Signal::TERM.as_raw())));
        cat.signal(Signal::TERM);
    }

    #[test]
    fn dropping_ends_the_process() {
        let cat = Process::spawn(&mut Command::new("cat"));
        let entry = format!("/proc/{}", cat.pid());
        assert!(fs::exists(&entry).unwrap());
        drop(cat);
        assert!(!fs::exists(&entry).unwrap());
    }

    #[test]
    #[should_panic(
        expected = "waited 30ms for the wanted stdout\ncommand: \"sh\" \"-c\" \"echo and here >&2; \
        printf 'so far'; exec cat\"\nstdout: \"so far\"\nstderr:\nand here\n"
    )]
    fn a_wait_that_runs_out_shows_the_output_so_far() {
        let process = Process::spawn(&mut shell("echo and here >&2; printf 'so far'; exec cat"));
        process.wait_stderr_line(LIMIT, |_| true);
        process.wait_stdout(LIMIT, |bytes| bytes == b"so far");
        process.wait_stdout(SHORT, |bytes| bytes.len() > 6);
    }

    #[test]
    #[should_panic(expected = "the stream ended without the wanted line on stderr")]
    fn an_ended_stream_ends_the_wait_at_once() {
        let process = Process::spawn(&mut shell("echo other >&2"));
        process.wait_stderr_line(LIMIT, |line| line == "wanted");
    }

    #[test]
    #[should_panic(expected = "waited 30ms for the end of the process")]
    fn a_process_that_does_not_end_fails_the_wait() {
        Process::spawn(&mut Command::new("cat")).wait(SHORT);
    }

    #[test]
    #[should_panic(expected = "waited 30ms for the end of the output, after the process itself ended")]
    fn output_held_open_by_another_process_fails_the_wait() {
        let scratch = crate::Scratch::new();
        // The outer shell ends at once. The inner one ends with the scratch folder, at the end of this test.
        let inner = format!("while test -e {}; do sleep 0.02; done", scratch.path("").display());
        let mut process = Process::spawn(&mut shell(&format!("({inner}) & exit 0")));
        wait_until(LIMIT, "the outer shell to end", || process.child.try_wait().unwrap().is_some());
        process.wait(SHORT);
    }

    #[test]
    #[should_panic(expected = "cannot start \"/nonexistent/program\": ")]
    fn a_program_that_cannot_start_is_named() {
        Process::spawn(&mut Command::new("/nonexistent/program"));
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }
}
