//! Bytes as people compare them with a protocol's description: in hexadecimal, with their ASCII beside them.

/// A hex dump: for every 16 bytes a line with their offset, which is `offset` for the first, their values in two groups
/// of eight, and their ASCII, in which a dot stands for whatever is not printable. Every line ends with a line feed; no
/// bytes are no line.
///
/// It is about five times as long as `bytes`, and safe for a terminal.
pub fn dump(offset: u64, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(WIDTH) * LINE);
    for (at, row) in (offset..).step_by(WIDTH).zip(bytes.chunks(WIDTH)) {
        text.push_str(&format!("{at:08x}"));
        for place in 0..WIDTH {
            text.push_str(if place % (WIDTH / 2) == 0 { "  " } else { " " });
            match row.get(place) {
                Some(byte) => text.extend([byte >> 4, byte & 0xf].map(digit)),
                None => text.push_str("  "),
            }
        }
        text.push_str("  ");
        text.extend(row.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }));
        text.push('\n');
    }
    text
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('?')
}

/// Bytes of a line.
const WIDTH: usize = 16;

/// Characters of a full line.
const LINE: usize = 8 + 2 * 2 + WIDTH * 3 - 2 + 2 + WIDTH + 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dump_has_offset_values_and_ascii_in_columns() {
        let bytes: Vec<u8> = (b'0'..=b'9').chain(*b"\x00\x1b[2J\xff~ ").collect();
        let want = "\
            00000000  30 31 32 33 34 35 36 37  38 39 00 1b 5b 32 4a ff  0123456789..[2J.\n\
            00000010  7e 20                                             ~ \n";
        assert_eq!(dump(0, &bytes), want);
        assert_eq!(dump(0, b""), "");
        assert_eq!(dump(0, &[0; 16]).len(), LINE);
        assert!(dump(0xffff_fff0, &[0; 17]).contains("\n100000000  00 "));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read_back_and_nothing_acts_on_a_terminal(
            offset in 0_u64..0xffff_ff00, bytes in prop::collection::vec(any::<u8>(), 0..70),
        ) {
            let text = dump(offset, &bytes);
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
            let mut back = Vec::new();
            for (at, line) in (0..).zip(text.lines()) {
                prop_assert_eq!(&line[..8], format!("{:08x}", offset + at * 16));
                let values = line[8..58].split_whitespace();
                back.extend(values.map(|value| u8::from_str_radix(value, 16).unwrap()));
            }
            prop_assert_eq!(back, bytes);
        }
    }
}
