//! What is put on a connection: a row each.

mod certified;
mod fault;
mod frame;
mod log;
mod pcap;
mod rate;
mod record;
mod tee;
mod tls;
mod ws;

use std::sync::Arc;

use sockeye_proto::address::{Address, LayerGrammar, Pin, StackGrammar};

use crate::conn::Conn;
use crate::ctx::{Ctx, within};
use crate::entrance::Entrance;
use crate::error::{Cause, Error, Limit, Op, Result};
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
    pub prepare: fn(&Address, usize, &Ctx) -> Result<Arc<dyn Wrap>>,
}

/// A layer of one address, with what its connections share.
pub trait Wrap: Send + Sync {
    /// Puts the layer on a connection, in that connection's own task and under its time limit.
    ///
    /// # Errors
    /// The handshake failed; the connection is closed.
    fn wrap<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<Conn>>;

    /// What a client is to know us by, where it shows newcomers a certificate for which nobody vouches.
    fn pin(&self) -> Option<Pin> {
        None
    }
}

/// Every layer.
pub static ALL: &[&Layer] = &[
    &tls::TLS,
    &ws::WS,
    &frame::FRAME,
    &fault::FAULT,
    &rate::RATE,
    &tee::TEE,
    &tee::TEE_OUT,
    &pcap::PCAP,
    &log::LOG,
];

/// The short names for layers and the scheme beneath them.
pub(crate) static STACKS: &[&StackGrammar] = &[&tls::STACK, &ws::PLAIN, &ws::SECURE];

/// What is put on newcomers: their layers, and where the rules ask for certificates the judgement of these.
pub(crate) fn judged(mut wraps: Vec<Arc<dyn Wrap>>, entrance: Option<&Arc<Entrance>>) -> Vec<Arc<dyn Wrap>> {
    wraps.extend(entrance.and_then(certified::judge));
    wraps
}

/// Puts layers on a connection.
pub(crate) async fn wrap_all(wraps: &[Arc<dyn Wrap>], mut conn: Conn, ctx: &Ctx) -> Result<Conn> {
    for wrap in wraps {
        conn = wrap.wrap(conn, ctx).await?;
    }
    Ok(conn)
}

/// The same for a newcomer, under the `handshake=` limit.
pub(crate) async fn wrap_newcomer(wraps: &[Arc<dyn Wrap>], conn: Conn, ctx: &Ctx) -> Result<Conn> {
    let bare = conn.peer().clone();
    let wrapped = within(ctx.limits.handshake, wrap_all(wraps, conn, ctx)).await;
    let late = |after| Err(Error::new(Op::Handshake, Cause::Limit(Limit::Handshake, after)).on(bare));
    wrapped.unwrap_or_else(late)
}
