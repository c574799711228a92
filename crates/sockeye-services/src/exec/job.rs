//! A command that runs for one client, under the limits of the server.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sockeye::process::{Handle, Input, Output, Program, Running};
use sockeye::proto::exec::{Refusal, Stream};
use sockeye::{Buffers, Cause, Ctx, Exit, Outcome, Size, Unstarted};
use tokio::time::{Sleep, sleep};

use super::house::Place;
use super::policy::No;
use super::record::Record;
use super::settings::Settings;

/// A command, what it still has to read, and what there is to say of it. Dropping it ends the command.
#[derive(Debug)]
pub(super) struct Job {
    /// What it reads, and what of that it has not taken yet.
    input: Option<(Input, Vec<u8>)>,
    /// Its standard output and its standard error, until their ends.
    streams: [(Stream, Option<Output>); 2],
    command: Handle,
    buffers: Buffers,
    time: Option<(Pin<Box<Sleep>>, End)>,
    /// How much more it may say, and what was allowed.
    left: Option<(u64, u64)>,
    record: Record,
    _place: Place,
}

/// What a job has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It is over.
    Ended(End),
    /// It has said something.
    Said,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Exited(Exit),
    /// It was ended for this reason.
    Limit(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(exit) => write!(f, "it {exit}"),
            Self::Limit(reason) => f.write_str(reason),
        }
    }
}

impl Job {
    /// Starts a command, with all that it is to read. Cancel safe.
    ///
    /// # Errors
    /// It could not be started.
    pub(super) async fn start(
        program: Program,
        input: Vec<u8>,
        (place, mut record): (Place, Record),
        settings: &Settings,
        ctx: &Ctx,
    ) -> Result<Self, No> {
        let Running { input: pipe, output, errors, command } = match program.start(ctx).await {
            Ok(running) => running,
            Err(error) => {
                let no = unstarted(error.cause());
                record.refuse(&no.text);
                return Err(no);
            }
        };
        record.begin();
        record.received = u64::try_from(input.len()).unwrap_or(u64::MAX);
        let time = settings.time.map(|time| {
            let end = End::Limit(format!("it ran for longer than {time:?}, the server's --time"));
            (Box::pin(sleep(time)), end)
        });
        Ok(Self {
            input: pipe.map(|pipe| (pipe, input)),
            streams: [(Stream::Output, Some(output)), (Stream::Errors, errors)],
            command,
            buffers: ctx.buffers.clone(),
            time,
            left: settings.output.map(|most| (most, most)),
            record,
            _place: place,
        })
    }

    /// Waits for what comes next. Where there is `room`, what the command says is handed to `take`, at most so many bytes at
    /// once; else it waits in its pipes. After its end it is not to be called again. Cancel safe.
    pub(super) async fn step(&mut self, room: usize, mut take: impl FnMut(Stream, &[u8])) -> Step {
        poll_fn(|cx| self.poll_step(cx, room, &mut take)).await
    }

    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        take: &mut impl FnMut(Stream, &[u8]),
    ) -> Poll<Step> {
        if let Some((time, end)) = &mut self.time
            && time.as_mut().poll(cx).is_ready()
        {
            let end = end.clone();
            return Poll::Ready(self.end(end));
        }
        self.feed(cx);
        if room > 0
            && let Poll::Ready(is_too_much) = self.poll_read(cx, room, take)
        {
            let most = self.left.map(|(_, most)| most).filter(|_| is_too_much);
            let limit = |most| End::Limit(format!("it said more than {most} bytes, the server's --output"));
            return Poll::Ready(most.map_or(Step::Said, |most| self.end(limit(most))));
        }
        if self.streams.iter().any(|(_, stream)| stream.is_some()) {
            return Poll::Pending;
        }
        let exit = ready!(self.command.poll_exit(cx));
        Poll::Ready(self.end(End::Exited(exit)))
    }

    /// Why the command is not wanted any more, for those who read the log.
    pub(super) fn give_up(mut self, why: &str) {
        self.record.end(Outcome::Ended(why.into()));
    }

    fn end(&mut self, end: End) -> Step {
        self.record.end(match &end {
            End::Exited(exit) => Outcome::Exited(*exit),
            End::Limit(reason) => Outcome::Ended(reason.as_str().into()),
        });
        self.command.end();
        Step::Ended(end)
    }

    /// Gives the command what it takes of its input; its end follows. Who does not want to read all of it is not asked to.
    fn feed(&mut self, cx: &mut Context<'_>) {
        while let Some((pipe, rest)) = &mut self.input {
            let is_done = if rest.is_empty() {
                pipe.poll_shutdown(cx).map(|_| true)
            } else {
                pipe.poll_write(cx, rest).map(|written| match written {
                    Ok(written) => {
                        rest.drain(..written);
                        false
                    }
                    Err(_) => true,
                })
            };
            match is_done {
                Poll::Ready(true) => self.input = None,
                Poll::Ready(false) => {}
                Poll::Pending => return,
            }
        }
    }

    /// Reads what the command says, on whichever stream, and whether that was more than it may say.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        take: &mut impl FnMut(Stream, &[u8]),
    ) -> Poll<bool> {
        let mut buffer = self.buffers.lend(Size::Small);
        let mut has_said = Poll::Pending;
        // Each has its turn, also where the other never falls silent.
        self.streams.reverse();
        for (stream, output) in &mut self.streams {
            let (Some(pipe), Poll::Pending) = (&mut *output, has_said) else { continue };
            let end = buffer.len().min(room);
            match pipe.poll_read(cx, buffer.get_mut(..end).unwrap_or_default()) {
                Poll::Ready(Ok(read @ 1..)) => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    let said = u64::try_from(read).unwrap_or(u64::MAX);
                    // What is too much is not said.
                    let allowed = self.left.map_or(said, |(left, _)| left.min(said));
                    self.left = self.left.map(|(left, most)| (left - allowed, most));
                    take(*stream, bytes.get(..usize::try_from(allowed).unwrap_or(read)).unwrap_or_default());
                    self.record.sent = self.record.sent.saturating_add(allowed);
                    has_said = Poll::Ready(allowed < said);
                }
                Poll::Ready(Ok(0) | Err(_)) => *output = None,
                Poll::Pending => {}
            }
        }
        self.buffers.give_back(buffer);
        has_said
    }
}

/// Why a command was not started, as its client is told.
fn unstarted(cause: &Cause) -> No {
    let why = match cause {
        Cause::Unstarted(Unstarted::Program(_), _) => Refusal::Missing,
        _ => Refusal::Failed,
    };
    No::new(why, cause.to_string())
}
