//! Output of a process or a peer, as a failed test prints it.

/// As text, for what people are meant to read. What is not UTF-8 becomes replacement characters.
pub(crate) fn text(bytes: &[u8]) -> String {
    end_of(bytes, |kept| String::from_utf8_lossy(kept).into_owned())
}

/// In quotes with every byte visible, for what may be binary.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    end_of(bytes, |kept| format!("\"{}\"", kept.escape_ascii()))
}

fn end_of(bytes: &[u8], show: impl Fn(&[u8]) -> String) -> String {
    match bytes.split_at(bytes.len().saturating_sub(KEPT)) {
        ([], kept) => show(kept),
        (cut, kept) => format!("[{} bytes before this]{}", cut.len(), show(kept)),
    }
}

/// The end of the output says most about a failure, and 16 KiB of it can still be read.
const KEPT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    #[test]
    fn long_output_is_cut_at_the_front() {
        let mut long = vec![b'a'; 10];
        long.extend([b'b'; super::KEPT]);
        assert!(super::text(&long).starts_with("[10 bytes before this]bbb"));
        assert!(super::bytes(&long).starts_with("[10 bytes before this]\"bbb"));
        assert_eq!(super::bytes(b"a\n\x00"), r#""a\n\x00""#);
    }
}
