//! `ws+`: messages over bytes, behind a handshake in HTTP (RFC 6455).

mod handshake;
mod keys;
mod settings;
mod silence;
mod socket;

use std::sync::Arc;

use sockeye_proto::address::{
    Address, Kind, LayerGrammar, OptionGrammar, Part, Side, StackGrammar, Url, Written,
};
use sockeye_proto::shape::Shape;
use sockeye_proto::sniff::Protocol;
use sockeye_proto::websocket::WebSocketError;

use self::settings::Settings;
use self::socket::Socket;
use super::{Layer, Wrap};
use crate::conn::{Conn, Io};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::service::BoxFuture;

const fn option(name: &'static str, side: Side, kind: Kind, help: &'static str) -> OptionGrammar {
    OptionGrammar { name, aliases: &[], schemes: &[], side, kind, help }
}

pub(super) static WS: Layer = Layer {
    grammar: LayerGrammar {
        name: "ws",
        aliases: &["websocket"],
        written: Written::InFront,
        rank: 20,
        over: Some(Shape::Bytes),
        gives: Some(Shape::Messages),
        speaks: Some(Protocol::Http),
        options: &[
            option("path", Side::Both, Kind::Request(Part::Path), "what is asked for, or all that is served"),
            option(
                "host",
                Side::Dial,
                Kind::Request(Part::Host),
                "what the server is called, beside its address",
            ),
            option("origin", Side::Both, Kind::Request(Part::Origin), "the page that asks, or may ask"),
            option(
                "subprotocol",
                Side::Both,
                Kind::Request(Part::Subprotocol),
                "what is spoken, the best first",
            ),
            option(
                "header",
                Side::Dial,
                Kind::Request(Part::Field),
                "a field of the request, for the server",
            ),
            option("auth", Side::Dial, Kind::Request(Part::Secret), "where user:password or a token is kept"),
            option("ping", Side::Both, Kind::Time, "how long a peer may be silent before it is asked"),
            option("max-message", Side::Both, Kind::Size, "the most bytes of one message; 16 MiB unless set"),
            option(
                "as",
                Side::Both,
                Kind::Choice(&["text", "binary"]),
                "what is sent where nobody said which it is",
            ),
        ],
    },
    help: "WebSocket: messages over bytes, as browsers speak them",
    prepare,
};

/// `ws:` is over TCP.
pub(super) static PLAIN: StackGrammar =
    StackGrammar { name: "ws", layers: &["ws"], scheme: "tcp", url: Some(Url { port: 80, path: "path" }) };

/// `wss:` is over TLS.
pub(super) static SECURE: StackGrammar = StackGrammar {
    name: "wss",
    layers: &["ws", "tls"],
    scheme: "tcp",
    url: Some(Url { port: 443, path: "path" }),
};

fn prepare(address: &Address, place: usize, _: &Ctx) -> Result<Arc<dyn Wrap>> {
    Ok(Arc::new(Ws(Settings::of(address, place)?)))
}

struct Ws(Settings);

impl Wrap for Ws {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        Box::pin(async move {
            if conn.shape() != Shape::Bytes {
                return Err(
                    Error::new(Op::Handshake, Cause::WrongShape { has: conn.shape() }).on(conn.peer())
                );
            }
            let Self(settings) = self;
            let (conn, read) = handshake::shake(settings, conn, ctx).await?;
            let buffers = ctx.buffers.clone();
            let conn = conn.layered("ws", Some(settings.most), move |io| match io {
                Io::Bytes(beneath) => Io::Messages(Box::new(Socket::new(beneath, settings, buffers, read))),
                messages @ Io::Messages(_) => messages,
            });
            Ok(conn.closing_whole())
        })
    }
}

/// Carries the reason up through [`std::io::Error`], out of which [`Cause`] takes it.
fn told(error: WebSocketError) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}
