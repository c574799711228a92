//! What `serve` is told by a file instead of on its line: the same names, as TOML.

mod example;

pub(crate) use example::example;

use crate::flag::{self, Flag};
use crate::verb::serve::SERVE;

/// Flags that say how one run is to go, and have no place in a file.
const OF_ONE_RUN: &[&Flag] = &[&flag::HELP, &flag::OPTION, &flag::PLAN];

/// The flags that can be set for all services, at the top of a file.
fn top_flags() -> impl Iterator<Item = &'static Flag> {
    let all = SERVE.flags.iter().chain(flag::COMMON).copied();
    all.filter(|flag| OF_ONE_RUN.iter().all(|other| other.long != flag.long))
}
