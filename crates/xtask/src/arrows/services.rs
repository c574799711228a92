//! No service names another one.
//!
//! A service is a file or a folder in `src` of the crate `sockeye-services`. `lib.rs` lists them, and
//! so names them all.

use std::collections::BTreeSet;

use super::Wrong;
use crate::paths::{from_root, module};
use crate::tokens::tokens;

/// The modules that services share. They are no services, and name none.
const SHARED: &[&str] = &["access", "exchange", "session", "teller"];

/// The services, from the paths of all files of the project.
pub(super) fn names<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    paths
        .filter_map(|path| path.strip_prefix("crates/sockeye-services/src/"))
        .filter(|below| below.ends_with(".rs"))
        .filter_map(|below| module(below).first().copied())
        .filter(|name| !SHARED.contains(name))
        .collect()
}

/// The findings in the source file at `below`, its path below `src`.
pub(super) fn check(services: &BTreeSet<&str>, below: &str, source: &str) -> Vec<Wrong> {
    let module = module(below);
    let Some(own) = module.first() else {
        return Vec::new();
    };
    let refusal = |name: &str| {
        if matches!(name, "*" | "crate" | "self") {
            Some("names every service at once: name the module".to_owned())
        } else if services.contains(name) && name != *own {
            Some(format!("`{own}` may not name the service `{name}`"))
        } else {
            None
        }
    };
    from_root(&tokens(source), module.len())
        .into_iter()
        .filter_map(|name| Some((name.line, refusal(name.text)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "crates/sockeye-services/src/";

    fn findings(below: &str, source: &str) -> Vec<Wrong> {
        check(&BTreeSet::from(["chat", "echo", "upper"]), below, source)
    }

    #[test]
    fn a_service_is_a_file_or_a_folder() {
        let paths = ["lib.rs", "echo.rs", "chat/mod.rs", "chat/room.rs", "session.rs", "words.txt"];
        let paths: Vec<_> = paths.iter().map(|below| format!("{ROOT}{below}")).collect();
        let others = ["crates/sockeye/src/conn.rs", "README.md"];
        let found = names(paths.iter().map(String::as_str).chain(others));
        assert_eq!(found, BTreeSet::from(["chat", "echo"]));
    }

    #[test]
    fn a_service_that_names_another_is_a_finding() {
        let what = "`echo` may not name the service `upper`".to_owned();
        assert_eq!(findings("echo.rs", "\nuse crate::upper::Upper;"), [(2, what.clone())]);
        assert_eq!(findings("echo.rs", "use super::upper;"), [(1, what)]);
        assert_eq!(findings("chat/room.rs", "use crate::echo;").len(), 1);
        assert_eq!(findings("chat/mod.rs", "use super::echo;").len(), 1);
    }

    #[test]
    fn a_service_names_itself_and_what_is_shared() {
        assert_eq!(
            findings("echo.rs", "use crate::{echo, session::Session};\nmod tests { use super::*; }"),
            []
        );
        assert_eq!(findings("chat/room.rs", "use super::echo; use crate::chat;"), []);
    }

    #[test]
    fn what_is_shared_names_no_service() {
        assert_eq!(findings("session.rs", "use crate::echo;").len(), 1);
    }

    #[test]
    fn a_glob_names_every_service() {
        assert_eq!(findings("echo.rs", "use super::*;").len(), 1);
    }

    #[test]
    fn the_list_names_every_service() {
        assert_eq!(findings("lib.rs", "use crate::{echo, upper};"), []);
    }
}
