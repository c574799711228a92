//! From the text of an address to an open connection or listener: the scheme first, then the layers.

use std::sync::{Arc, LazyLock};

use sockeye_proto::address::{self, Address, ParseError, Vocabulary};

use crate::conn::Conn;
use crate::ctx::{Ctx, Limits, within};
use crate::entrance::Entrance;
use crate::error::{Cause, Error, Limit, Op, Result};
use crate::layer::{self, Wrap};
use crate::listener::Listener;
use crate::tally::Tally;
use crate::{option, scheme};

/// Every scheme, layer and option, as addresses are parsed against them.
pub fn vocabulary() -> &'static Vocabulary {
    static ALL: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary {
        schemes: scheme::ALL.iter().map(|row| &row.grammar).collect(),
        layers: layer::ALL.iter().map(|row| &row.grammar).collect(),
        stacks: Vec::new(),
        options: option::options().map(|row| &row.grammar).collect(),
    });
    &ALL
}

/// Reads an address; see [`address::parse`].
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(word: &str, beside: &[String]) -> std::result::Result<Address, ParseError> {
    address::parse(word, beside, vocabulary())
}

/// Reads an address that is to be listened on; see [`address::parse_listener`].
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_listener(word: &str, beside: &[String]) -> std::result::Result<Address, ParseError> {
    address::parse_listener(word, beside, vocabulary())
}

/// Opens a connection, layers and all, within the address's `connect=` limit (30 s unless set). Cancel safe: nothing
/// is left behind.
///
/// # Errors
/// Nobody answers, the name has no address, the handshake fails, or the limit runs out.
pub async fn dial(address: &Address, ctx: &Ctx) -> Result<Conn> {
    let limit = option::limits(address, &ctx.limits).connect;
    let opened = within(limit, async {
        let wraps = layer::prepare(address, ctx)?;
        let conn = (scheme::of(address).dial)(address, ctx).await?.named(&address.bare_word());
        layer::wrap_all(&wraps, conn, ctx).await
    });
    let opened =
        opened.await.unwrap_or_else(|after| Err(Error::new(Op::Dial, Cause::Limit(Limit::Connect, after))));
    opened.map_err(|error| error.on(address.bare_word()))
}

/// An address that is listened on.
pub struct Listening {
    /// Yields bare connections.
    pub listener: Box<dyn Listener>,
    /// What puts the layers on them, innermost first.
    pub wraps: Vec<Arc<dyn Wrap>>,
    /// The limits that the address sets.
    pub limits: Limits,
    /// What decides who comes in, where there are rules. The listener asks it already.
    pub entrance: Option<Arc<Entrance>>,
    /// What it does, counted.
    pub tally: Arc<Tally>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening")
            .field("locals", &self.listener.locals())
            .field("limits", &self.limits)
            .finish()
    }
}

/// Starts to listen. From here on the kernel answers, although nobody accepts yet.
///
/// # Errors
/// The address is taken, is not ours, or may not be used; a rule names nobody that there is; or it is open to others
/// where only ours may come in ([`crate::Newcomers::Ours`]).
pub async fn listen(address: &Address, ctx: &Ctx) -> Result<Listening> {
    let ctx = &Ctx { tally: Arc::default(), ..ctx.clone() };
    let wraps = layer::prepare(address, ctx)?;
    let mut listener = (scheme::of(address).listen)(address, ctx).await?;
    let limits = scheme::limits(address, &ctx.limits);
    let entrance = Entrance::of(address, &limits, &listener.locals(), ctx);
    let entrance = entrance.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))?;
    listener.guard_with(entrance.clone());
    Ok(Listening { listener, wraps, limits, entrance, tally: ctx.tally.clone() })
}
