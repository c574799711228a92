//! A page on a terminal; no line is wider than 79 columns.

use unicode_width::UnicodeWidthStr as _;

use super::{Body, Page, Row, Section};

/// The widest line, as terminals are 80 columns wide and some programs indent by one.
pub(crate) const COLUMNS: usize = 79;

/// Where the second column of a section begins.
const SECOND: usize = 26;

impl Page {
    /// The page as `--help` shows it.
    pub(crate) fn text(&self) -> String {
        let mut text = match self.volume {
            1 => format!("{}: {}\n", self.command(), self.summary),
            _ => format!("{}: {}\n", self.summary, self.usage),
        };
        if self.volume == 1 && !self.usage.is_empty() {
            text.push_str("\nusage: ");
            text.push_str(self.usage);
            text.push('\n');
        }
        if !self.about.is_empty() {
            text.push('\n');
            self.about.lines().for_each(|paragraph| wrap(&mut text, String::new(), 0, paragraph));
        }
        self.sections.iter().for_each(|part| section(&mut text, part));
        text
    }
}

fn section(text: &mut String, section: &Section) {
    let note = if section.note.is_empty() { String::new() } else { format!(" ({})", section.note) };
    text.push_str(&format!("\n{}{note}:\n", section.title));
    match &section.body {
        Body::Commands(commands) => {
            for (command, what) in commands {
                text.push_str(&format!("  {command}\n"));
                if !what.is_empty() {
                    text.push_str(&format!("      {what}\n"));
                }
            }
        }
        Body::Rows(rows) => rows.iter().for_each(|part| row(text, part)),
    }
}

/// The term, and what it means beside it, or below where the term is wide.
fn row(text: &mut String, row: &Row) {
    let mut current = format!("  {}{}", "  ".repeat(row.depth), row.term);
    if current.len() + 2 > SECOND {
        text.push_str(&current);
        text.push('\n');
        current.clear();
    }
    for line in &row.lines {
        wrap(text, std::mem::take(&mut current), SECOND, line);
    }
}

/// Adds words to a line that was begun, and to further ones, all from `indent` on and none wider than [`COLUMNS`].
fn wrap(text: &mut String, mut current: String, indent: usize, words: &str) {
    let mut is_first = true;
    for word in words.split(' ') {
        if !is_first && current.width() + 1 + word.width() > COLUMNS {
            text.push_str(&current);
            text.push('\n');
            current.clear();
            is_first = true;
        }
        if is_first {
            current = format!("{current:indent$}{word}");
        } else {
            current.push(' ');
            current.push_str(word);
        }
        is_first = false;
    }
    text.push_str(&current);
    text.push('\n');
}
