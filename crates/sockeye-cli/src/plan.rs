//! `--plan`: what would be done, as it was understood.

use sockeye::proto::address::{Address, Role};
use sockeye::proto::unit::print_duration;
use sockeye::{Ctx, Limits};

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{log, metrics, say, session};

/// Prints each address in full, with its layers and limits, and does nothing.
pub(crate) fn print(request: &Request, planned: &[(&str, &Address)]) -> Result<Exit, Failure> {
    print_with(request, &session::context(request, sockeye::Events::default(), planned.len())?, planned)
}

/// As [`print`], for a verb that has limits of its own.
pub(crate) fn print_with(
    request: &Request,
    ctx: &Ctx,
    planned: &[(&str, &Address)],
) -> Result<Exit, Failure> {
    log::check(request)?;
    let metrics = metrics::address(request)?;
    let planned = planned.iter().map(|(what, address)| (*what, *address, ctx.limits));
    let beside = metrics.iter().map(|address| ("metrics", address, metrics::limits(ctx.limits)));
    let mut text = String::new();
    for (what, address, limits) in planned.chain(beside) {
        text.push_str(&format!("{what:8} {address}\n{}\n", details(address, &limits)));
    }
    Ok(say::data(&text))
}

fn details(address: &Address, limits: &Limits) -> String {
    let limits = sockeye::limits(address, limits);
    let time = |limit: Option<std::time::Duration>| limit.map_or_else(|| "off".to_owned(), print_duration);
    let layers: Vec<&str> = address.layers().iter().map(|layer| layer.grammar().name).collect();
    let layers = if layers.is_empty() { "none".to_owned() } else { layers.join(" on ") };
    let limits = match address.role() {
        Role::Dial => format!("connect={} idle={}", time(limits.connect), time(limits.idle)),
        Role::Listen => format!(
            "max-conns={} handshake={} idle={} drain={}{}",
            limits.max_conns,
            time(limits.handshake),
            time(limits.idle),
            time(limits.drain),
            if limits.once { " once" } else { "" }
        ),
    };
    format!("         carries  {}\n         layers   {layers}\n         limits   {limits}", address.shape())
}
