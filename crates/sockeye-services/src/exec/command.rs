//! One command of a connection, from its request to its end.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sockeye::process::{Handle, Running};
use sockeye::proto::exec::{Ended, ExecError, FromServer, Window};
use sockeye::proto::unit::print_duration;
use sockeye::{BoxFuture, Error, Exit, Op, Outcome, Result};
use tokio::time::{Sleep, sleep};

use super::feed::Feed;
use super::house::Place;
use super::outbox::{Outbox, shown};
use super::policy::No;
use super::record::Record;
use super::speech::{Said, Speech};
use super::turns::Turn;

/// How long a command that has ended may leave its streams open in the hands of others, who say nothing: some process that
/// was not started by it, since those are ended with it.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// Why a command is ended that has said more than it may.
pub(super) const TOO_MUCH: &str = "it said more than it may (the server's --output)";

/// Why a command was ended that [`Handle::is_crowded`].
pub(super) const CROWDED: &str = "it had more processes than it may (the server's --processes)";

/// Why a command is ended that has run for so long.
pub(super) fn out_of_time(limit: Duration) -> String {
    format!("it ran for {} (the server's --time)", print_duration(limit))
}

/// A command that is wanted, or was.
pub(super) struct Command {
    number: u32,
    turn: Arc<Turn>,
    /// There until it runs.
    start: Option<BoxFuture<'static, Result<Running>>>,
    /// There once it runs.
    alive: Option<Alive>,
    feed: Feed,
    speech: Speech,
    /// What the client is told that it may send at first.
    room: u32,
    /// What was asked for before it ran: signals, each a bit, and a window.
    signals: u32,
    window: Option<Window>,
    time: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Why we end it.
    why: Option<Arc<str>>,
    /// Whether the client still wants to hear of it.
    is_wanted: bool,
    record: Record,
    _place: Place,
}

struct Alive {
    handle: Handle,
    /// Runs once it has ended and its streams have not.
    linger: Option<Pin<Box<Sleep>>>,
}

/// What a command is begun with.
pub(super) struct Begin {
    pub(super) start: BoxFuture<'static, Result<Running>>,
    /// What the client may send at first.
    pub(super) room: u32,
    /// What the client may be sent at first.
    pub(super) credit: u32,
    pub(super) time: Option<Duration>,
    pub(super) output: Option<u64>,
    pub(super) place: Place,
}

impl Command {
    pub(super) fn new(number: u32, turn: Arc<Turn>, begin: Begin, record: Record) -> Self {
        let Begin { start, room, credit, time, output, place } = begin;
        Self {
            number,
            turn,
            start: Some(start),
            alive: None,
            feed: Feed::new(room),
            speech: Speech::new(credit, output),
            room,
            signals: 0,
            window: None,
            time: time.map(|time| (time, Box::pin(sleep(time)))),
            why: None,
            is_wanted: true,
            record,
            _place: place,
        }
    }

    /// Does what there is to do; `true` once it is over, and everything about it is in the outbox.
    pub(super) fn take_turn(&mut self, outbox: &mut Outbox) -> bool {
        self.turn.begin();
        let waker = Waker::from(self.turn.clone());
        let cx = &mut Context::from_waker(&waker);
        if let Some(start) = &mut self.start {
            let Poll::Ready(started) = start.as_mut().poll(cx) else { return false };
            self.start = None;
            match started {
                Ok(running) => self.begin(running, outbox),
                Err(error) => {
                    self.refuse(&error, outbox);
                    return true;
                }
            }
        }
        self.poll_time(cx);
        if let Some(more) = self.feed.pass(cx)
            && self.is_wanted
        {
            outbox.put(self.number, &FromServer::Credit(more));
        }
        self.say(outbox, cx);
        self.poll_over(outbox, cx)
    }

    /// Ends it once its time is over.
    pub(super) fn poll_time(&mut self, cx: &mut Context<'_>) {
        if let Some((limit, time)) = &mut self.time
            && time.as_mut().poll(cx).is_ready()
        {
            let why = out_of_time(*limit);
            self.time = None;
            self.end(&why);
        }
    }

    fn begin(&mut self, running: Running, outbox: &mut Outbox) {
        let Running { input, output, errors, command: handle, .. } = running;
        self.feed.open(input);
        self.speech.open(output, errors);
        self.alive = Some(Alive { handle, linger: None });
        self.record.begin();
        outbox.put(self.number, &FromServer::Started { credit: self.room });
        let signals = self.signals;
        (1..32).filter(|number| signals & 1 << number != 0).for_each(|number| self.signal(number));
        self.window.into_iter().for_each(|window| self.resize(window));
    }

    fn refuse(&mut self, error: &Error, outbox: &mut Outbox) {
        let No { why, text } = No::unstarted(error.cause());
        self.record.refuse(&text);
        if !self.is_wanted {
            return;
        }
        outbox.put(self.number, &FromServer::Refused { why, text: shown(&text) });
    }

    fn say(&mut self, outbox: &mut Outbox, cx: &mut Context<'_>) {
        match self.speech.pass(self.number, outbox, cx) {
            Said::Bytes(0) => {}
            Said::Bytes(bytes) => {
                self.record.sent += u64::try_from(bytes).unwrap_or_default();
                if let Some(alive) = &mut self.alive {
                    alive.linger = None;
                }
                // More may be there, when the others have had their turn.
                cx.waker().wake_by_ref();
            }
            Said::TooMuch => {
                self.end(TOO_MUCH);
                self.speech.close();
            }
        }
    }

    /// Whether it has ended, and so has what it says. Then that is told.
    fn poll_over(&mut self, outbox: &mut Outbox, cx: &mut Context<'_>) -> bool {
        let Some(alive) = &mut self.alive else { return true };
        let Poll::Ready(exit) = alive.handle.poll_exit(cx) else { return false };
        if !self.speech.is_over() && !self.speech.is_held_up() {
            let linger = alive.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            if linger.as_mut().poll(cx).is_ready() {
                self.speech.close();
            }
        }
        if !self.speech.is_over() && (self.why.is_none() || !self.speech.is_held_up()) {
            return false;
        }
        if alive.handle.is_crowded() {
            self.end(CROWDED);
        }
        let ended = match (&self.why, exit) {
            (Some(why), _) => Ended::Limit(shown(why)),
            (None, Exit::Code(code)) => Ended::Exited(code),
            (None, Exit::Signal(number)) => Ended::Signalled(number),
        };
        if self.is_wanted {
            outbox.put(self.number, &FromServer::Exit(ended));
        }
        self.record.end(Outcome::Exited(exit));
        true
    }

    pub(super) fn is_running(&self) -> bool {
        self.alive.is_some()
    }

    /// Has its next turn come.
    pub(super) fn wake(&self) {
        Waker::from(self.turn.clone()).wake();
    }

    /// Ends it, for that reason; the first one holds.
    pub(super) fn end(&mut self, why: &str) {
        if self.why.is_none() {
            self.why = Some(why.into());
            self.record.end(Outcome::Ended(why.into()));
        }
        if let Some(alive) = &self.alive {
            alive.handle.end();
        } else {
            self.start = Some(Box::pin(std::future::ready(Err(stopped(why)))));
        }
        self.wake();
    }

    /// Ends it, for that reason, and nobody hears of it.
    pub(super) fn abandon(&mut self, why: &str) {
        self.is_wanted = false;
        self.feed.close();
        self.speech.close();
        self.end(why);
    }

    /// # Errors
    /// It has been told that it may not send so much.
    pub(super) fn hear(&mut self, data: &[u8], outbox: &mut Outbox) -> std::result::Result<(), ExecError> {
        let waker = Waker::from(self.turn.clone());
        // What comes before it was told that it runs was not asked for.
        if self.alive.is_none() {
            return Err(ExecError::Credit);
        }
        self.record.received += u64::try_from(data.len()).unwrap_or_default();
        if let Some(more) = self.feed.receive(data, &mut Context::from_waker(&waker))? {
            outbox.put(self.number, &FromServer::Credit(more));
        }
        Ok(())
    }

    /// No more comes for it.
    pub(super) fn hear_end(&mut self) {
        self.feed.end();
        self.wake();
    }

    /// # Errors
    /// It is more credit than can be counted.
    pub(super) fn grant(&mut self, credit: u32) -> std::result::Result<(), ExecError> {
        self.speech.grant(credit)?;
        self.wake();
        Ok(())
    }

    /// Sends a signal of that number, 1 to 31, as soon as it runs. Who has ended does not hear it.
    pub(super) fn signal(&mut self, number: u8) {
        match &self.alive {
            Some(alive) => drop(alive.handle.signal(number.into())),
            None => self.signals |= 1 << number,
        }
    }

    /// Gives its terminal another size, if it has one.
    pub(super) fn resize(&mut self, window: Window) {
        match &self.alive {
            Some(alive) => drop(alive.handle.resize(window.columns, window.rows)),
            None => self.window = Some(window),
        }
    }
}

/// What a command comes to that is ended before it runs.
fn stopped(why: &str) -> Error {
    Error::new(Op::Run, std::io::Error::other(why))
}
