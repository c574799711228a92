//! A program and its arguments out of one text, without a shell: words between spaces, with a shell's quotes.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a text that is to be split into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordsError {
    /// There is no word in it.
    Empty,
    /// This quote, `'` or `"`, is not closed.
    Open(char),
    /// A backslash with nothing behind it.
    Backslash,
}

impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("expected a program"),
            Self::Open(quote) => write!(f, "a quote {quote} is not closed"),
            Self::Backslash => f.write_str("expected something behind the last backslash"),
        }
    }
}

/// Splits `text` as a POSIX shell splits words, and does nothing else that a shell does: what stands in single quotes
/// is taken as it is; in double quotes a backslash takes `"` and `\` as they are; outside, it takes anything so. Quotes
/// with nothing between them are an empty word.
///
/// # Errors
/// A quote that is not closed, a backslash at the end, or no word at all.
pub fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' | '"' => quoted(&mut rest, c, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next().ok_or(WordsError::Backslash)?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if words.is_empty() { Err(WordsError::Empty) } else { Ok(words) }
}

/// Puts words into one text that a shell, and [`split`], take for the same words. A word in which a shell finds nothing
/// goes as it is, every other one in single quotes.
pub fn quote<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<Cow<'_, str>> = words.into_iter().map(quoted_word).collect();
    quoted.join(" ")
}

fn quoted_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "%+,-./:@_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

/// Takes what stands before the closing quote.
fn quoted(rest: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), WordsError> {
    loop {
        let c = rest.next().ok_or(WordsError::Open(quote))?;
        if c == quote {
            return Ok(());
        }
        let escapes = quote == '"' && c == '\\' && rest.as_str().starts_with(['"', '\\']);
        word.push(if escapes { rest.next().unwrap_or(c) } else { c });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        for (text, words) in [
            ("prog", &["prog"][..]),
            ("  prog\t-x \n arg ", &["prog", "-x", "arg"]),
            (r#"grep 'a b' "c d" e\ f"#, &["grep", "a b", "c d", "e f"]),
            (r#"a'b'"c"d"#, &["abcd"]),
            (r#"x '' """#, &["x", "", ""]),
            (r#"'\n' "\n\"\\" \n"#, &[r"\n", r#"\n"\"#, "n"]),
            ("$HOME * | ~ # ü", &["$HOME", "*", "|", "~", "#", "ü"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        for (text, error) in [
            ("", WordsError::Empty),
            (" \t", WordsError::Empty),
            ("a 'b", WordsError::Open('\'')),
            (r#"a "b\""#, WordsError::Open('"')),
            ("a\\", WordsError::Backslash),
        ] {
            assert_eq!(split(text), Err(error), "{text}");
        }
    }

    #[test]
    fn words_are_quoted_only_where_a_shell_would_find_something() {
        for (words, text) in [
            (&["echo", "whole"][..], "echo whole"),
            (&["ls", "-l", "/a_b", "ü:1,2@x%y+z.c"], "ls -l /a_b ü:1,2@x%y+z.c"),
            (&["a b", "", "$HOME", "A=1", "~", "*"], "'a b' '' '$HOME' 'A=1' '~' '*'"),
            (&["it's"], r"'it'\''s'"),
        ] {
            assert_eq!(quote(words.iter().copied()), text);
        }
    }

    proptest! {
        #[test]
        fn words_that_were_quoted_come_back(words in prop::collection::vec(any::<String>(), 1..5)) {
            prop_assert_eq!(split(&quote(words.iter().map(String::as_str))), Ok(words));
        }

        #[test]
        fn words_in_single_quotes_come_back(words in prop::collection::vec("[^']{0,9}", 1..5)) {
            let text: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(split(&text.join(" ")).unwrap(), words);
        }

        #[test]
        fn any_text_is_split_or_refused(text in any::<String>()) {
            if let Ok(words) = split(&text) {
                prop_assert!(!words.is_empty());
            }
        }
    }
}
