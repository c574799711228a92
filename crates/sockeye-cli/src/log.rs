//! Events as lines on standard error: for people, or with `--log json` for programs.

use std::time::Duration;

use serde_json::{Value, json};
use sockeye::proto::printable;
use sockeye::proto::unit::{print_duration, rounded};
use sockeye::{Cause, Clock, Dropped, Ended, Event, Events, Exit, Kind, Limit, Op, Peer, Wants, Way};
use tokio::sync::mpsc::Receiver;

use crate::args::Request;
use crate::failure::{Failure, one_line};
use crate::{flag, hint, say};

/// Events that may wait to be written; when standard error is slower than that, the rest is counted and told.
const ROOM: usize = 4096;

/// How long the end of the program waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes events in a thread of its own, so that a slow terminal slows no connection.
pub(crate) struct Log {
    /// Says that everything is written, by being closed.
    written: std::sync::mpsc::Receiver<()>,
}

/// Whether standard error is for programs.
pub(crate) fn wants_json(request: &Request) -> bool {
    request.value(&flag::LOG) == Some("json")
}

impl Log {
    /// Subscribes as the flags ask, and starts to write.
    pub(crate) fn start(request: &Request) -> Result<(Events, Self), Failure> {
        let json = match request.value(&flag::LOG) {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => {
                return Err(Failure::usage(format!("--log {other}: no such format"), "write text or json"));
            }
        };
        let verbose = request.has(&flag::VERBOSE);
        let wants = if request.has(&flag::SHOW) {
            Wants::Messages
        } else if verbose || json {
            Wants::Connections
        } else {
            Wants::Trouble
        };
        let mut events = Events::default();
        let queue = events.subscribe(ROOM, wants);
        let (writing, written) = std::sync::mpsc::channel();
        let write = move || {
            write(queue, json, verbose);
            drop(writing);
        };
        std::thread::Builder::new().name("log".into()).spawn(write).map_err(Failure::Start)?;
        Ok((events, Self { written }))
    }

    /// Waits until everything that was told is written; not for long, since standard error may be stuck, and so may
    /// somebody who could tell more.
    pub(crate) fn finish(self) {
        let (Ok(()) | Err(_)) = self.written.recv_timeout(LAST_LINES);
    }
}

fn write(mut queue: Receiver<Event>, json: bool, verbose: bool) {
    while let Some(event) = queue.blocking_recv() {
        if json {
            say::patiently(&for_programs(&event).to_string());
        } else if let Some(line) = for_people(&event, verbose) {
            say::patiently(&format!("{}: {line}", say::NAME));
        }
    }
}

/// A line for people; `None` for what only `-v` tells.
fn for_people(event: &Event, verbose: bool) -> Option<String> {
    let line = match event {
        Event::AcceptFailed { listener, error } => format!("{listener}: {}; trying again", one_line(error)),
        Event::AcceptResumed { listener, failures } => {
            format!("{listener}: accepting again after {failures} failures")
        }
        Event::Closed { peer, received, sent, lasted, ended, .. } => {
            if !verbose && !is_ours(ended) {
                return None;
            }
            let (how, lasted) = (how(ended), print_duration(rounded(*lasted)));
            format!("{peer} left after {lasted}, {received} B in, {sent} B out{how}")
        }
        Event::Dropped { socket, dropped } => format!("{socket}: datagrams were lost: {}", why(dropped)),
        Event::Exited { command, caller, exit } if verbose => {
            format!("{}{} {exit}", printable::line(command.as_bytes()), whose(caller.as_deref()))
        }
        Event::Exited { .. } => return None,
        Event::Lost { events } => format!("{events} events were not told: standard error is too slow"),
        Event::Message { peer, way, payload, size, .. } => {
            let does = match way {
                Way::In => "says",
                Way::Out => "hears",
            };
            let rest = match size - payload.len() {
                0 => String::new(),
                more => format!(" … and {more} bytes more"),
            };
            format!("{peer} {does} {}{rest}", printable::line(payload))
        }
        Event::Missed { peer, messages, error } => {
            format!("{} did not reach {peer}: {}", counted(*messages), error.cause())
        }
        Event::Opened { listener, peer, .. } if verbose => format!("{peer} came to {listener}"),
        Event::Opened { .. } => return None,
        Event::Refused { listener, peer, why, newcomers } => {
            let user = peer.user.map(|user| format!(" of uid {user}")).unwrap_or_default();
            match newcomers {
                1 => format!("{listener}: {peer}{user} was refused: {why}"),
                more => format!("{listener}: {more} were refused, {peer}{user} last: {why}"),
            }
        }
        Event::Said { command, caller, line } => {
            let command = printable::line(command.as_bytes());
            format!("{command}{}: {}", whose(caller.as_deref()), printable::line(line))
        }
        Event::Stopping { listener, open } => {
            format!("{listener}: takes nobody new, {open} still inside; interrupt again to hurry them")
        }
        Event::Undelivered { from, to, messages, error } => {
            let from = if from.scheme == "-" { "standard input".to_owned() } else { from.to_string() };
            let told = format!("{} from {from} did not go to {to}: {}", counted(*messages), error.cause());
            match hint::of(error) {
                Some(hint) => format!("{told}\n{}{hint}", say::INDENT),
                None => told,
            }
        }
        other => format!("{other:?}"),
    };
    Some(line)
}

fn counted(messages: u64) -> String {
    if messages == 1 { "a message".to_owned() } else { format!("{messages} messages") }
}

/// For whom a command runs, behind what it is called.
fn whose(caller: Option<&Peer>) -> String {
    caller.map_or_else(String::new, |peer| format!(" for {peer}"))
}

/// Each reason that there was, with its count.
fn why(dropped: &Dropped) -> String {
    let sentence = |name| match name {
        "by_kernel" => "found the kernel's buffer full (rcvbuf= sets it)",
        "cut" => "were too long and cut",
        "kept_out" => "came from whom a rule or a limit of the address keeps out",
        "outsiders" => "had to do with peers beyond private networks (see --public)",
        "queue_full" => "found their queue full",
        "refused" => "came from newcomers without room (max-conns=)",
        "unread" => "were not read before their connection was over",
        "unsent" => "were answers that the kernel did not take",
        other => other,
    };
    let reasons = dropped.counts().into_iter().filter(|(_, count)| *count > 0);
    reasons.map(|(name, count)| format!("{count} {}", sentence(name))).collect::<Vec<_>>().join(", ")
}

/// What we could not reach, and whom we ended, is our user's concern; how a peer leaves is not.
fn is_ours(ended: &Ended) -> bool {
    match ended {
        Ended::Failed(error) => match error.cause() {
            Cause::TooSlow => true,
            Cause::Limit(Limit::Idle, _) => false,
            // A datagram socket learns only when it is used that nobody is there.
            _ => matches!(error.op(), Op::Dial | Op::Relay | Op::Run) || error.kind() == Kind::Refused,
        },
        Ended::Panicked => true,
        Ended::Done | Ended::Stopped => false,
    }
}

/// How a connection ended, behind what is said of it; nothing for a good end.
fn how(ended: &Ended) -> String {
    match ended {
        Ended::Done => String::new(),
        Ended::Failed(error) => match (error.cause(), hint::of(error)) {
            (Cause::TooSlow, Some(hint)) => format!(": {}; {hint}", one_line(error)),
            _ => format!(": {}", one_line(error)),
        },
        Ended::Panicked => ": the service failed, which is a fault of this program".to_owned(),
        Ended::Stopped => ": cut off by the stop".to_owned(),
    }
}

fn for_programs(event: &Event) -> Value {
    let object = match event {
        Event::AcceptFailed { listener, error } => {
            json!({ "event": "accept-failed", "service": &**listener, "error": one_line(error) })
        }
        Event::AcceptResumed { listener, failures } => {
            json!({ "event": "accept-resumed", "service": &**listener, "failures": failures })
        }
        Event::Closed { id, peer, received, sent, lasted, ended } => {
            let (how, error) = match ended {
                Ended::Done => ("done", Value::Null),
                Ended::Failed(error) => ("failed", one_line(error).into()),
                Ended::Panicked => ("panicked", Value::Null),
                Ended::Stopped => ("stopped", Value::Null),
            };
            json!({
                "event": "closed", "id": id, "peer": peer.to_string(), "received": received, "sent": sent,
                "seconds": lasted.as_secs_f64(), "ended": how, "error": error,
            })
        }
        Event::Dropped { socket, dropped } => {
            let mut object = json!({ "event": "dropped", "socket": &**socket });
            dropped.counts().into_iter().for_each(|(name, count)| set(&mut object, name, count));
            object
        }
        Event::Exited { command, caller, exit } => exited(command, caller.as_deref(), *exit),
        Event::Lost { events } => json!({ "event": "lost", "events": events }),
        Event::Message { peer, way, payload, size, .. } => message(peer, *way, payload, *size),
        Event::Missed { peer, messages, error } => json!({
            "event": "missed", "peer": peer.to_string(), "messages": messages, "error": one_line(error),
        }),
        Event::Opened { id, listener, peer } => {
            json!({ "event": "opened", "id": id, "service": &**listener, "peer": peer.to_string() })
        }
        Event::Refused { listener, peer, why, newcomers } => json!({
            "event": "refused", "address": &**listener, "peer": peer.to_string(), "why": why.to_string(),
            "user": peer.user, "newcomers": newcomers,
        }),
        Event::Said { command, caller, line } => said(command, caller.as_deref(), line),
        Event::Stopping { listener, open } => {
            json!({ "event": "stopping", "service": &**listener, "open": open })
        }
        Event::Undelivered { from, to, messages, error } => json!({
            "event": "undelivered", "from": from.to_string(), "to": to.to_string(), "messages": messages,
            "error": one_line(error),
        }),
        other => json!({ "event": "other", "what": format!("{other:?}") }),
    };
    timed(object)
}

fn message(peer: &Peer, way: Way, payload: &[u8], size: usize) -> Value {
    let way = match way {
        Way::In => "in",
        Way::Out => "out",
    };
    let mut object = json!({ "event": "message", "peer": peer.to_string(), "way": way, "size": size });
    set_payload(&mut object, payload);
    object
}

fn exited(command: &str, caller: Option<&Peer>, exit: Exit) -> Value {
    let (code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(signal)),
    };
    let caller = caller.map(ToString::to_string);
    json!({ "event": "exited", "command": command, "peer": caller, "code": code, "signal": signal })
}

fn said(command: &str, caller: Option<&Peer>, line: &[u8]) -> Value {
    let caller = caller.map(ToString::to_string);
    let mut object = json!({ "event": "said", "command": command, "peer": caller });
    set_payload(&mut object, line);
    object
}

/// Adds the time of day, in seconds since 1970.
pub(crate) fn timed(mut object: Value) -> Value {
    let since = Clock::default().wall().duration_since(std::time::SystemTime::UNIX_EPOCH);
    set(&mut object, "time", since.map_or(0.0, |since| since.as_secs_f64()));
    object
}

/// Bytes that are no text would not survive as JSON text.
fn set_payload(object: &mut Value, payload: &[u8]) {
    match std::str::from_utf8(payload) {
        Ok(text) => set(object, "text", text),
        Err(_) => {
            let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            set(object, "hex", hex);
        }
    }
}

fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value.into());
    }
}
