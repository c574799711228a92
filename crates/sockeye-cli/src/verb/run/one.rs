//! One host: its command has our standard input, output and errors, and its exit code is ours.

use serde_json::json;
use sockeye::Ctx;

use super::host::{self, Ends};
use super::hosts::Host;
use super::input::Input;
use super::order::Order;
use super::outcome::Outcome;
use super::output::{Output, Streams};
use super::signals::Signals;
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{flag, say};

pub(super) async fn run(request: &Request, host: &Host, order: &Order, ctx: &Ctx) -> Result<Exit, Failure> {
    let raw = request.has(&flag::PTY) || request.has(&flag::RAW);
    let output = Output::Here(Box::new(Streams::open(raw, ctx).await?));
    let is_read = order.request.has_input && request.value(&flag::HOSTS) != Some("-");
    let input = if is_read { Input::here(ctx).await? } else { Input::Nothing };
    let signals = Signals::default();
    let mut ends = Ends { input, output, terminal: None };
    let outcome = tokio::select! {
        outcome = host::run(&host.address, order, &mut ends, &signals, ctx) => outcome,
        ended = signals.pass_on() => return ended.map(|()| Exit::Interrupted),
    };
    // The terminal is its old self before anything is said at it.
    drop(ends);
    tell(request, host, &outcome, &order.program());
    Ok(outcome.exit())
}

fn tell(request: &Request, host: &Host, outcome: &Outcome, program: &str) {
    let Some((sentence, hint)) = outcome.sentence(program) else { return };
    let object = json!({
        "event": "failed", "address": host.address.bare_word(), "error": sentence, "hint": hint,
        "exit": outcome.exit().code(),
    });
    let text = match hint {
        Some(hint) => format!("{sentence}\n{}{hint}", say::INDENT),
        None => sentence,
    };
    say::note(request, object, &text);
}
