//! A page of the manual, in the macros of man(7), which groff and mandoc read.

use std::fmt::Write as _;

use super::{Body, Page, Row, Section};

impl Page {
    /// The page as `man` reads it; `others` are what it sends the reader to.
    pub(crate) fn roff(&self, others: &[Page]) -> String {
        let name = escape(&self.name);
        let title = escape(&self.name.to_uppercase());
        let version = escape(env!("CARGO_PKG_VERSION"));
        let mut roff = format!(".TH \"{title}\" {} \"\" \"sockeye {version}\" \"sockeye\"\n", self.volume);
        // A word of ours that is broken with a hyphen is another word.
        roff.push_str(".nh\n.ad l\n");
        add(&mut roff, ".SH NAME\n", &format!("{name} \\- {}", escape(self.summary)));
        if !self.usage.is_empty() {
            add(&mut roff, ".SH SYNOPSIS\n", &usage(self.usage));
        }
        if !self.about.is_empty() {
            roff.push_str(".SH DESCRIPTION\n");
            let paragraphs: Vec<String> = self.about.lines().map(line).collect();
            roff.push_str(&paragraphs.join("\n.PP\n"));
            roff.push('\n');
        }
        self.sections.iter().for_each(|part| section(&mut roff, part));
        let others = others.iter().filter(|page| page.name != self.name);
        let others = others.map(|page| format!("\\fB{}\\fR({})", escape(&page.name), page.volume));
        let beyond = self.beyond.iter().map(|page| escape(page));
        add(&mut roff, ".SH \"SEE ALSO\"\n", &others.chain(beyond).collect::<Vec<_>>().join(",\n"));
        roff
    }
}

fn section(roff: &mut String, section: &Section) {
    add(roff, ".SH ", &format!("\"{}\"", escape(&section.title.to_uppercase())));
    if !section.note.is_empty() {
        add(roff, "", &line(section.note));
    }
    match &section.body {
        Body::Commands(commands) => {
            for (at, (command, what)) in commands.iter().enumerate() {
                // The heading has begun a paragraph.
                if at > 0 {
                    roff.push_str(".PP\n");
                }
                if !what.is_empty() {
                    add(roff, "", &format!("{}\n.PP", line(what)));
                }
                add(roff, ".RS 4\n.nf\n\\fB", &format!("{}\\fR\n.fi\n.RE", escape(command)));
            }
        }
        Body::Rows(rows) => {
            let mut depth = 0;
            for part in rows {
                match (depth, part.depth) {
                    (0, 1) => roff.push_str(".RS\n"),
                    (1, 0) => roff.push_str(".RE\n"),
                    _ => {}
                }
                depth = part.depth;
                row(roff, part);
            }
            if depth > 0 {
                roff.push_str(".RE\n");
            }
        }
    }
}

fn row(roff: &mut String, row: &Row) {
    add(roff, ".TP\n", &format!("\\fB{}\\fR", escape(row.term.trim_start())));
    let lines: Vec<String> = row.lines.iter().map(|text| line(text)).collect();
    add(roff, "", &lines.join("\n.br\n"));
}

fn add(roff: &mut String, before: &str, text: &str) {
    roff.push_str(before);
    roff.push_str(text);
    roff.push('\n');
}

/// The command in bold, and what stands for something else as it is.
fn usage(usage: &str) -> String {
    let words = usage.split(' ').map(|word| {
        let is_ours = word.bytes().all(|b| b.is_ascii_lowercase());
        if is_ours { format!("\\fB{word}\\fR") } else { escape(word) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A line of text: a dot at its beginning would make a request of it.
fn line(text: &str) -> String {
    let guard = if text.starts_with('.') { "\\&" } else { "" };
    format!("{guard}{}", escape(text))
}

/// Every character as it is, whatever roff or the reader's character set would make of it; so that what is copied
/// from a page can be typed.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '"' => escaped.push_str("\\(dq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            c if c.is_ascii() => escaped.push(c),
            // Written to a string, which takes all of it.
            c => {
                let (Ok(()) | Err(_)) = write!(escaped, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_roff_would_take_for_its_own_is_escaped() {
        assert_eq!(
            escape(r#"--a 'b' "c" \n `d` ^~…"#),
            r"\-\-a \(aqb\(aq \(dqc\(dq \(rsn \(gad\(ga \(ha\(ti\[u2026]"
        );
        assert_eq!(line(".SH is no request"), r"\&.SH is no request");
        assert_eq!(line("'tis text"), r"\(aqtis text");
    }
}
