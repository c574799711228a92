//! `log=`: tells what goes over a connection.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Side, Value, Written};
use sockeye_proto::shape::Shape;

use super::{Layer, Wrap};
use crate::backlog::{Backlog, Waiting};
use crate::clock::Clock;
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::event::{Event, Events, Seen, Style, Wants, Way};
use crate::look::{Look, look};
use crate::message::{Message, Payload};
use crate::peer::Peer;
use crate::service::BoxFuture;

pub(super) static LOG: Layer = Layer {
    grammar: LayerGrammar {
        name: "log",
        aliases: &[],
        written: Written::AsOption,
        rank: 90,
        over: None,
        gives: None,
        speaks: None,
        options: &[OptionGrammar {
            name: "log",
            aliases: &[],
            schemes: &[],
            side: Side::Both,
            kind: Kind::Choice(&["hex", "text"]),
            help: "tell on standard error all that goes over it",
        }],
    },
    help: "tells what goes over a connection",
    prepare,
};

fn prepare(address: &Address, place: usize, _: &Ctx) -> Result<Arc<dyn Wrap>> {
    let options = address.layers().get(place).map(|layer| layer.options());
    let style = match options.and_then(|options| options.value("log")) {
        Some(Value::Choice("text")) => Style::Text,
        _ => Style::Hex,
    };
    Ok(Arc::new(Log { style, backlog: Arc::default() }))
}

struct Log {
    style: Style,
    /// What is not told yet, of all connections to the address.
    backlog: Arc<Backlog>,
}

impl Wrap for Log {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let told = look(conn, |peer, shape| {
            let teller = Teller {
                peer: peer.clone(),
                style: self.style,
                shape,
                backlog: self.backlog.clone(),
                events: ctx.events.clone(),
                clock: ctx.clock,
                came: 0,
                went: 0,
                is_aborted: false,
            };
            teller.tell(|| Seen::Opened);
            teller
        });
        Box::pin(std::future::ready(Ok(told)))
    }
}

struct Teller {
    peer: Arc<Peer>,
    style: Style,
    shape: Shape,
    backlog: Arc<Backlog>,
    events: Events,
    clock: Clock,
    /// Bytes so far, each way.
    came: u64,
    went: u64,
    is_aborted: bool,
}

impl Teller {
    fn tell(&self, seen: impl FnOnce() -> Seen) {
        self.events.tell(Wants::Trouble, || Event::Traffic {
            peer: self.peer.clone(),
            at: self.clock.wall(),
            style: self.style,
            seen: seen(),
        });
    }

    fn tell_message(&self, way: Way, payload: Payload<'_>, cut: bool) {
        let bytes = || Arc::new(Waiting::new(payload.bytes, &self.backlog));
        self.tell(|| Seen::Message { way, bytes: bytes(), content: payload.content, cut });
    }
}

impl Look for Teller {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.backlog.poll_room(cx)
    }

    fn saw(&mut self, way: Way, payload: Payload<'_>) {
        if self.shape == Shape::Messages {
            return self.tell_message(way, payload, false);
        }
        let count = match way {
            Way::In => &mut self.came,
            Way::Out => &mut self.went,
        };
        let offset = *count;
        *count += u64::try_from(payload.bytes.len()).unwrap_or_default();
        let bytes = || Arc::new(Waiting::new(payload.bytes, &self.backlog));
        self.tell(|| Seen::Bytes { way, bytes: bytes(), offset });
    }

    fn saw_message(&mut self, message: &Message) {
        self.tell_message(Way::In, message.into(), message.cut);
    }

    fn saw_end(&mut self, way: Way) {
        self.tell(|| Seen::Ended(way));
    }

    fn saw_failure(&mut self, way: Way, error: &io::Error) {
        self.tell(|| Seen::Failed(way, crate::error::words(error).into()));
    }

    fn saw_abort(&mut self) {
        self.is_aborted = true;
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(|| Seen::Closed { aborted: self.is_aborted });
    }
}
