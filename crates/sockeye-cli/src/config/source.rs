//! The text of a config file, and how what is wrong in it is found again.

use std::ops::Range;

use sockeye::proto::address::ParseError;

use super::Fault;

/// A file that was read.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// What is wrong with these bytes of the text.
    pub(super) fn fault(&self, span: Range<usize>, reason: impl Into<String>) -> Fault {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let text = self.text.get(begin..).unwrap_or_default().lines().next().unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.get(begin..).unwrap_or_default().chars().count() + 1;
        // What goes on in the next line is shown as far as this one goes.
        let from = span.start.saturating_sub(begin).min(text.len());
        let to = span.end.saturating_sub(begin).clamp(from, text.len());
        Fault {
            place: format!("{}:{line}:{column}", self.path),
            text: text.to_owned(),
            span: from..to,
            reason: reason.into(),
            hint: None,
        }
    }

    /// What is no TOML.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> Fault {
        self.fault(error.span().unwrap_or_default(), error.message())
    }

    /// What is wrong with an address that stands in a string. The caret is beneath the very part, unless the string is
    /// written with escapes.
    pub(super) fn of_word(&self, span: Range<usize>, word: &str, error: &ParseError) -> Fault {
        let (from, within) = (span.start + 1, error.span());
        let is_plain = self.text.get(from..from + word.len()) == Some(word);
        let span = if is_plain { from + within.start..from + within.end } else { span };
        self.of_address(span, error)
    }

    pub(super) fn of_address(&self, span: Range<usize>, error: &ParseError) -> Fault {
        let fault = self.fault(span, error.reason());
        error.advice().map_or(fault.clone(), |advice| fault.hint(advice))
    }

    /// The first line of an entry.
    pub(super) fn header(&self, span: Range<usize>) -> Range<usize> {
        let line = self.text.get(span.clone()).and_then(|text| text.lines().next()).unwrap_or_default();
        span.start..span.start + line.len()
    }
}
