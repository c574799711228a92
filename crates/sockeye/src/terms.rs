//! What those who come to a listener get.

use std::sync::Arc;

use sockeye_proto::address::Address;

use crate::ctx::{Ctx, Limits};
use crate::entrance::Entrance;
use crate::error::{Error, Op, Result};
use crate::event::Events;
use crate::layer::{self, Wrap};
use crate::open::Listening;
use crate::peer::Peer;
use crate::rows::Rows;
use crate::service::Service;
use crate::tally::Tally;

/// What newcomers get: it can be exchanged while a listener is served, and touches nobody who is inside. Only of
/// datagrams the rules (`allow=`, `deny=`) are asked about each, since nobody is connected: there they hold for all.
#[derive(Clone)]
pub struct Terms {
    /// Serves them.
    pub service: Arc<dyn Service>,
    /// What puts the layers on, innermost first.
    pub wraps: Vec<Arc<dyn Wrap>>,
    /// Their limits. Where fewer may be inside than are, nobody comes in until enough have left.
    pub limits: Limits,
    /// Who is told what happens to them.
    pub events: Events,
    pub(crate) name: Arc<str>,
    pub(crate) entrance: Option<Arc<Entrance>>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) locals: Arc<[Peer]>,
    rows: Rows,
}

impl Terms {
    /// Those that a listener was opened with. `name` says what is served, for those who read events and
    /// [`Ctx::tallies`].
    pub fn of(listening: &Listening, service: Arc<dyn Service>, name: &str, ctx: &Ctx) -> Self {
        Self {
            service,
            wraps: listening.wraps.clone(),
            limits: listening.limits,
            events: ctx.events.clone(),
            name: name.into(),
            entrance: listening.entrance.clone(),
            tally: listening.tally.clone(),
            locals: listening.listener.locals().into(),
            rows: listening.rows.clone(),
        }
    }

    /// Those that an address asks for, of the same scheme and target as the one whose listener has these. Whoever is
    /// inside counts on, and what another service does is counted apart. Nothing changes before they are sent.
    ///
    /// # Errors
    /// A layer cannot be prepared, for instance because a file that it needs is not there, or a rule cannot be kept.
    pub fn after(&self, address: &Address, service: Arc<dyn Service>, name: &str, ctx: &Ctx) -> Result<Self> {
        let tally = if *self.name == *name { self.tally.clone() } else { Arc::default() };
        let ctx = &Ctx { tally, ..ctx.clone() };
        let limits = self.rows.scheme(address)?.limits(address, &ctx.limits);
        let entrance = Entrance::after(self.entrance.as_ref(), address, &limits, &self.locals, ctx)
            .map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))?;
        let wraps = self.rows.prepare(address, ctx).map_err(|error| error.on(address.bare_word()))?;
        Ok(Self {
            service,
            wraps: layer::judged(wraps, entrance.as_ref()),
            limits,
            events: ctx.events.clone(),
            name: name.into(),
            entrance,
            tally: ctx.tally.clone(),
            locals: self.locals.clone(),
            rows: self.rows.clone(),
        })
    }
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
