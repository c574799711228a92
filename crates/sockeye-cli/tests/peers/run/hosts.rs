//! Many hosts at once.

use std::process::Command;

use testkit::{LIMIT, Scratch, Server};

use super::{run, serving};
use crate::peers::{noise, shell};

/// Three servers, and the address that names all of them.
fn three(scratch: &Scratch) -> ([Server; 3], String) {
    let servers = ["s1", "s2", "s3"].map(|name| serving(scratch, name).0);
    (servers, format!("unix:{}", scratch.path("s[1-3]").display()))
}

/// Hosts answer in any order.
#[track_caller]
fn assert_lines(text: &[u8], mut wanted: Vec<String>) {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

#[test]
fn each_line_has_its_host_and_the_exit_code_is_the_largest() {
    let scratch = Scratch::new();
    let (_servers, all) = three(&scratch);
    let script = "echo one; printf two; echo err >&2; case $SOCKEYE_LOCAL in *s2*) exit 3;; esac";
    let exit = run(&[&all, "--sh", script], b"");
    let folder = scratch.path("");
    let host = |n: u32| folder.join(format!("s{n}")).display().to_string();
    let lines = |text: &str| (1..=3).map(|n| format!("{}: {text}", host(n))).collect::<Vec<_>>();
    assert_lines(&exit.stdout, [lines("one"), lines("two")].concat());
    let told = vec![format!("sockeye: {}: exited with 3", host(2))];
    assert_lines(exit.stderr.as_bytes(), [lines("err"), told].concat());
    assert_eq!(exit.code, Some(3));
    // One that cannot be reached counts as the largest.
    let gone = format!("unix:{}", scratch.path("s[3-4]").display());
    let exit = run(&[&gone, "--", "true"], b"");
    assert_eq!(exit.code, Some(255), "{exit:?}");
}

#[test]
fn equal_answers_are_folded_and_objects_tell_each_host() {
    let scratch = Scratch::new();
    let (_servers, all) = three(&scratch);
    let exit = run(&["--fold", &all, "--sh", "case $SOCKEYE_LOCAL in *s2*) echo b;; *) echo a;; esac"], b"");
    let text = String::from_utf8(exit.stdout).unwrap();
    assert!(text.contains(" (2 hosts)\na\n") && text.contains("s2\nb\n"), "{text}");
    let exit = run(&["--json", "--parallel", "1", &all, "--sh", "echo a; exit 4"], b"");
    let text = String::from_utf8(exit.stdout).unwrap();
    assert_eq!(text.lines().count(), 3);
    for line in text.lines() {
        for wanted in ["\"code\":4", "\"exited\":4", "\"output\":\"a\\n\"", "\"errors\":\"\"", "\"seconds\":"]
        {
            assert!(line.contains(wanted), "{line}");
        }
    }
    assert_eq!(exit.code, Some(4));
}

#[test]
fn all_read_standard_input_in_step_or_a_file_each_for_itself() {
    let scratch = Scratch::new();
    let (_servers, all) = three(&scratch);
    let sent = noise(9);
    let path = scratch.path("input");
    std::fs::write(&path, &sent).unwrap();
    let want = testkit::run(&mut Command::new("cksum"), &sent, LIMIT).stdout;
    let want = String::from_utf8(want).unwrap();
    // One host reads nothing: it holds up nobody once it has ended.
    let script = "case $SOCKEYE_LOCAL in *s2*) ;; *) cksum;; esac";
    let exit = run(&["--fold", &all, "--sh", script], &sent);
    let text = String::from_utf8(exit.stdout).unwrap();
    assert!(text.contains(&format!("(2 hosts)\n{want}")), "{text} {want}");
    let script = "sockeye run --fold --parallel 1 \"$1\" -- cksum <\"$2\"";
    let exit = testkit::run(&mut shell(script, &[&all, path.to_str().unwrap()]), b"", LIMIT);
    let text = String::from_utf8(exit.stdout).unwrap();
    assert!(text.contains(&format!("(3 hosts)\n{want}")), "{text}");
    let exit = run(&["--parallel", "2", &all, "--", "cat"], b"x");
    assert!(exit.code == Some(2) && exit.stderr.contains("try --parallel 3"), "{exit:?}");
}

#[test]
fn a_list_of_hosts_comes_from_a_file_with_ranges_in_it() {
    let scratch = Scratch::new();
    let (_servers, all) = three(&scratch);
    let list = scratch.path("hosts");
    std::fs::write(&list, format!("# all of them\n\n  {all}\n")).unwrap();
    let exit = run(&["--hosts", &list.display().to_string(), "--fold", "--", "echo", "hi"], b"");
    assert!(String::from_utf8_lossy(&exit.stdout).ends_with("(3 hosts)\nhi\n"), "{exit:?}");
    let exit = run(&["--hosts", "-", "--fold", "--", "cat"], all.as_bytes());
    assert!(exit.code == Some(0) && exit.stdout.starts_with(b"---"), "{exit:?}");
}
