//! Bytes on their way from one connection to another: copied, or, once there are many, moved past us by the kernel.

use std::io;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Op, Result};
use crate::lent::Direction;
use crate::pipe::{Pipe, Pipes};
use crate::transit::Transit;

/// Bytes that were taken from the source, and that the target has not taken yet.
///
/// They are copied in a lent buffer until full reads tell that more is coming than a message or two, and from then on
/// moved through a lent pipe, if both ends have nothing above their descriptors. While nothing is under way, neither is
/// held.
#[derive(Debug)]
pub(super) struct Freight {
    transit: Transit,
    pipe: Option<Pipe>,
    pipes: Pipes,
    /// One of the ends was found not to do it.
    is_refused: bool,
}

impl Freight {
    /// Nothing under way yet.
    pub(super) fn new(ctx: &Ctx) -> Self {
        let transit = Transit::new(&ctx.buffers);
        Self { transit, pipe: None, pipes: ctx.pipes.clone(), is_refused: false }
    }

    /// Whether all that was taken is passed on.
    pub(super) fn is_empty(&self) -> bool {
        self.transit.is_empty() && self.pipe.as_ref().is_none_or(|pipe| pipe.held() == 0)
    }

    /// Takes what the source has, and says how much; 0 is the end. What was taken before must have been drained or
    /// discarded.
    ///
    /// # Errors
    /// As [`Conn::poll_read`].
    pub(super) fn poll_fill(
        &mut self,
        source: &mut Conn,
        target: &Conn,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize>> {
        let can_splice = !self.is_refused
            && self.transit.is_bulk()
            && source.lend(Direction::Read).is_some()
            && target.lend(Direction::Write).is_some();
        if can_splice && let Some(mut pipe) = self.pipe.take().or_else(|| self.pipes.lend().ok()) {
            match source.poll_read_into(&mut pipe, cx) {
                Poll::Ready(Ok(0)) => self.pipes.give_back(pipe),
                Poll::Ready(Ok(moved)) => {
                    self.transit.learn_moved(moved);
                    self.pipe = Some(pipe);
                    return Poll::Ready(Ok(moved));
                }
                Poll::Ready(Err(error)) if is_refusal(&error) => self.is_refused = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(source.failed(Op::Read, error))),
                Poll::Pending => {
                    self.pipes.give_back(pipe);
                    return Poll::Pending;
                }
            }
        }
        self.transit.poll_fill(source, cx)
    }

    /// Passes all that is under way on to the target.
    ///
    /// # Errors
    /// As [`Conn::poll_write`].
    pub(super) fn poll_drain(&mut self, target: &mut Conn, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.held() > 0) {
            if self.is_refused {
                ready!(self.transit.poll_drain(target, cx))?;
                self.transit
                    .take_from(pipe)
                    .map_err(|errno| target.failed(Op::Write, io::Error::from(errno)))?;
                continue;
            }
            match ready!(target.poll_write_from(pipe, cx)) {
                Ok(()) => {}
                Err(error) if is_refusal(&error) => self.is_refused = true,
                Err(error) => return Poll::Ready(Err(target.failed(Op::Write, error))),
            }
        }
        self.transit.poll_drain(target, cx)
    }

    /// Forgets what is under way.
    pub(super) fn discard(&mut self) {
        self.pipe = None;
        self.transit.discard();
    }
}

/// Whether copying is to be tried instead: the descriptor does not do this, or it has an error that stays, of which
/// reading and writing know what it means. A socket tells of a reset once only, so that is none of these.
fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::IO | Errno::PIPE))
}
