//! Which modules of its own crate a source file names, by `crate::` or by `super::`.
//!
//! It sees a path that is written out, in `use` or elsewhere. It does not see what a macro puts
//! together, nor a file that `#[path]` moves to another place.

use crate::tokens::Token;

/// The module that a file holds, from the path of the file below `src`: `scheme/tcp.rs` is
/// `["scheme", "tcp"]`, `scheme/mod.rs` is `["scheme"]`, and `lib.rs` and `main.rs` are `[]`.
pub(crate) fn module(below_src: &str) -> Vec<&str> {
    let bare = below_src.strip_suffix(".rs").unwrap_or(below_src);
    let mut parts: Vec<_> = bare.split('/').collect();
    let is_face = match parts.as_slice() {
        ["lib" | "main"] => true,
        [.., last] => *last == "mod",
        [] => false,
    };
    if is_face {
        parts.pop();
    }
    parts
}

/// Every name that the file takes from the root of its crate, where it takes it.
///
/// `depth` is the number of modules that the file stands in: the length of [`module`]'s answer.
/// `*` stands for a glob of the root, and `self` or `crate` for the root itself.
pub(crate) fn from_root<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    // For each open brace, whether it is the body of a module.
    let mut braces = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        rest = match (first.text, after) {
            ("mod", [_, brace, after @ ..]) if brace.text == "{" => {
                braces.push(true);
                after
            }
            ("{", _) => {
                braces.push(false);
                after
            }
            ("}", _) => {
                braces.pop();
                after
            }
            ("crate", [colons, after @ ..]) if colons.text == "::" => tree(after, 0, &mut found),
            ("super", [colons, after @ ..]) if colons.text == "::" => {
                let inline = braces.iter().filter(|is_module| **is_module).count();
                tree(after, (depth + inline).saturating_sub(1), &mut found)
            }
            ("use", [root, after @ ..]) if root.text == "crate" && !begins(after, "::") => {
                found.push(*root);
                after
            }
            _ => after,
        };
    }
    found
}

/// Reads one tree of a `use`, or the first name of another path. `height` is the number of modules
/// between the root and the module that it begins in. Returns what follows.
fn tree<'t, 'a>(tokens: &'t [Token<'a>], height: usize, found: &mut Vec<Token<'a>>) -> &'t [Token<'a>] {
    let [first, after @ ..] = tokens else {
        return tokens;
    };
    match first.text {
        "super" if begins(after, "::") => {
            tree(after.get(1..).unwrap_or_default(), height.saturating_sub(1), found)
        }
        "{" => {
            let mut rest = after;
            while let [next, ..] = rest {
                if next.text == "}" {
                    break;
                }
                rest = element_end(tree(rest, height, found));
            }
            rest.get(1..).unwrap_or_default()
        }
        _ => {
            if height == 0 {
                found.push(*first);
            }
            after
        }
    }
}

/// What follows the comma that ends an element of a group, or the group's closing brace itself.
fn element_end<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let mut depth = 0_usize;
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        match first.text {
            "," if depth == 0 => return after,
            "}" if depth == 0 => return rest,
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        rest = after;
    }
    rest
}

fn begins(tokens: &[Token<'_>], text: &str) -> bool {
    tokens.first().is_some_and(|token| token.text == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokens;

    fn names(source: &str, depth: usize) -> Vec<&str> {
        from_root(&tokens(source), depth).iter().map(|token| token.text).collect()
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("lib.rs"), [""; 0]);
        assert_eq!(module("main.rs"), [""; 0]);
        assert_eq!(module("error.rs"), ["error"]);
        assert_eq!(module("scheme/mod.rs"), ["scheme"]);
        assert_eq!(module("scheme/tcp.rs"), ["scheme", "tcp"]);
    }

    #[test]
    fn a_path_from_the_crate_names_its_first_module() {
        assert_eq!(names("use crate::a::b; fn f(_: &crate::c::D) -> crate::e::F {}", 1), ["a", "c", "e"]);
    }

    #[test]
    fn a_group_names_each_of_its_modules() {
        assert_eq!(
            names("use crate::{a::{b, c::{d}}, e, f as g, h::*}; use crate::i;", 1),
            ["a", "e", "f", "h", "i"]
        );
    }

    #[test]
    fn a_glob_and_the_root_itself_are_names_too() {
        assert_eq!(names("use crate::*; use crate::{self as a}; use crate as b;", 1), ["*", "self", "crate"]);
    }

    #[test]
    fn super_is_the_crate_only_at_the_top() {
        assert_eq!(names("use super::a;", 1), ["a"]);
        assert_eq!(names("use super::a;", 2), [""; 0]);
        assert_eq!(names("use super::super::a; use super::{b, super::c};", 2), ["a", "c"]);
    }

    #[test]
    fn a_module_in_the_file_stands_one_deeper() {
        let source = "fn f() {} mod tests { use super::*; fn g() { super::super::a::b() } } use super::c;";
        assert_eq!(names(source, 1), ["a", "c"]);
    }

    #[test]
    fn a_visibility_is_no_path() {
        assert_eq!(names("pub(crate) use a::b; pub(super) fn f() {}", 1), [""; 0]);
    }
}
