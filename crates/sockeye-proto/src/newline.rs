//! Line ends for peers that want CR LF, such as SMTP, IRC and old HTTP servers.
//!
//! Only the way out is rewritten. What the peer sends is left as it is.

/// Rewrites each bare line feed as carriage return and line feed, and leaves CR LF as it is.
///
/// It remembers whether the last byte was a carriage return, so that a CR LF cut between two reads stays one
/// line end. Where the input is cut makes no difference.
#[derive(Debug, Default)]
pub struct ToCrlf {
    after_cr: bool,
}

impl ToCrlf {
    /// Rewrites the first `filled` bytes of `buffer` in place and returns the new length.
    ///
    /// `buffer` should have room for twice `filled` bytes: then every line feed finds its place. With less
    /// room, the last line feeds are rewritten, as many as there is room for, and the earlier ones stay bare.
    /// No byte is lost, and the result never exceeds `buffer`. A `filled` beyond the end of `buffer` counts
    /// as all of `buffer`. What lies after the returned length has no meaning.
    pub fn expand(&mut self, buffer: &mut [u8], filled: usize) -> usize {
        let filled = filled.min(buffer.len());
        let room = buffer.len() - filled;
        let bare = (0..filled).filter(|at| self.is_bare(buffer, *at)).count();
        let mut missing = bare.min(room);
        let length = filled + missing;
        let after_cr = match filled.checked_sub(1) {
            Some(last) => buffer.get(last) == Some(&CR),
            None => self.after_cr,
        };

        // From the end, so that each byte moves once and nothing is overwritten before it has moved.
        let mut end = filled;
        while missing > 0
            && let Some(at) = (0..end).rev().find(|at| self.is_bare(buffer, *at))
        {
            buffer.copy_within(at..end, at + missing);
            missing -= 1;
            if let Some(place) = buffer.get_mut(at + missing) {
                *place = CR;
            }
            end = at;
        }
        self.after_cr = after_cr;
        length
    }

    fn is_bare(&self, buffer: &[u8], at: usize) -> bool {
        let after_cr = match at.checked_sub(1) {
            Some(before) => buffer.get(before) == Some(&CR),
            None => self.after_cr,
        };
        buffer.get(at) == Some(&LF) && !after_cr
    }
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bare_line_feeds_get_a_carriage_return() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b"a", b"a"),
            (b"\n", b"\r\n"),
            (b"\n\n\n", b"\r\n\r\n\r\n"),
            (b"\r\n", b"\r\n"),
            (b"\r\r\n", b"\r\r\n"),
            (b"\r", b"\r"),
            (b"\n\r", b"\r\n\r"),
            (b"GET /\r\nHost: a\n\nbody\r\n", b"GET /\r\nHost: a\r\n\r\nbody\r\n"),
        ];
        for (input, expected) in table {
            assert_eq!(expanded(&[input]), *expected, "input {}", input.escape_ascii());
        }
    }

    #[test]
    fn a_line_end_cut_between_two_reads_stays_one() {
        assert_eq!(expanded(&[b"a\r", b"\nb"]), b"a\r\nb");
        assert_eq!(expanded(&[b"a\r", b"", b"\nb"]), b"a\r\nb");
        assert_eq!(expanded(&[b"a\r", b"b", b"\n"]), b"a\rb\r\n");
        assert_eq!(expanded(&[b"a\n", b"\n"]), b"a\r\n\r\n");
    }

    #[test]
    fn too_little_room_loses_no_byte() {
        let mut buffer = *b"\na\n\nb..";
        assert_eq!(ToCrlf::default().expand(&mut buffer, 5), 7);
        assert_eq!(&buffer, b"\na\r\n\r\nb");

        let mut full = *b"\n\n";
        assert_eq!(ToCrlf::default().expand(&mut full, 2), 2);
        assert_eq!(&full, b"\n\n");
        assert_eq!(ToCrlf::default().expand(&mut full, usize::MAX), 2);
        assert_eq!(&full, b"\n\n");
        assert_eq!(ToCrlf::default().expand(&mut [], 1), 0);
    }

    proptest! {
        #[test]
        fn any_chunking_agrees_with_the_plain_rule(chunks in prop::collection::vec(line_ends(), 0..12)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(expanded(&chunks), plain_rule(&chunks.concat()));
        }

        #[test]
        fn any_room_keeps_every_byte(input in line_ends(), room in 0_usize..50, filled in 0_usize..60) {
            let mut buffer = input.clone();
            buffer.resize(input.len().max(room), b'.');
            let before: Vec<u8> = buffer.iter().copied().take(filled).collect();
            let length = ToCrlf::default().expand(&mut buffer, filled);
            prop_assert!(length <= buffer.len());
            let kept = buffer[..length].iter().filter(|byte| **byte != CR);
            prop_assert!(kept.eq(before.iter().filter(|byte| **byte != CR)));
            if buffer.len() >= 2 * before.len() {
                prop_assert_eq!(&buffer[..length], plain_rule(&before));
            }
        }
    }

    fn line_ends() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(CR), Just(LF), any::<u8>()], 0..30)
    }

    fn plain_rule(input: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        for byte in input {
            if *byte == LF && output.last() != Some(&CR) {
                output.push(CR);
            }
            output.push(*byte);
        }
        output
    }

    fn expanded(chunks: &[&[u8]]) -> Vec<u8> {
        let mut to_crlf = ToCrlf::default();
        let mut output = Vec::new();
        for chunk in chunks {
            let mut buffer = chunk.to_vec();
            buffer.resize(2 * chunk.len(), b'.');
            let length = to_crlf.expand(&mut buffer, chunk.len());
            output.extend_from_slice(&buffer[..length]);
        }
        output
    }
}
