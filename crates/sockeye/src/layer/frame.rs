//! `frame=`: makes messages of bytes.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Side, Written};
use sockeye_proto::shape::Shape;

use super::{Layer, Wrap};
use crate::buffer::{Buffers, Size};
use crate::conn::{Bytes, Conn, Io, Messages};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result};
use crate::message::Message;
use crate::service::BoxFuture;

pub(super) static FRAME: Layer = Layer {
    grammar: LayerGrammar {
        name: "frame",
        aliases: &[],
        written: Written::AsOption,
        rank: 40,
        over: Shape::Bytes,
        gives: Shape::Messages,
        options: &[OptionGrammar {
            name: "frame",
            aliases: &[],
            schemes: &[],
            side: Side::Both,
            kind: Kind::Choice(&["burst"]),
            help: "make messages of bytes; burst: one read is one message",
        }],
    },
    help: "messages over bytes",
    prepare,
};

fn prepare(_: &Address, _: usize, _: &Ctx) -> Result<Arc<dyn Wrap>> {
    Ok(Arc::new(Frame))
}

struct Frame;

impl Wrap for Frame {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let framed = if conn.shape() == Shape::Bytes {
            let buffers = ctx.buffers.clone();
            Ok(conn.layered("frame", None, move |io| match io {
                Io::Bytes(beneath) => Io::Messages(Box::new(Burst { beneath, buffers, sent: 0 })),
                messages @ Io::Messages(_) => messages,
            }))
        } else {
            Err(Error::new(Op::Handshake, Cause::WrongShape { has: conn.shape() }).on(conn.peer()))
        };
        Box::pin(std::future::ready(framed))
    }
}

/// One read is one message, of at most 64 KiB. TCP keeps no borders: two messages that come close together may arrive
/// as one, and a long one as two. Programs that take each read for a message live with that, and so must who talks
/// to them.
struct Burst {
    beneath: Box<dyn Bytes>,
    buffers: Buffers,
    /// How much of the message that is being sent has gone.
    sent: usize,
}

impl Messages for Burst {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        let mut buffer = self.buffers.lend(Size::Medium);
        let read = self.beneath.poll_read(cx, &mut buffer);
        if let Poll::Ready(Ok(read)) = read {
            message.payload.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        self.buffers.give_back(buffer);
        Poll::Ready(Ok(ready!(read)? > 0))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<()>> {
        while let Some(rest) = payload.get(self.sent..).filter(|rest| !rest.is_empty()) {
            self.sent += ready!(self.beneath.poll_write(cx, rest))?;
        }
        ready!(self.beneath.poll_flush(cx))?;
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }
}
