//! `pcap=`: what goes over a connection as packets, in a file for Wireshark and tshark.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Role, Side, Written};
use sockeye_proto::pcapng::{self, Carrier, Direction, Ends, Flow, MAGIC};
use sockeye_proto::shape::Shape;

use super::record::{Format, Pen, Record, recorded};
use super::{Layer, Wrap};
use crate::clock::Clock;
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::event::Way;
use crate::look::{Look, is_break, look};
use crate::message::{Message, Payload};
use crate::peer::{Endpoint, Peer};
use crate::service::BoxFuture;

pub(super) static PCAP: Layer = Layer {
    grammar: LayerGrammar {
        name: "pcap",
        aliases: &[],
        written: Written::AsOption,
        rank: 80,
        over: None,
        gives: None,
        speaks: None,
        options: &[OptionGrammar {
            name: "pcap",
            aliases: &[],
            schemes: &[],
            side: Side::Both,
            kind: Kind::Text("a path"),
            help: "append it as packets to this file, for Wireshark",
        }],
    },
    help: "what goes over a connection, as packets in a file",
    prepare,
};

fn prepare(address: &Address, place: usize, _: &Ctx) -> Result<Arc<dyn Wrap>> {
    let mut head = Vec::new();
    pcapng::section("sockeye", &mut head);
    let format = Format { name: "capture in pcapng", magic: MAGIC, head };
    let record = recorded(address, place, "pcap", Some(format))?;
    let opener = if address.role() == Role::Dial { Direction::Out } else { Direction::In };
    let is_on_bytes = address.scheme().shape == Shape::Bytes;
    Ok(Arc::new(Pcap { record, opener, is_on_bytes, numbered: AtomicU32::new(0) }))
}

struct Pcap {
    record: Arc<Record>,
    /// The way that connections are opened.
    opener: Direction,
    /// Whatever the layers make of it, the scheme carries bytes.
    is_on_bytes: bool,
    /// Connections so far that had no IP addresses of their own.
    numbered: AtomicU32,
}

impl Wrap for Pcap {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        // Where a scheme of messages cannot tell an end there is none to be shown, and a message may be lost: that is UDP.
        let is_stream = self.is_on_bytes || conn.half_close();
        let pen = self.record.pen(ctx);
        let captured = look(conn, |peer, _| {
            let (ends, carrier) = ends(peer).unwrap_or_else(|| (self.made_up(), Carrier::Udp));
            let mut capture = Capture {
                pen,
                clock: ctx.clock,
                ends,
                carrier,
                flow: None,
                comment: Some(peer.to_string()),
                is_aborted: false,
            };
            if is_stream {
                capture.open(self.opener);
            }
            capture
        });
        Box::pin(std::future::ready(Ok(captured)))
    }
}

impl Pcap {
    /// Ends for what has no IP addresses, on loopback: each connection has another of ours, so that they can be told apart.
    fn made_up(&self) -> Ends {
        let number = self.numbered.fetch_add(1, Ordering::Relaxed) + 1;
        let [_, host @ ..] = number.to_be_bytes();
        let [a, b, c] = host;
        Ends::new(
            SocketAddr::from((Ipv4Addr::new(127, a, b, c), MADE_UP.0)),
            (Ipv4Addr::LOCALHOST, MADE_UP.1).into(),
        )
    }
}

/// Ports that are nobody's, so that nobody takes what is in the packets for another protocol.
const MADE_UP: (u16, u16) = (50_000, 50_001);

/// Both ends of a connection that has IP addresses.
fn ends(peer: &Peer) -> Option<(Ends, Carrier)> {
    match (peer.local, peer.remote) {
        (Endpoint::Inet(ours), Endpoint::Inet(theirs)) => Some((Ends::new(ours, theirs), Carrier::Udp)),
        (Endpoint::Raw(_, ours), Endpoint::Raw(protocol, theirs)) => {
            Some((Ends::new(ours, theirs), Carrier::Ip(protocol)))
        }
        _ => None,
    }
}

struct Capture {
    pen: Pen,
    clock: Clock,
    ends: Ends,
    /// What carries datagrams.
    carrier: Carrier,
    /// Of a connection that has an end.
    flow: Option<Flow>,
    /// Who the peer is, until a packet has told it.
    comment: Option<String>,
    is_aborted: bool,
}

impl Capture {
    fn now(&self) -> Duration {
        self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn open(&mut self, opener: Direction) {
        let (at, comment) = (self.now(), self.comment.take().unwrap_or_default());
        self.pen.put(|file| self.flow = Some(Flow::open(self.ends, opener, at, &comment, file)));
    }

    fn put_datagram(&mut self, ends: Ends, direction: Direction, payload: &[u8]) {
        let (at, comment) = (self.now(), self.comment.take());
        self.pen.put(|file| {
            pcapng::datagram((ends, self.carrier), direction, payload, at, comment.as_deref(), file);
        });
    }

    /// Appends to the conversation, where it is one.
    fn put(&mut self, add: impl FnOnce(&mut Flow, Duration, &mut Vec<u8>)) {
        let at = self.now();
        if let Some(flow) = &mut self.flow {
            self.pen.put(|file| add(flow, at, file));
        }
    }
}

impl Look for Capture {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pen.poll_room(cx)
    }

    fn saw(&mut self, way: Way, payload: Payload<'_>) {
        if self.flow.is_none() {
            return self.put_datagram(self.ends, direction(way), payload.bytes);
        }
        self.put(|flow, at, file| flow.say(direction(way), payload.bytes, at, file));
    }

    fn saw_message(&mut self, message: &Message) {
        match (self.flow.is_none(), message.to, message.from) {
            // Whoever hears a group hears many.
            (true, Endpoint::Inet(to), Endpoint::Inet(from)) => {
                self.put_datagram(Ends::new(to, from), Direction::In, &message.payload);
            }
            _ => self.saw(Way::In, message.into()),
        }
    }

    fn saw_end(&mut self, way: Way) {
        self.put(|flow, at, file| flow.end(direction(way), at, file));
    }

    fn saw_failure(&mut self, _: Way, error: &io::Error) {
        // What we make of bytes that came is no reset.
        if is_break(error) {
            self.put(|flow, at, file| flow.reset(Direction::In, at, file));
        }
    }

    fn saw_abort(&mut self) {
        self.is_aborted = true;
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let is_aborted = self.is_aborted;
        self.put(|flow, at, file| {
            if is_aborted { flow.reset(Direction::Out, at, file) } else { flow.end(Direction::Out, at, file) }
        });
    }
}

fn direction(way: Way) -> Direction {
    match way {
        Way::In => Direction::In,
        Way::Out => Direction::Out,
    }
}
