//! Events as JSON objects for programs.

use serde_json::{Value, json};
use sockeye::{Doubt, Ended, Event, Exit, Outcome, Peer, Way};

use super::{set, timed, traffic};
use crate::failure::one_line;
use crate::hint;

/// An event as one object.
pub(super) fn for_programs(event: &Event) -> Value {
    let mut object = told(event);
    set(&mut object, "event", event.name());
    let mut object = timed(object);
    if let Event::Traffic { at, .. } = event {
        traffic::set_time(&mut object, *at);
    }
    object
}

/// What is told of it, beside its name and its time.
fn told(event: &Event) -> Value {
    match event {
        Event::AcceptFailed { listener, error } => {
            json!({ "service": &**listener, "error": one_line(error) })
        }
        Event::AcceptResumed { listener, failures } => {
            json!({ "service": &**listener, "failures": failures })
        }
        Event::ClockDoubted { keeper, why } => doubted(keeper.as_deref(), why),
        Event::ClockTrusted { keeper } => json!({ "keeper": keeper.as_deref() }),
        Event::Closed { id, peer, received, sent, lasted, ended } => {
            let (how, error) = how(ended);
            json!({
                "id": id, "peer": peer.to_string(), "received": received, "sent": sent,
                "seconds": lasted.as_secs_f64(), "ended": how, "error": error,
            })
        }
        Event::Dropped { socket, dropped } => counted(json!({ "socket": &**socket }), dropped.counts()),
        Event::Exited { command, caller, exit } => exited(command, caller.as_deref(), *exit),
        Event::Faulted { peer, came, went } => {
            let [came, went] = [came, went].map(|deeds| counted(json!({}), deeds.counts()));
            json!({ "peer": peer.to_string(), "in": came, "out": went })
        }
        Event::Faults { address, seed } => json!({ "address": &**address, "seed": seed }),
        Event::IdentityUnkept { error } => json!({ "error": one_line(error), "hint": hint::STATE }),
        Event::Lost { events } => json!({ "events": events }),
        Event::Message { peer, way, payload, size, .. } => message(peer, *way, payload, *size),
        Event::Missed { peer, messages, error } => json!({
            "peer": peer.to_string(), "messages": messages, "error": one_line(error),
        }),
        Event::Opened { id, listener, peer } => {
            json!({ "id": id, "service": &**listener, "peer": peer.to_string() })
        }
        Event::Ran { .. } => ran(event),
        Event::Reached { address, attempts, after } => json!({
            "address": &**address, "attempts": attempts, "seconds": after.as_secs_f64(),
        }),
        Event::Refused { listener, peer, why, newcomers } => json!({
            "address": &**listener, "peer": peer.to_string(), "why": why.to_string(),
            "user": peer.user, "names": peer.tls.as_ref().map(|tls| &tls.names), "newcomers": newcomers,
        }),
        Event::Retrying { address, attempt, wait, error } => json!({
            "address": &**address, "attempt": attempt, "wait": wait.as_secs_f64(), "error": one_line(error),
        }),
        Event::Said { command, caller, line } => said(command, caller.as_deref(), line),
        Event::Stopping { listener, open, alone } => {
            json!({ "service": &**listener, "open": open, "alone": alone })
        }
        Event::Traffic { peer, seen, .. } => traffic::for_programs(peer, seen),
        Event::Undelivered { from, to, messages, error } => json!({
            "from": from.to_string(), "to": to.to_string(), "messages": messages,
            "error": one_line(error),
        }),
        Event::Unverified { address } => json!({ "address": &**address }),
        Event::Unrecorded { error } => json!({ "error": one_line(error) }),
        _ => json!({}),
    }
}

fn doubted(keeper: Option<&str>, why: &Doubt) -> Value {
    let (why, error) = match why {
        Doubt::Denied => ("denied", None),
        Doubt::Silent(error) => ("silent", error.as_ref().map(one_line)),
        Doubt::Unsynchronised => ("unsynchronised", None),
    };
    json!({ "keeper": keeper, "why": why, "error": error })
}

/// A command that was run for a peer.
fn ran(event: &Event) -> Value {
    let Event::Ran { peer, command, received, sent, lasted, outcome } = event else { return json!({}) };
    let mut object = json!({
        "peer": peer.to_string(), "user": peer.user, "names": peer.tls.as_ref().map(|tls| &tls.names),
        "command": &**command, "received": received, "sent": sent, "seconds": lasted.as_secs_f64(),
    });
    set_outcome(&mut object, outcome);
    object
}

/// How a connection ended, and why.
fn how(ended: &Ended) -> (&'static str, Value) {
    match ended {
        Ended::Done => ("done", Value::Null),
        Ended::Failed(error) => ("failed", one_line(error).into()),
        Ended::Panicked => ("panicked", Value::Null),
        Ended::Refused(why) => ("refused", why.to_string().into()),
        Ended::Stopped => ("stopped", Value::Null),
    }
}

/// The object with counts, by their names.
fn counted<const COUNTS: usize>(mut object: Value, counts: [(&'static str, u64); COUNTS]) -> Value {
    counts.into_iter().for_each(|(name, count)| set(&mut object, name, count));
    object
}

fn message(peer: &Peer, way: Way, payload: &[u8], size: usize) -> Value {
    let way = match way {
        Way::In => "in",
        Way::Out => "out",
    };
    let mut object = json!({ "peer": peer.to_string(), "way": way, "size": size });
    set_payload(&mut object, payload);
    object
}

fn exited(command: &str, caller: Option<&Peer>, exit: Exit) -> Value {
    let (code, signal) = match exit {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(signal)),
    };
    let caller = caller.map(ToString::to_string);
    json!({ "command": command, "peer": caller, "code": code, "signal": signal })
}

fn set_outcome(object: &mut Value, outcome: &Outcome) {
    match outcome {
        Outcome::Ended(why) => set(object, "ended", &**why),
        Outcome::Exited(Exit::Code(code)) => set(object, "code", *code),
        Outcome::Exited(Exit::Signal(signal)) => set(object, "signal", *signal),
        Outcome::Refused(why) => set(object, "refused", &**why),
    }
}

fn said(command: &str, caller: Option<&Peer>, line: &[u8]) -> Value {
    let caller = caller.map(ToString::to_string);
    let mut object = json!({ "command": command, "peer": caller });
    set_payload(&mut object, line);
    object
}

/// Bytes that are no text would not survive as JSON text.
pub(super) fn set_payload(object: &mut Value, payload: &[u8]) {
    match std::str::from_utf8(payload) {
        Ok(text) => set(object, "text", text),
        Err(_) => {
            let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            set(object, "hex", hex);
        }
    }
}
