//! A connection of a client, once it has been let in: what it says goes to its commands, and what these say goes back.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye::{Conn, Ctx, Error, Op, Result, is_gone};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::commands::Commands;
use super::fault;
use super::inbox::Inbox;

/// How often it is asked whether a client that has ended its side is gone altogether: a closed socket looks no different.
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// How many turns and messages a connection has before others have theirs.
const AT_ONCE: usize = 64;

/// How long commands may take to end when their client is gone, which they do sooner: see [`sockeye::process::Handle::end`].
const PATIENCE: Duration = Duration::from_secs(10);

/// A client.
pub(super) struct Session<'a> {
    conn: Conn,
    inbox: Inbox,
    commands: Commands<'a>,
    /// Whether there was no room for what commands say, when these were last looked at.
    was_full: bool,
    /// There once the client has ended its side, or we stop.
    look: Option<Interval>,
    is_ending: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(conn: Conn, inbox: Inbox, commands: Commands<'a>) -> Self {
        Self { conn, inbox, commands, was_full: false, look: None, is_ending: false }
    }

    /// Serves the client until it leaves, or a stop is asked for. Its commands are over then. Not cancel safe: dropping it
    /// ends them.
    ///
    /// # Errors
    /// The connection broke off, or the client said what it may not.
    pub(super) async fn run(mut self, ctx: &Ctx) -> Result<()> {
        let (mut draining, mut hurried) = (pin!(ctx.stop.draining()), pin!(ctx.stop.hurried()));
        let mut is_hurried = false;
        let ended = loop {
            tokio::select! {
                biased;
                ended = poll_fn(|cx| self.poll(cx)) => break ended,
                () = &mut draining, if !self.is_ending => self.is_ending = true,
                () = &mut hurried, if !is_hurried => {
                    is_hurried = true;
                    self.commands.end("the server was stopped");
                }
            }
        };
        let Self { mut conn, mut commands, .. } = self;
        match ended {
            Ok(()) => conn.farewell(ctx).await,
            Err(error) => {
                conn.abort();
                drop(conn);
                commands.abandon("the client is gone");
                let (Ok(()) | Err(_)) = timeout(PATIENCE, commands.over()).await;
                Err(error)
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        for _ in 0..AT_ONCE {
            let had_room = self.commands.outbox.has_room();
            if had_room && std::mem::take(&mut self.was_full) {
                self.commands.wake();
            }
            let has_acted = had_room && self.commands.take_turn(cx);
            if has_acted && self.commands.outbox.has_room() {
                continue;
            }
            // Nobody has a turn, or what was said fills a buffer.
            let is_written = self.commands.outbox.poll_drain(&mut self.conn, cx)?.is_ready();
            let has_heard = self.commands.outbox.may_answer() && self.poll_hear(cx)?.is_ready();
            if has_heard || is_written && (has_acted || !had_room) {
                continue;
            }
            if self.commands.is_empty() && self.is_ending && is_written {
                return Poll::Ready(Ok(()));
            }
            if !self.commands.outbox.has_room() {
                // Nobody has a turn then, but a client that takes nothing is no reason to run on.
                self.was_full = true;
                self.commands.poll_times(cx);
            }
            return self.poll_look(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Hears one message, or the end.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.look.is_some() {
            return Poll::Pending;
        }
        match ready!(self.inbox.poll_next(&mut self.conn, cx))? {
            Some(message) => self.commands.hear(message).map_err(|error| fault(&self.conn, error))?,
            None => {
                self.commands.hear_end();
                self.is_ending = true;
                let mut look = interval_at(Instant::now() + LOOK, LOOK);
                look.set_missed_tick_behavior(MissedTickBehavior::Delay);
                self.look = Some(look);
                if !self.commands.is_empty() {
                    self.look_for_client()?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Looks now and then whether a client that has ended its side is gone altogether.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some(look) = &mut self.look {
            ready!(look.poll_tick(cx));
            self.look_for_client()?;
            if self.commands.outbox.is_empty() {
                self.commands.probe();
                ready!(self.commands.outbox.poll_drain(&mut self.conn, cx))?;
            }
        }
        Poll::Pending
    }

    /// # Errors
    /// The client, which has ended its side, is gone altogether.
    fn look_for_client(&self) -> Result<()> {
        let peer = self.conn.peer();
        if !self.conn.half_close() || is_away(&self.conn) {
            return Err(Error::new(Op::Read, io::Error::from(io::ErrorKind::ConnectionReset)).on(peer));
        }
        Ok(())
    }
}

/// Whether who is at the other end is gone altogether, as far as that can be told.
pub(super) fn is_away(conn: &Conn) -> bool {
    conn.is_hung_up() || is_gone(conn.peer()) == Some(true)
}
