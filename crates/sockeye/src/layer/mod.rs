//! What is put on a connection: a row each.

mod frame;

use std::sync::Arc;

use sockeye_proto::address::{Address, LayerGrammar};

use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::service::BoxFuture;

/// A kind of layer.
#[derive(Debug)]
pub struct Layer {
    /// How it is written, and where it fits.
    pub grammar: LayerGrammar,
    /// What it does, in one line of at most 60 columns.
    pub help: &'static str,
    /// Makes what a dialled address or a listener keeps for all its connections. `place` is the index of the layer in
    /// [`Address::layers`]; the address itself tells the role.
    pub(crate) prepare: fn(&Address, usize, &Ctx) -> Result<Arc<dyn Wrap>>,
}

/// A layer of one address, with what its connections share.
pub trait Wrap: Send + Sync {
    /// Puts the layer on a connection, in that connection's own task and under its time limit.
    ///
    /// # Errors
    /// The handshake failed; the connection is closed.
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>>;
}

/// Every layer.
pub static ALL: &[&Layer] = &[&frame::FRAME];

/// What puts the layers of an address on, innermost first.
pub(crate) fn prepare(address: &Address, ctx: &Ctx) -> Result<Vec<Arc<dyn Wrap>>> {
    let wrap = |(place, layer): (usize, &sockeye_proto::address::Layer)| {
        let row = ALL.iter().find(|row| row.grammar.name == layer.grammar().name);
        #[expect(clippy::expect_used, reason = "addresses are parsed against these rows")]
        let row = row.expect("an address whose layers are rows of this table");
        (row.prepare)(address, place, ctx)
    };
    address.layers().iter().enumerate().rev().map(wrap).collect()
}

/// Puts layers on a connection.
pub(crate) async fn wrap_all(wraps: &[Arc<dyn Wrap>], mut conn: Conn, ctx: &Ctx) -> Result<Conn> {
    for wrap in wraps {
        conn = wrap.wrap(conn, ctx).await?;
    }
    Ok(conn)
}
