//! Refuses whom its certificate does not let in, once the layers beneath have seen it and before anybody else does.
//!
//! It is no row: the rules of a listener ask for it. As a layer it holds wherever layers are put on.

use std::future::ready;
use std::sync::Arc;

use super::Wrap;
use crate::conn::Conn;
use crate::ctx::Ctx;
use crate::entrance::Entrance;
use crate::error::{Cause, Error, Op, Result};
use crate::service::BoxFuture;

/// What judges newcomers; nothing where no rule asks for certificates.
pub(super) fn judge(entrance: &Arc<Entrance>) -> Option<Arc<dyn Wrap>> {
    entrance.asks_for_certificate().then(|| Arc::new(Certified(entrance.clone())) as _)
}

struct Certified(Arc<Entrance>);

impl Wrap for Certified {
    fn wrap<'a>(&'a self, mut conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
        let judged = self.0.certify(conn.peer()).map_err(|why| {
            // It is to see a reset, as who is refused without a handshake does.
            conn.abort();
            Error::new(Op::Handshake, Cause::NotAdmitted(why)).on(conn.peer())
        });
        Box::pin(ready(judged.map(|()| conn)))
    }
}
