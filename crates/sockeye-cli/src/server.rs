//! Running listeners until they are told to stop.

use std::sync::Arc;

use serde_json::json;
use sockeye::{Ctx, Listening, Served, Service, Stop, Terms};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reload::Reloading;
use crate::signal::Interrupts;
use crate::{log, say};

/// A listener, and what it serves.
pub(crate) struct Place {
    /// What is served there.
    pub(crate) name: String,
    pub(crate) listening: Listening,
    pub(crate) service: Arc<dyn Service>,
    /// What it was opened in.
    pub(crate) ctx: Ctx,
}

/// Tells where a listener listens: whoever started us with port 0 reads it from here.
pub(crate) fn ready(name: &str, listening: &Listening, request: &Request) {
    let pin = listening.pin().map(|pin| pin.to_string());
    for word in listening.words() {
        let object = json!({ "event": "listening", "service": name, "address": word, "pin": pin });
        say::note(request, object, &format!("{name} on {word}"));
    }
    if let Some(pinned) = listening.pinned().filter(|_| !log::wants_json(request)) {
        say::line(&format!("nobody vouches for its certificate; to dial it: {pinned}"));
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

/// Tells where all places listen, and serves them until they end on their own, or are told to; see [`Server::run`].
pub(crate) async fn run(
    places: Vec<Place>,
    interrupts: Interrupts,
    request: &Request,
    ctx: &Ctx,
) -> Result<Exit, Failure> {
    let reloading = Reloading::listen(request, ctx)?;
    places.iter().for_each(|place| ready(&place.name, &place.listening, request));
    up(request, ctx);
    let mut server = Server::new(interrupts, request, ctx);
    let _all_open: Vec<Serving> = places.into_iter().map(|place| server.serve(place)).collect();
    tokio::select! {
        exit = server.run() => exit,
        never = reloading.attend() => match never {},
    }
}

/// Listeners that are served.
pub(crate) struct Server<'a> {
    interrupts: Interrupts,
    request: &'a Request,
    ctx: &'a Ctx,
    tasks: JoinSet<(bool, Served)>,
    /// How often.
    interrupted: u32,
    /// Of a listener that was to end with its first connection.
    failure: Option<sockeye::Error>,
    /// Connections that were still there when the drain limit of the stop ran out.
    outstayed: u64,
}

/// A listener that is served. Once it is dropped nobody new is taken, and those inside have all the time they want.
pub(crate) struct Serving {
    terms: watch::Sender<Terms>,
    stop: Stop,
}

impl Serving {
    /// The terms of newcomers.
    pub(crate) fn terms(&self) -> watch::Ref<'_, Terms> {
        self.terms.borrow()
    }

    /// Newcomers get these terms from now on.
    pub(crate) fn change(&self, terms: Terms) {
        self.terms.send_replace(terms);
    }

    /// Takes nobody new, and gives those inside as long as the drain limit says.
    pub(crate) fn drain(self) {
        self.stop.drain();
    }
}

impl<'a> Server<'a> {
    pub(crate) fn new(interrupts: Interrupts, request: &'a Request, ctx: &'a Ctx) -> Self {
        Self { interrupts, request, ctx, tasks: JoinSet::new(), interrupted: 0, failure: None, outstayed: 0 }
    }

    /// Serves a place beside the others.
    pub(crate) fn serve(&mut self, place: Place) -> Serving {
        let Place { name, listening, service, ctx } = place;
        let (terms, changes) = watch::channel(Terms::of(&listening, service, &name, &ctx));
        let stop = ctx.stop.clone();
        self.tasks.spawn(async move {
            let once = listening.limits.once;
            (once, sockeye::serve_on(listening, changes, &ctx).await)
        });
        Serving { terms, stop }
    }

    /// Serves until all listeners have ended on their own, or are told to: the first interrupt drains, the second
    /// hurries, the third ends. Cancel safe: it goes on when it is called again.
    pub(crate) async fn run(&mut self) -> Result<Exit, Failure> {
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    None => break,
                    Some(Ok((once, served))) => self.count(once, served),
                    // It printed why where it happened.
                    Some(Err(_panicked)) => return Ok(Exit::Failed),
                },
                () = self.interrupts.next() => {
                    self.interrupted += 1;
                    match self.interrupted {
                        1 => {
                            self.request.parent.stopping();
                            self.ctx.stop.drain();
                        }
                        2 => self.ctx.stop.hurry(),
                        _ => return Ok(Exit::Interrupted),
                    }
                }
            }
        }
        match (self.failure.take(), self.interrupted, self.outstayed) {
            (_, 2.., _) => Ok(Exit::Interrupted),
            (_, _, 1..) => {
                self.tell_outstayed(self.outstayed);
                Ok(Exit::TimeLimit)
            }
            (Some(error), _, 0) => Err(error.into()),
            (None, _, 0) => Ok(Exit::Done),
        }
    }

    fn count(&mut self, once: bool, served: Served) {
        if self.ctx.stop.is_draining() {
            self.outstayed += served.outstayed;
        } else if served.outstayed > 0 {
            // Its own limit ran out, and the others go on.
            self.tell_outstayed(served.outstayed);
        }
        self.failure = self.failure.take().or(served.last_failure.filter(|_| once));
    }

    fn tell_outstayed(&self, outstayed: u64) {
        let said = format!("the drain limit ran out with {outstayed} still inside; drain= sets it");
        say::note(self.request, json!({ "event": "drain-limit", "open": outstayed }), &said);
    }
}
