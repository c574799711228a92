//! A connection that keeps a pace.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use sockeye_proto::pace::Pace;
use sockeye_proto::websocket::Close;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::conn::{Bytes, Messages};
use crate::exit::Exit;
use crate::message::{Message, Payload};

/// What is beneath is not asked before its way has its turn, so nothing is held meanwhile. A way without a lane has no
/// limit. An end passes at once, since what was written before it has passed already.
pub(super) struct Paced<T> {
    pub(super) beneath: T,
    pub(super) inward: Option<Lane>,
    pub(super) outward: Option<Lane>,
}

/// One way of a connection.
pub(super) struct Lane {
    pace: Arc<Mutex<Pace>>,
    began: Instant,
    /// When the next may go, while that is to come.
    next: Option<Instant>,
    /// Made when it is first needed, and used again.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Lane {
    pub(super) fn new(pace: Arc<Mutex<Pace>>, began: Instant) -> Self {
        Self { pace, began, next: None, sleep: None }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.next else { return Poll::Ready(()) };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(next)));
        if sleep.deadline() != next {
            sleep.as_mut().reset(next);
        }
        ready!(sleep.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(())
    }

    fn piece(&self) -> usize {
        self.pace().piece()
    }

    fn went(&mut self, bytes: usize) {
        let now = self.began.elapsed();
        let next = self.pace().take(bytes, now);
        // What cannot be counted is longer than anybody waits.
        self.next = (next > now).then(|| self.began.checked_add(next)).flatten();
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the turn of a way that has a limit.
fn poll_turn(lane: &mut Option<Lane>, cx: &mut Context<'_>) -> Poll<()> {
    lane.as_mut().map_or(Poll::Ready(()), |lane| lane.poll_turn(cx))
}

fn went(lane: &mut Option<Lane>, bytes: usize) {
    if let Some(lane) = lane {
        lane.went(bytes);
    }
}

fn piece(lane: Option<&Lane>) -> usize {
    lane.map_or(usize::MAX, Lane::piece)
}

impl Bytes for Paced<Box<dyn Bytes>> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_turn(&mut self.inward, cx));
        let most = piece(self.inward.as_ref()).min(buffer.len());
        let read = ready!(self.beneath.poll_read(cx, buffer.get_mut(..most).unwrap_or_default()))?;
        went(&mut self.inward, read);
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_turn(&mut self.outward, cx));
        let most = piece(self.outward.as_ref());
        let written = ready!(self.beneath.poll_write(cx, bytes.get(..most).unwrap_or(bytes)))?;
        went(&mut self.outward, written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}

impl Messages for Paced<Box<dyn Messages>> {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        ready!(poll_turn(&mut self.inward, cx));
        let more = ready!(self.beneath.poll_receive(cx, message))?;
        went(&mut self.inward, message.payload.len());
        Poll::Ready(Ok(more))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(poll_turn(&mut self.outward, cx));
        ready!(self.beneath.poll_send(cx, message))?;
        went(&mut self.outward, message.bytes.len());
        Poll::Ready(Ok(()))
    }

    /// One that is to wait for the next one's turn would come late: with a limit it is sent.
    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        if self.outward.is_some() { self.poll_send(cx, message) } else { self.beneath.poll_feed(cx, message) }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn closing(&self) -> Option<Close> {
        self.beneath.closing()
    }

    fn set_closing(&mut self, close: &Close) {
        self.beneath.set_closing(close);
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}
