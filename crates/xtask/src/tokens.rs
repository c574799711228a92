//! The words and signs of Rust source, without comments and without what stands in quotes.
//!
//! It is no parser: it knows where a comment or a literal ends, and nothing of what tokens mean.

/// A word, a number, `::` or one sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// Splits `source`. A comment or literal that never ends takes the rest of it.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, kept) = match skipped(rest) {
            Some(length) => (length, false),
            None if is_word(first) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
            None if rest.starts_with("::") => (2, true),
            None => (first.len_utf8(), !first.is_whitespace()),
        };
        let (text, after) = rest.split_at(length);
        if kept {
            found.push(Token { line, text });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment or literal that `rest` begins with.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    // The letters that may stand before a quote: b"", c"", r"", br"", cr"" and b''.
    let bare = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    if let Some(raw) = bare.strip_prefix('r') {
        let opened = raw.trim_start_matches('#');
        let end = format!("\"{}", "#".repeat(raw.len() - opened.len()));
        if let Some(inside) = opened.strip_prefix('"') {
            let after = inside.split_once(&end).map_or("", |(_, after)| after);
            return Some(rest.len() - after.len());
        }
    }
    if let Some(inside) = bare.strip_prefix('"') {
        return Some(rest.len() - after_quote(inside, '"').len());
    }
    let inside = bare.strip_prefix('\'')?;
    // One character and a quote, or a backslash: else it is a lifetime.
    let is_char = inside.starts_with('\\') || inside.chars().nth(1) == Some('\'');
    is_char.then(|| rest.len() - after_quote(inside, '\'').len())
}

/// Comments nest in Rust.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = rest;
    loop {
        if let Some(after) = at.strip_prefix("/*") {
            depth += 1;
            at = after;
        } else if let Some(after) = at.strip_prefix("*/") {
            depth -= 1;
            at = after;
        } else {
            let mut chars = at.chars();
            chars.next();
            at = chars.as_str();
        }
        if depth == 0 || at.is_empty() {
            return rest.len() - at.len();
        }
    }
}

/// What follows the quote that ends `inside`.
fn after_quote(inside: &str, quote: char) -> &str {
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            break;
        }
    }
    chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<&str> {
        tokens(source).iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(texts("a // b\n/// c\n//! d\n/* e /* f */ g */ h"), ["a", "h"]);
    }

    #[test]
    fn literals_are_left_out() {
        assert_eq!(texts(r####"a "b \" c" r"d \" br##"e "# f"## b"g" c"h" i"####), ["a", "i"]);
        assert_eq!(texts(r"a '{' '\'' '\u{7d}' b'b' '\\' c"), ["a", "c"]);
    }

    #[test]
    fn a_lifetime_is_no_literal() {
        assert_eq!(texts("<'a> b 'c"), ["<", "'", "a", ">", "b", "'", "c"]);
    }

    #[test]
    fn a_raw_identifier_is_no_literal() {
        assert_eq!(texts("r#type br b c"), ["r", "#", "type", "br", "b", "c"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines: Vec<_> = tokens("a\n/* \n */ b \"\n\" c").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 4]);
    }

    #[test]
    fn what_never_ends_takes_the_rest() {
        for source in ["a /* b", "a \"b", "a r#\"b\"", "a '\\"] {
            assert_eq!(texts(source), ["a"], "{source}");
        }
    }
}
