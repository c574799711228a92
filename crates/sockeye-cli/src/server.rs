//! Running listeners until they are told to stop.

use std::sync::Arc;

use serde_json::json;
use sockeye::{Ctx, Listening, Served, Service};
use tokio::task::JoinSet;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::say;
use crate::signal::Interrupts;

/// A listener, and what it serves.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) listening: Listening,
    pub(crate) service: Arc<dyn Service>,
    /// Whether its messages are shown to those who asked for messages.
    pub(crate) shown: bool,
}

/// Tells where all places listen.
pub(crate) fn announce(places: &[Place], request: &Request) {
    places.iter().for_each(|place| ready(place.name, &place.listening, request));
}

/// Tells where a listener listens: whoever started us with port 0 reads it from here.
pub(crate) fn ready(name: &str, listening: &Listening, request: &Request) {
    for local in listening.listener.locals() {
        let object = json!({ "event": "listening", "service": name, "address": local.to_string() });
        say::note(request, object, &format!("{name} on {local}"));
    }
}

/// All of us listen: whoever started us is told so, and which of the sockets that it handed down nobody asked for.
pub(crate) fn up(request: &Request, ctx: &Ctx) {
    for unused in ctx.handed.unused() {
        let object = json!({ "event": "unused-socket", "socket": unused });
        say::note(request, object, &format!("no address takes descriptor {unused}, which was handed down"));
    }
    request.parent.ready();
}

/// Serves all places until they end on their own, or are told to: the first interrupt drains, the second hurries, the
/// third ends.
pub(crate) async fn run(
    places: Vec<Place>,
    mut interrupts: Interrupts,
    request: &Request,
    ctx: &Ctx,
) -> Result<Exit, Failure> {
    up(request, ctx);
    let mut tasks = JoinSet::new();
    for place in places {
        let events = if place.shown { ctx.events.clone() } else { ctx.events.without_messages() };
        let ctx = Ctx { events, ..ctx.clone() };
        tasks.spawn(async move {
            let once = place.listening.limits.once;
            (once, sockeye::serve(place.listening, place.service, place.name, &ctx).await)
        });
    }
    let mut interrupted = 0;
    let mut failure = None;
    let mut outstayed = 0;
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => break,
                Some(Ok((once, Served { last_failure, outstayed: late, .. }))) => {
                    outstayed += late;
                    failure = failure.or(last_failure.filter(|_| once));
                }
                // It printed why where it happened.
                Some(Err(_panicked)) => return Ok(Exit::Failed),
            },
            () = interrupts.next() => {
                interrupted += 1;
                match interrupted {
                    1 => {
                        request.parent.stopping();
                        ctx.stop.drain();
                    }
                    2 => ctx.stop.hurry(),
                    _ => return Ok(Exit::Interrupted),
                }
            }
        }
    }
    match (failure, interrupted, outstayed) {
        (_, 2.., _) => Ok(Exit::Interrupted),
        (_, _, 1..) => {
            let said = format!("the drain limit ran out with {outstayed} still inside; drain= sets it");
            say::note(request, json!({ "event": "drain-limit", "open": outstayed }), &said);
            Ok(Exit::TimeLimit)
        }
        (Some(error), _, 0) => Err(error.into()),
        (None, _, 0) => Ok(Exit::Done),
    }
}
