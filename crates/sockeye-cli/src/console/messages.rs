//! Standard input and output as messages.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sockeye::proto::cut::{Cutter, TooLong};
use sockeye::{Buffers, Bytes, Clock, Ctx, Message, Messages, Payload, Size};

use super::form::Form;
use super::manner::Manner;
use super::tap::Link;
use super::waiting::Waiting;

/// How much of what comes may wait to share a write with what follows.
const HELD: usize = 64 << 10;

/// Makes messages of standard input, and writes those that come.
pub(super) struct Cut {
    beneath: Box<dyn Bytes>,
    link: Arc<Link>,
    buffers: Buffers,
    clock: Clock,
    cutter: Cutter,
    /// What was read, and how much of it is cut.
    read: Vec<u8>,
    taken: usize,
    has_ended: bool,
    form: Form,
    waiting: Waiting,
    /// In whose turn the message was made that waits, until it is written.
    made: Option<u64>,
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
            made: None,
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

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        let turn = self.link.turn();
        if self.made != Some(turn) {
            // A peer that was given up may have left a message in the middle: others are not to be mixed with it.
            ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
            self.form.write(payload, &self.link.origin(), self.clock, &mut self.waiting.bytes);
            self.made = Some(turn);
        }
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        ready!(self.beneath.poll_flush(cx))?;
        self.made = None;
        Poll::Ready(Ok(()))
    }

    fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        Payload { bytes: payload, .. }: Payload<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waiting.bytes.len() >= HELD {
            ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        }
        self.form.write(payload, &self.link.origin(), self.clock, &mut self.waiting.bytes);
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.waiting.poll_empty(&mut *self.beneath, cx))?;
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Waker;

    use sockeye::proto::cut::Piece;
    use sockeye::proto::shape::Shape;

    use super::*;

    /// Standard streams that hold all their input, and have room for some output.
    #[derive(Clone, Default)]
    struct Streams(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        input: Vec<u8>,
        room: usize,
        output: Vec<u8>,
    }

    impl Bytes for Streams {
        fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            let input = &mut self.0.lock().unwrap().input;
            let read = input.len().min(buffer.len());
            buffer[..read].copy_from_slice(&input[..read]);
            input.drain(..read);
            Poll::Ready(Ok(read))
        }

        fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let State { room, output, .. } = &mut *self.0.lock().unwrap();
            if *room == 0 {
                return Poll::Pending;
            }
            let written = bytes.len().min(*room);
            output.extend_from_slice(&bytes[..written]);
            *room -= written;
            Poll::Ready(Ok(written))
        }

        fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn abort(&mut self) {}
    }

    fn cut(streams: &Streams, piece: Piece, link: &Arc<Link>) -> Cut {
        let manner =
            Manner { shape: Shape::Messages, reads: true, piece, crlf: false, form: Form::Line, safe: false };
        Cut::over(Box::new(streams.clone()), &manner, link.clone(), &Ctx::default())
    }

    #[test]
    fn what_a_peer_that_was_given_up_left_in_the_middle_is_written_to_its_end_first() {
        let (streams, link) = (Streams::default(), Link::new());
        let (mut cut, cx) = (cut(&streams, Piece::Line, &link), &mut Context::from_waker(Waker::noop()));
        streams.0.lock().unwrap().room = 3;
        assert!(cut.poll_send(cx, b"first".into()).is_pending());
        link.begin(None);
        assert!(cut.poll_send(cx, b"second".into()).is_pending());
        streams.0.lock().unwrap().room = 100;
        assert!(cut.poll_send(cx, b"second".into()).is_ready());
        assert!(cut.poll_send(cx, b"third".into()).is_ready());
        assert_eq!(streams.0.lock().unwrap().output, b"first\nsecond\nthird\n");
    }

    #[test]
    fn messages_that_follow_each_other_share_a_write_up_to_a_bound() {
        let (streams, link) = (Streams::default(), Link::new());
        let (mut cut, cx) = (cut(&streams, Piece::Line, &link), &mut Context::from_waker(Waker::noop()));
        assert!(
            cut.poll_feed(cx, b"first".into()).is_ready() && cut.poll_feed(cx, b"second".into()).is_ready()
        );
        assert!(cut.poll_flush(cx).is_pending());
        streams.0.lock().unwrap().room = 100;
        assert!(cut.poll_flush(cx).is_ready());
        assert_eq!(streams.0.lock().unwrap().output, b"first\nsecond\n");
        streams.0.lock().unwrap().room = 0;
        assert!(cut.poll_feed(cx, (&[b'x'; HELD]).into()).is_ready());
        assert!(cut.poll_feed(cx, b"one more".into()).is_pending());
    }

    #[test]
    fn of_an_input_that_is_too_long_only_one_byte_more_than_the_limit_is_read() {
        let (streams, link) = (Streams::default(), Link::new());
        let (mut cut, cx) = (cut(&streams, Piece::Whole, &link), &mut Context::from_waker(Waker::noop()));
        link.begin(Some(20_000));
        streams.0.lock().unwrap().input = vec![b'x'; 30_000];
        let Poll::Ready(Err(error)) = cut.poll_receive(cx, &mut Message::default()) else {
            panic!("it is taken")
        };
        assert_eq!(error.to_string(), "more than 20000 bytes, which is the most of one message");
        assert_eq!(streams.0.lock().unwrap().input.len(), 9_999);
    }

    #[test]
    fn all_of_the_input_is_one_message_and_after_it_there_is_none() {
        let (streams, link) = (Streams::default(), Link::new());
        let (mut cut, cx) = (cut(&streams, Piece::Whole, &link), &mut Context::from_waker(Waker::noop()));
        streams.0.lock().unwrap().input = vec![b'\n'; 100_000];
        let mut message = Message::default();
        assert!(matches!(cut.poll_receive(cx, &mut message), Poll::Ready(Ok(true))));
        assert_eq!(message.payload, vec![b'\n'; 100_000]);
        for _ in 0..2 {
            assert!(matches!(cut.poll_receive(cx, &mut message), Poll::Ready(Ok(false))));
        }
    }
}
