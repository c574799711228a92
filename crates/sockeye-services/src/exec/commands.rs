//! The commands of a connection, and what its client has to say about them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye::proto::admission::Key;
use sockeye::proto::exec::{ExecError, FromClient, FromServer, Request};
use sockeye::{Ctx, Peer};
use tokio::task::yield_now;

use super::Exec;
use super::command::{Begin, Command};
use super::outbox::{Outbox, shown};
use super::policy::No;
use super::record::Record;
use super::turns::Turns;

/// What clients may have under way for all commands of a connection, where they share it; but [`LEAST`] for each.
const ROOM: u32 = 16 << 20;
const MOST: u32 = 1 << 20;
const LEAST: u32 = 64 << 10;

/// The commands of a connection.
pub(super) struct Commands<'a> {
    exec: &'a Exec,
    /// That of the connection, with its peer as the caller.
    ctx: Ctx,
    peer: Arc<Peer>,
    key: Key,
    running: HashMap<u32, Command>,
    /// The number of the last that was asked for: they grow.
    last: u32,
    turns: Turns,
    pub(super) outbox: Outbox,
}

impl<'a> Commands<'a> {
    /// None yet, of that peer.
    pub(super) fn new(exec: &'a Exec, peer: &Arc<Peer>, outbox: Outbox, ctx: &Ctx) -> Self {
        let ctx = Ctx { caller: Some(peer.clone()), ..ctx.clone() };
        let key = crate::access::key(peer);
        let (peer, running, turns) = (peer.clone(), HashMap::new(), Turns::default());
        Self { exec, ctx, peer, key, running, last: 0, turns, outbox }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Gives the next command its turn, if there is one whose turn it is.
    pub(super) fn take_turn(&mut self, cx: &Context<'_>) -> bool {
        let Poll::Ready(number) = self.turns.poll_next(cx) else { return false };
        // One that is over may have been woken before.
        if let Some(command) = self.running.get_mut(&number)
            && command.take_turn(&mut self.outbox)
        {
            self.running.remove(&number);
        }
        true
    }

    /// Does what the client says.
    ///
    /// # Errors
    /// It says what it may not, or what makes no sense.
    pub(super) fn hear(&mut self, message: &[u8]) -> Result<(), ExecError> {
        let (number, said) = FromClient::decode(message)?;
        if let FromClient::Start { request, credit } = said {
            return self.start(number, request, credit);
        }
        let Some(command) = self.running.get_mut(&number) else {
            // About one that is over, which the client did not know yet.
            return if number <= self.last && number > 0 { Ok(()) } else { Err(ExecError::Command) };
        };
        match said {
            FromClient::Credit(more) => return command.grant(more),
            FromClient::Drop => command.abandon("the client wanted no more of it"),
            FromClient::Input(data) => return command.hear(data, &mut self.outbox),
            FromClient::InputEnd => command.hear_end(),
            FromClient::Signal(signal) => command.signal(signal),
            FromClient::Window(window) => command.resize(window),
            FromClient::Hello { .. } | FromClient::Start { .. } => return Err(ExecError::Command),
        }
        Ok(())
    }

    fn start(&mut self, number: u32, request: Request, credit: u32) -> Result<(), ExecError> {
        if number <= self.last {
            return Err(ExecError::Command);
        }
        self.last = number;
        let mut record = Record::new(&self.ctx.events, &self.peer, Some(&request.what));
        match self.begin(request, credit) {
            Ok(begin) => {
                let command = Command::new(number, self.turns.add(number), begin, record);
                self.running.insert(number, command);
            }
            Err(No { why, text }) => {
                record.refuse(&text);
                self.outbox.put(number, &FromServer::Refused { why, text: shown(&text) });
            }
        }
        Ok(())
    }

    fn begin(&self, request: Request, credit: u32) -> Result<Begin, No> {
        let settings = &self.exec.settings;
        let room = if request.has_input { self.room() } else { 0 };
        let (program, place) = self.exec.house.admit(request, self.key, &settings.policy, &self.ctx)?;
        let (ctx, time, output) = (self.ctx.clone(), settings.time, settings.output);
        let start = Box::pin(async move { program.start(&ctx).await });
        Ok(Begin { start, room, credit, time, output, place })
    }

    /// What the client may have under way for one more command.
    fn room(&self) -> u32 {
        let commands = u32::try_from(self.running.len()).unwrap_or(u32::MAX).saturating_add(1);
        (ROOM / commands).clamp(LEAST, MOST)
    }

    /// The client says no more: what runs has all the input that there is.
    pub(super) fn hear_end(&mut self) {
        self.running.values_mut().for_each(Command::hear_end);
    }

    /// Ends those whose time is over, while nobody has a turn.
    pub(super) fn poll_times(&mut self, cx: &mut Context<'_>) {
        self.running.values_mut().for_each(|command| command.poll_time(cx));
    }

    /// Has the turn of each come.
    pub(super) fn wake(&self) {
        self.running.values().for_each(Command::wake);
    }

    /// Ends all, for that reason, and tells the client.
    pub(super) fn end(&mut self, why: &str) {
        self.running.values_mut().for_each(|command| command.end(why));
    }

    /// Ends all, for that reason, where there is no client to be told any more.
    pub(super) fn abandon(&mut self, why: &str) {
        self.running.values_mut().for_each(|command| command.abandon(why));
    }

    /// Waits until all are over that were abandoned. Cancel safe.
    pub(super) async fn over(&mut self) {
        while !self.is_empty() {
            poll_fn(|cx| if self.take_turn(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
            // Each is woken by what it waits for, or because this task has had its share.
            yield_now().await;
        }
    }

    /// Says something that means nothing, so that a machine whose client is gone can tell.
    pub(super) fn probe(&mut self) {
        if let Some((number, _)) = self.running.iter().find(|(_, command)| command.is_running()) {
            self.outbox.put(*number, &FromServer::Credit(0));
        }
    }
}
