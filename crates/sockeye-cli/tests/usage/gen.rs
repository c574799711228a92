//! What `gen` prints, and what it does not know.

use super::{assert_all_wrong_usage, sockeye};

#[test]
fn the_config_to_begin_with_serves_something_as_it_stands_and_explains_every_line_that_it_does_not_set() {
    let exit = sockeye(&["gen", "config"]);
    assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{exit:?}");
    let text = String::from_utf8(exit.stdout).unwrap();
    let set: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(set, ["[[serve]]", "service = \"echo\"", "listen = \"tcp:7700\""]);
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with('#') && pair[1].contains(" = ")) {
        let is_said =
            pair[0].starts_with("# ") || ["#service", "#listen"].iter().any(|key| pair[1].starts_with(key));
        assert!(is_said, "{pair:?}");
    }
}

#[test]
fn what_cannot_be_printed_is_named_with_the_nearest_that_can() {
    assert_all_wrong_usage(&[
        (&["gen"], "sockeye: gen: expected what to print", "         usage: sockeye gen WHAT"),
        (
            &["gen", "confg"],
            "sockeye: nothing called \"confg\" can be printed",
            "         did you mean config?",
        ),
        (
            &["gen", "x"],
            "sockeye: nothing called \"x\" can be printed",
            "         there are completions, config, docs, man",
        ),
    ]);
}
