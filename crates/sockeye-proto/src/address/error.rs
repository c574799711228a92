//! What is wrong with an address, and where.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::suggest::nearest;

/// An address that cannot be taken: the text, the part of it that is at fault, why, and what to try.
///
/// [`fmt::Display`] gives one line. [`ParseError::span`] is for a caret beneath the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl ParseError {
    pub(super) fn new(text: &str, span: Range<usize>, reason: impl Into<String>) -> Self {
        Self { text: text.to_owned(), span, reason: reason.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the nearest of `known`, if one is near enough to have been meant.
    pub(super) fn nearest(self, typed: &str, known: impl Iterator<Item = &'static str>) -> Self {
        match nearest(typed, known) {
            Some(name) => self.hint(format!("did you mean {name:?}?")),
            None => self,
        }
    }

    /// The text that was read: the word, or one option beside it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of [`ParseError::text`] that are at fault; empty where something is missing.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is wrong, without the text.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to try instead, where there is something.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.text.is_empty() { "\"\"" } else { &self.text };
        write!(f, "{text}: {}", self.reason)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for ParseError {}
