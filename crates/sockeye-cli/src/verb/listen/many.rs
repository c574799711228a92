//! `listen` for many peers at once: `--broker` and `--operator`.

use std::sync::Arc;

use sockeye::proto::address::Address;
use sockeye::proto::queue::Full;
use sockeye::proto::shape::Shape;
use sockeye_services::Broker;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flag;
use crate::server::{self, Place};
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::dial::DIAL;
use crate::verb::serve::{Order, guarded};
use crate::{operator, plan};

/// What is done with many peers at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Many {
    /// What one says, all others hear; and what becomes of a message that finds too much waiting for one.
    Broker(Full),
    /// Whoever sits here hears them all, and answers each.
    Operator,
}

/// What one message is, where the address gives bytes and says nothing itself.
const FRAMED: &str = "frame=line";

/// The longest line, unless the address has a frame of its own.
const LONGEST: &str = "max-message=64k";

/// What the flags ask for; nothing where that is one peer at a time.
pub(super) fn chosen(request: &Request) -> Result<Option<Many>, Failure> {
    let (flag, many) = match (request.has(&flag::BROKER), request.has(&flag::OPERATOR)) {
        (true, true) => {
            return Err(Failure::usage(
                "--broker and --operator exclude each other",
                "with --broker the peers hear each other, with --operator you hear and answer them",
            ));
        }
        (true, false) => (&flag::BROKER, Some(Many::Broker(when_full(request)?))),
        (false, is_operator) => (&flag::OPERATOR, is_operator.then_some(Many::Operator)),
    };
    if let (Some(policy), None | Some(Many::Operator)) = (request.value(&flag::SLOW), &many) {
        return Err(Failure::usage(format!("--slow {policy} is for --broker"), "leave --slow out"));
    }
    if many.is_none() && request.has(&flag::PUBLIC) {
        let reason = "--public is for --broker and --operator";
        return Err(Failure::usage(reason, "leave it out: listen hears whoever comes"));
    }
    // Those of `dial` say how standard input and output are joined to one peer.
    for of_one in DIAL.flags {
        if many.is_some() && request.has(of_one) {
            let reason =
                format!("--{} is for one peer at a time, and --{} takes many", of_one.long, flag.long);
            return Err(Failure::usage(reason, format!("leave --{} out", of_one.long)));
        }
    }
    Ok(many)
}

fn when_full(request: &Request) -> Result<Full, Failure> {
    match request.value(&flag::SLOW) {
        None | Some("drop") => Ok(Full::RefuseNewest),
        Some("oldest") => Ok(Full::DropOldest),
        Some(other) => Err(Failure::usage(format!("--slow {other}: no such policy"), "write drop or oldest")),
    }
}

/// Where the address gives bytes and says nothing itself, a line is a message, and no longer than one that people read:
/// what so many peers may have under way would otherwise be without a bound.
fn in_lines(address: Address) -> Result<Address, Failure> {
    let is_framed = address.shape() == Shape::Messages;
    let mut address = Order::framed(address, Some(FRAMED))?;
    if !is_framed {
        address.insert(LONGEST, sockeye::vocabulary())?;
    }
    Ok(address)
}

/// Serves until interrupted.
pub(super) fn run(request: &Request, address: Address, many: Many) -> Result<Exit, Failure> {
    let address = in_lines(address)?;
    let name = match many {
        Many::Broker(_) => "broker",
        Many::Operator => "operator",
    };
    if request.has(&flag::PLAN) {
        return plan::print(request, &[(name, &address)]);
    }
    session::run(request, Threads::Many, 1, async |ctx| {
        let interrupts = Interrupts::listen()?;
        let ctx = guarded(request, ctx);
        let listening = sockeye::listen(&address, &ctx).await?;
        let place = |service| vec![Place { name: name.to_owned(), listening, service, ctx: ctx.clone() }];
        match many {
            Many::Broker(full) => {
                let places = place(Arc::new(Broker::new(full)));
                server::run(places, interrupts, request, &ctx).await
            }
            Many::Operator => {
                let (operator, callers) = operator::open(request, &ctx).await?;
                let served = server::run(place(Arc::new(callers)), interrupts, request, &ctx);
                operator.attend(served, &ctx).await
            }
        }
    })
}
