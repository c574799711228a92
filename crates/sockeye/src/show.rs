//! Telling each message of a connection as an event, for those who asked to see them.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sockeye_proto::websocket::Close;

use crate::conn::{Bytes, Conn, Io, Messages};
use crate::ctx::Ctx;
use crate::event::{Event, Events, SHOWN, Wants, Way};
use crate::exit::Exit;
use crate::message::{Content, Message, Payload, Replies};
use crate::peer::Peer;
use crate::service::Datagrams;

/// Tells what goes over `conn` from now on. Where nobody asked for messages, the connection is left as it is.
pub fn show(conn: Conn, events: &Events) -> Conn {
    if !events.wants(Wants::Messages) {
        return conn;
    }
    conn.observed(|io, peer| {
        let teller = Teller { peer: peer.clone(), events: events.clone() };
        match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Shown { beneath, teller })),
            Io::Messages(beneath) => Io::Messages(Box::new(Shown { beneath, teller })),
        }
    })
}

struct Shown<T> {
    beneath: T,
    teller: Teller,
}

struct Teller {
    peer: Arc<Peer>,
    events: Events,
}

impl Teller {
    fn tell(&self, way: Way, payload: &[u8], content: Content) {
        self.events.tell(Wants::Messages, || Event::Message {
            peer: self.peer.clone(),
            way,
            payload: payload.get(..SHOWN).unwrap_or(payload).into(),
            size: payload.len(),
            content,
        });
    }
}

/// A service of datagrams whose messages are told to those who asked to see them.
pub(crate) struct ShownDatagrams<'a> {
    service: &'a dyn Datagrams,
    /// The scheme of the listener, for what is told.
    scheme: &'static str,
}

impl<'a> ShownDatagrams<'a> {
    pub(crate) fn new(service: &'a dyn Datagrams, scheme: &'static str) -> Self {
        Self { service, scheme }
    }
}

impl Datagrams for ShownDatagrams<'_> {
    fn answer(&self, datagram: &Message, replies: &mut Replies, ctx: &Ctx) {
        self.service.answer(datagram, replies, ctx);
        if ctx.events.wants(Wants::Messages) {
            let mut peer = Peer::new(self.scheme);
            (peer.remote, peer.local) = (datagram.from, datagram.to);
            let teller = Teller { peer: Arc::new(peer), events: ctx.events.clone() };
            teller.tell(Way::In, &datagram.payload, datagram.content);
            replies.iter().for_each(|reply| teller.tell(Way::Out, reply, Content::Unknown));
        }
    }
}

impl Bytes for Shown<Box<dyn Bytes>> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(self.beneath.poll_read(cx, buffer))?;
        if let Some(payload) = buffer.get(..read).filter(|payload| !payload.is_empty()) {
            self.teller.tell(Way::In, payload, Content::Unknown);
        }
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.beneath.poll_write(cx, bytes))?;
        self.teller.tell(Way::Out, bytes.get(..written).unwrap_or(bytes), Content::Unknown);
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

impl Messages for Shown<Box<dyn Messages>> {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        let more = ready!(self.beneath.poll_receive(cx, message))?;
        if more {
            self.teller.tell(Way::In, &message.payload, message.content);
        }
        Poll::Ready(Ok(more))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(self.beneath.poll_send(cx, message))?;
        self.teller.tell(Way::Out, message.bytes, message.content);
        Poll::Ready(Ok(()))
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(self.beneath.poll_feed(cx, message))?;
        self.teller.tell(Way::Out, message.bytes, message.content);
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn closing(&self) -> Option<&Close> {
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
