//! A page of documentation as data: what it says, and not how that looks. Help, man pages and Markdown are three ways
//! to look at the same page.

mod markdown;
mod roff;
mod text;

#[cfg(test)]
pub(crate) use text::COLUMNS;

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Such as `sockeye-dial`.
    pub(crate) name: String,
    /// Of the manual: 1 for commands, 7 for what several of them share.
    pub(crate) volume: u8,
    /// What it is about, in one line.
    pub(crate) summary: &'static str,
    /// How that is written; empty where there is nothing to say.
    pub(crate) usage: &'static str,
    /// What one should know; each line is a paragraph.
    pub(crate) about: &'static str,
    pub(crate) sections: Vec<Section>,
    /// Pages of the system's manual that say more, such as `tcp(7)`.
    pub(crate) beyond: &'static [&'static str],
}

/// A part of a page.
#[derive(Debug)]
pub(crate) struct Section {
    /// Lower case.
    pub(crate) title: &'static str,
    /// What holds for all that stands in it; may be empty.
    pub(crate) note: &'static str,
    pub(crate) body: Body,
}

/// What stands in a section.
#[derive(Debug)]
pub(crate) enum Body {
    /// Commands, each with what it does; that may be empty.
    Commands(Vec<(String, String)>),
    /// Terms, each with what it means.
    Rows(Vec<Row>),
}

/// A term with what it means.
#[derive(Debug)]
pub(crate) struct Row {
    /// 0, or 1 for a part of the row above.
    pub(crate) depth: usize,
    pub(crate) term: String,
    /// Each begins a line of its own.
    pub(crate) lines: Vec<String>,
}

impl Page {
    /// What it is called where it is clear that it is about sockeye: `dial`.
    pub(crate) fn topic(&self) -> &str {
        self.name.strip_prefix("sockeye-").unwrap_or(&self.name)
    }

    /// What to type for it: `sockeye dial`.
    fn command(&self) -> String {
        self.name.replacen('-', " ", 1)
    }
}

impl Section {
    pub(crate) fn rows(title: &'static str, rows: impl IntoIterator<Item = Row>) -> Self {
        Self { title, note: "", body: Body::Rows(rows.into_iter().collect()) }
    }

    pub(crate) fn commands<'a>(
        title: &'static str,
        commands: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
    ) -> Self {
        let owned = commands.into_iter().map(|(command, what)| ((*command).to_owned(), (*what).to_owned()));
        Self { title, note: "", body: Body::Commands(owned.collect()) }
    }

    pub(crate) fn noting(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

impl Row {
    pub(crate) fn new(term: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { depth: 0, term: term.into(), lines: vec![meaning.into()] }
    }

    /// A part of the row above.
    pub(crate) fn inner(term: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { depth: 1, ..Self::new(term, meaning) }
    }
}
