//! The rules of the house that are about who may name whom, and the findings against them.
//!
//! Each rule is a pure function over texts. It stops no other: one run shows all there is.

mod crates;
mod floors;
mod services;
mod unsafe_code;
mod words;

use std::fmt;

use crate::tree::File;

/// One thing that is wrong, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Every finding, in the order of `files`, then of lines.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let service_names = services::names(files.iter().map(|file| file.path.as_str()));
    let mut findings = Vec::new();
    for File { path, text } in files {
        let mut wrong = words::check(path, text);
        if let Some((name, below)) = path.strip_prefix("crates/").and_then(|it| it.split_once('/')) {
            if below == "Cargo.toml" {
                wrong.extend(crates::check(name, text));
            }
            if below.ends_with(".rs") {
                wrong.extend(unsafe_code::check(name, below, text));
            }
            match (name, below.strip_prefix("src/").filter(|it| it.ends_with(".rs"))) {
                ("sockeye", Some(below)) => wrong.extend(floors::check(below, text)),
                ("sockeye-services", Some(below)) => {
                    wrong.extend(services::check(&service_names, below, text))
                }
                _ => {}
            }
        }
        wrong.sort();
        findings.extend(wrong.into_iter().map(|(line, what)| Finding { path: path.clone(), line, what }));
    }
    findings
}

/// A line, counted from 1, and what is wrong there.
type Wrong = (usize, String);

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&[file]).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn each_rule_is_asked_about_its_files() {
        let manifest = "[dependencies]\nsockeye.workspace = true\n";
        let unsafe_block = "\nfn f() { unsafe {} }";
        for (path, text, found) in [
            ("crates/sockeye-sys/Cargo.toml", manifest, "crates/sockeye-sys/Cargo.toml:2: "),
            ("crates/sockeye/src/error.rs", "use crate::relay;", "crates/sockeye/src/error.rs:1: "),
            (
                "crates/sockeye-services/src/echo.rs",
                "use crate::*;",
                "crates/sockeye-services/src/echo.rs:1: ",
            ),
            ("crates/testkit/tests/a.rs", unsafe_block, "crates/testkit/tests/a.rs:2: "),
            ("README.md", concat!("see ../", "shared"), "README.md:1: "),
        ] {
            let findings = check_one(path, text);
            assert_eq!(findings.len(), 1, "{path}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.starts_with(found)), "{findings:?}");
        }
    }

    #[test]
    fn a_rule_leaves_the_files_of_others_alone() {
        for (path, text) in [
            ("crates/sockeye-cli/src/error.rs", "use crate::relay;"),
            ("crates/sockeye/tests/error.rs", "use crate::relay;"),
            ("fuzz/Cargo.toml", "[dependencies]\nsockeye.workspace = true\n"),
        ] {
            assert_eq!(check_one(path, text), [""; 0], "{path}");
        }
    }

    #[test]
    fn findings_stand_in_the_order_of_lines() {
        let text = "use crate::relay;\nfn f() { unsafe {} }\nuse crate::accept;";
        let lines: Vec<_> =
            check(&[File { path: "crates/sockeye/src/error.rs".to_owned(), text: text.to_owned() }])
                .iter()
                .map(|finding| finding.line)
                .collect();
        assert_eq!(lines, [1, 2, 3]);
    }
}
