use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A string that a program may be handed.
fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(1_u8.., 0..20)
}

fn request() -> impl Strategy<Value = Request> {
    let word = || vec(1_u8.., 1..20);
    let words = (word(), vec(string(), 0..5)).prop_map(|(first, rest)| [vec![first], rest].concat());
    let what = prop_oneof![string().prop_map(What::Line), words.prop_map(What::Words)];
    let name = vec((1_u8..).prop_filter("no =", |byte| *byte != b'='), 1..9);
    let window = (any::<u16>(), any::<u16>()).prop_map(|(columns, rows)| Window { columns, rows });
    let flags = any::<(bool, bool)>();
    (what, vec((name, string()), 0..4), string(), prop::option::of(window), flags).prop_map(
        |(what, variables, folder, terminal, (has_input, is_joined))| Request {
            what,
            variables,
            folder,
            terminal,
            has_input,
            is_joined,
        },
    )
}

/// What a test keeps of a message that borrows its data.
#[derive(Debug, Clone)]
enum Kept {
    Client(u32, Request, u8, Vec<u8>, usize),
    Server(u32, i32, String, Vec<u8>, usize),
}

fn kept() -> impl Strategy<Value = Kept> {
    let client = (1_u32.., request(), any::<u8>(), vec(any::<u8>(), 0..40), 0_usize..8);
    let server = (1_u32.., any::<i32>(), ".{0,20}", vec(any::<u8>(), 0..40), 0_usize..9);
    prop_oneof![
        client.prop_map(|(command, request, byte, data, at)| Kept::Client(command, request, byte, data, at)),
        server.prop_map(|(command, number, text, data, at)| Kept::Server(command, number, text, data, at)),
    ]
}

fn from_client<'a>(
    command: u32,
    request: &Request,
    byte: u8,
    data: &'a [u8],
    at: usize,
) -> (u32, FromClient<'a>) {
    let said = match at {
        0 => return (0, FromClient::Hello { version: byte, token: data }),
        1 => FromClient::Start { request: request.clone(), credit: command },
        2 => FromClient::Input(data),
        3 => FromClient::InputEnd,
        4 => FromClient::Signal(byte % 31 + 1),
        5 => FromClient::Window(Window { columns: byte.into(), rows: 25 }),
        6 => FromClient::Credit(command),
        _ => FromClient::Drop,
    };
    (command, said)
}

fn from_server<'a>(
    command: u32,
    number: i32,
    text: &'a str,
    data: &'a [u8],
    at: usize,
) -> (u32, FromServer<'a>) {
    let said = match at {
        0 => return (0, FromServer::Welcome { version: VERSION, most: command }),
        1 => return (0, FromServer::Refused { why: Refusal::NotPermitted, text }),
        2 => FromServer::Refused { why: Refusal::Malformed, text },
        3 => FromServer::Started { credit: command },
        4 => FromServer::Output(data),
        5 => FromServer::Errors(data),
        6 => FromServer::Credit(command),
        7 => FromServer::Exit(Ended::Limit(text)),
        _ => FromServer::Exit(Ended::Signalled(number)),
    };
    (command, said)
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded_and_no_shorter_piece_of_it_is_the_same(kept in kept()) {
        let mut bytes = Vec::new();
        match &kept {
            Kept::Client(command, request, byte, data, at) => {
                let (command, said) = from_client(*command, request, *byte, data, *at);
                said.encode(command, &mut bytes).unwrap();
                prop_assert_eq!(FromClient::decode(&bytes), Ok((command, said.clone())));
                for end in 0..bytes.len() {
                    prop_assert_ne!(FromClient::decode(&bytes[..end]).ok(), Some((command, said.clone())));
                }
            }
            Kept::Server(command, number, text, data, at) => {
                let (command, said) = from_server(*command, *number, text, data, *at);
                said.encode(command, &mut bytes).unwrap();
                prop_assert_eq!(FromServer::decode(&bytes), Ok((command, said)));
                for end in 0..bytes.len() {
                    prop_assert_ne!(FromServer::decode(&bytes[..end]), Ok((command, said)));
                }
            }
        }
    }

    #[test]
    fn a_request_gives_what_stands_behind_it(request in request(), behind in vec(any::<u8>(), 0..9)) {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        bytes.extend(&behind);
        prop_assert_eq!(Request::decode(&bytes), Ok((request, &behind[..])));
    }

    #[test]
    fn any_bytes_are_a_message_or_refused(bytes in vec(any::<u8>(), 0..60), kind in 0_u8..25) {
        let bytes = [&[kind][..], &bytes].concat();
        let mut again = Vec::new();
        if let Ok((command, said)) = FromClient::decode(&bytes) {
            said.encode(command, &mut again).unwrap();
            prop_assert_eq!(FromClient::decode(&again), Ok((command, said)));
        } else if let Ok((command, said)) = FromServer::decode(&bytes) {
            said.encode(command, &mut again).unwrap();
            prop_assert_eq!(FromServer::decode(&again), Ok((command, said)));
        }
    }

    /// Bytes are sent as credit allows and passed on whenever the other side likes: never more than the room is under way, and
    /// once everything is passed on there is credit again.
    #[test]
    fn no_more_is_under_way_than_there_is_room_for_and_credit_always_comes_back(
        room in 1_u32..100,
        steps in vec((1_usize..60, 1_usize..60), 1..60),
    ) {
        let (mut credit, mut allowance) = (Credit::new(room), Allowance::new(room));
        let mut under_way = 0;
        for (sent, taken) in steps {
            let sent = sent.min(credit.left());
            credit.spend(sent);
            allowance.receive(sent).unwrap();
            under_way += sent;
            prop_assert!(under_way <= room as usize);
            let taken = taken.min(under_way);
            under_way -= taken;
            if let Some(more) = allowance.take(taken) {
                credit.grant(more).unwrap();
            }
            if under_way == 0 {
                prop_assert!(credit.left() > 0);
            }
            prop_assert!(allowance.receive(credit.left() + 1).is_err());
        }
    }
}

#[test]
fn the_bytes_of_the_wire_are_these() {
    let mut out = Vec::new();
    FromClient::Hello { version: 1, token: b"secret" }.encode(0, &mut out).unwrap();
    assert_eq!(out, b"\x01\0\0\0\0sockeye-exec\x01secret");
    out.clear();
    let request = Request {
        variables: vec![(b"A".to_vec(), b"=b".to_vec())],
        terminal: Some(Window { columns: 80, rows: 24 }),
        has_input: false,
        ..Request::of(What::Words(vec![b"ls".to_vec(), Vec::new()]))
    };
    FromClient::Start { request, credit: 5 }.encode(7, &mut out).unwrap();
    let start =
        b"\x02\0\0\0\x07\x06\0\x50\0\x18\0\x02\0\0\0\x02ls\0\0\0\0\0\x01\0\0\0\x04A==b\0\0\0\0\0\0\0\x05";
    assert_eq!(out, start);
    out.clear();
    FromServer::Exit(Ended::Exited(-2)).encode(258, &mut out).unwrap();
    assert_eq!(out, b"\x16\0\0\x01\x02\0\xff\xff\xff\xfe");
    assert_eq!(Stream::Output.head(258), *b"\x13\0\0\x01\x02");
    assert_eq!(Stream::Errors.head(1), *b"\x14\0\0\0\x01");
    assert_eq!(Stream::Input.head(1), *b"\x03\0\0\0\x01");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let start = |flags: u8, rest: &[u8]| [&b"\x02\0\0\0\x01"[..], &[flags, 0, 0, 0, 0], rest].concat();
    for (message, error) in [
        (b"\x01\0\0\0\0sockeye".to_vec(), ExecError::Magic),
        (b"\x01\0\0\0\0sockeye-file\x01".to_vec(), ExecError::Magic),
        (b"\x01\0\0\0\x01sockeye-exec\x01".to_vec(), ExecError::Command),
        (b"\x08\0\0\0\0".to_vec(), ExecError::Command),
        (b"\x08\0\0\0\x01x".to_vec(), ExecError::Trailing),
        (b"\x08\0\0".to_vec(), ExecError::Short),
        (b"".to_vec(), ExecError::Short),
        (b"\x13\0\0\0\x01x".to_vec(), ExecError::Type(19)),
        (b"\x05\0\0\0\x01\0".to_vec(), ExecError::Kind(0)),
        (b"\x05\0\0\0\x01\x20".to_vec(), ExecError::Kind(32)),
        (b"GET / HTTP/1.1\r\n".to_vec(), ExecError::Type(b'G')),
        (start(16, b"\0\x01\0\0\0\x01x\0\0\0\0\0\0\0\0\0\0"), ExecError::Flag),
        (start(0, b"\0\0\0\0\0\0\0\0\0\0\0\0"), ExecError::Words),
        (start(0, b"\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ExecError::Words),
        (start(1, b"\0\x02\0\0\0\x01x\0\0\0\x01x\0\0\0\0\0\0\0\0\0\0"), ExecError::Words),
        (start(0, b"\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0"), ExecError::Nul),
        (start(0, b"\0\x01\xff\xff\xff\xffx\0\0\0\0\0\0\0\0\0\0"), ExecError::Short),
        (start(0, b"\0\x01\0\0\0\x01x\0\x01\0\0\0\x02=x\0\0\0\0\0\0\0\0"), ExecError::Assignment),
        (start(0, b"\0\x01\0\0\0\x01x\0\x01\0\0\0\x02xx\0\0\0\0\0\0\0\0"), ExecError::Assignment),
        ([&b"\x03\0\0\0\x01"[..], &vec![0; MAX_BODY + 1]].concat(), ExecError::Long),
    ] {
        assert_eq!(FromClient::decode(&message), Err(error), "{:?}", message.get(..40).unwrap_or(&message));
    }
    for (message, error) in [
        (&b"\x16\0\0\0\x01\x03\0\0\0\0"[..], ExecError::Kind(3)),
        (b"\x17\0\0\0\x01\x05", ExecError::Kind(5)),
        (b"\x17\0\0\0\x01\x01\xff", ExecError::Text),
        (b"\x11\0\0\0\x01\x01\0\0\0\0", ExecError::Command),
        (b"\x13\0\0\0\0x", ExecError::Command),
        (b"\x01\0\0\0\0sockeye-exec\x01", ExecError::Type(1)),
    ] {
        assert_eq!(FromServer::decode(message), Err(error), "{message:?}");
    }
}

#[test]
fn what_is_too_long_for_a_message_is_not_encoded() {
    let mut out = b"before".to_vec();
    let (most, more) = (vec![0; MAX_BODY], vec![0; MAX_BODY + 1]);
    assert_eq!(FromServer::Output(&more).encode(1, &mut out), Err(ExecError::Long));
    let request = Request::of(What::Line(more.clone()));
    assert_eq!(FromClient::Start { request, credit: 1 }.encode(1, &mut out), Err(ExecError::Long));
    assert_eq!(out, b"before");
    FromClient::Input(&most).encode(1, &mut out).unwrap();
    assert_eq!(out.len(), 6 + MAX_MESSAGE);
}

#[test]
fn credit_that_cannot_be_counted_is_refused() {
    let mut credit = Credit::new(u32::MAX - 1);
    assert_eq!(credit.grant(2), Err(ExecError::Credit));
    assert_eq!(credit.grant(1), Ok(()));
    assert_eq!(credit.left(), u32::MAX as usize);
}
