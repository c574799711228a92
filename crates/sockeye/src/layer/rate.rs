//! `rate=`: how many bytes a second go over a connection, each way.

mod paced;

use std::sync::{Arc, Mutex};

use sockeye_proto::address::{Address, Kind, LayerGrammar, OptionGrammar, Rate, Side, Value, Written};
use sockeye_proto::pace::Pace;
use tokio::time::Instant;

use super::{Layer, Wrap};
use crate::conn::{Conn, Io};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::service::BoxFuture;
use paced::{Lane, Paced};

pub(super) static RATE: Layer = Layer {
    grammar: LayerGrammar {
        name: "rate",
        aliases: &[],
        written: Written::AsOption,
        rank: 60,
        over: None,
        gives: None,
        speaks: None,
        options: &[
            OptionGrammar {
                name: "rate",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Rate,
                help: "the most bytes a second, of each connection and way",
            },
            OptionGrammar {
                name: "rate-shared",
                aliases: &[],
                schemes: &[],
                side: Side::Both,
                kind: Kind::Switch,
                help: "rate= is for all connections together; no unless set",
            },
        ],
    },
    help: "so many bytes a second and no more",
    prepare,
};

fn prepare(address: &Address, place: usize, _: &Ctx) -> Result<Arc<dyn Wrap>> {
    let options = address.layers().get(place).map(|layer| layer.options());
    let rate = match options.and_then(|options| options.value("rate")) {
        Some(Value::Rate(rate)) => *rate,
        _ => Rate { inward: None, outward: None },
    };
    let is_shared = options.and_then(|options| options.value("rate-shared")) == Some(&Value::Switch(true));
    let shared = is_shared.then(|| paces(rate));
    Ok(Arc::new(Paces { rate, shared, began: Instant::now() }))
}

/// The pace of each way, where it has one.
type Both = [Option<Arc<Mutex<Pace>>>; 2];

fn paces(rate: Rate) -> Both {
    [rate.inward, rate.outward].map(|limit| limit.map(|limit| Arc::new(Mutex::new(Pace::new(limit)))))
}

struct Paces {
    rate: Rate,
    /// Those of all connections, where they share them.
    shared: Option<Both>,
    /// What times are counted from.
    began: Instant,
}

impl Wrap for Paces {
    fn wrap<'a>(&'a self, conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let paces = self.shared.clone().unwrap_or_else(|| paces(self.rate));
        let [inward, outward] = paces.map(|pace| pace.map(|pace| Lane::new(pace, self.began)));
        let paced = conn.observed(|io, _| match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(Paced { beneath, inward, outward })),
            Io::Messages(beneath) => Io::Messages(Box::new(Paced { beneath, inward, outward })),
        });
        Box::pin(std::future::ready(Ok(paced)))
    }
}
