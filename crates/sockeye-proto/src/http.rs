//! The little of HTTP/1 (RFC 9112) that a program needs to be asked for one page.

/// The longest head of a request that is taken, in bytes: a browser's cookies included.
pub const LONGEST_HEAD: usize = 8 << 10;

/// What has come of a request so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Its head has not ended: read on.
    Unfinished,
    /// It is none, or longer than [`LONGEST_HEAD`].
    Wrong,
    /// Somebody wants something.
    Wants {
        /// `GET`, `HEAD` …; as it was written, for methods are told apart by case.
        method: &'a str,
        /// The path, without the host that a proxy puts before it and without a query.
        path: &'a str,
    },
}

/// Reads the head of a request; empty lines before it are passed over (RFC 9112, section 2.2). What stands behind the first
/// line is not looked at, but it must be there: whoever is answered before it has asked may not listen.
pub fn asked(bytes: &[u8]) -> Asked<'_> {
    let Some(end) = end_of_head(bytes) else {
        return if bytes.len() < LONGEST_HEAD { Asked::Unfinished } else { Asked::Wrong };
    };
    // Only this line need be text: a cookie may hold any byte.
    let head = bytes.get(..end).filter(|_| end <= LONGEST_HEAD).unwrap_or_default();
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.find(|line| !line.is_empty()).and_then(|line| str::from_utf8(line).ok());
    let mut words = line.unwrap_or_default().split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1"), None)
            if !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
        {
            path(target).map_or(Asked::Wrong, |path| Asked::Wants { method, path })
        }
        _ => Asked::Wrong,
    }
}

/// Behind the empty line that ends it; a bare line feed ends a line too (RFC 9112, section 2.2).
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let (mut start, mut has_begun) = (0, false);
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = bytes.get(start..at).unwrap_or_default();
        let is_empty = matches!(line, [] | [b'\r']);
        if is_empty && has_begun {
            return Some(at + 1);
        }
        has_begun |= !is_empty;
        start = at + 1;
    }
    None
}

fn path(target: &str) -> Option<&str> {
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.get(rest.find('/')?..)?,
        None => target,
    };
    target.starts_with('/').then(|| target.split('?').next().unwrap_or(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read_once_its_head_has_ended() {
        let wants = |method, path| Asked::Wants { method, path };
        for (bytes, want) in [
            (&b""[..], Asked::Unfinished),
            (b"GET / HTTP/1.1\r\n", Asked::Unfinished),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", Asked::Unfinished),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", wants("GET", "/")),
            (b"HEAD /metrics?a=b HTTP/1.0\n\n", wants("HEAD", "/metrics")),
            (b"GET http://host:80/metrics HTTP/1.1\r\n\r\n", wants("GET", "/metrics")),
            (b"\r\n\nGET / HTTP/1.1\r\n\r\n", wants("GET", "/")),
            (b"\r\n\r\n", Asked::Unfinished),
            (b"POST / HTTP/1.1\r\n\r\nbody", wants("POST", "/")),
            (b"GET / HTTP/1.1\r\nCookie: \xff\r\n\r\n", wants("GET", "/")),
            (b"GET / HTTP/2\r\n\r\n", Asked::Wrong),
            (b"GET  / HTTP/1.1\r\n\r\n", Asked::Wrong),
            (b"GET metrics HTTP/1.1\r\n\r\n", Asked::Wrong),
            (b"GET http://host HTTP/1.1\r\n\r\n", Asked::Wrong),
            (b" / HTTP/1.1\r\n\r\n", Asked::Wrong),
            (b"\xff / HTTP/1.1\r\n\r\n", Asked::Wrong),
            (b"hello\r\n\r\n", Asked::Wrong),
        ] {
            assert_eq!(asked(bytes), want, "{}", bytes.escape_ascii());
        }
        assert_eq!(asked(&[b'a'; LONGEST_HEAD]), Asked::Wrong);
        assert_eq!(asked(&[b'\n'; LONGEST_HEAD]), Asked::Wrong);
        assert_eq!(asked(&[b'a'; LONGEST_HEAD - 1]), Asked::Unfinished);
    }

    proptest! {
        #[test]
        fn what_was_understood_stays_so_whatever_follows(head in "[ -~\r\n]{0,64}", more in ".{0,16}") {
            let whole = format!("{head}{more}");
            let (first, all) = (asked(head.as_bytes()), asked(whole.as_bytes()));
            prop_assert!(first == Asked::Unfinished || first == all);
        }
    }
}
