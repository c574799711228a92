//! The console blocks of a page: commands behind `$ `, and what they print.

/// A block fenced as `console`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The line of its fence, counted from 1.
    pub(super) line: usize,
    pub(super) commands: Vec<Command>,
}

/// A command, and the lines that it prints.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) text: String,
    pub(super) output: Vec<String>,
}

/// Every console block of a page. Panics where one has output before its first command, or is not closed.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Option<Block>)> = None;
    for (line, text) in (1..).zip(page.lines()) {
        if let Some((fence, block)) = &mut open {
            if text.trim_end() == fence {
                blocks.extend(block.take());
                open = None;
            } else if let Some(block) = block {
                block.take(line, text);
            }
        } else if text.starts_with("```") {
            let word = text.trim_start_matches('`');
            let fence = text[..text.len() - word.len()].to_owned();
            let is_console = word.trim() == "console";
            open = Some((fence, is_console.then_some(Block { line, commands: Vec::new() })));
        }
    }
    assert_eq!(open, None, "a block is not closed");
    blocks
}

impl Block {
    fn take(&mut self, line: usize, text: &str) {
        if let Some(command) = text.strip_prefix("$ ") {
            self.commands.push(Command { text: command.trim_end().to_owned(), output: Vec::new() });
        } else {
            let command = self.commands.last_mut();
            let command = command.unwrap_or_else(|| panic!("line {line}: output before any command: {text}"));
            command.output.push(text.to_owned());
        }
    }
}

/// Whether lines are as a page says. There a line `...` stands for any lines, also none, and `...` within a line for
/// any text.
pub(super) fn is_as_said(said: &[impl AsRef<str>], lines: &[&str]) -> bool {
    let Some((first, said)) = said.split_first() else { return lines.is_empty() };
    if first.as_ref() == "..." {
        return (0..=lines.len()).any(|skipped| is_as_said(said, &lines[skipped..]));
    }
    let Some((line, lines)) = lines.split_first() else { return false };
    is_line(first.as_ref(), line) && is_as_said(said, lines)
}

fn is_line(said: &str, line: &str) -> bool {
    match said.split_once("...") {
        None => said == line,
        Some((before, said)) => line.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.any(|at| is_line(said, &rest[at..]))
        }),
    }
}

#[test]
fn commands_and_what_they_print_are_read_from_console_blocks_alone() {
    let page = "text\n$ not a command\n```console\n$ one | two\nout\n\n$ three &\n```\n```sh\n$ no\n```\n\
                ````text\n```console\n$ no\n```\n````\n```console\n```\n";
    let command = |text: &str, output: &[&str]| Command {
        text: text.to_owned(),
        output: output.iter().map(|line| (*line).to_owned()).collect(),
    };
    let commands = vec![command("one | two", &["out", ""]), command("three &", &[])];
    assert_eq!(blocks(page), [Block { line: 3, commands }, Block { line: 17, commands: Vec::new() }]);
}

#[test]
#[should_panic(expected = "line 2: output before any command: out")]
fn output_without_a_command_is_refused() {
    blocks("```console\nout\n```\n");
}

#[test]
#[should_panic(expected = "a block is not closed")]
fn a_block_that_is_not_closed_is_refused() {
    blocks("```console\n$ one\n");
}

#[test]
fn three_dots_stand_for_any_lines_and_within_a_line_for_any_text() {
    for (said, lines, wanted) in [
        (&[][..], &[][..], true),
        (&[], &["a"], false),
        (&["a"], &[], false),
        (&["a", "b"], &["a", "b"], true),
        (&["a"], &["ab"], false),
        (&["..."], &[], true),
        (&["..."], &["a", "b"], true),
        (&["a", "...", "d"], &["a", "b", "c", "d"], true),
        (&["a", "...", "d"], &["a", "d", "e"], false),
        (&["...", "b", "..."], &["a", "b", "b"], true),
        (&["up  ... ms"], &["up  12 ms"], true),
        (&["up  ... ms"], &["up  12 s"], false),
        (&["a...c...e"], &["a...c, d and e"], true),
        (&["a..."], &["a"], true),
        (&["a...é"], &["aéé"], true),
    ] {
        assert_eq!(is_as_said(said, lines), wanted, "{said:?} for {lines:?}");
    }
}
