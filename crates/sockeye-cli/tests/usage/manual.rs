//! The manual: read by man and mandoc without a warning, and the reference in `docs/` is never stale.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{LIMIT, Scratch, require, run};
use unicode_width::UnicodeWidthStr;

use super::{assert_all_wrong_usage, assert_refused, sockeye};

#[test]
fn man_and_mandoc_read_every_page_without_a_warning_and_none_is_wider_than_a_terminal() {
    let scratch = Scratch::new();
    generate("man", &scratch);
    let pages = files(&scratch.path(""));
    let names: Vec<_> = pages.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(names.contains(&"sockeye.1") && names.contains(&"sockeye-address.7"), "{names:?}");
    for page in &pages {
        let mut man = Command::new(require("man"));
        man.args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(page)
            .env("LC_ALL", "C.UTF-8")
            .env("MANWIDTH", "80");
        let exit = run(&mut man, b"", LIMIT);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{}", page.display());
        let read = String::from_utf8(exit.stdout).unwrap();
        assert!(read.lines().all(|line| line.width() <= 80), "{read}");
        // A page has no date: it is that of a version.
        let lint =
            run(Command::new(require("mandoc")).args(["-T", "lint", "-W", "warning"]).arg(page), b"", LIMIT);
        let said = String::from_utf8(lint.stdout).unwrap();
        let warnings: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert_eq!((warnings, lint.stderr.as_str()), (vec![], ""));
    }
}

#[test]
fn what_a_page_says_can_be_copied_from_man_as_it_is() {
    let shown = |page: &str| {
        let exit = sockeye(&["gen", "man", page]);
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
        let mut man = Command::new(require("man"));
        man.args(["-E", "UTF-8", "-l", "-"]).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "200");
        String::from_utf8(run(&mut man, &exit.stdout, LIMIT).stdout).unwrap()
    };
    let dial = shown("dial");
    assert!(dial.contains(r"printf 'HEAD / HTTP/1.0\n\n' | sockeye dial --crlf tcp:localhost:80"), "{dial}");
    assert!(
        dial.contains("-o, --option KEY=VALUE") && dial.contains("sockeye(1), sockeye-listen(1)"),
        "{dial}"
    );
    let address = shown("address");
    assert!(address.contains("[LAYER+]*SCHEME[-l]:TARGET[,KEY[=VALUE]]*"), "{address}");
    assert!(address.contains(",owner=OWNER") && address.contains("unless set: 30s"), "{address}");
}

#[test]
fn the_reference_is_what_gen_prints() {
    let scratch = Scratch::new();
    generate("docs", &scratch);
    let reference = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference"));
    let (here, made) = (files(reference), files(&scratch.path("")));
    let name = |path: &PathBuf| path.file_name().unwrap().to_owned();
    let type_this = "type cargo run -- gen docs --dir docs/reference";
    assert_eq!(
        here.iter().map(name).collect::<Vec<_>>(),
        made.iter().map(name).collect::<Vec<_>>(),
        "{type_this}"
    );
    for (here, made) in here.iter().zip(&made) {
        assert!(
            fs::read(here).unwrap() == fs::read(made).unwrap(),
            "{} is stale: {type_this}",
            here.display()
        );
    }
}

#[test]
fn one_page_is_printed_or_written_and_a_plan_writes_nothing() {
    let scratch = Scratch::new();
    let folder = scratch.path("man").display().to_string();
    let exit = sockeye(&["gen", "man", "relay", "--dir", &folder, "--plan"]);
    let said = format!("write    {folder}/man1/sockeye-relay.1\n");
    assert_eq!((exit.code, String::from_utf8(exit.stdout).unwrap()), (Some(0), said));
    assert!(!scratch.path("man").exists());

    let exit = sockeye(&["gen", "man", "relay", "--dir", &folder]);
    assert_eq!((exit.code, exit.stdout.as_slice(), exit.stderr.as_str()), (Some(0), &b""[..], ""));
    assert_eq!(files(&scratch.path("man")), [scratch.path("man/man1/sockeye-relay.1")]);
    let printed = sockeye(&["gen", "man", "relay"]).stdout;
    assert_eq!(fs::read(scratch.path("man/man1/sockeye-relay.1")).unwrap(), printed);
}

#[test]
fn a_page_that_is_not_there_and_a_folder_that_cannot_be_written_are_refused() {
    assert_all_wrong_usage(&[
        (&["gen", "man", "dail"], "sockeye: man has no \"dail\"", "         did you mean dial?"),
        (
            &["gen", "docs", "nonsense"],
            "sockeye: docs has no \"nonsense\"",
            "         type sockeye gen docs [PAGE]",
        ),
        (
            &["gen", "config", "--dir", "/nowhere"],
            "sockeye: config is printed",
            "         leave --dir out: sockeye gen config >FILE",
        ),
        (&["gen", "config", "dial"], "sockeye: config has no \"dial\"", "         type sockeye gen config"),
    ]);
    let scratch = Scratch::new();
    fs::write(scratch.path("file"), "").unwrap();
    let path = scratch.path("file").display().to_string();
    let said = format!("sockeye: cannot write to {path}/man1/sockeye.1: not a directory");
    let hint =
        "         choose a place in a folder that is there and yours to write: ls -ld shows whose it is";
    assert_refused(&sockeye(&["gen", "man", "--dir", &path]), 1, &[&said, hint]);
}

#[track_caller]
fn generate(what: &str, scratch: &Scratch) {
    let exit = sockeye(&["gen", what, "--dir", scratch.path("").to_str().unwrap()]);
    assert_eq!((exit.code, exit.stdout.as_slice(), exit.stderr.as_str()), (Some(0), &b""[..], ""));
}

/// Every file below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
