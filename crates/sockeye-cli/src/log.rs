//! Events as lines on standard error or in a file: for people, or with `--log json` for programs.

mod people;
mod programs;
mod report;
mod sink;
mod traffic;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sockeye::{Clock, Event, Events, Tallies, Wants};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use self::people::for_people;
use self::programs::for_programs;
use self::sink::Sink;
use crate::args::Request;
use crate::failure::Failure;
use crate::flag;

/// Events that may wait to be written; when the log is slower than that, the rest is counted and told.
const ROOM: usize = 4096;

/// How long the end of the program waits for the next of the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes events in a thread of its own, so that a slow terminal or disk slows no connection.
pub(crate) struct Log {
    orders: Sender<Order>,
    /// Says that everything is written, by being closed.
    written: std::sync::mpsc::Receiver<()>,
    /// Grows with each write.
    steps: Arc<AtomicU64>,
    unwritten: Arc<AtomicU64>,
}

/// What the log is asked to do beside its work. One may wait for it, and whoever has another waits with that.
pub(crate) enum Order {
    /// Open the file anew: somebody has moved it away. Dropped once that is done, whether it went well or not.
    Reopen(oneshot::Sender<Infallible>),
    /// Write who is inside, and what was counted.
    Report(Tallies),
}

/// How and where events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form<'a> {
    is_json: bool,
    /// `None` is standard error.
    path: Option<&'a Path>,
}

impl<'a> Form<'a> {
    fn of(request: &'a Request) -> Result<Self, Failure> {
        let Some(text) = request.value(&flag::LOG) else { return Ok(Self { is_json: false, path: None }) };
        let (format, path) = match text.split_once(':') {
            Some((format, path)) => (format, Some(Path::new(path))),
            None => (text, None),
        };
        let missing =
            || Failure::usage(format!("--log {text}: no file is named"), "write file:PATH or json:PATH");
        match (format, path) {
            (_, Some(path)) if path.as_os_str().is_empty() => Err(missing()),
            ("file", None) => Err(missing()),
            ("text", None) | ("file", _) => Ok(Self { is_json: false, path }),
            ("json", _) => Ok(Self { is_json: true, path }),
            _ => Err(Failure::usage(
                format!("--log {text}: no such format"),
                "write text or json, or file:PATH or json:PATH for a file",
            )),
        }
    }
}

/// Whether standard error is for programs.
pub(crate) fn wants_json(request: &Request) -> bool {
    request.value(&flag::LOG) == Some("json")
}

/// Whether `--log` says something that can be done.
pub(crate) fn check(request: &Request) -> Result<(), Failure> {
    Form::of(request).map(|_| ())
}

/// Whether events go to a file.
pub(crate) fn has_file(request: &Request) -> bool {
    Form::of(request).is_ok_and(|form| form.path.is_some())
}

impl Log {
    /// Subscribes as the flags ask, opens the file if there is one, and starts to write.
    pub(crate) fn start(request: &Request) -> Result<(Events, Self), Failure> {
        let form = Form::of(request)?;
        // Whoever keeps a log wants to find in it who was there.
        let verbose = request.has(&flag::VERBOSE) || form.path.is_some();
        let wants = if request.has(&flag::SHOW) {
            Wants::Messages
        } else if verbose || form.is_json {
            Wants::Connections
        } else {
            Wants::Trouble
        };
        let unwritten = Arc::new(AtomicU64::new(0));
        let sink = Sink::open(form.is_json, form.path, unwritten.clone())?;
        let steps = sink.steps();
        let mut events = Events::default();
        let queue = events.subscribe(ROOM, wants);
        let (orders, taken) = channel(1);
        let (writing, written) = std::sync::mpsc::channel();
        // It waits for two things at once, and for no socket or clock.
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::Start)?;
        let write = move || {
            runtime.block_on(write(queue, taken, Lines { sink, verbose }));
            drop(writing);
        };
        std::thread::Builder::new().name("log".into()).spawn(write).map_err(Failure::Start)?;
        Ok((events, Self { orders, written, steps, unwritten }))
    }

    /// Where to send what the log is to do beside its work.
    pub(crate) fn orders(&self) -> Sender<Order> {
        self.orders.clone()
    }

    /// How many lines could not be written.
    pub(crate) fn unwritten(&self) -> Unwritten {
        Unwritten(self.unwritten.clone())
    }

    /// Waits until everything that was told is written; not for long without a step, since standard error may be stuck,
    /// and so may somebody who could tell more.
    pub(crate) fn finish(self) {
        let mut before = None;
        while self.written.recv_timeout(LAST_LINES) == Err(RecvTimeoutError::Timeout) {
            let steps = Some(self.steps.load(Ordering::Relaxed));
            if before == steps {
                return;
            }
            before = steps;
        }
    }
}

/// How many lines could not be written so far.
#[derive(Debug, Clone)]
pub(crate) struct Unwritten(Arc<AtomicU64>);

impl Unwritten {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

async fn write(mut queue: Receiver<Event>, mut orders: Receiver<Order>, mut lines: Lines) {
    loop {
        tokio::select! {
            event = queue.recv() => match event {
                Some(event) => lines.tell(&event),
                None => return,
            },
            Some(order) = orders.recv() => match order {
                Order::Reopen(_told_by_its_end) => lines.sink.reopen(),
                Order::Report(tallies) => report::write(&tallies, &mut lines, &mut queue),
            },
        }
    }
}

/// Events in the form that was asked for.
struct Lines {
    sink: Sink,
    verbose: bool,
}

impl Lines {
    fn tell(&mut self, event: &Event) {
        if self.sink.is_json() {
            self.sink.write(&for_programs(event).to_string());
        } else if let Event::Traffic { peer, at, style, seen } = event {
            traffic::write(peer, *at, *style, seen, &mut self.sink);
        } else if let Some(line) = for_people(event, self.verbose) {
            self.sink.say(&line);
        }
    }
}

/// Adds the time of day, in seconds since 1970.
pub(crate) fn timed(mut object: Value) -> Value {
    set(&mut object, "time", seconds(Clock::default().wall()));
    object
}

/// Seconds since 1970.
fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value.into());
    }
}
