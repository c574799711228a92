//! A page in Markdown.

use super::{Body, Page, Row, Section};

impl Page {
    /// The page for a site, or for a reader of the repository; `others` are what it links to.
    pub(crate) fn markdown(&self, others: &[Page]) -> String {
        let mut text = format!("# {}({})\n\n{}\n", self.name, self.volume, escape(self.summary));
        if !self.usage.is_empty() {
            text.push_str(&format!("\n```text\n{}\n```\n", self.usage));
        }
        self.about.lines().for_each(|paragraph| text.push_str(&format!("\n{}\n", escape(paragraph))));
        self.sections.iter().for_each(|part| section(&mut text, part));
        let others = others.iter().filter(|page| page.name != self.name);
        let links = others.map(|page| format!("[{}({})]({}.md)", page.name, page.volume, page.name));
        let links = links.chain(self.beyond.iter().map(|page| (*page).to_owned()));
        text.push_str(&format!("\n## see also\n\n{}\n", links.collect::<Vec<_>>().join(",\n")));
        text
    }
}

fn section(text: &mut String, section: &Section) {
    text.push_str(&format!("\n## {}\n\n", section.title));
    if !section.note.is_empty() {
        text.push_str(&format!("{}\n\n", escape(section.note)));
    }
    match &section.body {
        Body::Commands(commands) => {
            text.push_str("```sh\n");
            for (command, what) in commands {
                let what = if what.is_empty() { String::new() } else { format!("# {what}\n") };
                text.push_str(&format!("{what}{command}\n"));
            }
            text.push_str("```\n");
        }
        Body::Rows(rows) => rows.iter().for_each(|part| row(text, part)),
    }
}

fn row(text: &mut String, row: &Row) {
    let lines: Vec<String> = row.lines.iter().map(|line| escape(line)).collect();
    let (indent, term) = ("  ".repeat(row.depth), row.term.trim_start());
    text.push_str(&format!("{indent}- `{term}`: {}\n", lines.join("; ")));
}

/// Text in which nothing is markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\`*_<[".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markdown_would_take_for_markup_is_escaped() {
        assert_eq!(escape(r"[A+]*B <c> `d` e_f \"), r"\[A+]\*B \<c> \`d\` e\_f \\");
    }
}
