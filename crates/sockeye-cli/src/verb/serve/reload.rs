//! Serving what a file says, which is read again on SIGHUP.

use serde_json::json;
use sockeye::{Ctx, Limits};

use super::posts::{Change, Changed, Posts};
use super::{Order, guarded};
use crate::args::Request;
use crate::config::{Config, top_flags};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::Server;
use crate::signal::Calls;
use crate::{flag, say, session};

/// A file, and what was typed beside it.
pub(super) struct Script<'a> {
    pub(super) path: &'a str,
    pub(super) typed: &'a Request,
}

/// What a file says, together with what was typed beside it.
pub(super) struct Said {
    pub(super) request: Request,
    pub(super) orders: Vec<Order>,
}

impl Script<'_> {
    /// Reads the file. Blocks.
    pub(super) fn read(&self) -> Result<Said, Failure> {
        Config::read(self.path).map(|config| self.with(config))
    }

    /// What was typed counts more than what the file says of the same.
    fn with(&self, config: Config) -> Said {
        let Config { mut flags, mut orders } = config;
        orders.iter_mut().for_each(|order| order.shown |= self.typed.has(&flag::SHOW));
        // Each entry says for itself whether its messages are shown, and may say so later.
        flags.push((flag::SHOW.long, None));
        Said { request: self.typed.above(flags), orders }
    }

    /// Reads the file again, and makes ready what it says. Cancel safe.
    async fn read_again(&self, posts: &Posts, ctx: &Ctx) -> Result<(Said, Change), Failure> {
        let path = self.path.to_owned();
        let config = tokio::task::spawn_blocking(move || Config::read(&path)).await;
        let said = self.with(config.map_err(|panicked| Failure::Start(panicked.into()))??);
        let listeners = said.orders.iter().map(|order| order.addresses.len()).sum();
        let limits = Limits { open_files: ctx.limits.open_files, ..session::shared_limits(listeners) };
        let ctx = guarded(&said.request, Ctx { limits, ..ctx.clone() });
        let change = posts.prepare(&said.orders, &ctx).await?;
        Ok((said, change))
    }

    /// Serves until told to stop, and on each hangup what the file then says: all of it, or where anything in it is wrong
    /// nothing, and all goes on as before. `request` is what the server was started with.
    pub(super) async fn follow(
        &self,
        mut hangups: Calls,
        (mut server, mut posts): (Server<'_>, Posts),
        request: &Request,
        ctx: &Ctx,
    ) -> Result<Exit, Failure> {
        loop {
            tokio::select! {
                exit = server.run() => return exit,
                () = hangups.next() => {}
            }
            if ctx.stop.is_draining() {
                continue;
            }
            request.parent.reloading();
            let read = tokio::select! {
                exit = server.run() => return exit,
                read = self.read_again(&posts, ctx) => read,
            };
            match read {
                // An interrupt came first: nobody new is wanted.
                Ok(_) if ctx.stop.is_draining() => {}
                Ok((said, change)) => {
                    let changed = posts.take_over(change, &mut server, request);
                    self.tell(&changed, &said.request, request);
                }
                Err(failure) => self.tell_failure(&failure, request),
            }
            if !ctx.stop.is_draining() {
                request.parent.ready();
            }
        }
    }

    fn tell(&self, changed: &Changed, wanted: &Request, request: &Request) {
        let Changed { kept, new, gone, fixed } = changed;
        let mut later: Vec<String> = unlike(request, wanted).map(|name| format!("{name}=")).collect();
        later.extend(fixed.iter().cloned());
        let mut said = format!("reloaded {}: {kept} kept, {new} new, {gone} gone", self.path);
        if !later.is_empty() {
            said.push_str(&format!("; after a restart: {}", later.join(", ")));
        }
        let object = json!({
            "event": "reloaded", "file": self.path, "kept": kept, "new": new, "gone": gone,
            "after_restart": later,
        });
        say::note(request, object, &said);
    }

    fn tell_failure(&self, failure: &Failure, request: &Request) {
        let told = failure.json();
        let object = json!({
            "event": "reload-failed", "file": self.path, "error": told.get("error"), "hint": told.get("hint"),
        });
        let said = format!("{failure}\n{}: {} is not taken, all goes on as before", say::NAME, self.path);
        say::note_lines(request, object, &said);
    }
}

/// The flags for all services that a running server does not take over.
fn unlike(running: &Request, wanted: &Request) -> impl Iterator<Item = &'static str> {
    let live = [flag::PUBLIC.long, flag::SHOW.long];
    let fixed = top_flags().filter(move |flag| !live.contains(&flag.long));
    let unlike = fixed
        .filter(|flag| running.has(flag) != wanted.has(flag) || running.value(flag) != wanted.value(flag));
    unlike.map(|flag| flag.long)
}
