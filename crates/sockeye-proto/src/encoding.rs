//! Text as bytes, in the encodings that programs had before UTF-8.
//!
//! Inside, all text is UTF-8. An [`Encoding`] is for a peer that expects another one.

use std::fmt;

use encoding_rs::{EncoderResult, UTF_8};

/// An encoding of text, one of those of the Web (WHATWG, Encoding).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// What stands for a character that an encoding does not have.
const MISSING: u8 = b'?';

impl Default for Encoding {
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl Encoding {
    /// The encoding of that name: `utf-8`, `gbk`, `gb18030`, `big5`, `shift_jis`, `euc-kr`, `latin1` and so on, in any case.
    /// `None` where there is none, or none that can be written: UTF-16 is only read.
    pub fn named(name: &str) -> Option<Self> {
        let found = encoding_rs::Encoding::for_label_no_replacement(name.as_bytes())?;
        (found.output_encoding() == found).then_some(Self(found))
    }

    /// The text of these bytes. What is no text in this encoding becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> String {
        self.0.decode_without_bom_handling(bytes).0.into_owned()
    }

    /// As many of the first characters of `text`, which is UTF-8, as have room in `most` bytes, and how many of its bytes
    /// they were. A character that this encoding does not have becomes `?`. As UTF-8 everything goes as it is, also what is
    /// no text: only a character that has begun within `most` and does not end there is left out.
    pub fn encode(self, text: &[u8], most: usize) -> (Vec<u8>, usize) {
        if self.0 == UTF_8 {
            let end = border(text, most);
            return (text.get(..end).unwrap_or_default().to_vec(), end);
        }
        let mut out = Vec::new();
        let mut taken = 0;
        for chunk in text.utf8_chunks() {
            let valid = self.put(chunk.valid(), most, &mut out);
            taken += valid;
            if valid < chunk.valid().len() {
                break;
            }
            if !chunk.invalid().is_empty() {
                if out.len() == most {
                    break;
                }
                out.push(MISSING);
                taken += chunk.invalid().len();
            }
        }
        (out, taken)
    }

    /// Puts as much of `text` behind what is in `out` as has room in `most`, and says how much.
    fn put(self, text: &str, most: usize, out: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        let mut bytes = [0; 16];
        let mut utf8 = [0; 4];
        for c in text.chars() {
            // Without a state between characters a cut harms nothing. ISO-2022-JP is the only one that has one, and each of its
            // characters goes with its shifts.
            let mut encoder = self.0.new_encoder();
            let piece = c.encode_utf8(&mut utf8);
            let (result, _, written) = encoder.encode_from_utf8_without_replacement(piece, &mut bytes, true);
            let encoded = match result {
                EncoderResult::InputEmpty => bytes.get(..written).unwrap_or_default(),
                EncoderResult::OutputFull | EncoderResult::Unmappable(_) => &[MISSING],
            };
            if out.len() + encoded.len() > most {
                break;
            }
            out.extend_from_slice(encoded);
            taken += c.len_utf8();
        }
        taken
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name().to_ascii_lowercase())
    }
}

/// The end of the last character that ends within the first `most` bytes.
fn border(text: &[u8], most: usize) -> usize {
    let is_continued = |at: usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    if text.len() <= most {
        return text.len();
    }
    // Four continuations in a row are no text anyway.
    (most.saturating_sub(3)..=most).rev().find(|at| !is_continued(*at)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoding(name: &str) -> Encoding {
        Encoding::named(name).unwrap()
    }

    #[test]
    fn names_are_those_of_the_web_and_what_cannot_be_written_is_none() {
        for (name, is) in [
            ("utf-8", "utf-8"),
            ("GBK", "gbk"),
            ("gb2312", "gbk"),
            ("GB18030", "gb18030"),
            ("latin1", "windows-1252"),
        ] {
            assert_eq!(encoding(name).to_string(), is);
        }
        for name in ["", "utf-16", "utf-16le", "klingon", "replacement", "hz-gb-2312"] {
            assert_eq!(Encoding::named(name), None, "{name}");
        }
    }

    #[test]
    fn text_goes_as_the_encoding_has_it_and_a_question_mark_stands_for_what_it_has_not() {
        let gbk = encoding("gbk");
        assert_eq!(gbk.encode("执行成功".as_bytes(), 99).0, b"\xd6\xb4\xd0\xd0\xb3\xc9\xb9\xa6");
        assert_eq!(gbk.decode(b"\xd6\xb4\xd0\xd0\xb3\xc9\xb9\xa6"), "执行成功");
        assert_eq!(gbk.encode("a😀b\u{fe0f}".as_bytes(), 99).0, b"a?b?");
        assert_eq!(gbk.encode(b"a\xff\xfeb", 99), (b"a??b".to_vec(), 4));
        assert_eq!(encoding("gb18030").decode(&encoding("gb18030").encode("😀".as_bytes(), 99).0), "😀");
        assert_eq!(Encoding::default().encode(b"a\xff", 99), (b"a\xff".to_vec(), 2));
        assert_eq!(gbk.decode(b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn a_cut_never_goes_through_a_character() {
        assert_eq!(encoding("gbk").encode("a执行".as_bytes(), 4), (b"a\xd6\xb4".to_vec(), 4));
        assert_eq!(Encoding::default().encode("a执行".as_bytes(), 6), ("a执".as_bytes().to_vec(), 4));
        assert_eq!(Encoding::default().encode("a执行".as_bytes(), 7), ("a执行".as_bytes().to_vec(), 7));
        assert_eq!(Encoding::default().encode(&[0x80; 9], 5), (vec![0x80; 5], 5));
        assert_eq!(encoding("gbk").encode(b"\xff\xff", 1), (b"?".to_vec(), 1));
    }

    proptest! {
        #[test]
        fn what_was_taken_comes_back_and_fits(text in "[a-z执行成功]{0,40}", most in 0_usize..60) {
            for name in ["utf-8", "gbk", "gb18030", "big5", "iso-2022-jp"] {
                let (bytes, taken) = encoding(name).encode(text.as_bytes(), most);
                prop_assert!(bytes.len() <= most && text.is_char_boundary(taken));
                if name != "big5" && name != "iso-2022-jp" {
                    prop_assert_eq!(encoding(name).decode(&bytes), &text[..taken]);
                }
                let rest = encoding(name).encode(&text.as_bytes()[taken..], usize::MAX).0;
                prop_assert_eq!([bytes, rest].concat(), encoding(name).encode(text.as_bytes(), usize::MAX).0);
            }
        }

        #[test]
        fn any_bytes_are_encoded_and_decoded(bytes: Vec<u8>, most in 0_usize..60) {
            for name in ["utf-8", "gbk", "shift_jis", "iso-2022-jp", "x-user-defined"] {
                let (encoded, taken) = encoding(name).encode(&bytes, most);
                prop_assert!(encoded.len() <= most && taken <= bytes.len());
                encoding(name).decode(&bytes);
            }
        }
    }
}
