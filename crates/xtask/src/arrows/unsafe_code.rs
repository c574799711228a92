//! All the unsafe code there is stands in `sockeye-sys`.
//!
//! The lint of the compiler says so within a crate. This says it of every crate, its tests included,
//! and that no shipped crate has dropped the lint.

use super::{Wrong, crates};
use crate::tokens::{Token, tokens};

const HOME: &str = "sockeye-sys";

/// The findings in the source file at `below`, its path in the folder of the crate `name`.
pub(super) fn check(name: &str, below: &str, source: &str) -> Vec<Wrong> {
    if name == HOME && below.starts_with("src/") {
        return Vec::new();
    }
    let tokens = tokens(source);
    let mut wrong: Vec<_> = tokens
        .iter()
        .filter(|token| token.text == "unsafe")
        .map(|token| (token.line, format!("`unsafe` outside {HOME}")))
        .collect();
    let is_root = matches!(below, "src/lib.rs" | "src/main.rs");
    if is_root && name != HOME && crates::is_shipped(name) && !forbids(&tokens) {
        wrong.push((1, "the crate lacks #![forbid(unsafe_code)]".to_owned()));
    }
    wrong
}

fn forbids(tokens: &[Token<'_>]) -> bool {
    const ATTRIBUTE: [&str; 6] = ["#", "!", "[", "forbid", "(", "unsafe_code"];
    tokens.windows(ATTRIBUTE.len()).any(|window| window.iter().map(|token| token.text).eq(ATTRIBUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_outside_its_home_is_a_finding() {
        let source = "\nfn f() {\n unsafe {} }";
        for (name, below) in
            [("sockeye", "src/conn.rs"), ("sockeye-sys", "tests/a.rs"), ("xtask", "src/main.rs")]
        {
            assert_eq!(
                check(name, below, source),
                [(3, "`unsafe` outside sockeye-sys".to_owned())],
                "{name}"
            );
        }
    }

    #[test]
    fn unsafe_at_home_is_none() {
        assert_eq!(check("sockeye-sys", "src/lib.rs", "unsafe fn f() {}"), []);
        assert_eq!(check("sockeye-sys", "src/fd.rs", "unsafe fn f() {}"), []);
    }

    #[test]
    fn the_word_in_a_comment_or_a_text_is_none() {
        assert_eq!(check("sockeye", "src/conn.rs", "// unsafe\n/// unsafe\nconst A: &str = \"unsafe\";"), []);
    }

    #[test]
    fn a_shipped_crate_that_does_not_forbid_it_is_a_finding() {
        let what = "the crate lacks #![forbid(unsafe_code)]".to_owned();
        assert_eq!(check("sockeye", "src/lib.rs", "// #![forbid(unsafe_code)]"), [(1, what.clone())]);
        assert_eq!(check("sockeye-cli", "src/main.rs", "#![deny(unsafe_code)]"), [(1, what)]);
        assert_eq!(check("sockeye", "src/lib.rs", "//! Words.\n#![forbid(unsafe_code)]"), []);
        assert_eq!(check("sockeye", "src/conn.rs", ""), []);
        assert_eq!(check("testkit", "src/lib.rs", ""), []);
    }
}
