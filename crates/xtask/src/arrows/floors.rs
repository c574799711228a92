//! Which module of the crate `sockeye` may name which.
//!
//! The modules stand on floors, and each names only what stands left of it. A folder is one floor:
//! its files see one another. `lib.rs` names them all. Tests keep to it like the rest.

use super::Wrong;
use crate::paths::{from_root, module};
use crate::tokens::tokens;

/// The modules of the crate, those that need nothing of the others first.
#[rustfmt::skip]
const FLOORS: &[&str] = &[
    "exit", "error", "peer", "handed", "message", "backlog", "event", "counts", "tally", "stop", "buffer", "clock", "resolve",
    "memory", "pipe", "state", "reload", "ctx", "lent", "conn", "stream", "idle", "split", "transit", "farewell", "service", "look", "show",
    "owner", "entrance", "listener", "option", "aside", "process", "scheme", "layer", "rows", "open", "inspect", "terms", "relay", "fork", "accept", "blocking",
];

/// The findings in the source file at `below`, its path below `src`.
pub(super) fn check(below: &str, source: &str) -> Vec<Wrong> {
    let module = module(below);
    let Some(own) = module.first() else {
        return Vec::new();
    };
    let Some(own_floor) = floor(own) else {
        return vec![(1, format!("`{own}` is on no floor: add it to FLOORS, at its place"))];
    };
    from_root(&tokens(source), module.len())
        .into_iter()
        .filter_map(|name| Some((name.line, refusal(own, own_floor, name.text)?)))
        .collect()
}

fn refusal(own: &str, own_floor: usize, name: &str) -> Option<String> {
    match floor(name) {
        // A glob, or an item of `lib.rs`, which could come from any floor.
        None => Some(format!(
            "`{name}` of the root is on no floor: name its module, or add it to FLOORS, at its place"
        )),
        Some(floor) if floor > own_floor => {
            Some(format!("`{own}` may not name `{name}`, which stands right of it in FLOORS"))
        }
        Some(_) => None,
    }
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| *floor == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_names_what_stands_left_of_it() {
        assert_eq!(check("relay.rs", "use crate::{conn::Conn, error};\nuse super::ctx;"), []);
    }

    #[test]
    fn a_module_that_names_what_stands_right_of_it_is_a_finding() {
        let what = "`conn` may not name `relay`, which stands right of it in FLOORS".to_owned();
        assert_eq!(check("conn.rs", "\nuse crate::relay::Relay;"), [(2, what.clone())]);
        assert_eq!(check("conn.rs", "use super::{error,\nrelay};"), [(2, what.clone())]);
        assert_eq!(check("conn.rs", "fn f() {\n\ncrate::relay::run() }"), [(3, what)]);
    }

    #[test]
    fn a_folder_is_one_floor() {
        assert_eq!(
            check("scheme/tcp.rs", "use super::Row; use crate::scheme::unix; use super::super::error;"),
            []
        );
        assert_eq!(check("scheme/mod.rs", "use crate::scheme::tcp; use super::option;"), []);
    }

    #[test]
    fn a_row_of_a_folder_keeps_to_the_floors() {
        assert_eq!(check("scheme/tcp.rs", "use crate::layer;").len(), 1);
        assert_eq!(check("scheme/tcp.rs", "use super::super::layer;").len(), 1);
        assert_eq!(check("scheme/mod.rs", "use super::layer;").len(), 1);
    }

    #[test]
    fn tests_keep_to_the_floors() {
        let source = "mod tests {\n use super::*;\n use crate::accept;\n use super::super::relay;\n}";
        let lines: Vec<_> = check("conn.rs", source).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn a_comment_names_nothing() {
        assert_eq!(check("conn.rs", "/// See [`crate::relay`].\n// crate::relay"), []);
    }

    #[test]
    fn a_file_on_no_floor_is_a_finding() {
        let what = "`attic` is on no floor: add it to FLOORS, at its place".to_owned();
        assert_eq!(check("attic.rs", ""), [(1, what.clone())]);
        assert_eq!(check("attic/mod.rs", ""), [(1, what)]);
    }

    #[test]
    fn the_whole_crate_is_no_module() {
        for source in ["use crate::*;", "use super::*;", "use crate as all;", "use crate::Error;"] {
            assert_eq!(check("conn.rs", source).len(), 1, "{source}");
        }
    }

    #[test]
    fn the_root_names_every_floor() {
        assert_eq!(check("lib.rs", "pub use crate::accept::accept;"), []);
    }
}
