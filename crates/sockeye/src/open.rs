//! From the text of an address to an open connection or listener: the scheme first, then the layers.

mod reconnect;

use std::borrow::Cow;
use std::sync::Arc;

use sockeye_proto::address::{self, Address, ParseError, Pin, Role, Vocabulary, Written};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use crate::conn::Conn;
use crate::ctx::{Ctx, Limits, within};
use crate::entrance::Entrance;
use crate::error::{Cause, Error, Kind, Limit, Op, Result};
use crate::layer::{self, Wrap};
use crate::listener::{self, Listener};
use crate::option;
use crate::peer::Peer;
use crate::rows::{OURS, Rows};
use crate::scheme::Scheme;
use crate::tally::Tally;

/// Every scheme, layer and option of ours, as addresses are parsed against them.
pub fn vocabulary() -> &'static Vocabulary {
    OURS.vocabulary()
}

/// Reads an address of our rows, and the options beside it; see [`address::parse`].
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(word: &str, beside: &[String]) -> std::result::Result<Address, ParseError> {
    address::parse(word, beside, vocabulary())
}

/// Reads an address of our rows that is to be listened on; see [`address::parse_listener`].
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_listener(word: &str, beside: &[String]) -> std::result::Result<Address, ParseError> {
    address::parse_listener(word, beside, vocabulary())
}

/// What can be opened: an [`Address`], or a word, which is read against the rows that it is opened with.
pub trait ToAddress {
    /// The address, read for that role where it is a word.
    ///
    /// # Errors
    /// The word is no address of that vocabulary.
    fn to_address(&self, role: Role, vocabulary: &Vocabulary) -> Result<Cow<'_, Address>>;
}

impl ToAddress for Address {
    fn to_address(&self, _: Role, _: &Vocabulary) -> Result<Cow<'_, Address>> {
        Ok(Cow::Borrowed(self))
    }
}

impl ToAddress for str {
    fn to_address(&self, role: Role, vocabulary: &Vocabulary) -> Result<Cow<'_, Address>> {
        let (op, read) = match role {
            Role::Dial => (Op::Dial, address::parse(self, &[], vocabulary)),
            Role::Listen => (Op::Listen, address::parse_listener(self, &[], vocabulary)),
        };
        read.map(Cow::Owned).map_err(|error| Error::new(op, Cause::Address(error)).on(self))
    }
}

impl ToAddress for String {
    fn to_address(&self, role: Role, vocabulary: &Vocabulary) -> Result<Cow<'_, Address>> {
        self.as_str().to_address(role, vocabulary)
    }
}

/// Opens a connection, layers and all, within the address's `connect=` limit (30 s unless set): `dial("tcp:host:80",
/// &ctx)`. Options that stand beside a word need it [parsed](parse) first. Cancel safe: nothing is left behind.
///
/// Where the address sets `reconnect=`, dialling is tried again for so long while what fails may pass, each time within
/// `connect=`; and a connection that is lost later, by an error or by an end of the other side before ours, is opened
/// anew by whoever next reads or writes. Its [`Peer`](crate::Peer) stays the first one's, its counts go on, and
/// [`Event::Retrying`](crate::Event::Retrying) tells each try. A message that was not sent whole is sent again, whole.
/// What the kernel had taken may be lost, and the new other side knows nothing of what was said before.
/// [`Stop::drain`](crate::Stop::drain) ends the waiting.
///
/// # Errors
/// The word is no address, nobody answers, the name has no address, the handshake fails, or the limit runs out.
pub async fn dial(address: &(impl ToAddress + ?Sized), ctx: &Ctx) -> Result<Conn> {
    OURS.dial(address, ctx).await
}

/// Makes ready what all connections to an address share. Dialling often is cheaper that way.
///
/// # Errors
/// As [`Rows::dialler`].
pub fn dialler(address: &(impl ToAddress + ?Sized), ctx: &Ctx) -> Result<Dialler> {
    OURS.dialler(address, ctx)
}

/// Starts to listen: `listen("tcp:8080", &ctx)`. From here on the kernel answers, although nobody accepts yet.
///
/// # Errors
/// The word is no address; the address is taken, is not ours, or may not be used; a rule names nobody that there is; or
/// it is open to others where only ours may come in ([`crate::Newcomers::Ours`]).
pub async fn listen(address: &(impl ToAddress + ?Sized), ctx: &Ctx) -> Result<Listening> {
    OURS.listen(address, ctx).await
}

impl Rows {
    /// As [`dial()`], to an address of these rows. Cancel safe.
    ///
    /// # Errors
    /// As [`dial()`], and where the address was read against other rows.
    pub async fn dial(&self, address: &(impl ToAddress + ?Sized), ctx: &Ctx) -> Result<Conn> {
        self.dialler(address, ctx)?.dial(ctx).await
    }

    /// Makes ready what all connections to an address of these rows share, such as certificates and tickets.
    ///
    /// # Errors
    /// The word is no address, or was read against other rows; a layer cannot be prepared, for instance because a file
    /// that it needs is not there.
    pub fn dialler(&self, address: &(impl ToAddress + ?Sized), ctx: &Ctx) -> Result<Dialler> {
        let address = address.to_address(Role::Dial, self.vocabulary())?.into_owned();
        let prepared = self.scheme(&address).and_then(|scheme| Ok((scheme, self.prepare(&address, ctx)?)));
        let (scheme, wraps) = prepared.map_err(|error| error.on(address.bare_word()))?;
        Ok(Dialler(Arc::new(Way { address, scheme, wraps })))
    }

    /// As [`listen()`], on an address of these rows.
    ///
    /// # Errors
    /// As [`listen()`], and where the address was read against other rows.
    pub async fn listen(&self, address: &(impl ToAddress + ?Sized), ctx: &Ctx) -> Result<Listening> {
        let address = &*address.to_address(Role::Listen, self.vocabulary())?;
        let scheme = self.scheme(address)?;
        let ctx = &Ctx { tally: Arc::default(), ..ctx.clone() };
        let wraps = self.prepare(address, ctx)?;
        let mut listener = (scheme.listen)(address, ctx).await?;
        let limits = scheme.limits(address, &ctx.limits);
        let entrance = Entrance::of(address, &limits, &listener.locals(), ctx);
        let entrance = entrance.map_err(|cause| Error::new(Op::Listen, cause).on(address.bare_word()))?;
        listener.guard_with(entrance.clone());
        let tally = ctx.tally.clone();
        let (rows, wraps) = (self.clone(), layer::judged(wraps, entrance.as_ref()));
        let grammars = address.layers().iter().map(|layer| layer.grammar());
        let in_front = grammars.filter(|row| row.written == Written::InFront).map(|row| row.name).collect();
        Ok(Listening { wraps, limits, entrance, tally, rows, in_front, ..Listening::of(listener, ctx) })
    }
}

/// An address that is dialled, as often as anybody likes.
pub struct Dialler(Arc<Way>);

/// How a connection is opened.
struct Way {
    address: Address,
    scheme: &'static Scheme,
    /// What puts the layers on, innermost first.
    wraps: Vec<Arc<dyn Wrap>>,
}

impl Dialler {
    /// As [`dial()`]. Cancel safe.
    ///
    /// # Errors
    /// As [`dial()`], but for the word.
    pub async fn dial(&self, ctx: &Ctx) -> Result<Conn> {
        match reconnect::limit(self.address()) {
            Some(limit) => reconnect::dial(&self.0, limit, ctx).await,
            None => self.0.dial(ctx).await,
        }
    }

    /// What is dialled.
    pub fn address(&self) -> &Address {
        &self.0.address
    }
}

impl Way {
    /// Opens a connection, once, under the `connect=` limit. Cancel safe.
    async fn dial(&self, ctx: &Ctx) -> Result<Conn> {
        let limit = option::limits(&self.address, &ctx.limits).connect;
        let opened = within(limit, async {
            let conn = (self.scheme.dial)(&self.address, ctx).await?.named(&self.address.bare_word());
            layer::wrap_all(&self.wraps, conn, ctx).await
        });
        let opened = opened
            .await
            .unwrap_or_else(|after| Err(Error::new(Op::Dial, Cause::Limit(Limit::Connect, after))));
        opened.map_err(|error| error.on(self.address.bare_word()))
    }
}

impl std::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialler").field("address", self.address()).finish_non_exhaustive()
    }
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
    /// What the address was read against.
    pub(crate) rows: Rows,
    /// The names of the layers that stand in front of the scheme, outermost first.
    pub(crate) in_front: Vec<&'static str>,
    /// The pin of somebody to whom it leads, and the layers in front of that one.
    pub(crate) led_pin: Option<(Vec<&'static str>, Pin)>,
    ctx: Box<Ctx>,
    handshakes: JoinSet<Result<Conn>>,
}

impl Listening {
    /// A listener of another make: no layers, no rules, and the limits of `ctx`.
    pub fn of(listener: Box<dyn Listener>, ctx: &Ctx) -> Self {
        Self {
            listener,
            wraps: Vec::new(),
            limits: ctx.limits,
            entrance: None,
            tally: Arc::default(),
            rows: Rows::default(),
            in_front: Vec::new(),
            led_pin: None,
            ctx: Box::new(ctx.clone()),
            handshakes: JoinSet::new(),
        }
    }

    /// What clients are to know it by, where it shows them a certificate for which nobody vouches: its own.
    pub fn pin(&self) -> Option<Pin> {
        let led = || self.led_pin.as_ref().map(|(_, pin)| *pin);
        self.wraps.iter().find_map(|wrap| wrap.pin()).or_else(led)
    }

    /// The addresses that it listens on, with the layers in front that who dials them needs; those that are written as
    /// options (`frame=`) do not show.
    pub fn words(&self) -> Vec<String> {
        self.listener.locals().iter().map(|local| word(&self.in_front, local)).collect()
    }

    /// The address that reaches it, with that pin, as it is dialled from this machine.
    pub fn pinned(&self) -> Option<String> {
        let (pin, local) = (self.pin()?, self.listener.locals().into_iter().next()?);
        let in_front = self.led_pin.as_ref().map_or(&self.in_front, |(in_front, _)| in_front);
        Some(format!("{},pin={pin}", word(in_front, &local)))
    }

    /// The next connection, with its layers on: for those who do without [`serve()`](crate::serve()), and so see to it
    /// themselves how many are inside, and for how long. Handshakes run beside one another, each under the `handshake=`
    /// limit, at most as many as `max-conns=` allows; who comes then waits in the kernel's queue.
    ///
    /// It waits as long as nobody comes. Cancel safe.
    ///
    /// # Errors
    /// One newcomer came to nothing; the next may be had. Where files have run out that is told after a pause, so that who
    /// tries again does not do so all the time.
    pub async fn accept(&mut self) -> Result<Conn> {
        if self.wraps.is_empty() {
            return accept_bare(&mut *self.listener, self.limits.accept_pause).await;
        }
        loop {
            let has_room = self.handshakes.len() < self.limits.max_conns;
            tokio::select! {
                Some(ended) = self.handshakes.join_next() => {
                    // A panic was printed where it happened, and concerns nobody else.
                    if let Ok(wrapped) = ended { return wrapped }
                }
                newcomer = accept_bare(&mut *self.listener, self.limits.accept_pause), if has_room => {
                    let conn = newcomer?;
                    let (wraps, ctx) = (self.wraps.clone(), Ctx { limits: self.limits, ..(*self.ctx).clone() });
                    self.handshakes.spawn(async move { layer::wrap_newcomer(&wraps, conn, &ctx).await });
                }
            }
        }
    }
}

/// What the address of a listener with these layers is called.
fn word(in_front: &[&str], local: &Peer) -> String {
    let place = local.to_string();
    let short = layer::STACKS.iter().find(|stack| stack.scheme == local.scheme && stack.layers == in_front);
    match short.zip(place.split_once(':')) {
        Some((short, (_, target))) => format!("{}:{target}", short.name),
        None if in_front.is_empty() => place,
        None => format!("{}+{place}", in_front.join("+")),
    }
}

async fn accept_bare(listener: &mut dyn Listener, pause: Duration) -> Result<Conn> {
    let accepted = listener::accept(listener).await;
    if accepted.as_ref().is_err_and(|error| error.kind() == Kind::Exhausted) {
        sleep(pause).await;
    }
    accepted
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening")
            .field("locals", &self.listener.locals())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
