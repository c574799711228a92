//! What is wrong in a config file, and where.

use std::fmt;
use std::ops::Range;

use sockeye::proto::printable;

use crate::failure::caret;
use crate::say::INDENT;

/// Something that cannot be taken. Displayed, it is a sentence, the line, and a caret beneath the part at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The path, the line, and the character of the line, both from 1.
    pub(super) place: String,
    /// The line.
    pub(super) text: String,
    /// The bytes of the line that are at fault; empty where something is missing.
    pub(super) span: Range<usize>,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Where it stands, and what is wrong.
    pub(crate) fn sentence(&self) -> String {
        format!("{}: {}", self.place, self.reason)
    }

    /// What to try instead, where there is something.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sentence = self.sentence();
        if let Some(hint) = &self.hint {
            sentence.push_str("; ");
            sentence.push_str(hint);
        }
        writeln!(f, "{}", printable::line(sentence.as_bytes()))?;
        writeln!(f, "{INDENT}{}", printable::line(self.text.as_bytes()))?;
        write!(f, "{INDENT}{}", caret(&self.text, self.span.clone()))
    }
}
