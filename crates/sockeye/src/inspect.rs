//! What the kernel makes of an address: its sockets, opened and closed again, with their options.

use std::os::fd::AsFd as _;

use sockeye_proto::address::{Address, Role};

use crate::ctx::{Ctx, within};
use crate::error::{Cause, Error, Limit, Op, Result};
use crate::option::{self, Held};
use crate::peer::Peer;
use crate::rows::OURS;

/// A socket of an address.
#[derive(Debug)]
pub struct Inspected {
    /// Where it listens, or from where to where it leads.
    pub peer: Peer,
    /// Its options.
    pub options: Vec<Held>,
}

/// Opens an address without its layers, dialled within its `connect=` limit or listened on, reads the options of its
/// sockets, and closes it. Nothing is sent or accepted, and where it is no socket there is nothing to read. Cancel safe.
///
/// # Errors
/// As [`crate::dial`] and [`crate::listen`].
pub async fn inspect(address: &Address, ctx: &Ctx) -> Result<Vec<Inspected>> {
    let row = OURS.scheme(address)?;
    if address.role() == Role::Listen {
        let listener = (row.listen)(address, ctx).await?;
        let sockets = listener.sockets().into_iter().zip(listener.locals());
        return Ok(sockets
            .map(|(socket, peer)| Inspected { peer, options: option::held(socket, address) })
            .collect());
    }
    let limit = option::limits(address, &ctx.limits).connect;
    let dialled = within(limit, (row.dial)(address, ctx)).await;
    let conn = dialled.unwrap_or_else(|after| {
        Err(Error::new(Op::Dial, Cause::Limit(Limit::Connect, after)).on(address.bare_word()))
    })?;
    let options = conn.socket().map(|socket| option::held(socket.as_fd(), address));
    let peer = Peer::clone(conn.peer());
    Ok(options.map(|options| Inspected { peer, options }).into_iter().collect())
}
