//! Makes bytes from outside safe for a terminal or a log line.
//!
//! A terminal obeys what it prints. Bytes that arrive over a network can set the window title, move the
//! cursor over earlier output, hide text, or make the terminal type an answer into the shell that runs in it.
//! Text can also be reordered or made invisible, so that a reader sees another name than the program does.
//! Here all such characters become visible ASCII escapes.
//!
//! This is not an encoding. A backslash is left alone, so nobody can tell an escape from text that looks like
//! one, and the original bytes cannot be restored. Nor does it help to tell apart two names that look alike:
//! letters of several scripts share a shape, and that is left to the reader.

use std::ascii;

/// Rewrites a stream of bytes as text that a terminal only displays.
///
/// Text in valid UTF-8 stays, with line feed and tab. A carriage return stays only right before a line feed;
/// alone it would let a peer overwrite the line that the user has just read. What could act on the terminal
/// or mislead the reader is shown as an escape: `\x1b` for a control character below U+0080, `\u{202e}` for
/// one above, `\xff` for each byte that is not UTF-8, `\r` for a lone carriage return.
///
/// The output is at most four times as long as the input. Between chunks it keeps an unfinished UTF-8
/// sequence, or a carriage return whose line feed may come: at most three bytes. Where the input is cut makes
/// no difference.
#[derive(Debug, Default)]
pub struct Printable {
    /// Empty, one carriage return, or the beginning of a UTF-8 sequence.
    held: Vec<u8>,
}

impl Printable {
    /// Appends the safe form of `bytes` to `out`, always as whole UTF-8 characters.
    ///
    /// The end of `bytes` may be held back until the next call; `finish` brings it out.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for run in bytes.chunk_by(|left, right| is_plain(*left) && is_plain(*right)) {
            if let Some((first, plain)) = run.split_first() {
                // A plain byte ends whatever was held, so the rest of its run needs no second look.
                self.take(*first, out);
                out.extend_from_slice(plain);
            }
        }
    }

    /// Appends what was held back, as escapes, because nothing can complete it any more.
    ///
    /// After that the value is as new.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        for byte in self.held.drain(..) {
            out.extend(ascii::escape_default(byte));
        }
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.held == b"\r" {
            if byte == b'\n' {
                self.held.clear();
                out.extend_from_slice(b"\r\n");
                return;
            }
            self.finish(out);
        }
        self.held.push(byte);
        if byte == b'\r' && self.held.len() == 1 {
            return;
        }
        match str::from_utf8(&self.held) {
            Ok(text) => {
                text.chars().for_each(|character| show(character, out));
                self.held.clear();
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) if self.held.len() == 1 => self.finish(out),
            Err(_) => {
                // What came before was a correct beginning, so this byte broke it, and may begin another.
                self.held.pop();
                self.finish(out);
                self.take(byte, out);
            }
        }
    }
}

/// Makes one line of `bytes`, for names, addresses and log lines.
///
/// As `Printable`, but line feed, carriage return and tab are escaped too, as `\n`, `\r` and `\t`. Otherwise
/// a peer could write log lines of its own invention. The result is at most four times as long as `bytes`;
/// limiting it is left to the caller.
pub fn line(bytes: &[u8]) -> String {
    let mut printable = Printable::default();
    let mut text = Vec::with_capacity(bytes.len());
    printable.push(bytes, &mut text);
    printable.finish(&mut text);
    let text = String::from_utf8_lossy(&text);
    text.replace('\n', r"\n").replace('\r', r"\r").replace('\t', r"\t")
}

/// Bytes that stand for themselves whatever is around them.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

fn show(character: char, out: &mut Vec<u8>) {
    if !must_escape(character) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else if let Ok(byte @ ..0x80) = u8::try_from(character) {
        out.extend(ascii::escape_default(byte));
    } else {
        out.extend_from_slice(character.escape_unicode().to_string().as_bytes());
    }
}

/// Tells whether a character could act on the terminal or mislead the reader.
///
/// U+200C and U+200D, the zero-width non-joiner and joiner, are not in the list although they are invisible.
/// Persian and the scripts of India cannot be written without them, and many emoji are built with them. They
/// shape their neighbours but neither move nor hide them. Variation selectors stay for the same reason.
/// Private and unassigned characters stay because what they mean changes with the font and with the year.
fn must_escape(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // C0 controls begin escape sequences and move the cursor. In C1, U+009B alone is as good as ESC [.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Marks, embeddings, overrides and isolates of bidirectional text: `cod.exe` displays as `exe.doc`.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // Invisible characters: two different names look the same, and a search for one finds nothing.
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' => true,
        '\u{fff9}'..='\u{fffb}' => true,
        // Line and paragraph separators begin a line in some viewers of logs and not in others.
        '\u{2028}' | '\u{2029}' => true,
        // Tags can carry a hidden message in ASCII. The flags of England, Scotland and Wales are the price.
        '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_stays_and_what_acts_or_misleads_is_escaped() {
        let table: &[(&[u8], &str)] = &[
            (b"", ""),
            (b"plain text, \"quoted\", 100%\n\tindented\n", "plain text, \"quoted\", 100%\n\tindented\n"),
            (r"C:\new \x1b".as_bytes(), r"C:\new \x1b"),
            ("grüße 日本語 שלום 🦈".as_bytes(), "grüße 日本語 שלום 🦈"),
            (b"\x1b]0;title\x07", r"\x1b]0;title\x07"),
            (b"\x00\x08\x0b\x0c\x1f\x7f", r"\x00\x08\x0b\x0c\x1f\x7f"),
            ("\u{80}\u{9b}31m\u{9f}\u{a0}".as_bytes(), "\\u{80}\\u{9b}31m\\u{9f}\u{a0}"),
            (
                "a\u{202e}b\u{2066}c\u{61c}\u{200e}\u{200f}".as_bytes(),
                r"a\u{202e}b\u{2066}c\u{61c}\u{200e}\u{200f}",
            ),
            ("\u{ad}\u{200b}\u{2060}\u{2064}\u{feff}".as_bytes(), r"\u{ad}\u{200b}\u{2060}\u{2064}\u{feff}"),
            ("\u{206a}\u{fff9}\u{fffb}\u{fffd}".as_bytes(), "\\u{206a}\\u{fff9}\\u{fffb}\u{fffd}"),
            ("\u{2028}\u{2029}\u{e0001}\u{e007f}".as_bytes(), r"\u{2028}\u{2029}\u{e0001}\u{e007f}"),
            ("می\u{200c}خواهم 👩\u{200d}🚀 ❤\u{fe0f}".as_bytes(), "می\u{200c}خواهم 👩\u{200d}🚀 ❤\u{fe0f}"),
            ("\u{e000}\u{10ffff}".as_bytes(), "\u{e000}\u{10ffff}"),
        ];
        for (input, expected) in table {
            assert_eq!(whole(input), *expected, "input {}", input.escape_ascii());
        }
    }

    #[test]
    fn of_all_characters_only_the_forbidden_are_escaped() {
        for character in ('\0'..=char::MAX).filter(|character| *character != '\r') {
            let stays = whole(character.to_string().as_bytes()) == character.to_string();
            assert_eq!(stays, !forbidden(character), "character {}", character.escape_unicode());
        }
    }

    #[test]
    fn a_carriage_return_stays_only_before_a_line_feed() {
        assert_eq!(whole(b"a\r\nb"), "a\r\nb");
        assert_eq!(whole(b"secret\rpublic"), r"secret\rpublic");
        assert_eq!(whole(b"\r\r\n\n\r"), "\\r\r\n\n\\r");
        assert_eq!(whole("\ré\r\u{9b}\rx".as_bytes()), r"\ré\r\u{9b}\rx");
        assert_eq!(whole(b"\r\xff\r\xc3\r\n"), "\\r\\xff\\r\\xc3\r\n");
    }

    #[test]
    fn each_byte_that_is_not_utf8_is_escaped() {
        let table: &[(&[u8], &str)] = &[
            (b"\xff\xfe", r"\xff\xfe"),
            (b"a\x80b", r"a\x80b"),
            (b"\xe2\x82", r"\xe2\x82"),
            (b"\xe2\x82A", r"\xe2\x82A"),
            (b"\xe2\x82\xe2\x82\xac", "\\xe2\\x82\u{20ac}"),
            (b"\xf0\x9f\xa6\x1b", r"\xf0\x9f\xa6\x1b"),
            // An overlong ESC, a surrogate, and one more than the last character.
            (b"\xc0\x9b", r"\xc0\x9b"),
            (b"\xed\xa0\x80", r"\xed\xa0\x80"),
            (b"\xf4\x90\x80\x80", r"\xf4\x90\x80\x80"),
        ];
        for (input, expected) in table {
            assert_eq!(whole(input), *expected, "input {}", input.escape_ascii());
        }
    }

    #[test]
    fn a_sequence_cut_between_chunks_comes_out_whole() {
        let mut printable = Printable::default();
        let mut out = Vec::new();
        printable.push(b"shark \xf0\x9f", &mut out);
        assert_eq!(out, b"shark ");
        printable.push(b"\xa6\x88\r", &mut out);
        assert_eq!(out, "shark 🦈".as_bytes());
        printable.push(b"\n\xe2\x80", &mut out);
        printable.finish(&mut out);
        assert_eq!(out, "shark 🦈\r\n\\xe2\\x80".as_bytes());
        printable.push(b"\xaeagain", &mut out);
        assert!(out.ends_with(br"\xe2\x80\xaeagain"));
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(b"name\r\nroot logged in\t\x1b[2J"), r"name\r\nroot logged in\t\x1b[2J");
        assert_eq!(line(b"\n\r\t\\"), r"\n\r\t\");
        assert_eq!(line("tcp:[::1]:80 é\u{202e}\u{2028}".as_bytes()), r"tcp:[::1]:80 é\u{202e}\u{2028}");
        assert_eq!(line(b"cut \xe2\x82"), r"cut \xe2\x82");
    }

    proptest! {
        #[test]
        fn output_is_utf8_without_forbidden_characters(input in hostile()) {
            let out = pushed(&[&input]);
            let text = str::from_utf8(&out);
            prop_assert!(text.is_ok(), "{}", out.escape_ascii());
            let text = text.unwrap_or_default();
            prop_assert_eq!(text.chars().find(|c| forbidden(*c)), None);
            prop_assert!(!text.replace("\r\n", "").contains('\r'), "lone carriage return in {text:?}");
            let one = line(&input);
            prop_assert_eq!(one.chars().find(|c| forbidden(*c) || "\r\n\t".contains(*c)), None);
        }

        #[test]
        fn chunking_makes_no_difference(
            input in hostile(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect();
            prop_assert_eq!(pushed(&chunks), pushed(&[&input]));
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            prop_assert_eq!(pushed(&bytes), pushed(&[&input]));
        }

        #[test]
        fn at_most_three_bytes_are_held_and_output_is_whole_after_each_push(input in hostile()) {
            let mut printable = Printable::default();
            let mut out = Vec::new();
            for byte in input {
                printable.push(&[byte], &mut out);
                prop_assert!(printable.held.len() <= 3);
                prop_assert!(str::from_utf8(&out).is_ok());
            }
        }

        #[test]
        fn text_without_forbidden_characters_is_unchanged(text in any::<String>()) {
            let text: String = text.chars().filter(|c| !forbidden(*c) && *c != '\r').collect();
            prop_assert_eq!(whole(text.as_bytes()), text);
        }

        #[test]
        fn plain_letters_are_unchanged(text in "[a-zA-Zäöüß ]*") {
            prop_assert_eq!(&whole(text.as_bytes()), &text);
            prop_assert_eq!(line(text.as_bytes()), text);
        }

        #[test]
        fn output_is_at_most_four_times_the_input(input in hostile()) {
            prop_assert!(pushed(&[&input]).len() <= 4 * input.len());
            prop_assert!(line(&input).len() <= 4 * input.len());
        }
    }

    /// Bytes in which whatever needs care is frequent.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let snippets: &[&[u8]] = &[
            b"\r",
            b"\n",
            b"\r\n",
            b"\t",
            b"\x1b[",
            b"\xc3",
            b"\xe2\x80",
            b"\x8e",
            b"\xf0\x9f",
            b"\xa6\x88",
            b"abc",
        ];
        let piece = prop_oneof![
            prop::sample::select(snippets).prop_map(<[u8]>::to_vec),
            any::<u8>().prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|character| character.to_string().into_bytes()),
            prop::char::ranges(CAREFUL.into()).prop_map(|character| character.to_string().into_bytes()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    /// Where the characters that need care lie, with their neighbours.
    const CAREFUL: &[RangeInclusive<char>] = &[
        '\0'..='\u{ff}',
        '\u{600}'..='\u{620}',
        '\u{2000}'..='\u{2070}',
        '\u{fe00}'..='\u{ffff}',
        '\u{e0000}'..='\u{e01ff}',
    ];

    /// Written down by number, apart from the code under test.
    fn forbidden(character: char) -> bool {
        let ranges: &[(u32, u32)] = &[
            (0x00, 0x08),
            (0x0b, 0x0c),
            (0x0e, 0x1f),
            (0x7f, 0x9f),
            (0xad, 0xad),
            (0x61c, 0x61c),
            (0x200b, 0x200b),
            (0x200e, 0x200f),
            (0x2028, 0x202e),
            (0x2060, 0x206f),
            (0xfeff, 0xfeff),
            (0xfff9, 0xfffb),
            (0xe0000, 0xe007f),
        ];
        ranges.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)))
    }

    fn pushed(chunks: &[&[u8]]) -> Vec<u8> {
        let mut printable = Printable::default();
        let mut out = Vec::new();
        for chunk in chunks {
            printable.push(chunk, &mut out);
        }
        printable.finish(&mut out);
        out
    }

    fn whole(input: &[u8]) -> String {
        String::from_utf8(pushed(&[input])).expect("output is UTF-8")
    }
}
