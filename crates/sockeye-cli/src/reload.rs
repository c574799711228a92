//! SIGHUP without a config file: what was made from files, such as certificates, is made anew while all goes on. With one,
//! all layers are made anew.

use std::convert::Infallible;
use std::future::pending;

use serde_json::json;
use sockeye::{Ctx, Renewal};

use crate::args::Request;
use crate::failure::Failure;
use crate::say;
use crate::signal::Calls;

/// Listens for hangups where there is anything to make anew; elsewhere they end us, as the end of a terminal should.
pub(crate) struct Reloading<'a> {
    hangups: Option<Calls>,
    request: &'a Request,
    ctx: &'a Ctx,
}

impl<'a> Reloading<'a> {
    /// To be called when all is open, and before anybody is told so, who may send a signal at once.
    pub(crate) fn listen(request: &'a Request, ctx: &'a Ctx) -> Result<Self, Failure> {
        let hangups = (!ctx.reloads.is_empty()).then(Calls::to_begin_anew).transpose()?;
        Ok(Self { hangups, request, ctx })
    }

    /// Reloads at each hangup, until it is dropped.
    pub(crate) async fn attend(self) -> Infallible {
        let Self { hangups, request, ctx } = self;
        let Some(mut hangups) = hangups else { return pending().await };
        loop {
            hangups.next().await;
            if ctx.stop.is_draining() {
                continue;
            }
            request.parent.reloading();
            let reloads = ctx.reloads.clone();
            let read = tokio::task::spawn_blocking(move || reloads.read()).await;
            match read.map_err(|panicked| Failure::Start(panicked.into())).and_then(|read| Ok(read?)) {
                Ok(renewal) => tell(renewal, request),
                Err(failure) => tell_failure(&failure, request),
            }
            if !ctx.stop.is_draining() {
                request.parent.ready();
            }
        }
    }
}

fn tell(renewal: Renewal, request: &Request) {
    let addresses = renewal.apply();
    let object =
        json!({ "event": "reloaded", "addresses": addresses.iter().map(|at| &**at).collect::<Vec<_>>() });
    say::note(request, object, &format!("reloaded the files of {}", addresses.join(" and ")));
}

fn tell_failure(failure: &Failure, request: &Request) {
    let told = failure.json();
    let object = json!({ "event": "reload-failed", "error": told.get("error"), "hint": told.get("hint") });
    let said = format!("{failure}\n{}: nothing is reloaded, all goes on as before", say::NAME);
    say::note_lines(request, object, &said);
}
