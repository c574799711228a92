//! Those who are served at one place: mostly one service alone, else several that are told apart by what comes first.

use std::sync::Arc;

use sockeye::proto::address::{Address, Port, Target, Written};
use sockeye::{Ctx, Fork, Limits, Member, Newcomers, Rows, Service};

use super::Order;
use super::posts::{Stand, is_same_place};
use crate::failure::Failure;

/// The services of one place, in the order in which they were named.
pub(super) struct Party<'a>(Vec<Guest<'a>>);

struct Guest<'a> {
    order: &'a Order,
    stand: Arc<Stand>,
    address: &'a Address,
}

/// The places of all orders.
pub(super) fn parties<'a>(orders: &'a [(&'a Order, Arc<Stand>)]) -> Vec<Party<'a>> {
    let mut parties: Vec<Party<'a>> = Vec::new();
    for (order, stand) in orders {
        for address in &order.addresses {
            let guest = Guest { order, stand: stand.clone(), address };
            let is_there = |party: &&mut Party<'a>| {
                let first = party.0.first();
                first.is_some_and(|first| is_same_place(first.address, address)) && is_one_place(address)
            };
            match parties.iter_mut().find(is_there) {
                Some(party) => party.0.push(guest),
                None => parties.push(Party(vec![guest])),
            }
        }
    }
    parties
}

/// Whether an address is the same place each time: port 0 is another one.
fn is_one_place(address: &Address) -> bool {
    !matches!(address.target(), Target::HostPort(_, Port::Number(0)) | Target::Machine(_, 0))
}

impl Party<'_> {
    /// What is listened on: without its layers where several share it, who each have their own.
    pub(super) fn address(&self) -> Option<Address> {
        match &*self.0 {
            [alone] => Some(alone.address.clone()),
            guests => Some(guests.first()?.address.without_layers()),
        }
    }

    /// What serves whoever comes.
    pub(super) fn service(&self, fork: Option<&Arc<Fork>>) -> Option<Arc<dyn Service>> {
        match fork {
            Some(fork) => Some(fork.clone()),
            None => Some(self.0.first()?.stand.service.clone()),
        }
    }

    pub(super) fn stands(&self) -> Vec<Arc<Stand>> {
        self.0.iter().map(|guest| guest.stand.clone()).collect()
    }

    /// What is served there; of several, each with the layers by which it is told from the others.
    pub(super) fn name(&self) -> String {
        match &*self.0 {
            [alone] => alone.order.row.name.to_owned(),
            guests => guests.iter().map(Guest::name).collect::<Vec<_>>().join(" and "),
        }
    }

    /// The context in which it is listened on. Where several share it, the strictest says whose connections may come.
    pub(super) fn ctx(&self, ctx: &Ctx) -> Result<Ctx, Failure> {
        let newcomers = self.0.iter().map(Guest::newcomers).collect::<Result<Vec<_>, _>>()?;
        let newcomers = newcomers.into_iter().max().unwrap_or_default();
        let events = match &*self.0 {
            [alone] => alone.events(ctx),
            _ => ctx.events.without_messages(),
        };
        let limits = Limits { newcomers, ..ctx.limits };
        Ok(Ctx { stop: ctx.stop.child(), events, limits, ..ctx.clone() })
    }

    /// What tells them apart where there are several. `ctx` is the one that [`Party::ctx`] was made of.
    pub(super) fn fork(&self, ctx: &Ctx) -> Result<Option<Arc<Fork>>, Failure> {
        if self.0.len() == 1 {
            return Ok(None);
        }
        let names: Vec<_> = self.0.iter().map(|guest| guest.order.row.name).collect();
        let members = self.0.iter().zip(&names).map(|(guest, name)| Member {
            address: guest.address,
            name,
            speaks: guest.order.row.speaks,
            service: guest.stand.service.clone(),
            events: guest.events(ctx),
        });
        Ok(Some(Rows::default().fork(&members.collect::<Vec<_>>(), ctx)?))
    }
}

impl Guest<'_> {
    fn name(&self) -> String {
        let layers = self.address.layers().iter().map(|layer| layer.grammar());
        let in_front = layers.filter(|layer| layer.written == Written::InFront).map(|layer| layer.name);
        in_front.fold(self.order.row.name.to_owned(), |name, layer| format!("{name} over {layer}"))
    }

    fn newcomers(&self) -> Result<Newcomers, Failure> {
        self.stand.service.newcomers(self.address).map_err(|why| {
            let name = self.order.row.name;
            Failure::usage(
                format!("{name} {}: {why}", self.address),
                format!("see sockeye serve --help for {name}"),
            )
        })
    }

    fn events(&self, ctx: &Ctx) -> sockeye::Events {
        if self.order.shown { ctx.events.clone() } else { ctx.events.without_messages() }
    }
}
