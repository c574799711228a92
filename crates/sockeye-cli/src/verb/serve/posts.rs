//! What is served, and how other orders take its place without a gap.

use std::sync::Arc;

use sockeye::proto::address::Address;
use sockeye::{Ctx, Given, Service, ServiceRow, Terms, fixed};

use super::Order;
use super::party::parties;
use crate::args::Request;
use crate::failure::Failure;
use crate::server::{Place, Server, Serving, ready};

/// The addresses that are served.
#[derive(Default)]
pub(super) struct Posts(Vec<Post>);

struct Post {
    stands: Vec<Arc<Stand>>,
    /// As its sockets were opened.
    opened: Address,
    /// As it is served.
    address: Address,
    serving: Serving,
}

/// A service, and what it was made from. One for all addresses of an order: what it keeps, it keeps for all of them.
pub(super) struct Stand {
    row: &'static ServiceRow,
    given: Given,
    pub(super) service: Arc<dyn Service>,
}

/// What is ready to take the place of what is served: all new listeners are open. Dropped, it changes nothing.
pub(super) struct Change(Vec<Next>);

struct Next {
    stands: Vec<Arc<Stand>>,
    address: Address,
    from: From,
}

/// Where the listener of an address comes from.
enum From {
    /// It is that of the post of this number, and newcomers get these terms.
    Kept(usize, Box<Terms>),
    Opened(Box<Place>),
}

/// What a change did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) kept: usize,
    pub(super) new: usize,
    pub(super) gone: usize,
    /// What sockets that were kept have from when they were opened, each as the address and the names of its options.
    pub(super) fixed: Vec<String>,
}

impl Posts {
    /// Makes everything ready that these orders need. An address whose scheme and target are served already keeps its
    /// sockets, and a service that is to do the same as before for one of its addresses goes on, with all that it keeps.
    /// Cancel safe.
    ///
    /// # Errors
    /// One of them cannot be carried out; nothing was changed.
    pub(super) async fn prepare(&self, orders: &[Order], ctx: &Ctx) -> Result<Change, Failure> {
        let stands = orders.iter().map(|order| Ok((order, self.stand(order, ctx)?)));
        let orders = stands.collect::<Result<Vec<_>, Failure>>()?;
        let mut next: Vec<Next> = Vec::new();
        for party in parties(&orders) {
            let (name, fork) = (party.name(), party.fork(ctx)?);
            let Some((address, service)) = party.address().zip(party.service(fork.as_ref())) else {
                continue;
            };
            let ctx = party.ctx(ctx)?;
            let kept = self.0.iter().enumerate().find(|(at, post)| {
                let is_taken = next.iter().any(|next| matches!(&next.from, From::Kept(of, _) if of == at));
                !is_taken && is_same_place(&post.address, &address)
            });
            let from = match kept {
                Some((at, post)) => {
                    let terms = post.serving.terms().after(&address, service, &name, &ctx)?;
                    From::Kept(at, Box::new(terms))
                }
                None => {
                    let listening = sockeye::listen(&address, &ctx).await?;
                    let listening = match fork {
                        Some(fork) => fork.lead(listening),
                        None => listening,
                    };
                    From::Opened(Box::new(Place { name, listening, service, ctx }))
                }
            };
            next.push(Next { stands: party.stands(), address, from });
        }
        Ok(Change(next))
    }

    fn stand(&self, order: &Order, ctx: &Ctx) -> Result<Arc<Stand>, Failure> {
        let is_at =
            |post: &&Post| order.addresses.iter().any(|address| is_same_place(&post.address, address));
        let is_it = |stand: &&Arc<Stand>| stand.row.name == order.row.name && stand.given == order.given;
        if let Some(stand) = self.0.iter().filter(is_at).flat_map(|post| &post.stands).find(is_it) {
            return Ok(stand.clone());
        }
        let usage = |wrong| Failure::usage(wrong, format!("see sockeye serve --help for {}", order.row.name));
        let service = (order.row.build)(&order.given, ctx).map_err(usage)?;
        Ok(Arc::new(Stand { row: order.row, given: order.given.clone(), service }))
    }

    /// Serves what was made ready, and tells where the new listeners are. Those that are not wanted any more take nobody
    /// new; who is inside has all the time it wants, or as long as `drain=` says where the address set it.
    pub(super) fn take_over(
        &mut self,
        change: Change,
        server: &mut Server<'_>,
        request: &Request,
    ) -> Changed {
        let mut changed = Changed::default();
        let mut before: Vec<Option<Post>> = std::mem::take(&mut self.0).into_iter().map(Some).collect();
        for Next { stands, address, from } in change.0 {
            let post = match from {
                From::Kept(at, terms) => before.get_mut(at).and_then(Option::take).map(|post| {
                    changed.kept += 1;
                    changed.fixed.extend(told_fixed(&post.opened, &address));
                    post.serving.change(*terms);
                    Post { stands, address, ..post }
                }),
                From::Opened(place) => {
                    changed.new += 1;
                    ready(&place.name, &place.listening, request);
                    let serving = server.serve(*place);
                    Some(Post { stands, opened: address.clone(), address, serving })
                }
            };
            self.0.extend(post);
        }
        for post in before.into_iter().flatten() {
            changed.gone += 1;
            if post.address.options().value("drain").is_some() {
                post.serving.drain();
            }
        }
        changed
    }
}

/// Whether the same sockets can serve both.
pub(super) fn is_same_place(one: &Address, other: &Address) -> bool {
    one.scheme() == other.scheme() && one.target() == other.target()
}

fn told_fixed(opened: &Address, wanted: &Address) -> Option<String> {
    let names = fixed(opened, wanted);
    (!names.is_empty()).then(|| format!("{} of {}", names.join(" and "), wanted.bare_word()))
}
