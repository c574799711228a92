//! Telling each message of a connection as an event, for those who asked to see them.

use std::sync::Arc;

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::event::{Event, Events, SHOWN, Wants, Way};
use crate::look::{Look, look};
use crate::message::{Message, Payload, Replies};
use crate::peer::Peer;
use crate::service::Datagrams;

/// Tells what goes over `conn` from now on. Where nobody asked for messages, the connection is left as it is.
pub fn show(conn: Conn, events: &Events) -> Conn {
    if !events.wants(Wants::Messages) {
        return conn;
    }
    look(conn, |peer, _| Teller { peer: peer.clone(), events: events.clone() })
}

struct Teller {
    peer: Arc<Peer>,
    events: Events,
}

impl Look for Teller {
    fn saw(&mut self, way: Way, payload: Payload<'_>) {
        let Payload { bytes, content } = payload;
        self.events.tell(Wants::Messages, || Event::Message {
            peer: self.peer.clone(),
            way,
            payload: bytes.get(..SHOWN).unwrap_or(bytes).into(),
            size: bytes.len(),
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
            let mut teller = Teller { peer: Arc::new(peer), events: ctx.events.clone() };
            teller.saw_message(datagram);
            replies.iter().for_each(|reply| teller.saw(Way::Out, reply.into()));
        }
    }

    fn asks_when(&self) -> bool {
        self.service.asks_when()
    }

    fn may_loop(&self) -> bool {
        self.service.may_loop()
    }
}
