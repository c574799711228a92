//! The entrance of a listener: asks the rules of its address about each newcomer, before a handshake and once that has
//! shown a certificate, and tells whom it refused.

use std::future::Future as _;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use sockeye_proto::address::{Address, Value};
use sockeye_proto::admission::{Key, Owner, Quota, Refusal, Rule, Rules, Whom};
use tokio::time::{Instant, Sleep, sleep};

use crate::ctx::{Ctx, Limits, Newcomers};
use crate::error::{Cause, RuleFault};
use crate::event::{Event, Events, Wants};
use crate::owner::Owners;
use crate::peer::{Endpoint, Peer};
use crate::tally::Tally;

/// How long the next telling of refusals waits: a flood of newcomers must not become a flood of events.
const PAUSE: Duration = Duration::from_secs(1);

/// What decides who comes in on a listener. Its listener asks, and every connection that counts holds a `Pass`.
#[derive(Debug)]
pub struct Entrance {
    rules: Rules,
    most: Option<u32>,
    rate: Option<u32>,
    quota: Arc<Mutex<Quota>>,
    /// When time began for the quota.
    began: Instant,
    state: Mutex<State>,
    listener: Arc<str>,
    events: Events,
    counted: Arc<Tally>,
}

#[derive(Debug)]
struct State {
    /// There where anybody asks whose a newcomer is.
    owners: Option<Owners>,
    /// Whom nobody was told of yet, by why.
    untold: Vec<Refused>,
    /// When what is untold is told; `None` where the first may be told at once.
    pause: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Refused {
    why: Refusal,
    /// The last of them.
    peer: Peer,
    newcomers: u64,
}

/// Somebody who came in. Dropping it says that they are outside again.
#[derive(Debug)]
pub(crate) struct Pass {
    quota: Arc<Mutex<Quota>>,
    key: Key,
}

impl Drop for Pass {
    fn drop(&mut self) {
        lock(&self.quota).leave(self.key);
    }
}

impl Entrance {
    /// What the address and the limits ask for on these local addresses; `None` where they let everybody in.
    ///
    /// # Errors
    /// A rule names nobody that there is, or somebody who cannot be told on these addresses; or they are open to others
    /// than this machine's users where only ours may come in.
    pub(crate) fn of(
        address: &Address,
        limits: &Limits,
        locals: &[Peer],
        ctx: &Ctx,
    ) -> Result<Option<Arc<Self>>, Cause> {
        Self::after(None, address, limits, locals, ctx)
    }

    /// As [`Entrance::of`], for a listener that has been open: those inside whom `before` let in count on.
    pub(crate) fn after(
        before: Option<&Arc<Self>>,
        address: &Address,
        limits: &Limits,
        locals: &[Peer],
        ctx: &Ctx,
    ) -> Result<Option<Arc<Self>>, Cause> {
        let is_ours_alone = limits.newcomers == Newcomers::Ours;
        let rules = Rules {
            allow: rules("allow", address, locals)?,
            deny: rules("deny", address, locals)?,
            ours: is_ours_alone.then(|| rustix::process::geteuid().as_raw()),
        };
        // A certificate says who it is wherever it comes from. It must be named: those that vouch for it may vouch for many.
        if is_ours_alone && !rules.allow.iter().any(|rule| matches!(rule, Rule::Certificate(_))) {
            if !locals.iter().all(tells_users) {
                return Err(Cause::NoUsers);
            }
            if !locals.iter().all(is_this_machines) {
                return Err(Cause::OpenToOthers);
            }
        }
        let identifies = rules.ask_for_owner() || limits.newcomers != Newcomers::Anyone;
        let counts = limits.max_per_peer.is_some() || limits.rate_conns.is_some();
        let has_users =
            locals.iter().any(|local| matches!(local.local, Endpoint::Unix(_) | Endpoint::Unnamed));
        if !identifies && !counts && rules == Rules::default() {
            return Ok(None);
        }
        let owners = (identifies || counts && has_users).then(Owners::open).transpose()?;
        let (most, rate) = (limits.max_per_peer, limits.rate_conns);
        let (quota, began) = match before {
            Some(before) => (before.quota.clone(), before.began),
            None => (Arc::new(Mutex::new(Quota::new(most, rate))), Instant::now()),
        };
        Ok(Some(Arc::new(Self {
            rules,
            most,
            rate,
            quota,
            began,
            state: Mutex::new(State { owners, untold: Vec::new(), pause: None }),
            listener: locals.first().map(Peer::to_string).unwrap_or_default().into(),
            events: ctx.events.clone(),
            counted: ctx.tally.clone(),
        })))
    }

    /// From here on its numbers count, and no more those of the one before.
    pub(crate) fn begin(&self) {
        lock(&self.quota).limit(self.most, self.rate);
    }

    /// Decides on who has just connected, and notes on `peer` which user it is, where anybody asks. Who is refused will
    /// be told.
    pub(crate) fn admit(&self, peer: &mut Peer, socket: BorrowedFd<'_>) -> Option<Pass> {
        let mut state = lock(&self.state);
        let owner = state.owners.as_mut().and_then(|owners| owners.of_conn(peer, socket));
        if let Some(Owner::User(user)) = owner {
            peer.user = Some(user);
        }
        match self.decide(peer.remote, owner, None).and_then(|(_, key)| self.enter(key)) {
            Ok(pass) => Some(pass),
            Err(why) => {
                self.refuse(&mut state, why, peer);
                None
            }
        }
    }

    /// Decides on who has sent a datagram to one of ours, `user` being what the kernel said with it; and says which user
    /// it is, where anybody asks, and what it counts as.
    pub(crate) fn hear(
        &self,
        from: Endpoint,
        to: Endpoint,
        user: Option<u32>,
    ) -> Result<(Option<u32>, Key), Refusal> {
        let owner = match &mut lock(&self.state).owners {
            Some(owners) => owners.of_datagram(from, to, user),
            None => None,
        };
        self.decide(from, owner, None)
    }

    /// Whether it wants to see certificates.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.rules.ask_for_certificate()
    }

    /// Decides again on who was let in, now that its layers are on. Who is refused will be told.
    pub(crate) fn certify(&self, peer: &Peer) -> Result<(), Refusal> {
        let names = peer.tls.as_ref().map_or(&[][..], |tls| &tls.names);
        let decided = self.decide(peer.remote, peer.user.map(Owner::User), Some(names));
        decided.map(|_| ()).inspect_err(|why| self.refuse(&mut lock(&self.state), *why, peer))
    }

    /// Counts somebody who was heard, and is a newcomer.
    pub(crate) fn enter(&self, key: Key) -> Result<Pass, Refusal> {
        lock(&self.quota).admit(key, self.began.elapsed())?;
        Ok(Pass { quota: self.quota.clone(), key })
    }

    fn decide(
        &self,
        from: Endpoint,
        owner: Option<Owner>,
        certified: Option<&[String]>,
    ) -> Result<(Option<u32>, Key), Refusal> {
        let user = match owner {
            Some(Owner::User(user)) => Some(user),
            Some(Owner::Gone | Owner::Unknown) | None => None,
        };
        let (ip, key) = match from {
            Endpoint::Inet(from) | Endpoint::Raw(_, from) => (Some(from.ip()), Key::from(from.ip())),
            Endpoint::Unix(_) | Endpoint::Unnamed => (None, Key::User(user.unwrap_or(NOBODY))),
            Endpoint::Vsock(machine, _) => (None, Key::Machine(machine.0)),
        };
        self.rules.decide(ip, owner, certified).map(|()| (user, key))
    }

    fn refuse(&self, state: &mut State, why: Refusal, peer: &Peer) {
        self.counted.refuse(why.word());
        match state.untold.iter_mut().find(|refused| refused.why == why) {
            Some(refused) => {
                refused.newcomers += 1;
                refused.peer.clone_from(peer);
            }
            None => state.untold.push(Refused { why, peer: peer.clone(), newcomers: 1 }),
        }
        if state.pause.is_none() {
            self.tell(state);
            state.pause = Some(Box::pin(sleep(PAUSE)));
        }
    }

    fn tell(&self, state: &mut State) {
        for Refused { why, peer, newcomers } in state.untold.drain(..) {
            let listener = self.listener.clone();
            let event = || Event::Refused { listener, peer: Arc::new(peer), why, newcomers };
            self.events.tell(Wants::Trouble, event);
        }
    }

    /// Tells what is due, and has the listener's task woken for what is due later.
    pub(crate) fn poll_tell(&self, cx: &mut Context<'_>) {
        let mut state = lock(&self.state);
        while state.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_ready()) {
            state.pause = (!state.untold.is_empty()).then(|| Box::pin(sleep(PAUSE)));
            self.tell(&mut state);
        }
    }

    /// Tells the rest at once: nobody else comes. Those inside may stay much longer.
    pub(crate) fn tell_rest(&self) {
        self.tell(&mut lock(&self.state));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody's number (chown(2)): those on Unix sockets of whom the kernel does not know whose they are count as one.
const NOBODY: u32 = u32::MAX;

/// Whether only users of this machine reach that address.
fn is_this_machines(local: &Peer) -> bool {
    match local.local {
        Endpoint::Inet(local) | Endpoint::Raw(_, local) => local.ip().to_canonical().is_loopback(),
        Endpoint::Unix(_) | Endpoint::Unnamed => true,
        Endpoint::Vsock(..) => false,
    }
}

/// Whether whose a peer is may be known there: the kernel has no such table for the others.
fn tells_users(local: &Peer) -> bool {
    match local.local {
        Endpoint::Inet(_) | Endpoint::Unix(_) | Endpoint::Unnamed => true,
        Endpoint::Raw(..) | Endpoint::Vsock(..) => false,
    }
}

/// The rules that an option of the address sets, with their users looked up.
fn rules(option: &'static str, address: &Address, locals: &[Peer]) -> Result<Vec<Rule>, Cause> {
    let has_inet = locals.iter().any(|local| local.local.ip().is_some());
    let tells_users = locals.iter().all(tells_users);
    let is_local = locals.iter().all(is_this_machines);
    let asks_for_certificate =
        address.layers().iter().any(|layer| layer.options().value("client-ca").is_some());
    let whom = address.options().values(option).filter_map(|value| match value {
        Value::Whom(whom) => Some(whom),
        _ => None,
    });
    let rule = |whom: &Whom| {
        let fault = |fault| Cause::Rule(format!("{option}={whom}"), fault);
        match whom {
            Whom::Certificate(_) if !asks_for_certificate => Err(fault(RuleFault::NoCertificates)),
            Whom::Network(_) if !has_inet => Err(fault(RuleFault::NoAddresses)),
            Whom::Uid(_) | Whom::User(_) if !tells_users => Err(fault(RuleFault::NoUsers)),
            // It would be broken by coming from an address of this machine that is not loopback.
            Whom::Uid(_) | Whom::User(_) if option == "deny" && !is_local => {
                Err(fault(RuleFault::OpenToOthers))
            }
            Whom::Certificate(name) => Ok(Rule::Certificate(name.clone())),
            Whom::Network(network) => Ok(Rule::Network(*network)),
            Whom::Uid(user) => Ok(Rule::User(*user)),
            Whom::User(name) => {
                let user = uzers::get_user_by_name(name).map(|user| Rule::User(user.uid()));
                user.ok_or_else(|| fault(RuleFault::NoSuchUser))
            }
        }
    };
    whom.map(rule).collect()
}
