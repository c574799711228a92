//! A command that runs for one client, under the limits of the server.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye::process::{Handle, Input, Output, Program, Running};
use sockeye::proto::exec::Stream;
use sockeye::{Buffers, Ctx, Exit, Outcome, Size};
use tokio::time::{Sleep, sleep};

use super::command::{CROWDED, LINGER, TOO_MUCH, out_of_time};
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
    time: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Runs once it has ended and its streams have not.
    linger: Option<Pin<Box<Sleep>>>,
    /// How much more it may say.
    left: Option<u64>,
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
                let no = No::unstarted(error.cause());
                record.refuse(&no.text);
                return Err(no);
            }
        };
        record.begin();
        record.received = u64::try_from(input.len()).unwrap_or(u64::MAX);
        let time = settings.time.map(|time| (time, Box::pin(sleep(time))));
        Ok(Self {
            input: pipe.map(|pipe| (pipe, input)),
            streams: [(Stream::Output, Some(output)), (Stream::Errors, errors)],
            command,
            buffers: ctx.buffers.clone(),
            time,
            linger: None,
            left: settings.output,
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
        if let Some((limit, time)) = &mut self.time
            && time.as_mut().poll(cx).is_ready()
        {
            let why = out_of_time(*limit);
            return Poll::Ready(self.end(End::Limit(why)));
        }
        self.feed(cx);
        if room > 0
            && let Poll::Ready(is_too_much) = self.poll_read(cx, room, take)
        {
            return Poll::Ready(if is_too_much {
                self.end(End::Limit(TOO_MUCH.to_owned()))
            } else {
                Step::Said
            });
        }
        let exit = ready!(self.command.poll_exit(cx));
        if self.streams.iter().any(|(_, stream)| stream.is_some()) {
            // What is in them is read once there is room.
            if room == 0 {
                return Poll::Pending;
            }
            let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            ready!(linger.as_mut().poll(cx));
        }
        let is_crowded = self.command.is_crowded();
        Poll::Ready(self.end(if is_crowded { End::Limit(CROWDED.to_owned()) } else { End::Exited(exit) }))
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
                    let allowed = self.left.map_or(said, |left| left.min(said));
                    self.left = self.left.map(|left| left - allowed);
                    self.linger = None;
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
