//! Joining two connections: the one loop that moves bytes, or messages, both ways.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::address::{Address, Value};
use sockeye_proto::shape::Shape;

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Limit, Op, Result, Side};
use crate::idle::quiet;
use crate::message::Message;
use crate::open;
use crate::option;
use crate::service::{BoxFuture, Service};
use crate::transit::Transit;

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
    /// Once the left side has ended, be done when nothing more has come for so long. `None` waits for the right
    /// side's own end, however long that takes: an answer may be slow.
    pub wait: Option<Duration>,
}

/// Which ways bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flow {
    /// Both ways.
    #[default]
    Both,
    /// Left to right alone. What comes back is read and dropped, so that the other side is not held up, and so that
    /// closing does not reset it. Done when the left side has ended.
    LeftToRight,
    /// The other way round. Done when the right side has ended.
    RightToLeft,
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

/// Joins two connections until both have ended, and says what was moved.
///
/// The end of one side is passed on to the other, which may go on. When one side breaks off, so is the other, so that
/// a cut transfer cannot be taken for a whole one. When one side no longer reads, what it still sends is passed on to
/// its end, and what the other sends is dropped; that is an error too, but breaks nothing off. While nothing is under way no buffer is held. Not cancel safe: what is under way would be lost.
///
/// # Errors
/// Names the side that failed; a limit that ran out; two connections of which one carries bytes and one messages.
pub async fn relay(left: &mut Conn, right: &mut Conn, plan: &Plan, ctx: &Ctx) -> Result<Moved> {
    if left.shape() != right.shape() {
        let cause = Cause::WrongShape { has: right.shape() };
        return Err(Error::new(Op::Relay, cause).on(right.peer()).at(Side::Right));
    }
    let counts = (left.counts(), right.counts());
    let idle = async {
        match plan.idle {
            Some(limit) => {
                quiet([&counts.0, &counts.1], limit).await;
                limit
            }
            None => pending().await,
        }
    };
    let done = tokio::select! {
        done = join(left, right, plan, ctx) => done,
        limit = idle => Err(Error::new(Op::Relay, Cause::Limit(Limit::Idle, limit)).on(right.peer())),
    };
    if done.is_err() {
        left.abort();
        right.abort();
    }
    match done? {
        None => Ok(Moved { to_right: counts.1.sent(), to_left: counts.0.sent() }),
        Some(lost) => Err(lost),
    }
}

/// Moves until all is over. What is returned was lost on the way to a side that no longer read.
async fn join(left: &mut Conn, right: &mut Conn, plan: &Plan, ctx: &Ctx) -> Result<Option<Error>> {
    let incoming = right.counts();
    let incoming = &*incoming;
    let mut to_right = Course::new(left, plan.left_end, plan.flow != Flow::RightToLeft, ctx);
    let mut to_left = Course::new(right, plan.right_end, plan.flow != Flow::LeftToRight, ctx);
    let mut hurried = pin!(ctx.stop.hurried());
    let mut hurry = false;
    let mut waited: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
    poll_fn(move |cx| {
        hurry = hurry || hurried.as_mut().poll(cx).is_ready();
        loop {
            let before = (to_right.step, to_left.step);
            if let Poll::Ready(Err(error)) = to_right.poll(left, right, hurry, cx) {
                return Poll::Ready(Err(error.sided(Side::Left, Side::Right)));
            }
            if let Poll::Ready(Err(error)) = to_left.poll(right, left, hurry, cx) {
                return Poll::Ready(Err(error.sided(Side::Right, Side::Left)));
            }
            // What one course found out may end the other.
            if (to_right.step, to_left.step) == before {
                break;
            }
        }
        let over = match plan.flow {
            Flow::Both => to_right.is_over() && to_left.is_over(),
            Flow::LeftToRight => to_right.is_over(),
            Flow::RightToLeft => to_left.is_over(),
        };
        let closed = to_right.step == Step::Over(End::Close) || to_left.step == Step::Over(End::Close);
        if over || closed {
            let lost = to_right.lost.take().map(|error| error.at(Side::Right));
            let lost = lost.or_else(|| to_left.lost.take().map(|error| error.at(Side::Left)));
            return Poll::Ready(Ok(lost));
        }
        if let Some(limit) = plan.wait.filter(|_| to_right.is_over()) {
            let waited = waited.get_or_insert_with(|| Box::pin(quiet([incoming], limit)));
            return waited.as_mut().poll(cx).map(|()| Ok(None));
        }
        Poll::Pending
    })
    .await
}

/// One way of a relay.
struct Course {
    cargo: Cargo,
    end: End,
    step: Step,
    /// Whether what is read is passed on, or dropped.
    passes: bool,
    /// The other side no longer reads: told at the end, after what it still has to say.
    lost: Option<Error>,
}

/// What is under way.
enum Cargo {
    Bytes(Transit),
    /// The flag says whether the message is still to be sent.
    Messages(Box<Message>, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Moving,
    Ending,
    Over(End),
}

/// Which end of a course failed.
enum Failure {
    Source(Error),
    Target(Error),
}

impl Failure {
    fn sided(self, source: Side, target: Side) -> Error {
        match self {
            Self::Source(error) => error.at(source),
            Self::Target(error) => error.at(target),
        }
    }
}

impl Course {
    fn new(source: &Conn, end: End, passes: bool, ctx: &Ctx) -> Self {
        let cargo = match source.shape() {
            Shape::Bytes => Cargo::Bytes(Transit::new(&ctx.buffers)),
            Shape::Messages => Cargo::Messages(Box::default(), false),
        };
        Self { cargo, end, step: Step::Moving, passes, lost: None }
    }

    fn is_over(&self) -> bool {
        self.lost.is_some() || matches!(self.step, Step::Over(_))
    }

    fn poll(
        &mut self,
        source: &mut Conn,
        target: &mut Conn,
        hurry: bool,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Failure>> {
        loop {
            match self.step {
                Step::Moving => match ready!(self.poll_move(source, target, hurry, cx)) {
                    Ok(true) => {}
                    Ok(false) => self.step = Step::Ending,
                    Err(Failure::Target(error)) if !target_is_gone(&error) => {
                        return Poll::Ready(Err(Failure::Target(error)));
                    }
                    Err(Failure::Target(error)) => {
                        // From here on what comes is dropped, so that its sender is not held up, and can hear the rest.
                        self.lost = Some(error);
                        self.passes = false;
                    }
                    Err(failure) => return Poll::Ready(Err(failure)),
                },
                Step::Ending => {
                    // A way whose bytes are dropped has nobody to tell.
                    if self.passes && self.end != End::Ignore {
                        ready!(target.poll_shutdown_write(cx)).map_err(Failure::Target)?;
                    }
                    self.step = Step::Over(self.end);
                }
                Step::Over(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Moves once; `false` is the end.
    fn poll_move(
        &mut self,
        source: &mut Conn,
        target: &mut Conn,
        hurry: bool,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<bool, Failure>> {
        match &mut self.cargo {
            Cargo::Bytes(transit) => {
                if !transit.is_empty() {
                    if self.passes {
                        ready!(transit.poll_drain(target, cx)).map_err(Failure::Target)?;
                    } else {
                        transit.discard();
                    }
                }
                if hurry {
                    return Poll::Ready(Ok(false));
                }
                let read = ready!(transit.poll_fill(source, cx)).map_err(Failure::Source)?;
                Poll::Ready(Ok(read > 0))
            }
            Cargo::Messages(message, loaded) => {
                if *loaded && self.passes {
                    ready!(target.poll_send(cx, &message.payload)).map_err(Failure::Target)?;
                }
                *loaded = false;
                if hurry {
                    return Poll::Ready(Ok(false));
                }
                *loaded = ready!(source.poll_receive(cx, message)).map_err(Failure::Source)?;
                Poll::Ready(Ok(*loaded))
            }
        }
    }
}

/// Whether writing failed because the other side left, so that what it sent before may still be there to read.
fn target_is_gone(error: &Error) -> bool {
    error.kind() == crate::error::Kind::Reset
}

/// A service that joins each connection to an address, dialled anew for each.
#[derive(Debug)]
pub struct Forward {
    /// Where each connection is led to.
    pub to: Address,
    /// How they are joined.
    pub plan: Plan,
}

impl Service for Forward {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let dialled = tokio::select! {
                dialled = open::dial(&self.to, ctx) => dialled,
                () = ctx.stop.hurried() => return Ok(()),
            };
            match dialled {
                Ok(mut to) => {
                    let ended = relay(&mut conn, &mut to, &self.plan, ctx).await.map(|_| ());
                    drop(to);
                    if ended.as_ref().is_err_and(|error| error.op() == Op::Write) {
                        conn.farewell(ctx).await?;
                    }
                    ended
                }
                Err(error) => {
                    // The peer must not take this for an orderly end of a conversation that never was.
                    conn.abort();
                    Err(error.at(Side::Right))
                }
            }
        })
    }
}
