//! Many protocols on one port: a service that hands each connection on to the one whose protocol it speaks.

mod begun;
mod members;

use std::sync::Arc;

use sockeye_proto::sniff::Protocol;

use self::begun::Begun;
use crate::conn::Conn;
use crate::ctx::{Ctx, within};
use crate::error::{Cause, Error, Limit, Op, Result};
use crate::event::Events;
use crate::layer::{self, Wrap};
use crate::open::Listening;
use crate::service::{BoxFuture, Service};
use crate::show::show;

pub use self::members::Member;

/// Those who share a listening address. What limits newcomers there (`max-conns=`, `allow=`, `idle=` …) is the listener's
/// affair; the layers are each one's own.
pub struct Fork(Vec<Branch>);

/// One of them.
struct Branch {
    takes: Vec<Protocol>,
    /// The names of its layers that stand in front of the scheme, outermost first.
    in_front: Vec<&'static str>,
    /// What puts the layers on, innermost first.
    wraps: Vec<Arc<dyn Wrap>>,
    service: Arc<dyn Service>,
    events: Events,
}

impl Service for Fork {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // What finding out takes is not held while the connection is served.
            match Box::pin(self.choose(conn, ctx)).await? {
                Some((conn, branch)) => branch.service.serve(conn, ctx).await,
                None => Ok(()),
            }
        })
    }
}

impl Fork {
    /// Has a listener know that it leads here: [`Listening::pin`] is then that of the first member who has one.
    #[must_use]
    pub fn lead(&self, mut listening: Listening) -> Listening {
        listening.led_pin = self.0.iter().find_map(|branch| {
            let pin = branch.wraps.iter().find_map(|wrap| wrap.pin())?;
            Some((branch.in_front.clone(), pin))
        });
        listening
    }

    /// Whose the connection is, and the connection with the layers on that this one has; `None` where a stop is in a hurry.
    async fn choose(&self, mut conn: Conn, ctx: &Ctx) -> Result<Option<(Conn, &Branch)>> {
        let mut begun = Begun::default();
        let told = tokio::select! {
            told = within(ctx.limits.sniff, begun.tell(&mut conn)) => told,
            () = ctx.stop.hurried() => {
                conn.abort();
                return Ok(None);
            }
        };
        let (protocol, late) = match told {
            Ok(told) => (told.map_err(|error| conn.failed(Op::Read, error))?, None),
            // Whoever waits for us to begin speaks no protocol in which the client does.
            Err(after) => (Protocol::Text, Some(Cause::Limit(Limit::Sniff, after))),
        };
        let taker = |protocol| self.0.iter().find(|branch| branch.takes.contains(&protocol));
        let Some(branch) = taker(protocol).or_else(|| taker(Protocol::Text)) else {
            conn.abort();
            let cause = late.unwrap_or(Cause::Unspoken(protocol));
            return Err(Error::new(Op::Handshake, cause).on(conn.peer()));
        };
        // Who counts what goes over the connection does so already, and what layers say to each other is none of it.
        let counts = conn.counts();
        let conn = begun.put_back(conn).counted_by(Arc::default());
        let wrapped = layer::wrap_newcomer(&branch.wraps, conn, ctx).await?;
        Ok(Some((show(wrapped.counted_by(counts), &branch.events), branch)))
    }
}

impl std::fmt::Debug for Fork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|branch| &branch.takes)).finish()
    }
}
