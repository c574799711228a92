//! Which protocol a peer speaks, by the first bytes that it sends.

/// As many first bytes as are ever needed.
pub const MOST: usize = 16;

/// A protocol whose clients speak first, or what is none of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A request of HTTP/1 (RFC 9112, section 3), or the preface of HTTP/2 (RFC 9113, section 3.4).
    Http,
    /// A first message of an IRC client (RFC 2812, section 3.1): `PASS`, `NICK`, `USER` or `CAP`, in any case.
    Irc,
    /// The version of an SSH client (RFC 4253, section 4.2).
    Ssh,
    /// Anything else, also silence.
    Text,
    /// A record with a ClientHello (RFC 8446, sections 4.1.2 and 5.1), of whichever version.
    Tls,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Irc => "IRC",
            Self::Ssh => "SSH",
            Self::Text => "text",
            Self::Tls => "TLS",
        })
    }
}

/// Tells the protocol from the first bytes of a connection, of which any number may be there; `None` where more are
/// needed. Bytes that follow never change what was told, and [`MOST`] bytes always tell.
pub fn sniff(bytes: &[u8]) -> Option<Protocol> {
    let recognisers = [
        (Protocol::Tls, tls as fn(&[u8]) -> Fit),
        (Protocol::Http, http),
        (Protocol::Ssh, ssh),
        (Protocol::Irc, irc),
    ];
    let mut may_be = false;
    for (protocol, fit) in recognisers {
        match fit(bytes) {
            Fit::Is => return Some(protocol),
            Fit::SoFar => may_be = true,
            Fit::Not => {}
        }
    }
    (!may_be).then_some(Protocol::Text)
}

/// What bytes are to one protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Is,
    Not,
    SoFar,
}

impl Fit {
    /// How bytes fit a pattern: the first of them each as its test says.
    fn of<const N: usize>(bytes: &[u8], pattern: [fn(u8) -> bool; N]) -> Self {
        match bytes.iter().zip(pattern).all(|(byte, test)| test(*byte)) {
            false => Self::Not,
            true if bytes.len() < N => Self::SoFar,
            true => Self::Is,
        }
    }

    /// The better of two.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Is, _) | (_, Self::Is) => Self::Is,
            (Self::Not, Self::Not) => Self::Not,
            (Self::SoFar, _) | (_, Self::SoFar) => Self::SoFar,
        }
    }
}

/// A record of at most 16 KiB, which no client makes shorter than four bytes: those are the head of the ClientHello.
fn tls(bytes: &[u8]) -> Fit {
    let handshake = Fit::of(bytes, [|kind| kind == 22, |major| major == 3, |minor| minor <= 4]);
    let (Fit::Is, Some(rest)) = (handshake, bytes.get(3..)) else { return handshake };
    let fit = Fit::of(rest, [|high| high <= 0x40, |_| true, |message| message == 1]);
    match rest {
        [0, low, ..] if *low < 4 => Fit::Not,
        [0x40, low, ..] if *low > 0 => Fit::Not,
        _ => fit,
    }
}

fn http(bytes: &[u8]) -> Fit {
    const METHODS: [&[u8]; 8] =
        [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"TRACE ", b"PATCH "];
    let ordinary = METHODS.iter().map(|method| begins_with(bytes, method, target));
    let tunnel = begins_with(bytes, b"CONNECT ", |first| first.is_ascii_alphanumeric() || first == b'[');
    let preface = begins_with(bytes, b"PRI * HTTP/2", |next| next == b'.');
    ordinary.fold(tunnel.or(preface), Fit::or)
}

/// A path, an asterisk, or the scheme of a whole URL, as a proxy is asked (RFC 9112, section 3.2).
fn target(first: u8) -> bool {
    matches!(first, b'/' | b'*' | b'h' | b'H')
}

/// How bytes fit a word, and behind it one byte that passes a test.
fn begins_with(bytes: &[u8], word: &[u8], test: fn(u8) -> bool) -> Fit {
    match bytes.get(word.len()) {
        Some(next) if bytes.starts_with(word) && test(*next) => Fit::Is,
        None if word.starts_with(bytes) => Fit::SoFar,
        _ => Fit::Not,
    }
}

fn ssh(bytes: &[u8]) -> Fit {
    begins_with(bytes, b"SSH-", |digit| digit.is_ascii_digit())
}

fn irc(bytes: &[u8]) -> Fit {
    let upper = bytes.get(..bytes.len().min(MOST)).unwrap_or_default().to_ascii_uppercase();
    let commands: [&[u8]; 4] = [b"PASS ", b"NICK ", b"USER ", b"CAP "];
    let fits = commands.iter().map(|command| begins_with(&upper, command, |first| first > b' '));
    fits.fold(Fit::Not, Fit::or)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_protocol_is_told_by_its_first_bytes() {
        for (bytes, told) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00"[..], Protocol::Tls),
            (b"\x16\x03\x03\x40\x00\x01", Protocol::Tls),
            (b"GET / HTTP/1.1\r\n", Protocol::Http),
            (b"GET /", Protocol::Http),
            (b"OPTIONS *", Protocol::Http),
            (b"GET http://host/", Protocol::Http),
            (b"CONNECT host:443", Protocol::Http),
            (b"CONNECT [::1]:443", Protocol::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Protocol::Http),
            (b"SSH-2.0-OpenSSH_9", Protocol::Ssh),
            (b"NICK alice\r\n", Protocol::Irc),
            (b"cap LS 302\r\n", Protocol::Irc),
            (b"Pass secret", Protocol::Irc),
            (b"USER a 0 * :a", Protocol::Irc),
        ] {
            assert_eq!(sniff(bytes), Some(told), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_only_looks_like_one_is_text() {
        for bytes in [
            &b"hello"[..],
            b"\r\n",
            b"get / HTTP/1.1",
            b"GET me out",
            b"GETTING",
            b"PRI * HTTP/1",
            b"SSH is good",
            b"SSH-x",
            b"nickname",
            b"CAP \r\n",
            b"\x16\x02\x00",
            b"\x16\x03\x05",
            b"\x16\x03\x01\x00\x03",
            b"\x16\x03\x01\x40\x01",
            b"\x16\x03\x01\x02\x00\x02",
            b"\x80\x2e\x01\x03\x01",
        ] {
            assert_eq!(sniff(bytes), Some(Protocol::Text), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_beginning_that_may_become_one_needs_more() {
        for bytes in [
            &b""[..],
            b"P",
            b"PA",
            b"GET",
            b"GET ",
            b"cAp",
            b"\x16\x03\x01\x02\x00",
            b"PRI * HTTP/2",
            b"SSH-",
        ] {
            assert_eq!(sniff(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn bytes_that_follow_never_change_what_was_told(
            begin in prop::sample::select(vec![&b""[..], b"\x16\x03\x01", b"GET ", b"PA", b"PRI * HTTP", b"SSH", b"uSE"]),
            more in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let whole = [begin, &more].concat();
            let mut told = None;
            for end in 0..=whole.len() {
                let now = sniff(&whole[..end]);
                prop_assert!(told.is_none() || told == now, "{:?} after {:?} at {}", now, told, end);
                prop_assert!(now.is_some() || end < MOST, "{} bytes tell nothing", end);
                told = now;
            }
        }
    }
}
