//! What `serve --config` reads, and what it says of a file that makes no sense.

use std::fs;

use testkit::{Exit, LIMIT, Scratch, run};

use super::{assert_refused, command, sockeye};

/// Plans what `text` says, as the file `c.toml` of the working folder.
fn plan(text: impl AsRef<[u8]>, more: &[&str]) -> Exit {
    let scratch = Scratch::new();
    fs::write(scratch.path("c.toml"), text).unwrap();
    let words = [&["serve", "--plan", "--config", "c.toml"], more].concat();
    run(command(&words).current_dir(scratch.path("")), b"", LIMIT)
}

/// The addresses of a plan, each behind its service.
#[track_caller]
fn planned(exit: &Exit) -> Vec<String> {
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{exit:?}");
    let text = std::str::from_utf8(&exit.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
}

#[test]
fn an_entry_puts_its_options_on_each_of_its_addresses() {
    let text = r#"
        verbose = true
        [[serve]]
        service = "echo"
        listen = ["tcp:0,once", "unix:/run/echo.sock"]
        [serve.options]
        max-conns = 2_000
        idle = "30s"
        drain = 5
        [[serve]]
        service = "reply"
        listen = 'tcp:0'
        show = true
        options = { nodelay = false, frame = "line", sndbuf = "64k", allow = ["10.0.0.0/8", "::1"] }
        flags = { text = "Come in." }
    "#;
    assert_eq!(
        planned(&plan(text, &[])),
        [
            "echo     tcp-l:0,once,max-conns=2000,idle=30s,drain=5s",
            "echo     unix-l:/run/echo.sock,max-conns=2000,idle=30s,drain=5s",
            "reply    tcp-l:0,frame=line,nodelay=no,sndbuf=65536,allow=10.0.0.0/8,allow=::1",
        ]
    );
}

#[test]
fn what_gen_prints_is_taken_as_it_stands_and_with_every_key_set() {
    let text = String::from_utf8(sockeye(&["gen", "config"]).stdout).unwrap();
    assert_eq!(planned(&plan(&text, &[])), ["echo     tcp-l:7700"]);
    let lines =
        text.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
    let all = planned(&plan(lines.collect::<Vec<_>>().join("\n"), &[])).join("\n");
    for set in ["max-conns=10000", "frame=line", "join=239.1.2.3", "mode=0600", "reply    tcp-l:7706"] {
        assert!(all.contains(set), "{set} is not in\n{all}");
    }
}

/// A whole entry, of three lines.
const ECHO: &str = "[[serve]]\nservice = \"echo\"\nlisten = \"tcp:0\"\n";

/// What is wrong behind [`ECHO`], and how it is told.
const WRONG_SETTINGS: &[(&str, [&str; 3])] = &[
    (
        "idle = \"3s\"",
        [
            "4:1: an entry has no key \"idle\"; idle is an option, and stands in [serve.options]",
            "idle = \"3s\"",
            "^^^^",
        ],
    ),
    (
        "[serve.options]\nidel = \"3s\"",
        ["5:1: tcp has no option \"idel\"; did you mean \"idle\"?", "idel = \"3s\"", "^^^^^^^^^^^"],
    ),
    (
        "[serve.options]\nidle = \"3x\"",
        ["5:1: idle: expected a time such as 1.5s, 250ms or 2m, or off", "idle = \"3x\"", "^^^^^^^^^^^"],
    ),
    (
        "[serve.options]\n  max-conns = \"x\"",
        ["5:15: max-conns: expected a number from 1 to 16777216", "  max-conns = \"x\"", "              ^^^"],
    ),
    ("[serve.options]\nonce = 1", ["5:8: once: expected true or false", "once = 1", "       ^"]),
    ("options.idle = [3, 4]", ["4:9: idle is set twice", "options.idle = [3, 4]", "        ^^^^^^^^^^^^"]),
    (
        "flags.text = \"a\"",
        [
            "4:7: echo has no flag \"text\"; see sockeye serve --help for echo",
            "flags.text = \"a\"",
            "      ^^^^",
        ],
    ),
];

/// What is wrong alone in a file, and how it is told.
const WRONG_FILES: &[(&str, [&str; 3])] = &[
    (
        "[[serve]]\nservice = \"ecko\"\nlisten = \"tcp:0\"",
        ["2:11: there is no service \"ecko\"; did you mean echo?", "service = \"ecko\"", "          ^^^^^^"],
    ),
    (
        "[[serve]]\nservice = \"echo\"\nlisten = [\"tcp:1\", \"tpc:2\"]",
        [
            "3:21: there is no scheme \"tpc\"; did you mean \"tcp\"?",
            "listen = [\"tcp:1\", \"tpc:2\"]",
            "                    ^^^",
        ],
    ),
    (
        "[[serve]]\nservice = \"echo\"\nlisten = \"tc\\u0071:1\"",
        [
            "3:10: there is no scheme \"tcq\"; did you mean \"tcp\"?",
            "listen = \"tc\\u0071:1\"",
            "         ^^^^^^^^^^^^",
        ],
    ),
    (
        "[[serve]]\nservice = \"echo\"\nlisten = \"unix:x\"\noptions.mode = 0o660",
        [
            "4:16: mode: expected octal permissions such as 0660, in quotes",
            "options.mode = 0o660",
            "               ^^^^^",
        ],
    ),
    (
        "[[serve]]\nservice = \"echo\"",
        ["1:1: this entry has no listen; such as listen = \"tcp:7700\"", "[[serve]]", "^^^^^^^^^"],
    ),
    ("  [[serve]]", ["1:3: this entry has no service", "  [[serve]]", "  ^^^^^^^^^"]),
    ("[serve]", ["1:2: serve: expected a list of entries; write [[serve]]", "[serve]", " ^^^^^"]),
    (
        "publik = true",
        ["1:1: there is no key \"publik\" here; did you mean \"public\"?", "publik = true", "^^^^^^"],
    ),
    (
        "plan = true",
        ["1:1: there is no key \"plan\" here; sockeye gen config shows every key", "plan = true", "^^^^"],
    ),
    ("log = 1", ["1:7: log: expected text such as \"text\"", "log = 1", "      ^"]),
    ("log = \"é\ta", ["1:11: invalid basic string, expected `\"`", "log = \"é\\ta", "           ^"]),
];

#[test]
fn what_is_wrong_in_a_file_is_shown_with_its_place_its_line_and_a_caret() {
    let settings = WRONG_SETTINGS.iter().map(|(text, said)| (format!("{ECHO}{text}"), said));
    let files = WRONG_FILES.iter().map(|(text, said)| ((*text).to_owned(), said));
    for (text, [sentence, line, caret]) in settings.chain(files) {
        let exit = plan(&text, &[]);
        let said = format!("sockeye: c.toml:{sentence}\n         {line}\n         {caret}\n");
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(2), said.as_str()), "{text}");
        assert!(exit.stdout.is_empty(), "{exit:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_or_holds_nothing_is_refused() {
    assert_refused(
        &sockeye(&["serve", "--config", "/nonexistent"]),
        1,
        &["sockeye: cannot read from /nonexistent: no such file or directory"],
    );
    assert_refused(
        &sockeye(&["serve", "--config", "/dev/zero"]),
        1,
        &["sockeye: cannot read from /dev/zero: it is longer than 4194304 bytes"],
    );
    assert_refused(
        &plan(b"\xff", &[]),
        1,
        &["sockeye: cannot read from c.toml: stream did not contain valid UTF-8"],
    );
    assert_refused(
        &plan("# nothing", &[]),
        2,
        &[
            "sockeye: c.toml: there is nothing to serve",
            "         add [[serve]] with service and listen; sockeye gen config prints one to begin with",
        ],
    );
}

#[test]
fn services_stand_on_the_line_or_in_the_file_and_flags_on_both() {
    let text = "ipv4 = true\n[[serve]]\nservice = \"echo\"\nlisten = \"tcp:0\"";
    assert_refused(
        &plan(text, &["upper", "tcp:0"]),
        2,
        &[
            "sockeye: --config c.toml says what is served, and so does upper",
            "         write upper into the file, or leave --config out",
        ],
    );
    assert_refused(
        &plan(text, &["-6"]),
        2,
        &["sockeye: -4 and -6 exclude each other", "         leave both out for both"],
    );
    assert_eq!(planned(&plan(text, &["-4"])), ["echo     tcp-l:0"]);
}

#[test]
fn a_file_that_asks_for_json_has_failures_told_as_json() {
    let scratch = Scratch::new();
    let text = "log = \"json\"\n[[serve]]\nservice = \"echo\"\nlisten = \"tcp:192.0.2.1:0\"";
    fs::write(scratch.path("c.toml"), text).unwrap();
    let exit = sockeye(&["serve", "--config", scratch.path("c.toml").to_str().unwrap()]);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.stderr.contains("\"event\":\"failed\""), "{exit:?}");
}
