//! Who shares a listening address, and who of them gets what.

use std::fmt;
use std::sync::Arc;

use sockeye_proto::address::{Address, Written};
use sockeye_proto::shape::Shape;
use sockeye_proto::sniff::Protocol;

use super::{Branch, Fork};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result, Unshared};
use crate::event::Events;
use crate::rows::Rows;
use crate::service::Service;

/// One of several who share a listening address.
pub struct Member<'a> {
    /// Where it listens, with its own layers.
    pub address: &'a Address,
    /// What it is called.
    pub name: &'a str,
    /// Which protocols it takes, where no layer of the address begins with one of its own. Who takes
    /// [`Protocol::Text`] gets whatever nobody else takes.
    pub speaks: &'a [Protocol],
    /// What serves its connections.
    pub service: Arc<dyn Service>,
    /// Who is told the messages that go over them.
    pub events: Events,
}

impl Rows {
    /// A service for those who share a listening address: it looks at the first bytes of a connection, for at most as long
    /// as `sniff=` of the listener says, puts the layers on of the member whose protocol that is, within its
    /// `handshake=`, and has that member's service serve it. Whoever says nothing until then gets what takes text.
    ///
    /// A layer whose clients speak first takes its own protocol: `tls` takes TLS and `ws` takes HTTP. Members whose
    /// innermost layers are the same, options included, share them, and are told apart by what comes through.
    ///
    /// It is to be served on a listener of the address [without its layers](Address::without_layers).
    ///
    /// # Errors
    /// The members cannot be told apart, or do not agree on the options of the listener, which are the first one's; a layer
    /// cannot be prepared.
    pub fn fork(&self, members: &[Member<'_>], ctx: &Ctx) -> Result<Arc<Fork>> {
        if let Some(first) = members.first() {
            agree(first, members).map_err(|why| refused(first, why))?;
        }
        let all: Vec<_> = members.iter().map(|member| Part { member, on: 0 }).collect();
        Ok(Arc::new(Fork(self.branches(&all, ctx)?)))
    }

    fn branches(&self, parts: &[Part<'_>], ctx: &Ctx) -> Result<Vec<Branch>> {
        let mut shares: Vec<Vec<Part<'_>>> = Vec::new();
        for part in parts {
            let rival = shares.iter_mut().find_map(|share| {
                let protocol = share.first()?.rivals(part)?;
                Some((share, protocol))
            });
            match rival {
                None => shares.push(vec![*part]),
                Some((share, _)) if share.first().is_some_and(|first| first.has_layer_of(part)) => {
                    share.push(*part);
                }
                Some((share, protocol)) => {
                    let one = share.first().map_or_else(String::new, |first| first.member.to_string());
                    let other = part.member.to_string();
                    return Err(refused(part.member, Unshared::Alike { one, other, protocol }));
                }
            }
        }
        shares.iter().filter_map(|share| self.branch(share, ctx).transpose()).collect()
    }

    fn branch(&self, share: &[Part<'_>], ctx: &Ctx) -> Result<Option<Branch>> {
        let Some(first @ Part { member, .. }) = share.first() else { return Ok(None) };
        let takes = first.takes();
        let layers = member.address.layers().iter().map(|layer| layer.grammar());
        let in_front = layers.filter(|row| row.written == Written::InFront).map(|row| row.name).collect();
        let Some(shared) = first.first_layer().filter(|_| share.len() > 1) else {
            let wraps = self.prepare_layers(member.address, 0..first.rest(), ctx)?;
            let (service, events) = (member.service.clone(), member.events.clone());
            return Ok(Some(Branch { takes, in_front, wraps, service, events }));
        };
        let wraps = self.prepare_layers(member.address, shared..first.rest(), ctx)?;
        let beyond: Vec<_> = share.iter().map(|part| part.beyond(first.rest() - shared)).collect();
        let service = Arc::new(Fork(self.branches(&beyond, ctx)?));
        // What goes on beneath the layers that tell them apart is nobody's message.
        Ok(Some(Branch { takes, in_front, wraps, service, events: ctx.events.without_messages() }))
    }
}

/// A member, of whose layers some are on.
#[derive(Clone, Copy)]
struct Part<'a> {
    member: &'a Member<'a>,
    on: usize,
}

impl Part<'_> {
    /// How many layers are still to be put on: those before this place.
    fn rest(self) -> usize {
        self.member.address.layers().len().saturating_sub(self.on)
    }

    fn beyond(self, layers: usize) -> Self {
        Self { on: self.on + layers, ..self }
    }

    /// The place of the next layer, from the inside, whose clients speak first.
    fn first_layer(self) -> Option<usize> {
        let layers = self.member.address.layers().get(..self.rest())?;
        layers.iter().rposition(|layer| layer.grammar().speaks.is_some())
    }

    fn takes(self) -> Vec<Protocol> {
        let layer = self.first_layer().and_then(|place| self.member.address.layers().get(place));
        match layer.and_then(|layer| layer.grammar().speaks) {
            Some(protocol) => vec![protocol],
            None => self.member.speaks.to_vec(),
        }
    }

    /// What both would take.
    fn rivals(self, other: &Self) -> Option<Protocol> {
        let others = other.takes();
        self.takes().into_iter().find(|protocol| others.contains(protocol))
    }

    /// Whether both have the same layers up to the next whose clients speak first, and bytes come through.
    fn has_layer_of(self, other: &Self) -> bool {
        let up_to = |part: Self| {
            let place = part.first_layer()?;
            Some(part.member.address.layers().get(place..part.rest())?.iter().rev())
        };
        match (up_to(self), up_to(*other)) {
            (Some(own), Some(others)) => {
                let carries_bytes = own.clone().all(|layer| layer.grammar().gives != Some(Shape::Messages));
                carries_bytes && own.eq(others)
            }
            _ => false,
        }
    }
}

/// Whether the sockets that the first opens are what all want.
fn agree(first: &Member<'_>, members: &[Member<'_>]) -> std::result::Result<(), Unshared> {
    if first.address.scheme().shape != Shape::Bytes {
        return Err(Unshared::Messages);
    }
    let has = first.address.options();
    for member in members {
        let wants = member.address.options();
        if let Some((name, _)) = wants.iter().find(|(name, _)| !wants.values(name).eq(has.values(name))) {
            return Err(Unshared::Option { name, of: member.to_string(), first: first.to_string() });
        }
    }
    Ok(())
}

fn refused(member: &Member<'_>, why: Unshared) -> Error {
    Error::new(Op::Listen, Cause::Unshared(why)).on(member.address.bare_word())
}

/// As it is written: what is served, and where.
impl fmt::Display for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.address.bare_word())
    }
}
