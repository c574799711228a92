//! One way of a relay: from its source to its target, and the end of file after it.

use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use sockeye_proto::shape::Shape;

use super::End;
use super::freight::Freight;
use super::undelivered::Undelivered;
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Kind, Side};
use crate::message::Message;

/// What goes one way.
pub(super) struct Course {
    cargo: Cargo,
    step: Step,
    end: End,
    fate: Fate,
    /// A stop is in a hurry: nothing more is read.
    hurried: bool,
    undelivered: Undelivered,
}

enum Cargo {
    Bytes(Freight),
    Messages {
        message: Box<Message>,
        /// Whether the message is still to be sent.
        is_loaded: bool,
        /// Whether the target may hold some back, to share a write with those that follow.
        is_unflushed: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Moving,
    Ending,
    Over,
}

/// What becomes of what is read.
enum Fate {
    /// It is passed on.
    Passed,
    /// It is dropped, because nobody wants it.
    Dropped,
    /// It is dropped, because the target no longer reads: so its source is not held up, and can hear the rest.
    Lost(Error),
    /// A stop cut it off.
    Cut,
}

/// Which end of a course broke.
pub(super) enum Broken {
    Source(Error),
    Target(Error),
}

impl Broken {
    /// Names the side that broke.
    pub(super) fn at(self, source: Side, target: Side) -> Error {
        match self {
            Self::Source(error) => error.at(source),
            Self::Target(error) => error.at(target),
        }
    }
}

impl Course {
    /// A course from `source`; one that cannot be read is over at once, and its end is told to nobody.
    pub(super) fn new(source: &Conn, end: End, ctx: &Ctx) -> Self {
        let cargo = match source.shape() {
            Shape::Bytes => Cargo::Bytes(Freight::new(ctx)),
            Shape::Messages => {
                Cargo::Messages { message: Box::default(), is_loaded: false, is_unflushed: false }
            }
        };
        let (step, end) = if source.can_read() { (Step::Moving, end) } else { (Step::Over, End::Ignore) };
        let undelivered = Undelivered::new(&ctx.events);
        Self { cargo, step, end, fate: Fate::Passed, hurried: false, undelivered }
    }

    /// Drops from here on whatever comes.
    pub(super) fn drop_all(&mut self) {
        self.fate = Fate::Dropped;
    }

    /// Passes on what is in hand, and reads no more.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Whether nothing more will reach the target.
    pub(super) fn is_over(&self) -> bool {
        self.step == Step::Over || matches!(self.fate, Fate::Lost(_))
    }

    /// Whether the target took no more, before the source ended.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.fate, Fate::Lost(_))
    }

    /// Whether the source has ended, and all of it was read.
    pub(super) fn is_whole(&self) -> bool {
        self.step == Step::Over
    }

    /// Whether its source is waited for, and not its target: then the source's end is heard of.
    pub(super) fn is_reading(&self) -> bool {
        self.step == Step::Moving && self.is_empty()
    }

    /// Whether the source has ended, and the target is to know.
    pub(super) fn has_ended(&self) -> bool {
        self.step == Step::Over && self.end != End::Ignore
    }

    /// Whether the target was told the end of the source.
    pub(super) fn is_told(&self) -> bool {
        self.step == Step::Over && matches!(self.fate, Fate::Passed) && self.end != End::Ignore
    }

    /// Whether all that was read is passed on.
    pub(super) fn is_empty(&self) -> bool {
        match &self.cargo {
            Cargo::Bytes(freight) => freight.is_empty(),
            Cargo::Messages { is_loaded, is_unflushed, .. } => !is_loaded && !is_unflushed,
        }
    }

    /// Whether the end of the source ends the whole relay.
    pub(super) fn ends_all(&self) -> bool {
        self.step == Step::Over && self.end == End::Close
    }

    /// Whether a stop cut it off.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.fate, Fate::Cut)
    }

    /// Whether the target broke off, rather than ended and then read no more. A socket that got a reset reports it
    /// once, to whoever comes first; reading from it then looks like an orderly end.
    pub(super) fn is_reset(&self) -> bool {
        let Fate::Lost(error) = &self.fate else { return false };
        matches!(error.cause(), Cause::Io(io) if Errno::from_io_error(io) == Some(Errno::CONNRESET))
    }

    /// What the target did not take any more.
    pub(super) fn take_lost(&mut self) -> Option<Error> {
        match std::mem::replace(&mut self.fate, Fate::Dropped) {
            Fate::Lost(error) => Some(error),
            fate => {
                self.fate = fate;
                None
            }
        }
    }

    /// What the target could not carry, where anything.
    pub(super) fn take_undelivered(&mut self) -> Option<Error> {
        self.undelivered.take()
    }

    /// Something that changes whenever the other course should look again.
    pub(super) fn progress(&self) -> (bool, bool) {
        (self.step == Step::Over, matches!(self.fate, Fate::Lost(_)))
    }

    /// Moves what can be moved now. `is_believed` says whether an end of the source is told to the target.
    pub(super) fn poll(
        &mut self,
        source: &mut Conn,
        target: &mut Conn,
        is_believed: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            match self.step {
                Step::Moving => match ready!(self.poll_move(source, target, cx)) {
                    Ok(true) => {}
                    Ok(false) => self.step = Step::Ending,
                    Err(Broken::Target(error)) if error.kind() == Kind::Reset => {
                        self.fate = Fate::Lost(error)
                    }
                    Err(broken) => return Poll::Ready(Err(broken)),
                },
                Step::Ending => {
                    if matches!(self.fate, Fate::Passed) {
                        match ready!(self.undelivered.poll_flush(source, target, cx)) {
                            Ok(()) => {}
                            // As while moving: what was held back is lost, and the source may hear the rest.
                            Err(error) if error.kind() == Kind::Reset => {
                                self.fate = Fate::Lost(error);
                                continue;
                            }
                            Err(error) => return Poll::Ready(Err(Broken::Target(error))),
                        }
                        // Who would say no more is told last, unless whoever could still hear it has left.
                        let waits = target.closes_whole() && !source.closes_whole();
                        if is_believed && self.end != End::Ignore && !waits {
                            if let Some(word) = source.closing() {
                                target.set_closing(&word);
                            }
                            ready!(target.poll_shutdown_write(cx)).map_err(Broken::Target)?;
                        }
                    }
                    self.step = Step::Over;
                }
                Step::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Passes on what is in hand, and reads once; `false` is the end.
    fn poll_move(
        &mut self,
        source: &mut Conn,
        target: &mut Conn,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Broken>> {
        let passes = matches!(self.fate, Fate::Passed);
        match &mut self.cargo {
            Cargo::Bytes(freight) if passes => {
                ready!(freight.poll_drain(target, cx)).map_err(Broken::Target)?
            }
            Cargo::Bytes(freight) => freight.discard(),
            Cargo::Messages { message, is_loaded, is_unflushed } => {
                if *is_loaded && passes {
                    match ready!(target.poll_feed(cx, &**message)) {
                        Ok(()) => *is_unflushed = true,
                        // This one message is not for the target; the next may be.
                        Err(error) if error.is_refusal() => {
                            self.undelivered.count(source.peer(), target.peer(), error);
                        }
                        Err(error) => return Poll::Ready(Err(Broken::Target(error))),
                    }
                }
                (*is_loaded, *is_unflushed) = (false, *is_unflushed && passes);
            }
        }
        if self.hurried {
            if passes {
                let flushed = ready!(self.undelivered.poll_flush(source, target, cx));
                flushed.map_err(Broken::Target)?;
                self.fate = Fate::Cut;
            }
            return Poll::Ready(Ok(false));
        }
        Poll::Ready(match &mut self.cargo {
            Cargo::Bytes(freight) => {
                let read = ready!(freight.poll_fill(source, target, cx));
                read.map(|read| read > 0).map_err(Broken::Source)
            }
            Cargo::Messages { message, is_loaded, is_unflushed } => {
                let Poll::Ready(received) = source.poll_receive(cx, message) else {
                    // Nothing follows at once: what was held back goes.
                    if *is_unflushed {
                        let flushed = ready!(self.undelivered.poll_flush(source, target, cx));
                        flushed.map_err(Broken::Target)?;
                        *is_unflushed = false;
                    }
                    return Poll::Pending;
                };
                *is_loaded = received.map_err(Broken::Source)?;
                Ok(*is_loaded)
            }
        })
    }
}
