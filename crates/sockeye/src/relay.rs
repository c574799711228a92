//! Joining two connections: the one loop that moves bytes, or messages, both ways.

mod command;
mod course;
mod forward;
mod freight;
mod presence;
mod undelivered;

use std::future::{Future as _, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use sockeye_proto::address::{Address, Value};
use sockeye_proto::websocket::Close;
use tokio::time::{Instant, Sleep, sleep};

use self::command::Command;
use self::course::Course;
use self::presence::Presence;
use crate::conn::Conn;
use crate::counts::Counts;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Limit, Op, Result, Side};
use crate::idle::quiet;
use crate::option;

pub use self::forward::Forward;

/// How two connections are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Which ways bytes go.
    pub flow: Flow,
    /// What the end of the left side does.
    pub left_end: End,
    /// What the end of the right side does.
    pub right_end: End,
    /// End with an error once nothing has gone either way for so long.
    pub idle: Option<Duration>,
    /// Once the left side has ended, be done when nothing more has come from the right for so long; a left side that
    /// is slow to take what came does not count. `None` waits for the right side's own end, however long that takes:
    /// an answer may be slow. Where a side cannot tell its end ([`Conn::half_close`]), a second of silence after the
    /// end of the other one is its end.
    pub wait: Option<Duration>,
}

/// Which ways bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flow {
    /// Both ways.
    #[default]
    Both,
    /// Left to right alone. What comes back is read and dropped, so that the other side is not held up. Done when the
    /// left side has ended, and what it sent has arrived.
    OneWay,
}

/// What the end of file of one side does to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum End {
    /// The other side is told, and may still answer: `eof=half`.
    #[default]
    Half,
    /// All is over once what came before is passed on: `eof=close`.
    Close,
    /// The other side is not told: `eof=ignore`.
    Ignore,
}

/// How much was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Bytes that the left side sent and the right side took.
    pub to_right: u64,
    /// Bytes that the right side sent and the left side took.
    pub to_left: u64,
}

impl End {
    /// What `eof=` of an address asks for.
    pub fn of(address: &Address) -> Self {
        match address.options().value("eof") {
            Some(Value::Choice("close")) => Self::Close,
            Some(Value::Choice("ignore")) => Self::Ignore,
            _ => Self::Half,
        }
    }
}

impl Plan {
    /// The plan that two addresses ask for with `eof=` and `idle=`; of two `idle=`, the shorter holds.
    pub fn of(left: &Address, right: &Address, ctx: &Ctx) -> Self {
        let idle = [left, right].map(|address| option::limits(address, &ctx.limits).idle);
        Self {
            left_end: End::of(left),
            right_end: End::of(right),
            idle: idle.into_iter().flatten().min(),
            ..Self::default()
        }
    }
}

/// Joins two connections until both have ended; says what was moved, and how it ended.
///
/// The end of one side is passed on to the other, which may go on. When one side breaks off, so is the other, so that
/// a cut transfer cannot be taken for a whole one; so are both when a limit runs out, a stop is in a hurry, or this
/// future is dropped. When one side has ended and then no longer reads, what it sent is passed on to its end, and what
/// comes for it is dropped: an error too, but nothing is broken off. While nothing is under way no buffer is held.
///
/// A side that is a command is waited for until it has ended, as long as that takes: its exit code says how it went,
/// also where it did not read all that was sent. Then nobody is there to hear the other side, and all is over. It is not
/// waited for once the other side has left for good before all was said, which can be told of Unix sockets, and of TCP over
/// loopback: it is ended when it has taken nothing for half a second of what that side sent, unless all goes one way, to the
/// command.
///
/// # Errors
/// Names the side that failed, which may be a command that ended with another exit code than 0; a limit that ran out;
/// two connections of which one carries bytes and one messages.
pub async fn relay(left: &mut Conn, right: &mut Conn, plan: &Plan, ctx: &Ctx) -> (Moved, Result<()>) {
    let counts = (left.counts(), right.counts());
    let before = (counts.0.sent(), counts.1.sent());
    let result = join(left, right, plan, ctx).await;
    (Moved { to_right: counts.1.sent() - before.1, to_left: counts.0.sent() - before.0 }, result)
}

async fn join(left: &mut Conn, right: &mut Conn, plan: &Plan, ctx: &Ctx) -> Result<()> {
    if left.shape() != right.shape() {
        left.abort();
        right.abort();
        let cause = Cause::WrongShape { has: right.shape() };
        return Err(Error::new(Op::Relay, cause).on(right.peer()).at(Side::Right));
    }
    let counts = (left.counts(), right.counts());
    let (to_left, to_right) =
        (Course::new(right, plan.right_end, ctx), Course::new(left, plan.left_end, ctx));
    let commands = Commands::default();
    let mut joint = Joint { left, right, to_left, to_right, commands, is_hurried: false, is_whole: false };
    if plan.flow == Flow::OneWay {
        joint.to_left.drop_all();
    }
    let idle = async {
        match plan.idle {
            Some(limit) => {
                quiet([&counts.0, &counts.1], limit).await;
                limit
            }
            None => pending().await,
        }
    };
    let ended = tokio::select! {
        ended = joint.run(plan, ctx) => ended,
        limit = idle => Err(Error::new(Op::Relay, Cause::Limit(Limit::Idle, limit)).into()),
    };
    joint.is_whole = matches!(ended, Ok(()) | Err(Failure { is_orderly: true, .. }));
    ended.map_err(|failure| failure.error.on(joint.right.peer()))
}

/// Why a relay failed.
struct Failure {
    error: Error,
    /// Whether both sides were told all there was to tell, so that nothing has to be broken off.
    is_orderly: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, is_orderly: false }
    }
}

/// What is known of each side that may be a command.
#[derive(Default)]
struct Commands {
    left: Command,
    right: Command,
    /// Of the side that is no command.
    presence: Presence,
}

/// Two connections under way.
struct Joint<'a> {
    left: &'a mut Conn,
    right: &'a mut Conn,
    to_left: Course,
    to_right: Course,
    commands: Commands,
    is_hurried: bool,
    /// Whether nothing was cut off: else the drop breaks off both.
    is_whole: bool,
}

impl Drop for Joint<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.left.abort();
            self.right.abort();
        }
    }
}

impl Joint<'_> {
    async fn run(&mut self, plan: &Plan, ctx: &Ctx) -> std::result::Result<(), Failure> {
        let mut hurried = pin!(ctx.stop.hurried());
        // One way, the end of the right side means nothing to the left.
        let of_left = (plan.flow == Flow::Both && !self.left.half_close()).then_some(LAST_WORDS);
        let of_right = plan.wait.or((!self.right.half_close()).then_some(LAST_WORDS));
        let (mut of_left, mut of_right) = (of_left.map(Silence::new), of_right.map(Silence::new));
        let ended = poll_fn(|cx| {
            if hurried.as_mut().poll(cx).is_ready() {
                self.is_hurried = true;
                self.to_left.hurry();
                self.to_right.hurry();
            }
            self.poll_both(cx)?;
            if self.is_over(plan.flow, cx) {
                return Poll::Ready(self.verdict());
            }
            let is_asked = self.to_right.is_over() && plan.wait.is_some();
            if let Some(silence) = &mut of_right
                && (is_asked || self.to_right.has_ended())
                && silence.poll(self.to_left.is_empty(), &self.right.counts(), cx).is_ready()
            {
                return Poll::Ready(self.verdict());
            }
            if let Some(silence) = &mut of_left
                && self.to_left.has_ended()
                && silence.poll(self.to_right.is_empty(), &self.left.counts(), cx).is_ready()
            {
                return Poll::Ready(self.verdict());
            }
            if self.runs_for_nobody(plan.flow, cx) {
                return Poll::Ready(self.deserted(plan.flow));
            }
            Poll::Pending
        })
        .await;
        self.part(&ended, ctx).await;
        if ended.as_ref().is_err_and(|failure: &Failure| failure.error.op() != Op::Run) {
            return ended;
        }
        // Nobody reads any more: what was sent must not be lost with what comes in answer.
        if self.to_right.is_told() && !self.to_left.is_whole() {
            self.right.arrived(ctx).await;
        }
        if self.to_left.is_told() && !self.to_right.is_whole() {
            self.left.arrived(ctx).await;
        }
        ended
    }

    /// Says the last word to the sides that were not told yet, since they say no more then.
    async fn part(&mut self, ended: &std::result::Result<(), Failure>, ctx: &Ctx) {
        let (to_left, to_right) = match ended {
            Ok(()) | Err(Failure { is_orderly: true, .. }) => (self.right.closing(), self.left.closing()),
            Err(failure) if matches!(failure.error.cause(), Cause::Stopped) => {
                let stopped = Close::of(Close::GOING_AWAY);
                (Some(stopped.clone()), Some(stopped))
            }
            Err(_) => return,
        };
        tokio::join!(self.left.part(to_left, ctx), self.right.part(to_right, ctx));
    }

    /// Moves what can be moved now.
    fn poll_both(&mut self, cx: &mut Context<'_>) -> std::result::Result<(), Failure> {
        loop {
            let before = (self.to_right.progress(), self.to_left.progress());
            // Who was reset is not believed to have come to an orderly end.
            let moved = self.to_right.poll(self.left, self.right, !self.to_left.is_reset(), cx);
            if let Poll::Ready(Err(failed)) = moved {
                return Err(failed.at(Side::Left, Side::Right).into());
            }
            let moved = self.to_left.poll(self.right, self.left, !self.to_right.is_reset(), cx);
            if let Poll::Ready(Err(failed)) = moved {
                return Err(failed.at(Side::Right, Side::Left).into());
            }
            // What one course found out may end the other.
            if (self.to_right.progress(), self.to_left.progress()) == before {
                return Ok(());
            }
        }
    }

    fn is_over(&mut self, flow: Flow, cx: &mut Context<'_>) -> bool {
        self.commands.left.poll(self.left, cx);
        self.commands.right.poll(self.right, cx);
        let Commands { left, right, .. } = self.commands;
        let both = self.to_right.is_over() && (self.to_left.is_over() || flow == Flow::OneWay);
        if self.is_hurried && both {
            return true;
        }
        if self.to_left.ends_all() {
            return right != Command::Runs;
        }
        if self.to_right.ends_all() {
            return left != Command::Runs;
        }
        if both {
            // Whose words nobody hears any more is not waited for, as nobody waits for who writes to a broken pipe.
            let is_left_over = left != Command::Runs || self.to_right.is_lost();
            let is_right_over = right != Command::Runs || self.to_left.is_lost();
            return is_left_over && is_right_over;
        }
        // Nobody is there any more to hear the other side, which, if it is a command too, ends for itself.
        let is_left_gone = left.has_ended() && self.to_right.is_over() && right == Command::None;
        let is_right_gone = right.has_ended() && self.to_left.is_over() && left == Command::None;
        is_left_gone || is_right_gone
    }

    /// Whether one side is a command that goes on, and the other one has left for good before all was said. Afterwards it
    /// may: the command still works on what it heard. It could not be told either: a socket of which both sides have
    /// ended looks as if the peer were gone (poll(2), POLLHUP).
    ///
    /// Only a peer that is not being read is looked after: reading tells that one has left. One that was to send alone
    /// has nothing to stay for.
    fn runs_for_nobody(&mut self, flow: Flow, cx: &mut Context<'_>) -> bool {
        if self.to_right.is_told() && self.to_left.is_told() {
            return false;
        }
        let Commands { left, right, presence } = &mut self.commands;
        let (peer, command, course) = match (*left, *right) {
            (Command::None, Command::Runs) if flow == Flow::Both => (&self.left, &self.right, &self.to_right),
            (Command::Runs, Command::None) => (&self.right, &self.left, &self.to_left),
            _ => return false,
        };
        !course.is_reading() && presence.poll_left(peer, command.counts().sent(), cx)
    }

    /// How it ended where a command runs for nobody: well, if there was nothing left to say.
    fn deserted(&self, flow: Flow) -> std::result::Result<(), Failure> {
        let is_said = self.to_right.is_over() && (self.to_left.is_over() || flow == Flow::OneWay);
        if is_said {
            return Ok(());
        }
        let (peer, side) = match self.commands.left {
            Command::None => (self.left.peer(), Side::Left),
            Command::Runs | Command::Ended(_) => (self.right.peer(), Side::Right),
        };
        Err(Error::new(Op::Write, Cause::Deserted).on(peer).at(side).into())
    }

    /// How it ended, once it is over.
    fn verdict(&mut self) -> std::result::Result<(), Failure> {
        let is_reset = self.to_left.is_reset() || self.to_right.is_reset();
        // What a command did not want to read is its own affair.
        let Commands { left, right, .. } = self.commands;
        let to_right = if right.has_ended() { None } else { self.to_right.take_lost() };
        let to_left = if left.has_ended() { None } else { self.to_left.take_lost() };
        let lost = to_right.map(|error| error.at(Side::Right));
        if let Some(error) = lost.or_else(|| to_left.map(|error| error.at(Side::Left))) {
            return Err(Failure { error, is_orderly: !is_reset });
        }
        // What could not be passed on was told when it came; the rest was.
        let undelivered = self.to_right.take_undelivered().map(|error| error.at(Side::Right));
        let undelivered = undelivered.or_else(|| Some(self.to_left.take_undelivered()?.at(Side::Left)));
        if let Some(error) = undelivered {
            return Err(Failure { error, is_orderly: true });
        }
        let is_running = self.is_hurried && (left == Command::Runs || right == Command::Runs);
        if self.to_left.is_cut() || self.to_right.is_cut() || is_running {
            return Err(Error::new(Op::Relay, Cause::Stopped).on(self.right.peer()).into());
        }
        let failed = right.failure(self.right, Side::Right);
        if let Some(error) = failed.or_else(|| left.failure(self.left, Side::Left)) {
            return Err(Failure { error, is_orderly: true });
        }
        // Nothing was broken off, but it did not end well.
        let failed = self.right.ill_word().map(|error| error.at(Side::Right));
        match failed.or_else(|| Some(self.left.ill_word()?.at(Side::Left))) {
            Some(error) => Err(Failure { error, is_orderly: true }),
            None => Ok(()),
        }
    }
}

/// Waiting for a side that says nothing more.
struct Silence {
    limit: Duration,
    received: (u64, u64),
    over: Option<Pin<Box<Sleep>>>,
}

/// How long a side that cannot tell its end must be silent, once the other has ended, to be taken to have ended too.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Silence {
    fn new(limit: Duration) -> Self {
        Self { limit, received: (0, 0), over: None }
    }

    /// Ready once nothing has come for the limit, all of it while nothing that came was still to be passed on.
    fn poll(&mut self, passed_on: bool, counts: &Counts, cx: &mut Context<'_>) -> Poll<()> {
        let over = self.over.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        let received = (counts.received(), counts.messages_received());
        if !passed_on || received != self.received {
            self.received = received;
            over.as_mut().reset(Instant::now() + self.limit);
        }
        over.as_mut().poll(cx)
    }
}
