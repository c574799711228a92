//! `frame=`: makes messages of bytes.

mod framed;

use std::sync::Arc;

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Role, Side, Value, Written};
use sockeye_proto::frame::{Framing, MAX_MESSAGE};
use sockeye_proto::shape::Shape;

use super::{Layer, Wrap};
use crate::conn::{Conn, Io};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::service::BoxFuture;
use framed::Framed;

pub(super) static FRAME: Layer = Layer {
    grammar: LayerGrammar {
        name: "frame",
        aliases: &[],
        written: Written::AsOption,
        rank: 40,
        over: Some(Shape::Bytes),
        gives: Some(Shape::Messages),
        speaks: None,
        options: &[
            OptionGrammar {
                name: "frame",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Frame,
                help: "make messages of bytes",
            },
            OptionGrammar {
                name: "max-message",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Size,
                help: "the most bytes of one message; 16 MiB unless set",
            },
        ],
    },
    help: "messages over bytes",
    prepare,
};

fn prepare(address: &Address, place: usize, _: &Ctx) -> Result<Arc<dyn Wrap>> {
    let options = address.layers().get(place).map(|layer| layer.options());
    let framing = match options.and_then(|options| options.value("frame")) {
        Some(Value::Frame(framing)) => *framing,
        _ => Framing::Burst { silence: None },
    };
    let most = match options.and_then(|options| options.value("max-message")) {
        Some(Value::Size(size)) => usize::try_from(*size).unwrap_or(usize::MAX),
        _ => MAX_MESSAGE,
    };
    if let Framing::Fixed(size) = framing
        && framing.max_message(most) < framing.max_message(usize::MAX)
    {
        let why = format!("frame=fixed={size} needs a max-message= of as many bytes");
        let op = if address.role() == Role::Dial { Op::Dial } else { Op::Listen };
        return Err(Error::new(op, std::io::Error::new(std::io::ErrorKind::InvalidInput, why))
            .on(address.bare_word()));
    }
    Ok(Arc::new(Frame { framing, most }))
}

struct Frame {
    framing: Framing,
    /// The most bytes of one message.
    most: usize,
}

impl Wrap for Frame {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let Self { framing, most } = *self;
        let framed = if conn.shape() == Shape::Bytes {
            let buffers = ctx.buffers.clone();
            Ok(conn.layered("frame", Some(framing.max_message(most)), move |io| match io {
                Io::Bytes(beneath) => Io::Messages(Box::new(Framed::new(beneath, framing, most, buffers))),
                messages @ Io::Messages(_) => messages,
            }))
        } else {
            Err(Error::new(Op::Handshake, Cause::WrongShape { has: conn.shape() }).on(conn.peer()))
        };
        Box::pin(std::future::ready(framed))
    }
}
