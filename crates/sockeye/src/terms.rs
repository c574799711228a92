//! What those who come to a listener get.

use std::sync::Arc;

use sockeye_proto::address::Address;

use crate::ctx::{Ctx, Limits};
use crate::error::Result;
use crate::event::Events;
use crate::layer::{self, Wrap};
use crate::open::Listening;
use crate::scheme;
use crate::service::Service;

/// What newcomers get: it can be exchanged while a listener is served, and touches nobody who is inside.
#[derive(Clone)]
pub struct Terms {
    /// What is served, for those who read events and [`Ctx::tallies`].
    pub name: Arc<str>,
    /// Serves them.
    pub service: Arc<dyn Service>,
    /// What puts the layers on, innermost first.
    pub wraps: Vec<Arc<dyn Wrap>>,
    /// Their limits. Where fewer may be inside than are, nobody comes in until enough have left.
    pub limits: Limits,
    /// Who is told what happens to them.
    pub events: Events,
}

impl Terms {
    /// Those that a listener was opened with.
    pub fn of(listening: &Listening, service: Arc<dyn Service>, name: &str, ctx: &Ctx) -> Self {
        let (wraps, limits) = (listening.wraps.clone(), listening.limits);
        Self { name: name.into(), service, wraps, limits, events: ctx.events.clone() }
    }

    /// Those that an address asks for, for a listener that is open already.
    ///
    /// # Errors
    /// A layer cannot be prepared, for instance because a file that it needs is not there.
    pub fn read(address: &Address, service: Arc<dyn Service>, name: &str, ctx: &Ctx) -> Result<Self> {
        let wraps = layer::prepare(address, ctx).map_err(|error| error.on(address.bare_word()))?;
        let limits = scheme::limits(address, &ctx.limits);
        Ok(Self { name: name.into(), service, wraps, limits, events: ctx.events.clone() })
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
