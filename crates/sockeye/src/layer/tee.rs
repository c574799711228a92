//! `tee=` and `tee-out=`: a copy of what comes from the peer, and of what goes to it, in a file.

use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Side, Written};

use super::record::{Pen, Record, recorded};
use super::{Layer, Wrap};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::event::Way;
use crate::look::{Look, look};
use crate::message::Payload;
use crate::service::BoxFuture;

pub(super) static TEE: Layer = Layer {
    grammar: LayerGrammar {
        name: "tee",
        aliases: &[],
        written: Written::AsOption,
        rank: 70,
        over: None,
        gives: None,
        speaks: None,
        options: &[OptionGrammar {
            name: "tee",
            aliases: &[],
            schemes: &[],
            side: Side::Both,
            kind: Kind::Text("a path"),
            help: "append what comes from the peer to this file, too",
        }],
    },
    help: "what comes from the peer, in a file",
    prepare: |address, place, _| tee(address, place, "tee", Way::In),
};

pub(super) static TEE_OUT: Layer = Layer {
    grammar: LayerGrammar {
        name: "tee-out",
        aliases: &[],
        written: Written::AsOption,
        rank: 71,
        over: None,
        gives: None,
        speaks: None,
        options: &[OptionGrammar {
            name: "tee-out",
            aliases: &[],
            schemes: &[],
            side: Side::Both,
            kind: Kind::Text("a path"),
            help: "append what goes to the peer to this file, too",
        }],
    },
    help: "what goes to the peer, in a file",
    prepare: |address, place, _| tee(address, place, "tee-out", Way::Out),
};

fn tee(address: &Address, place: usize, option: &'static str, way: Way) -> Result<Arc<dyn Wrap>> {
    let record = recorded(address, place, option, None)?;
    Ok(Arc::new(Tee { way, record }))
}

struct Tee {
    way: Way,
    record: Arc<Record>,
}

impl Wrap for Tee {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let copy = Copy { way: self.way, pen: self.record.pen(ctx) };
        Box::pin(std::future::ready(Ok(look(conn, |_, _| copy))))
    }
}

struct Copy {
    way: Way,
    pen: Pen,
}

impl Look for Copy {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pen.poll_room(cx)
    }

    fn saw(&mut self, way: Way, payload: Payload<'_>) {
        if way == self.way {
            self.pen.put(|file| file.extend_from_slice(payload.bytes));
        }
    }
}
