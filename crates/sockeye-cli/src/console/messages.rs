//! Standard input and output as messages.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sockeye::proto::cut::{Cutter, TooLong};
use sockeye::{Buffers, Bytes, Clock, Ctx, Message, Messages, Size};

use super::form::Form;
use super::manner::Manner;
use super::tap::Link;
use super::waiting::Waiting;

/// Makes messages of standard input, and writes those that come.
pub(super) struct Cut {
    beneath: Box<dyn Bytes>,
    link: Arc<Link>,
    buffers: Buffers,
    clock: Clock,
    cutter: Cutter,
    /// What was read and is not yet cut, from the end on to which it is.
    read: Vec<u8>,
    taken: usize,
    has_ended: bool,
    form: Form,
    waiting: Waiting,
    /// Whether what waits is the message that is being sent.
    is_made: bool,
}

impl Cut {
    pub(super) fn over(beneath: Box<dyn Bytes>, manner: &Manner, link: Arc<Link>, ctx: &Ctx) -> Self {
        Self {
            beneath,
            link,
            buffers: ctx.buffers.clone(),
            clock: ctx.clock,
            cutter: Cutter::new(manner.piece),
            read: Vec::new(),
            taken: 0,
            has_ended: false,
            form: manner.form,
            waiting: Waiting::default(),
            is_made: false,
        }
    }

    /// Whether a message is whole with what was read.
    fn cut(&mut self, most: usize) -> Result<bool, TooLong> {
        while let Some(rest) = self.read.get(self.taken..).filter(|rest| !rest.is_empty()) {
            let (taken, is_whole) = self.cutter.take(rest, most)?;
            self.taken += taken;
            if is_whole {
                return Ok(true);
            }
        }
        self.read.clear();
        self.taken = 0;
        Ok(false)
    }

    /// Reads once; `false` is the end.
    fn poll_read(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut buffer = self.buffers.lend(Size::Small);
        let room = self.cutter.room(most).min(buffer.len());
        let read = self.beneath.poll_read(cx, buffer.get_mut(..room).unwrap_or_default());
        if let Poll::Ready(Ok(read)) = read {
            self.read.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        self.buffers.give_back(buffer);
        Poll::Ready(Ok(ready!(read)? > 0))
    }
}

impl Messages for Cut {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        let most = self.link.most();
        loop {
            let is_whole = self.cut(most).map_err(told)?;
            if !is_whole && !self.has_ended {
                self.has_ended = !ready!(self.poll_read(most, cx))?;
                continue;
            }
            let is_message = is_whole || self.cutter.finish(most).map_err(told)?;
            if is_message {
                message.payload = self.cutter.message();
            }
            return Poll::Ready(Ok(is_message));
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        if !self.is_made {
            self.form.write(payload, &self.link.origin(), self.clock, &mut self.waiting.bytes);
            self.is_made = true;
        }
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        ready!(self.beneath.poll_flush(cx))?;
        self.is_made = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}

/// A read fails with what is too long, and `hint.rs` finds it there.
fn told(too_long: TooLong) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, too_long)
}
