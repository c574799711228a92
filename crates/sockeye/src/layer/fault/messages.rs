//! Faults on messages.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::fault::{Deeds, Fault, Parcel, Step, Traffic};
use sockeye_proto::way::Way;
use sockeye_proto::websocket::Close;

use super::link::{Faulty, Link, Under, reset};
use crate::conn::{Io, Messages};
use crate::exit::Exit;
use crate::message::{Message, Payload};

/// The messages of one way. What is known of each beside its bytes is a message without any.
pub(super) struct Lane {
    traffic: Traffic<Message>,
    /// The one that is being sent: another may not take its place meanwhile.
    sending: Option<Parcel<Message>>,
}

impl Lane {
    pub(super) fn new(faults: &[Fault], way: Way, seed: u64, number: u64) -> Self {
        Self { traffic: Traffic::new(faults, way, seed, number), sending: None }
    }
}

impl Under for Lane {
    fn is_plain(&self) -> bool {
        self.traffic.is_plain()
    }

    fn is_empty(&self) -> bool {
        self.sending.is_none() && self.traffic.is_empty()
    }

    fn end(&mut self, now: Duration) {
        self.traffic.end(now);
    }

    fn step(&mut self, now: Duration) -> Step {
        match &self.sending {
            Some(parcel) => Step::Pass(parcel.payload.len()),
            None => self.traffic.step(now),
        }
    }

    fn poll_pass(
        &mut self,
        to: &mut Io,
        _: usize,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Io::Messages(to) = to else { return Poll::Ready(Err(io::ErrorKind::InvalidInput.into())) };
        let Some(parcel) = self.sending.take().or_else(|| self.traffic.pop(now)) else {
            return Poll::Ready(Ok(()));
        };
        let sent = to.poll_feed(cx, Payload { bytes: &parcel.payload, content: parcel.with.content });
        if sent.is_pending() {
            self.sending = Some(parcel);
        }
        sent
    }

    /// A message that was refused is one that was refused.
    fn survives(&self) -> bool {
        true
    }

    fn deeds(&self) -> Deeds {
        self.traffic.deeds()
    }
}

impl Link<Lane> {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        if self.incoming.is_plain() {
            let Some(Io::Messages(io)) = &mut self.beneath else { return Poll::Ready(Err(reset())) };
            let received = io.poll_receive(cx, message);
            if received.is_pending() {
                return self.poll_awaited(None, cx).map(|()| Ok(false));
            }
            return received;
        }
        loop {
            if self.beneath.is_none() {
                return Poll::Ready(Err(reset()));
            }
            self.take_in(cx, message)?;
            let now = self.now();
            let until = match self.incoming.step(now) {
                Step::Pass(_) => {
                    if let Some(Parcel { payload, cut, with }) = self.incoming.traffic.pop(now) {
                        *message = Message { payload, cut: with.cut || cut, ..with };
                    }
                    return Poll::Ready(Ok(true));
                }
                Step::End => return Poll::Ready(Ok(false)),
                Step::Reset => {
                    self.reset();
                    return Poll::Ready(Err(reset()));
                }
                Step::Silence => {
                    self.take_in(cx, message)?;
                    None
                }
                Step::Wait(until) => until,
            };
            ready!(self.poll_awaited(until, cx));
        }
    }

    /// Takes in what there is, by way of the receiver's message.
    fn take_in(&mut self, cx: &mut Context<'_>, message: &mut Message) -> io::Result<()> {
        while !self.is_drained {
            let now = self.now();
            if !self.incoming.traffic.has_room(now) {
                break;
            }
            let Some(Io::Messages(io)) = &mut self.beneath else { break };
            message.clear();
            match io.poll_receive(cx, message) {
                Poll::Pending => break,
                Poll::Ready(Ok(true)) => {
                    let payload = std::mem::take(&mut message.payload);
                    self.incoming.traffic.push(payload, std::mem::take(message), now);
                }
                Poll::Ready(Ok(false)) => {
                    self.is_drained = true;
                    self.incoming.end(now);
                }
                // Whom it was cut for hears no more of it.
                Poll::Ready(Err(_)) if matches!(self.incoming.step(now), Step::End | Step::Silence) => {
                    self.is_drained = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        match &mut self.beneath {
            Some(Io::Messages(io)) if self.outgoing.is_plain() => {
                let fed = io.poll_feed(cx, message);
                return if fed.is_pending() { self.poll_room(cx) } else { fed };
            }
            Some(_) => {}
            None => return Poll::Ready(Err(reset())),
        }
        let now = self.now();
        if !self.outgoing.traffic.has_room(now) {
            return self.poll_room(cx);
        }
        let with = Message { content: message.content, ..Message::default() };
        self.outgoing.traffic.push(message.bytes.to_vec(), with, now);
        self.wake_courier();
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        match &mut self.beneath {
            Some(Io::Messages(io)) if self.outgoing.is_plain() => {
                let sent = io.poll_send(cx, message);
                if sent.is_pending() { self.poll_room(cx) } else { sent }
            }
            _ => {
                // What was fed is told of when it is flushed; here nothing was held back that could have failed.
                self.check_sending()?;
                self.poll_feed(cx, message)
            }
        }
    }
}

impl Messages for Faulty<Lane> {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        self.link().poll_receive(cx, message)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        self.link().poll_send(cx, message)
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        self.link().poll_feed(cx, message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_shutdown_write(cx)
    }

    fn closing(&self) -> Option<Close> {
        self.link().closing()
    }

    fn set_closing(&mut self, close: &Close) {
        self.link().set_closing(close);
    }

    fn is_hung_up(&self) -> bool {
        self.link().is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.link().poll_exit(cx)
    }

    fn abort(&mut self) {
        self.link().abort();
    }
}
