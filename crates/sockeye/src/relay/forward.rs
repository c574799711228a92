//! The relay as a service: each connection is led to another address.

use super::{Plan, relay};
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::error::{Op, Result, Side};
use crate::open::Dialler;
use crate::service::{BoxFuture, Service};

/// Joins each connection to an address, dialled anew for each.
#[derive(Debug)]
pub struct Forward {
    /// Where each connection is led to.
    pub to: Dialler,
    /// How they are joined.
    pub plan: Plan,
}

impl Service for Forward {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let for_peer = Ctx { caller: Some(conn.peer().clone()), ..ctx.clone() };
            let dialled = tokio::select! {
                dialled = self.to.dial(&for_peer) => dialled,
                () = ctx.stop.hurried() => {
                    conn.abort();
                    return Ok(());
                }
            };
            let mut to = match dialled {
                Ok(to) => to,
                Err(error) => {
                    // The peer must not take this for an orderly end of a conversation that never was.
                    conn.abort();
                    return Err(error.at(Side::Right));
                }
            };
            let (_moved, ended) = relay(&mut conn, &mut to, &self.plan, ctx).await;
            drop(to);
            let is_unread = ended.as_ref().is_err_and(|error| error.op() == Op::Write && !error.is_refusal());
            if is_unread && conn.half_close() {
                // The other side ended and then read no more, while the peer was still sending.
                conn.farewell(ctx).await?;
            }
            ended
        })
    }
}
