use super::*;
use proptest::prelude::*;

/// Items, each with what it carries, and how the stream ended.
type Decoded = (Vec<(Item, Vec<u8>)>, Result<(), WebSocketError>);

/// Everything that a stream holds.
fn decoded(party: Party, most: usize, pieces: &[&[u8]]) -> Decoded {
    let (mut decoder, mut items, mut payload) = (Decoder::new(party, most), Vec::new(), Vec::new());
    for mut piece in pieces.iter().copied() {
        loop {
            match decoder.decode(&mut piece, &mut payload) {
                Ok(Some(item @ (Item::Text | Item::Binary))) => {
                    items.push((item, std::mem::take(&mut payload)))
                }
                Ok(Some(item)) => items.push((item, decoder.control().to_vec())),
                Ok(None) => break,
                Err(error) => return (items, Err(error)),
            }
        }
    }
    assert!(!decoder.is_empty() || decoder.capacity() == 0);
    (items, Ok(()))
}

fn frame(opcode: Opcode, payload: &[u8], key: Option<Key>) -> Vec<u8> {
    let encoded = Encoded::new(opcode, payload.len(), key);
    let mut wire = vec![0; encoded.size()];
    assert_eq!(encoded.fill(payload, 0, &mut wire), wire.len());
    wire
}

const MOST: usize = 1 << 20;

/// The examples of RFC 6455, section 5.7.
#[test]
fn the_examples_of_the_standard_are_understood() {
    let hello = (Item::Text, b"Hello".to_vec());
    let client = |wire: &[u8]| decoded(Party::Client, MOST, &[wire]);
    let server = |wire: &[u8]| decoded(Party::Server, MOST, &[wire]);
    assert_eq!(client(b"\x81\x05Hello"), (vec![hello.clone()], Ok(())));
    assert_eq!(server(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), (vec![hello.clone()], Ok(())));
    assert_eq!(client(b"\x01\x03Hel\x80\x02lo"), (vec![hello.clone()], Ok(())));
    let ping = (Item::Ping, b"Hello".to_vec());
    assert_eq!(client(b"\x01\x03Hel\x89\x05Hello\x80\x02lo"), (vec![ping, hello], Ok(())));
    let key = Some(Key([0x37, 0xfa, 0x21, 0x3d]));
    assert_eq!(frame(Opcode::Pong, b"Hello", key), b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    for size in [125, 126, 256, 65_535, 65_536] {
        let wire = frame(Opcode::Binary, &vec![7; size], None);
        assert_eq!(client(&wire), (vec![(Item::Binary, vec![7; size])], Ok(())), "{size}");
    }
}

#[test]
fn what_breaks_a_rule_is_refused_by_the_rule_that_it_breaks() {
    use WebSocketError as E;
    for (wire, want) in [
        (&b"\xc1\x00"[..], E::Reserved),
        (b"\x83\x00", E::Opcode(3)),
        (b"\x8b\x00", E::Opcode(11)),
        (b"\x81\x85", E::Masked),
        (b"\x09\x00", E::Control),
        (b"\x89\x7e", E::Control),
        (b"\x81\x7e\x00\x7d", E::Length),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", E::Length),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", E::Length),
        (b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", E::TooLarge { most: 1000 }),
        (b"\x82\x7e\x03\xe9", E::TooLarge { most: 1000 }),
        (b"\x02\x01a\x80\x7e\x03\xe8", E::TooLarge { most: 1000 }),
        (b"\x80\x00", E::NothingToContinue),
        (b"\x01\x01a\x81\x00", E::Unfinished),
        (b"\x81\x02a\xff", E::NotText),
        (b"\x01\x02a\xe2\x80\x01b", E::NotText),
        (b"\x81\x02a\xe2", E::NotText),
        (b"\x01\x05\xf4\x90", E::NotText),
        (b"\x88\x01\x03", E::CloseLength),
        (b"\x88\x02\x03\xe7", E::CloseCode(999)),
        (b"\x88\x02\x03\xed", E::CloseCode(1005)),
        (b"\x88\x03\x03\xe8\xff", E::NotText),
    ] {
        let (whole, pieces): (_, Vec<&[u8]>) = (&[wire][..], wire.chunks(1).collect());
        assert_eq!(decoded(Party::Client, 1000, whole).1, Err(want.clone()), "{}", wire.escape_ascii());
        assert_eq!(decoded(Party::Client, 1000, &pieces).1, Err(want), "{}", wire.escape_ascii());
    }
    assert_eq!(decoded(Party::Server, 1000, &[b"\x81\x00"]).1, Err(E::Unmasked));
}

#[test]
fn who_only_promises_much_costs_little() {
    let (mut decoder, mut payload) = (Decoder::new(Party::Client, 16 << 20), Vec::new());
    let mut input = &b"\x82\x7f\x00\x00\x00\x00\x00\xff\xff\xffabc"[..];
    assert_eq!(decoder.decode(&mut input, &mut payload), Ok(None));
    assert!(decoder.capacity() < 64 && decoder.missing() > 1 << 20, "{}", decoder.capacity());
}

#[test]
fn a_close_says_why_and_only_what_a_close_may_say() {
    let close = |code, reason: &str| Close { code, reason: reason.into() };
    for (close, want) in [
        (close(None, "lost"), close(None, "")),
        (close(Some(1005), "lost"), close(None, "")),
        (close(Some(4000), "why"), close(Some(4000), "why")),
        (close(Some(1000), &"\u{e4}".repeat(70)), close(Some(1000), &"\u{e4}".repeat(61))),
    ] {
        let wire = frame(Opcode::Close, &close.payload(), None);
        let (items, _) = decoded(Party::Client, MOST, &[&wire]);
        assert_eq!(items[0].0, Item::Close(want));
    }
    assert_eq!(close(Some(1011), "a\x1b").to_string(), "1011 (an internal error): a\\x1b");
}

/// Messages, in pieces, with pings between them.
fn stream(messages: &[(bool, Vec<u8>, usize)], key: Option<Key>) -> (Vec<u8>, Vec<(Item, Vec<u8>)>) {
    let (mut wire, mut items) = (Vec::new(), Vec::new());
    for (is_text, payload, pieces) in messages {
        let payload: Vec<u8> =
            if *is_text { payload.iter().map(|byte| byte & 0x7f).collect() } else { payload.clone() };
        let size = payload.len() / pieces + 1;
        let mut chunks: Vec<&[u8]> = payload.chunks(size).collect();
        chunks.resize(chunks.len().max(1), &[]);
        let last = chunks.len() - 1;
        for (at, chunk) in chunks.into_iter().enumerate() {
            let opcode = match (at, is_text) {
                (0, true) => Opcode::Text,
                (0, false) => Opcode::Binary,
                _ => Opcode::Continuation,
            };
            let start = wire.len();
            wire.extend(frame(opcode, chunk, key));
            if at < last {
                wire[start] &= 0x7f;
                wire.extend(frame(Opcode::Ping, b"?", key));
                items.push((Item::Ping, b"?".to_vec()));
            }
        }
        items.push((if *is_text { Item::Text } else { Item::Binary }, payload));
    }
    (wire, items)
}

proptest! {
    #[test]
    fn messages_are_the_same_wherever_the_stream_is_cut(
        messages in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..700), 1..4usize), 0..6,
        ),
        key in prop::option::of(any::<[u8; 4]>()),
        size in 1..200usize,
    ) {
        let party = if key.is_some() { Party::Server } else { Party::Client };
        let (wire, want) = stream(&messages, key.map(Key));
        prop_assert_eq!(decoded(party, MOST, &[&wire]), (want.clone(), Ok(())));
        prop_assert_eq!(decoded(party, MOST, &wire.chunks(size).collect::<Vec<_>>()), (want, Ok(())));
    }

    #[test]
    fn a_frame_is_the_same_however_little_room_there_is(
        payload in prop::collection::vec(any::<u8>(), 0..700),
        key in prop::option::of(any::<[u8; 4]>()),
        room in 1..50usize,
    ) {
        let key = key.map(Key);
        let encoded = Encoded::new(Opcode::Binary, payload.len(), key);
        let (mut wire, mut buffer) = (Vec::new(), vec![0; room]);
        while wire.len() < encoded.size() {
            let now = encoded.fill(&payload, wire.len(), &mut buffer);
            wire.extend_from_slice(&buffer[..now]);
        }
        prop_assert_eq!(wire, frame(Opcode::Binary, &payload, key));
    }

    #[test]
    fn text_is_refused_exactly_where_it_is_no_utf8(bytes in prop::collection::vec(any::<u8>(), 0..8), cut in 0..8usize) {
        let (first, rest) = bytes.split_at(cut.min(bytes.len()));
        let mut wire = frame(Opcode::Text, first, None);
        wire[0] &= 0x7f;
        wire.extend(frame(Opcode::Continuation, rest, None));
        let (_, ended) = decoded(Party::Client, MOST, &[&wire]);
        prop_assert_eq!(ended.is_ok(), str::from_utf8(&bytes).is_ok());
    }
}
