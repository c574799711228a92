//! The console blocks of the README and of the guides do what they say. Each runs in a folder and a network of its own.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use testkit::{Exit, run};

use super::console::{Block, blocks, is_as_said};
use super::namespace::Namespace;

#[test]
fn every_console_block_of_the_readme_prints_what_it_says() {
    check_page(&root().join("README.md"));
}

#[test]
fn every_console_block_of_the_guides_prints_what_it_says() {
    let entries = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    // The commands of the page of figures measure for minutes, and are no part of sockeye.
    let is_guide =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "md") && !path.ends_with("performance.md");
    let guides: Vec<_> = entries.filter(is_guide).collect();
    assert!(!guides.is_empty(), "no guide");
    thread::scope(|scope| {
        for guide in &guides {
            scope.spawn(|| check_page(guide));
        }
    });
}

/// The folder of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[track_caller]
fn check_page(path: &Path) {
    let blocks = blocks(&fs::read_to_string(path).unwrap());
    assert!(!blocks.is_empty(), "no console block in {}", path.display());
    let wrong: Vec<String> = blocks.iter().filter_map(|block| check(block).err()).collect();
    assert!(wrong.is_empty(), "{}\n{}", path.display(), wrong.join("\n"));
}

/// Runs a block, and compares what each command printed. The error shows all that differs.
fn check(block: &Block) -> Result<(), String> {
    let Exit { code, stdout, stderr, .. } =
        run(&mut Namespace::new().command(&["timeout", "20", "bash", "-c", &script(block)]), b"", LIMIT);
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    let outputs: Vec<&str> = printed.split_terminator('\0').collect();
    let mut wrong = String::new();
    if code != Some(0) || outputs.len() != block.commands.len() {
        write!(wrong, "code {code:?} after {printed:?}\n{stderr}").unwrap();
    }
    for (command, output) in block.commands.iter().zip(outputs) {
        let lines: Vec<&str> = output.lines().collect();
        if !is_as_said(&command.output, &lines) {
            let said = command.output.join("\n");
            write!(wrong, "$ {}\nthe page says:\n{said}\nit prints:\n{output}\n", command.text).unwrap();
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("the block in line {}: {wrong}", block.line)) }
}

/// One bash that runs all commands, with a zero byte behind the output of each.
fn script(block: &Block) -> String {
    let mut script = READY.to_owned();
    for (n, command) in block.commands.iter().enumerate() {
        match command.text.strip_suffix(" &") {
            Some(server) => match server.rsplit_once(" 2>") {
                Some((_, log)) => writeln!(script, "{server} &\nready {log} $!").unwrap(),
                None => writeln!(script, "{server} 2>../{n} &\nready ../{n} $!").unwrap(),
            },
            None => writeln!(script, "{}", command.text).unwrap(),
        }
        script.push_str("printf '\\0'\n");
    }
    script
}

/// What a command says on standard error belongs to its output. One in the background is ready when it says so there,
/// and ends with the block.
const READY: &str = r#"exec </dev/null 2>&1
trap 'jobs -p | xargs --no-run-if-empty kill; wait' EXIT
ready() {
    for ((turn = 0; turn < 500; turn++)); do
        if ! kill -0 "$2" 2>/dev/null; then turn=500; fi
        if grep -Eqs '^sockeye: [a-z0-9 -]+ on .+:' "$1"; then return; fi
        sleep 0.02
    done
    echo "no ready line, but:"
    cat "$1"
    exit 1
}
"#;

const LIMIT: Duration = Duration::from_secs(25);

#[test]
fn a_block_that_prints_something_else_is_told_with_both() {
    let page = "\n```console\n$ echo one; echo two >&2\none\ntwo\n$ echo three\n3\n```\n";
    let wrong = check(&blocks(page)[0]).unwrap_err();
    assert_eq!(wrong, "the block in line 2: $ echo three\nthe page says:\n3\nit prints:\nthree\n\n");
}

#[test]
fn a_background_command_is_waited_for_and_ended() {
    let page = "```console\n$ sockeye serve upper tcp:9 &\n$ echo hi | sockeye dial tcp:localhost:9\nHI\n\
                $ sockeye listen --keep --recv-only tcp:10 >>log &\n$ echo collected | sockeye dial tcp:localhost:10\n\
                $ cat log; ls\ncollected\nlog\n```\n";
    assert_eq!(check(&blocks(page)[0]), Ok(()));
}

#[test]
fn a_background_command_that_fails_ends_the_block() {
    let page = "```console\n$ sockeye serve upper tcp:nonsense: &\n$ echo never\nnever\n```\n";
    let wrong = check(&blocks(page)[0]).unwrap_err();
    assert!(wrong.contains("no ready line, but:\nsockeye: tcp:nonsense:"), "{wrong}");
}
