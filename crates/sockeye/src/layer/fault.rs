//! `fault=`: what a bad network does, on purpose. What happens is decided in [`sockeye_proto::fault`]; here bytes and
//! messages only move and wait.

mod bytes;
mod link;
mod messages;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Side, Value, Written};
use sockeye_proto::fault::{Fault, Stream};
use sockeye_proto::way::Way;

use super::{Layer, Wrap};
use crate::conn::{Conn, Io};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::event::{Event, Wants};
use crate::service::BoxFuture;
use link::Faulty;
use messages::Lane;

pub(super) static FAULT: Layer = Layer {
    grammar: LayerGrammar {
        name: "fault",
        aliases: &[],
        written: Written::AsOption,
        rank: 55,
        over: None,
        gives: None,
        speaks: None,
        options: &[
            OptionGrammar {
                name: "fault",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Fault,
                help: "make the network bad; may be set several times",
            },
            OptionGrammar {
                name: "seed",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Count { least: 0, most: u64::MAX },
                help: "repeats what chance decided; any, and told, unless set",
            },
        ],
    },
    help: "what a bad network does",
    prepare,
};

#[expect(clippy::unnecessary_wraps, reason = "other layers can fail to prepare")]
fn prepare(address: &Address, place: usize, ctx: &Ctx) -> Result<Arc<dyn Wrap>> {
    let options = address.layers().get(place).map(|layer| layer.options());
    let set = options.into_iter().flat_map(|options| options.values("fault"));
    let faults: Vec<Fault> = set
        .filter_map(|value| match value {
            Value::Fault(fault) => Some(*fault),
            _ => None,
        })
        .collect();
    let seed = match options.and_then(|options| options.value("seed")) {
        Some(Value::Count(seed)) => *seed,
        _ => chosen(),
    };
    if faults.iter().any(Fault::is_random) && options.is_some_and(|options| options.value("seed").is_none()) {
        ctx.events.tell(Wants::Trouble, || Event::Faults { address: address.bare_word().into(), seed });
    }
    Ok(Arc::new(Faults { faults, seed, connections: AtomicU64::new(0) }))
}

/// A seed that nobody set, short enough to be typed.
fn chosen() -> u64 {
    RandomState::new().hash_one(()) % 1_000_000
}

struct Faults {
    faults: Vec<Fault>,
    seed: u64,
    /// How many there were: each has numbers of its own, which the n-th has again with the same seed.
    connections: AtomicU64,
}

impl Wrap for Faults {
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let stream = |way| Stream::new(&self.faults, way, self.seed, number);
        let lane = |way| Lane::new(&self.faults, way, self.seed, number);
        let (peer, most) = (conn.peer().clone(), conn.max_message());
        let wrapped = conn.layered("fault", most, |io| match io {
            Io::Bytes(_) => {
                Io::Bytes(Box::new(Faulty::new(io, stream(Way::In), stream(Way::Out), peer, ctx)))
            }
            Io::Messages(_) => {
                Io::Messages(Box::new(Faulty::new(io, lane(Way::In), lane(Way::Out), peer, ctx)))
            }
        });
        Box::pin(std::future::ready(Ok(wrapped)))
    }
}
