//! Events as lines for people.

use std::time::Duration;

use sockeye::proto::fault::Deeds;
use sockeye::proto::printable;
use sockeye::proto::unit::{print_duration, print_flow, rounded};
use sockeye::{Cause, Doubt, Dropped, Ended, Error, Event, Kind, Limit, Op, Outcome, Peer, Way};

use crate::failure::one_line;
use crate::{hint, say};

/// A line for people; `None` for what only `-v` tells.
pub(super) fn for_people(event: &Event, verbose: bool) -> Option<String> {
    let line = match event {
        Event::AcceptFailed { listener, error } => format!("{listener}: {}; trying again", one_line(error)),
        Event::AcceptResumed { listener, failures } => {
            format!("{listener}: accepting again after {failures} failures")
        }
        Event::ClockDoubted { keeper, why } => doubted(keeper.as_deref(), why),
        Event::ClockTrusted { keeper } => trusted(keeper.as_deref()),
        Event::Closed { peer, received, sent, lasted, ended, .. } => {
            if !verbose && !is_ours(ended) {
                return None;
            }
            let (came, went) = (print_flow(*received, "in", *lasted), print_flow(*sent, "out", *lasted));
            let (how, lasted) = (how(ended), print_duration(rounded(*lasted)));
            format!("{peer} left after {lasted}, {came}, {went}{how}")
        }
        Event::Dropped { socket, dropped } => format!("{socket}: datagrams were lost: {}", why(dropped)),
        Event::Exited { command, caller, exit } if verbose => {
            format!("{}{} {exit}", printable::line(command.as_bytes()), whose(caller.as_deref()))
        }
        Event::Exited { .. } => return None,
        Event::Faulted { peer, came, went } if verbose => faulted(peer, came, went),
        Event::Faulted { .. } => return None,
        Event::Faults { address, seed } => {
            format!("seed={seed} repeats the faults of {}", printable::line(address.as_bytes()))
        }
        Event::IdentityUnkept { error } => unkept(error),
        Event::Lost { events } => format!("{events} events were not told: the log is too slow"),
        Event::Message { peer, way, payload, size, .. } => message(peer, *way, payload, *size),
        Event::Missed { peer, messages, error } => {
            format!("{} did not reach {peer}: {}", counted(*messages), error.cause())
        }
        Event::Opened { listener, peer, .. } if verbose => format!("{peer} came to {listener}"),
        Event::Opened { .. } => return None,
        Event::Ran { peer, command, received, sent, lasted, outcome } => {
            ran(peer, command, (*received, *sent, *lasted), outcome)
        }
        Event::Reached { address, attempts, after } => reached(address, *attempts, *after),
        Event::Refused { listener, peer, why, newcomers: 1 } => {
            format!("{listener}: {} was refused: {why}", who(peer))
        }
        Event::Refused { listener, peer, why, newcomers } => {
            format!("{listener}: {newcomers} were refused, {} last: {why}", who(peer))
        }
        Event::Retrying { wait, error, .. } => retrying(error, *wait),
        Event::Said { command, caller, line } => {
            let command = printable::line(command.as_bytes());
            format!("{command}{}: {}", whose(caller.as_deref()), printable::line(line))
        }
        Event::Stopping { listener, open, alone } => stopping(listener, *open, *alone),
        Event::Undelivered { from, to, messages, error } => undelivered(from, to, *messages, error),
        Event::Unverified { address } => unverified(address),
        Event::Unrecorded { error } => {
            format!("{}; nothing more is written there, and the connection goes on", one_line(error))
        }
        other => other.name().to_owned(),
    };
    Some(line)
}

fn doubted(keeper: Option<&str>, why: &Doubt) -> String {
    let server = keeper.map(|server| printable::line(server.as_bytes())).unwrap_or_default();
    let told = match (keeper, why) {
        (None, _) => {
            let told = "ntp: as far as the kernel knows, nobody keeps the clock of this machine";
            return format!("{told}\n{}{}", say::INDENT, hint::CLOCK);
        }
        (_, Doubt::Denied) => format!("{server} does not want to be asked for the time"),
        (_, Doubt::Silent(None)) => format!("{server} does not answer"),
        (_, Doubt::Silent(Some(error))) => one_line(error),
        (_, Doubt::Unsynchronised) => format!("{server} says that its clock is not synchronised"),
    };
    format!("ntp: {told}; ours counts as kept by nobody")
}

fn trusted(keeper: Option<&str>) -> String {
    let clock = keeper.map_or_else(
        || "this machine's clock is".to_owned(),
        |server| format!("{} says that its clock is", printable::line(server.as_bytes())),
    );
    format!("ntp: {clock} synchronised; clients may follow ours")
}

fn faulted(peer: &Peer, came: &Deeds, went: &Deeds) -> String {
    let ways = [("in", came), ("out", went)].into_iter().filter(|(_, deeds)| !deeds.is_none());
    let ways: Vec<String> = ways.map(|(way, deeds)| format!("{way}: {}", done(deeds))).collect();
    format!("faults on {peer}: {}", ways.join("; "))
}

fn message(peer: &Peer, way: Way, payload: &[u8], size: usize) -> String {
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

fn ran(
    peer: &Peer,
    command: &str,
    (received, sent, lasted): (u64, u64, Duration),
    outcome: &Outcome,
) -> String {
    let (peer, command) = (who(peer), printable::line(command.as_bytes()));
    let how = match outcome {
        Outcome::Refused(why) if command.is_empty() => return format!("{peer} may run nothing: {why}"),
        Outcome::Refused(why) => {
            return format!("{peer} did not get to run {command}: {}", printable::line(why.as_bytes()));
        }
        Outcome::Exited(exit) => exit.to_string(),
        Outcome::Ended(why) => format!("was ended, {why}"),
    };
    let (came, went) = (print_flow(received, "in", lasted), print_flow(sent, "out", lasted));
    format!("{peer} ran {command}, which {how} after {}, {came}, {went}", print_duration(rounded(lasted)))
}

fn reached(address: &str, attempts: u32, after: Duration) -> String {
    let tries = if attempts == 1 { "1 more try".to_owned() } else { format!("{attempts} more tries") };
    let (address, after) = (printable::line(address.as_bytes()), print_duration(rounded(after)));
    format!("{address} answers after {tries}, {after}")
}

fn retrying(error: &Error, wait: Duration) -> String {
    let lost = match error.op() {
        Op::Read | Op::Write => "; what was sent last may be lost",
        _ => "",
    };
    format!("{}{lost}; trying again in {}", one_line(error), print_duration(rounded(wait)))
}

fn undelivered(from: &Peer, to: &Peer, messages: u64, error: &Error) -> String {
    let from = if from.scheme == "-" { "standard input".to_owned() } else { from.to_string() };
    let told = format!("{} from {from} did not go to {to}: {}", counted(messages), error.cause());
    match hint::of(error) {
        Some(hint) => format!("{told}\n{}{hint}", say::INDENT),
        None => told,
    }
}

fn unverified(address: &str) -> String {
    let address = printable::line(address.as_bytes());
    format!("{address}: with verify=no it may be anybody, who reads and changes all that goes there")
}

fn stopping(listener: &str, open: usize, alone: bool) -> String {
    // An interrupt would end the others too.
    let advice = if alone { "" } else { "; interrupt again to hurry them" };
    format!("{listener}: takes nobody new, {open} still inside{advice}")
}

fn counted(messages: u64) -> String {
    if messages == 1 { "a message".to_owned() } else { format!("{messages} messages") }
}

fn unkept(error: &Error) -> String {
    let told =
        format!("{}; the certificate is forgotten when this ends, and its pin with it", one_line(error));
    format!("{told}\n{}{}", say::INDENT, hint::STATE)
}

/// What rules look at.
fn who(peer: &Peer) -> String {
    let user = peer.user.map(|user| format!(" of uid {user}")).unwrap_or_default();
    let names = peer.tls.as_ref().map(|tls| tls.names.join(", ")).filter(|names| !names.is_empty());
    let names = names.map(|names| format!(" with a certificate for {}", printable::line(names.as_bytes())));
    format!("{peer}{user}{}", names.unwrap_or_default())
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
        "foreign" => "were nothing that the service answers",
        "kept_out" => "came from whom a rule or a limit of the address keeps out",
        "outsiders" => "had to do with peers beyond private networks (see --public)",
        "queue_full" => "found their queue full",
        "refused" => "came from newcomers without room (max-conns=)",
        "too_often" => "came from who asks more often than the service allows",
        "unread" => "were not read before their connection was over",
        "unsent" => "were answers that the kernel did not take",
        other => other,
    };
    let reasons = dropped.counts().into_iter().filter(|(_, count)| *count > 0);
    reasons.map(|(name, count)| format!("{count} {}", sentence(name))).collect::<Vec<_>>().join(", ")
}

/// What faults did, each with its count.
fn done(deeds: &Deeds) -> String {
    let words = |name| match name {
        "too_large" => "larger than mtu",
        "turned" => "bits turned",
        "stalled" => "stalls",
        "cut" => "cut",
        "swallowed" => "bytes gone nowhere",
        other => other,
    };
    let counts = deeds.counts().into_iter().filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| format!("{count} {}", words(name))).collect::<Vec<_>>().join(", ")
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
        Ended::Done | Ended::Refused(_) | Ended::Stopped => false,
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
        Ended::Refused(why) => format!(": refused, {why}"),
        Ended::Stopped => ": cut off by the stop".to_owned(),
    }
}
