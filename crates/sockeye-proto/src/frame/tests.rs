//! The framings against a plain rule, however the stream is cut.

use proptest::prelude::*;

use super::*;

/// What a framing can be, with numbers small enough that tests meet their borders.
fn framings() -> Vec<Framing> {
    let texts = FRAMINGS.iter().map(|row| match &row.made {
        Made::As(_) => row.name.to_owned(),
        Made::Of { .. } => format!("{}=3", row.name),
    });
    texts.map(|text| Framing::read(&text).unwrap_or_else(|| panic!("{text}"))).collect()
}

fn framing() -> impl Strategy<Value = Framing> {
    prop::sample::select(framings())
}

/// Bytes that mean something to one framing or another.
fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![prop::sample::select(b"\r\n\0:,0129a\x80\xff".to_vec()), any::<u8>()];
    prop::collection::vec(byte, 0..=most)
}

/// Where a stream is cut.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), Just(vec![usize::MAX]), prop::collection::vec(1..9_usize, 1..20)]
}

/// A stream in pieces, whose sizes are those of `cuts` over and over.
fn pieces<'a>(mut stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut sizes = cuts.iter().cycle();
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        let (piece, rest) = stream.split_at(stream.len().min(*sizes.next().unwrap()));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// All messages of a stream, and how it ended.
fn decoded(framing: Framing, most: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let (mut decoder, mut messages) = (Decoder::new(framing, most), Vec::new());
    for piece in pieces {
        let mut input = *piece;
        loop {
            let mut message = Vec::new();
            match decoder.decode(&mut input, &mut message) {
                Ok(true) => messages.push(message),
                Ok(false) => break,
                Err(error) => return (messages, Err(error)),
            }
            assert!(!input.is_empty() || decoder.is_empty(), "a message is held back");
        }
        assert!(input.is_empty(), "a part of the input is left");
        assert!(decoder.capacity() <= most.saturating_add(1), "room for {} bytes", decoder.capacity());
        assert!(!decoder.is_empty() || decoder.capacity() == 0, "room is held between messages");
    }
    let mut last = Vec::new();
    let finished = decoder.finish(&mut last);
    if finished == Ok(true) {
        messages.push(last);
    }
    (messages, finished.map(|_| ()))
}

fn wire(framing: Framing, message: &[u8], most: usize, room: usize) -> Result<Vec<u8>, FrameError> {
    let encoded = framing.encode(message, most)?;
    let (mut wire, mut buffer) = (Vec::new(), vec![0; room]);
    while wire.len() < encoded.size() {
        let filled = encoded.fill(message, wire.len(), &mut buffer);
        assert!(filled > 0, "{framing}: {} of {} bytes", wire.len(), encoded.size());
        wire.extend_from_slice(&buffer[..filled]);
    }
    assert_eq!(wire.len(), encoded.size());
    Ok(wire)
}

/// What arrives of a message: a line end at its very end is its delimiter.
fn arriving(framing: Framing, message: &[u8]) -> &[u8] {
    match framing {
        Framing::Delimited(Delimiter::Line | Delimiter::CrLf) => {
            let line = message.strip_suffix(b"\n").unwrap_or(message);
            if line.len() < message.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { line }
        }
        Framing::Delimited(Delimiter::Nul)
        | Framing::Burst { .. }
        | Framing::Fixed(_)
        | Framing::Prefixed(_) => message,
    }
}

#[test]
fn every_row_is_read_and_printed_and_no_two_are_alike() {
    let framings = framings();
    for (framing, row) in framings.iter().zip(FRAMINGS) {
        assert_eq!(Framing::read(&framing.to_string()), Some(*framing));
        assert!(framing.to_string().starts_with(row.name) && row.usage().starts_with(row.name));
        assert_eq!(framings.iter().filter(|other| *other == framing).count(), 1, "{framing}");
        assert!(row.help.len() <= 52, "{}", row.help);
    }
}

#[test]
fn numbers_are_taken_within_their_bounds_and_where_they_belong() {
    for (text, printed) in [
        ("fixed=1", "fixed=1"),
        ("fixed=0512", "fixed=512"),
        ("fixed=16777216", "fixed=16777216"),
        ("burst=1", "burst=1"),
        ("burst=60000", "burst=60000"),
    ] {
        assert_eq!(Framing::read(text).map(|framing| framing.to_string()).as_deref(), Some(printed));
    }
    for text in [
        "",
        "=",
        "fixed",
        "fixed=",
        "fixed=0",
        "fixed=+1",
        "fixed=1 ",
        "fixed=16777217",
        "fixed=1=1",
        "burst=",
        "burst=0",
        "burst=60001",
        "burst=99999999999",
        "line=1",
        "LINE",
        "len=8",
        "len64",
    ] {
        assert_eq!(Framing::read(text), None, "{text}");
    }
}

/// A framing, the most bytes of a message, a stream, its messages, and how it ends.
type Row = (&'static str, usize, &'static [u8], &'static [&'static [u8]], Result<(), FrameError>);

const TOO_LONG: Result<(), FrameError> = Err(FrameError::TooLong { most: 3 });
const UNFINISHED: Result<(), FrameError> = Err(FrameError::Unfinished);
const fn no_netstring(expected: &'static str) -> Result<(), FrameError> {
    Err(FrameError::Netstring { expected })
}

const STREAMS: &[Row] = &[
    ("line", 3, b"", &[], Ok(())),
    ("line", 3, b"a\nb\r\n\n\r\nc", &[b"a", b"b", b"", b"", b"c"], Ok(())),
    ("line", 3, b"a\r\r\n\rb\nc\r", &[b"a\r", b"\rb", b"c\r"], Ok(())),
    ("line", 3, b"abc\r\nabc\nabc", &[b"abc", b"abc", b"abc"], Ok(())),
    ("line", 3, b"a\nabcd", &[b"a"], TOO_LONG),
    ("line", 3, b"abc\r", &[], TOO_LONG),
    ("line", 3, b"abc\r\r\n", &[], TOO_LONG),
    ("line", 0, b"\r\n\n", &[b"", b""], Ok(())),
    ("crlf", 3, b"a\r\n\r\nb\nc\r\n\r", &[b"a", b"", b"b\nc", b"\r"], Ok(())),
    ("crlf", 3, b"a\r\r\n\n\r\n", &[b"a\r", b"\n"], Ok(())),
    ("crlf", 3, b"abc\r\nabc\n", &[b"abc"], TOO_LONG),
    ("nul", 3, b"a\0\0bcd\0\r\n", &[b"a", b"", b"bcd", b"\r\n"], Ok(())),
    ("nul", 3, b"abcd", &[], TOO_LONG),
    ("len8", 3, b"\x01a\0\x03abc", &[b"a", b"", b"abc"], Ok(())),
    ("len8", 3, b"\x01a\x03ab", &[b"a"], UNFINISHED),
    ("len8", 3, b"\x01", &[], UNFINISHED),
    ("len8", 3, b"\x04", &[], TOO_LONG),
    ("len16", 3, b"\0\x01a\0\0\0\x02ab", &[b"a", b"", b"ab"], Ok(())),
    ("len16", 3, b"\0\x01a\0", &[b"a"], UNFINISHED),
    ("len16", 3, b"\x01\x01", &[], TOO_LONG),
    ("len16le", 3, b"\x01\0a\0\0\x02\0ab", &[b"a", b"", b"ab"], Ok(())),
    ("len16le", 3, b"\x01\x01", &[], TOO_LONG),
    ("len32", 3, b"\0\0\0\x01a\0\0\0\0", &[b"a", b""], Ok(())),
    ("len32", 3, b"\xff\xff\xff\xff", &[], TOO_LONG),
    ("len32le", 3, b"\x01\0\0\0a\0\0\0\0", &[b"a", b""], Ok(())),
    ("len32le", 3, b"\0\0\0\x01", &[], TOO_LONG),
    ("varint", 3, b"\x01a\0\x82\0ab", &[b"a", b"", b"ab"], Ok(())),
    ("varint", 3, b"\x81\x80\x80\x80\x80\x80\x80\x80\x80\0a", &[b"a"], Ok(())),
    ("varint", 3, b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", &[], Err(FrameError::Varint)),
    ("varint", 3, b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", &[], Err(FrameError::Varint)),
    ("varint", 3, b"\x84\x80", &[], TOO_LONG),
    ("varint", 3, b"\x80", &[], UNFINISHED),
    ("netstring", 3, b"1:a,0:,3:abc,", &[b"a", b"", b"abc"], Ok(())),
    ("netstring", 3, b"1:a,2:ab", &[b"a"], UNFINISHED),
    ("netstring", 3, b"2", &[], UNFINISHED),
    ("netstring", 3, b"2:", &[], UNFINISHED),
    ("netstring", 3, b"2:abc", &[], no_netstring("a comma")),
    ("netstring", 3, b"0:0:,", &[], no_netstring("a comma")),
    ("netstring", 3, b"01:a,", &[], no_netstring("a colon")),
    ("netstring", 3, b":a,", &[], no_netstring("a digit")),
    ("netstring", 3, b"1;a,", &[], no_netstring("a digit or a colon")),
    ("netstring", 3, b"12", &[], TOO_LONG),
    ("netstring", usize::MAX, b"99999999999999999999", &[], Err(FrameError::TooLong { most: usize::MAX })),
    ("fixed=2", 3, b"abcd", &[b"ab", b"cd"], Ok(())),
    ("fixed=2", 3, b"abc", &[b"ab"], UNFINISHED),
    ("fixed=4", 3, b"a", &[], TOO_LONG),
    ("burst=1", 3, b"abc", &[b"abc"], Ok(())),
    ("burst=1", 3, b"abcd", &[], TOO_LONG),
];

#[test]
fn streams_are_messages_or_faults_however_they_are_cut() {
    for (name, most, stream, messages, end) in STREAMS {
        let framing = Framing::read(name).unwrap();
        for size in [1, 2, 3, usize::MAX] {
            let (came, ended) = decoded(framing, *most, &pieces(stream, &[size]));
            let stream = stream.escape_ascii();
            assert_eq!(
                (&came[..], ended),
                (&messages.iter().map(|m| m.to_vec()).collect::<Vec<_>>()[..], *end),
                "{name}: {stream} by {size}"
            );
        }
    }
}

/// A framing, a message, and how it is sent.
type Sent<'a> = (&'static str, &'a [u8], Result<&'a [u8], FrameError>);

#[test]
fn what_is_sent_has_its_borders_and_what_cannot_be_told_apart_is_refused() {
    use FrameError::{DelimiterInside, Empty, TooLarge, WrongLength};
    let too_large = |size, most| Err(TooLarge { size, most });
    let table: &[Sent<'_>] = &[
        ("line", b"", Ok(b"\n")),
        ("line", b"hi", Ok(b"hi\n")),
        ("line", b"hi\n", Ok(b"hi\n")),
        ("line", b"hi\r\n", Ok(b"hi\r\n")),
        ("line", b"a\rb", Ok(b"a\rb\n")),
        ("line", b"a\r", Err(DelimiterInside(Delimiter::Line))),
        ("line", b"a\r\r\n", Ok(b"a\r\r\n")),
        ("line", b"\n\n", Err(DelimiterInside(Delimiter::Line))),
        ("line", b"a\nb", Err(DelimiterInside(Delimiter::Line))),
        ("crlf", b"", Ok(b"\r\n")),
        ("crlf", b"hi\n", Ok(b"hi\r\n")),
        ("crlf", b"hi\r\n", Ok(b"hi\r\n")),
        ("crlf", b"a\nb", Ok(b"a\nb\r\n")),
        ("crlf", b"a\r", Ok(b"a\r\r\n")),
        ("crlf", b"a\r\n\n", Err(DelimiterInside(Delimiter::CrLf))),
        ("crlf", b"a\r\nb", Err(DelimiterInside(Delimiter::CrLf))),
        ("nul", b"a\n", Ok(b"a\n\0")),
        ("nul", b"a\0", Err(DelimiterInside(Delimiter::Nul))),
        ("len8", b"abc", Ok(b"\x03abc")),
        ("len16", b"abc", Ok(b"\0\x03abc")),
        ("len16le", b"abc", Ok(b"\x03\0abc")),
        ("len32", b"abc", Ok(b"\0\0\0\x03abc")),
        ("len32le", b"abc", Ok(b"\x03\0\0\0abc")),
        ("varint", &[7; 300], Ok(&[&[0xac, 2], &[7; 300][..]].concat())),
        ("netstring", b"", Ok(b"0:,")),
        ("netstring", b"hello", Ok(b"5:hello,")),
        ("netstring", &[7; 300], Ok(&[b"300:", &[7; 300][..], b","].concat())),
        ("fixed=3", b"abc", Ok(b"abc")),
        ("fixed=3", b"ab", Err(WrongLength { size: 2, fixed: NonZeroU32::new(3).unwrap() })),
        ("burst", b"abc", Ok(b"abc")),
        ("burst=9", b"", Err(Empty)),
        ("len8", &[7; 256], too_large(256, 255)),
        ("line", &[7; 401], too_large(401, 400)),
        ("burst", &[7; 401], too_large(401, 400)),
    ];
    for (name, message, sent) in table {
        let framing = Framing::read(name).unwrap();
        assert_eq!(wire(framing, message, 400, 1000).as_deref(), sent.as_ref().map(|s| &**s), "{name}");
    }
}

#[test]
fn a_length_alone_makes_no_room() {
    for prefix in ["len32", "len32le", "varint", "netstring"] {
        let framing = Framing::read(prefix).unwrap();
        let most = MAX_MESSAGE;
        let wire = wire(framing, &vec![0; most], most, 1 << 20).unwrap();
        let mut decoder = Decoder::new(framing, most);
        assert_eq!(decoder.decode(&mut &wire[..20], &mut Vec::new()), Ok(false));
        assert!(decoder.capacity() <= 20, "{}", decoder.capacity());
    }
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder = Decoder::new(Framing::Prefixed(Prefix::Len8), 3);
    let mut message = Vec::new();
    for mut input in [&b"\x09"[..], b"\x01a", b""] {
        assert_eq!(decoder.decode(&mut input, &mut message).map(|_| ()), TOO_LONG);
    }
    assert_eq!(decoder.finish(&mut message).map(|_| ()), TOO_LONG);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_arrives_however_it_is_cut(
        framing in framing(),
        messages in prop::collection::vec(bytes(4), 0..9),
        cuts in cuts(),
        room in 1..9_usize,
    ) {
        let (mut stream, mut want) = (Vec::new(), Vec::new());
        for message in &messages {
            if let Ok(sent) = wire(framing, message, 4, room) {
                stream.extend(sent);
                want.push(arriving(framing, message).to_vec());
            }
        }
        if let Framing::Burst { .. } = framing {
            // The stream keeps no borders: each sent message is a burst here, and ends as a silence ends it.
            for message in want {
                prop_assert_eq!(decoded(framing, 4, &[&message]), (vec![message], Ok(())));
            }
        } else {
            prop_assert_eq!(decoded(framing, 4, &pieces(&stream, &cuts)), (want, Ok(())));
        }
    }

    #[test]
    fn any_stream_gives_the_same_however_it_is_cut(
        framing in framing(),
        most in 0..20_usize,
        stream in bytes(60),
        cuts in cuts(),
    ) {
        let came = decoded(framing, most, &pieces(&stream, &cuts));
        prop_assert!(came.0.iter().all(|message| message.len() <= most));
        if framing != (Framing::Burst { silence: None }) {
            prop_assert_eq!(came, decoded(framing, most, &pieces(&stream, &[1])));
        }
    }

    #[test]
    fn what_came_can_be_sent_again_and_is_the_same(framing in framing(), stream in bytes(60), cuts in cuts()) {
        let (messages, _) = decoded(framing, 60, &pieces(&stream, &cuts));
        // A CR before the line end is no part of a line, so one that ends in another cannot go as a line again.
        let is_line = framing == Framing::Delimited(Delimiter::Line);
        let same = |message: &&Vec<u8>| arriving(framing, message) == &message[..] && !(is_line && message.ends_with(b"\r"));
        for message in messages.iter().filter(same) {
            let sent = wire(framing, message, 60, 9).unwrap();
            prop_assert_eq!(decoded(framing, 60, &[&sent]), (vec![message.clone()], Ok(())));
        }
    }
}
