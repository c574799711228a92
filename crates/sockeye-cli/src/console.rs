//! Standard input and output as one side of a conversation with people or programs.

mod chunks;
mod crlf;
mod form;
mod kept;
mod manner;
mod messages;
mod safe;
mod tap;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use rustix::termios::isatty;
use serde_json::json;
use sockeye::proto::address::Address;
use sockeye::proto::shape::Shape;
use sockeye::proto::unit::{print_duration, print_flow, rounded};
use sockeye::{Bytes, Conn, Ctx, End, Flow, Io, Kind, Message, Moved, Plan, Side};
use tokio::sync::Mutex;

use self::chunks::Chunks;
use self::crlf::Crlf;
use self::form::Form;
use self::kept::Kept;
use self::messages::Cut;
use self::safe::Safe;
use self::tap::Link;
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{flag, say};

pub(crate) use self::manner::Manner;

/// How the flags of `dial` and `listen` ask for a conversation with `peer`, which is the right side.
pub(crate) fn plan(request: &Request, peer: &Address) -> Result<Plan, Failure> {
    // With --recv-only standard input is not even opened.
    let flow = if request.has(&flag::SEND_ONLY) { Flow::OneWay } else { Flow::Both };
    // Who sits at a terminal sees that the peer is done, and would wait for nothing. What a program still has to send
    // is sent, for the peer may read on.
    let right_end = match peer.options().value("eof") {
        None if isatty(rustix::stdio::stdin()) => End::Close,
        _ => End::of(peer),
    };
    Ok(Plan { flow, right_end, wait: request.time(&flag::WAIT)?, ..Plan::default() })
}

/// What the end of a peer does to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// It ends too.
    Ends,
    /// It stays open for the next peer.
    Stays,
}

/// Standard input and output, for one peer after another or for many that are only heard.
pub(crate) struct Console {
    conn: Conn,
    link: Arc<Link>,
}

impl Console {
    /// Opens standard input and output.
    pub(crate) async fn open(manner: &Manner, output: Output, ctx: &Ctx) -> Result<Self, Failure> {
        let word = if manner.reads { "-" } else { "-,input=no" };
        let mut conn = sockeye::dial(&sockeye::parse(word, &[])?, ctx).await?;
        let link = Link::new();
        if output == Output::Stays {
            conn = over(conn, "kept", |beneath| Io::Bytes(Box::new(Kept(beneath))));
        }
        if manner.crlf {
            conn = over(conn, "crlf", |beneath| Io::Bytes(Box::new(Crlf::over(beneath))));
        }
        if manner.safe {
            conn = over(conn, "printable", |beneath| Io::Bytes(Box::new(Safe::over(beneath))));
        }
        conn = match (manner.shape, manner.form) {
            (Shape::Messages, _) => over(conn, "messages", |beneath| {
                Io::Messages(Box::new(Cut::over(beneath, manner, link.clone(), ctx)))
            }),
            (Shape::Bytes, form @ Form::Chunk(_)) => {
                over(conn, "chunks", |beneath| Io::Bytes(Box::new(Chunks::over(beneath, form, ctx.clock))))
            }
            (Shape::Bytes, Form::AsItIs | Form::Line) => conn,
        };
        Ok(Self { conn, link })
    }

    /// Joins standard input and output, the left side, to a peer, as [`sockeye::relay`] does.
    pub(crate) async fn talk(&mut self, peer: Conn, plan: &Plan, ctx: &Ctx) -> (Moved, sockeye::Result<()>) {
        self.link.begin(peer.max_message());
        let mut peer = tap::tap(peer, &self.link);
        sockeye::relay(&mut self.conn, &mut peer, plan, ctx).await
    }

    /// Writes the messages of a peer, each whole, while others may do the same.
    ///
    /// # Errors
    /// As of a relay whose left side is standard output.
    pub(crate) async fn hear(console: &Mutex<Self>, mut peer: Conn, ctx: &Ctx) -> sockeye::Result<()> {
        let mut message = Message::default();
        loop {
            let more = tokio::select! {
                more = peer.receive(&mut message) => more.map_err(|error| error.at(Side::Right))?,
                () = ctx.stop.hurried() => false,
            };
            if !more {
                return Ok(());
            }
            let mut origin = tap::origin(&message, peer.peer());
            origin.from = origin.from.or_else(|| Some(peer.peer().reached()));
            let mut here = console.lock().await;
            // Each message is a turn of its own: the one before may be that of a peer that was given up.
            here.link.begin(peer.max_message());
            here.link.set_origin(origin);
            here.conn.send(&message.payload).await.map_err(|error| error.at(Side::Left))?;
        }
    }
}

/// Standard output or standard error, for bytes from elsewhere. They are made safe for a terminal that is to be `safe`.
pub(crate) async fn outlet(word: &str, safe: bool, ctx: &Ctx) -> Result<Conn, Failure> {
    let conn = sockeye::dial(&sockeye::parse(word, &[])?, ctx).await?;
    Ok(if safe { over(conn, "printable", |beneath| Io::Bytes(Box::new(Safe::over(beneath)))) } else { conn })
}

fn over(conn: Conn, name: &'static str, layer: impl FnOnce(Box<dyn Bytes>) -> Io) -> Conn {
    conn.layered(name, None, |io| match io {
        Io::Bytes(beneath) => layer(beneath),
        messages @ Io::Messages(_) => messages,
    })
}

/// How two joined connections ended, of which one may be standard output. A closed standard output is success:
/// whoever read it had enough.
pub(crate) fn ended(
    request: &Request,
    (moved, result): (Moved, sockeye::Result<()>),
    lasted: Duration,
    here: Option<Side>,
) -> Result<Exit, Failure> {
    if request.has(&flag::VERBOSE) {
        let Moved { to_right, to_left } = moved;
        let seconds = lasted.as_secs_f64();
        let object =
            json!({ "event": "moved", "to_right": to_right, "to_left": to_left, "seconds": seconds });
        let (there, back) = (print_flow(to_right, "there", lasted), print_flow(to_left, "back", lasted));
        say::note(request, object, &format!("{there}, {back}, after {}", print_duration(rounded(lasted))));
    }
    match result {
        Ok(()) => Ok(Exit::Done),
        Err(error) if here.is_some_and(|here| is_output_closed(&error, here)) => Ok(Exit::Done),
        // Each message that did not go was told when it was refused.
        Err(error) if error.is_refusal() => Ok(Exit::Failed),
        Err(error) => Err(error.into()),
    }
}

/// Whether nobody reads our standard output any more.
pub(crate) fn is_output_closed(error: &sockeye::Error, here: Side) -> bool {
    error.side() == Some(here) && error.kind() == Kind::Reset
}
