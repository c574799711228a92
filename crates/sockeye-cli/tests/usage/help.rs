//! Help: every page by every way to it, no wider than a terminal, and with examples that are understood.

use std::process::Command;

use testkit::{LIMIT, Scratch, require, run};
use unicode_width::UnicodeWidthStr;

use super::{BINARY, sockeye};

#[test]
fn the_overview_names_every_verb_and_where_to_go_on() {
    assert_eq!(verbs(), ["dial", "listen", "relay", "check", "run", "serve", "time", "opts", "gen"]);
    assert_eq!(page(&["-h"]), page(&["--help"]));
    assert_eq!(page(&["help"]), page(&["--help"]));
    assert!(
        page(&["--help"])
            .ends_with("start here:\n  sockeye serve\n  sockeye VERB --help\n  sockeye help address\n")
    );
}

#[test]
fn without_a_word_the_overview_goes_to_standard_error_and_is_wrong_usage() {
    let exit = sockeye(&[""; 0]);
    assert_eq!((exit.code, exit.stdout.as_slice()), (Some(2), &b""[..]), "{exit:?}");
    assert_eq!(exit.stderr, page(&["--help"]));
}

#[test]
fn the_version_is_that_of_the_package() {
    for flag in ["-V", "--version"] {
        assert_eq!(page(&[flag]), concat!("sockeye ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn every_verb_has_one_page_by_two_ways() {
    for verb in verbs() {
        let page = page(&["help", &verb]);
        assert!(page.starts_with(&format!("sockeye {verb}: ")), "{page}");
        assert!(page.contains(&format!("\nusage: sockeye {verb} ")), "{page}");
        assert!(page.contains("\nflags:\n") && page.contains("\nexit codes:\n"), "{page}");
        assert_eq!(self::page(&[&verb, "--help"]), page);
        assert_eq!(self::page(&[&verb, "-h"]), page);
    }
    assert_eq!(page(&["help", "address"]), page(&["help", "addresses"]));
}

#[test]
fn help_wins_over_words_that_are_missing_wrong_or_too_many() {
    for words in [
        &["dial", "--help", "x", "y", "z"][..],
        &["dial", "tpc:", "-h"],
        &["relay", "--help"],
        &["relay", "tcp-l:0", "--help"],
        &["listen", "--help", "--log", "frobnicate"],
        &["check", "-h", "tcp-l:1"],
        &["serve", "--help", "frobnicate"],
        &["serve", "echo", "--help"],
        &["serve", "frobnicate", "tcp:0", "-h"],
    ] {
        assert_eq!(page(words), page(&["help", words[0]]), "{words:?}");
    }
}

#[test]
fn no_line_is_wider_than_79_columns() {
    let mut pages = vec![page(&["--help"]), page(&["help", "address"])];
    pages.extend(verbs().iter().map(|verb| page(&["help", verb])));
    for line in pages.iter().flat_map(|page| page.lines()) {
        assert!(line.width() <= 79, "{} columns: {line}", line.width());
        assert_eq!(line, line.trim_end(), "spaces at the end of a line");
    }
}

/// Planned instead of run, since an example may need what is not there. A shell reads it, as for whoever types it.
#[test]
fn every_example_is_understood_as_it_stands() {
    let scratch = Scratch::new();
    for verb in verbs() {
        let page = page(&["help", &verb]);
        let (_, section) = page.split_once("\nexamples:\n").expect("a section with examples");
        let (section, _) = section.split_once("\n\n").expect("another section behind it");
        let commands: Vec<&str> =
            section.lines().filter(|line| !line.starts_with("   ")).map(str::trim).collect();
        assert!(!commands.is_empty() && section.lines().count() == 2 * commands.len(), "{section}");
        for example in commands {
            let call = format!("sockeye {verb}");
            assert!(example.contains(&call), "not an example of {verb}: {example}");
            let planned = example.replace(&call, &format!("\"$0\" {verb} --plan"));
            let mut shell = Command::new(require("bash"));
            shell.args(["-c", &planned, BINARY]).current_dir(scratch.path(""));
            let exit = run(&mut shell, b"", LIMIT);
            assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{example}: {exit:?}");
        }
    }
}

/// The verbs in the overview.
fn verbs() -> Vec<String> {
    let overview = page(&["--help"]);
    let (_, section) = overview.split_once("\nverbs:\n").expect("a section of verbs");
    let rows = section.lines().take_while(|line| !line.is_empty());
    let names =
        rows.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// A page on standard output, with success and nothing on standard error.
#[track_caller]
fn page(words: &[&str]) -> String {
    let exit = sockeye(words);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{words:?}: {exit:?}");
    String::from_utf8(exit.stdout).unwrap()
}
