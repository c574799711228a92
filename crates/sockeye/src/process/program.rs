//! What the address of a command says.

use sockeye_proto::address::{Address, Form, Target, Value};
use sockeye_proto::words;

/// The shell that commands are given to that are not split into words.
const SHELL: &str = "/bin/sh";

/// The program that an address names, and its arguments; nothing where it names none, which parsing keeps from happening.
pub(super) fn words(address: &Address) -> Vec<String> {
    match address.target() {
        Target::Word(text) if address.scheme().target == Form::Words => {
            words::split(text).unwrap_or_default()
        }
        Target::Word(line) => vec![SHELL.to_owned(), "-c".to_owned(), line.clone()],
        _ => Vec::new(),
    }
}

/// What `env=` sets.
pub(super) fn variables(address: &Address) -> Vec<(String, String)> {
    let set = address.options().values("env").filter_map(|value| match value {
        Value::Variable(name, value) => Some((name.clone(), value.clone())),
        _ => None,
    });
    set.collect()
}

/// Where the command works, unless that is where we do.
pub(super) fn folder(address: &Address) -> Option<String> {
    match address.options().value("cwd") {
        Some(Value::Text(folder)) => Some(folder.clone()),
        _ => None,
    }
}
