//! What completes a line: a script for each shell, and the answers to what the scripts ask.

use crate::args::Request;
use crate::complete::complete as candidates;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::say;

/// The shells, each with its script. What a script knows is how its shell asks and shows; what there is, it asks us.
const SCRIPTS: &[(&str, &str)] = &[
    ("bash", include_str!("completions/sockeye.bash")),
    ("fish", include_str!("completions/sockeye.fish")),
    ("zsh", include_str!("completions/sockeye.zsh")),
];

pub(super) fn shells() -> Vec<String> {
    SCRIPTS.iter().map(|(shell, _)| (*shell).to_owned()).collect()
}

/// Prints the script of the shell that is named.
pub(super) fn print(request: &Request) -> Result<Exit, Failure> {
    let named = request.words().get(1).map(|word| word.text.as_str());
    let script = SCRIPTS.iter().find(|(shell, _)| Some(*shell) == named);
    script.map(|(_, script)| say::data(script)).ok_or_else(|| {
        Failure::usage("gen completions: for which shell?", format!("name one: {}", shells().join(", ")))
    })
}

/// Prints what the last of these words of a line may become, one in a line.
pub(super) fn complete<'a>(words: impl Iterator<Item = &'a str>) -> Exit {
    let words: Vec<String> = words.map(str::to_owned).collect();
    let lines: Vec<String> = candidates(&words).iter().map(|candidate| format!("{candidate}\n")).collect();
    say::data(&lines.concat())
}
