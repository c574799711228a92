//! The two escapes of a word: `%2C` is a comma, `%25` a percent sign. Any other percent sign is itself.

/// Reads the escapes in a part of a word.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let (read, consumed) = match tail.get(..3) {
            Some("%2C" | "%2c") => (',', 3),
            Some("%25") => ('%', 3),
            _ => ('%', 1),
        };
        out.push(read);
        rest = tail.get(consumed..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// Writes a part of a word, such as a path, so that parsing the word reads it back: commas always, a percent
/// sign only where it would be read as an escape, so that an IPv6 zone stays readable.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            ',' => out.push_str("%2C"),
            '%' if matches!(text.get(at..at + 3), Some("%2C" | "%2c" | "%25")) => out.push_str("%25"),
            other => out.push(other),
        }
    }
    out
}
