use super::*;
use crate::websocket::WebSocketError;
use proptest::prelude::*;

/// The example of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn ask() -> Ask {
    Ask { path: "/chat?a=b".into(), host: "localhost:80".into(), ..Ask::default() }
}

fn request(change: impl Fn(String) -> String) -> Result<Option<usize>, WebSocketError> {
    let text = change(String::from_utf8(ask().write(KEY)).unwrap());
    Ok(Request::read(text.as_bytes())?.map(|request| request.length))
}

fn answer(text: &str) -> Result<Option<Answer<'_>>, WebSocketError> {
    Answer::read(text.as_bytes(), &Ask { subprotocols: vec!["a".into(), "b".into()], ..ask() }, KEY)
}

#[test]
fn the_example_of_the_standard_gives_what_it_says() {
    assert_eq!(accept(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(key(*b"the sample nonce"), KEY);
    assert_eq!(authorization("user:password"), "Basic dXNlcjpwYXNzd29yZA==");
    assert_eq!(authorization("token"), "Bearer token");
}

#[test]
fn a_request_says_all_that_was_asked_for() {
    let ask = Ask {
        origin: Some("http://a".into()),
        subprotocols: vec!["one".into(), "two".into()],
        fields: vec!["X-Y: z".into()],
        ..ask()
    };
    let bytes = [ask.write(KEY), b"frames".to_vec()].concat();
    let request = Request::read(&bytes).unwrap().unwrap();
    assert_eq!((request.target, request.path(), request.host), ("/chat?a=b", "/chat", "localhost:80"));
    assert_eq!((request.origin, &request.subprotocols[..]), (Some("http://a"), &["one", "two"][..]));
    assert_eq!(&bytes[request.length..], b"frames");
    assert!(bytes.windows(8).any(|window| window == b"X-Y: z\r\n"));
}

#[test]
fn what_is_no_handshake_is_refused_with_the_status_that_says_why() {
    let status = |error: &WebSocketError| String::from_utf8(refusal(error)).unwrap()[9..12].to_owned();
    let bad = "400";
    for (from, to, want) in [
        ("GET", "POST", "426"),
        ("HTTP/1.1", "HTTP/1.0", "426"),
        ("HTTP/1.1", "HTTP/2", bad),
        ("GET /", "GET  /", bad),
        ("GET /chat", "GET chat", bad),
        ("Upgrade: websocket\r\n", "", "426"),
        ("Upgrade: websocket", "Upgrade: h2c", "426"),
        ("Connection: Upgrade", "Connection: keep-alive", "426"),
        ("Version: 13", "Version: 8", "426"),
        ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", "426"),
        (KEY, "short", bad),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ=!", bad),
        ("Host: localhost:80\r\n", "", bad),
        ("Host", "Host: a\r\nHost", bad),
        ("Host:", "Host :", bad),
        ("Upgrade:", " Upgrade:", bad),
        ("Host:", "Origin: a\r\nOrigin: b\r\nHost:", bad),
        ("Host:", "Sec-WebSocket-Protocol: a b\r\nHost:", bad),
        ("Host:", "X: a\nb\r\nHost:", bad),
    ] {
        let refused = request(|text| text.replacen(from, to, 1));
        assert_eq!(refused.as_ref().map_err(status), Err(want.into()), "{to:?}");
    }
    for (from, to) in [
        ("Upgrade: websocket", "UPGRADE:\th2c , WebSocket"),
        ("Connection: Upgrade", "connection: keep-alive, UPGRADE"),
        ("GET /", "GET http://localhost:80/"),
        ("Host:", "X:\u{e4}\r\nhost:"),
    ] {
        let taken = request(|text| text.replacen(from, to, 1));
        assert!(matches!(taken, Ok(Some(_))), "{to:?}: {taken:?}");
    }
}

#[test]
fn a_head_has_a_bound() {
    let long = |bytes: usize| {
        request(move |text| text.replace("\r\n\r\n", &format!("\r\nX: {}", "x".repeat(bytes))))
    };
    assert_eq!(long(LONGEST_HEAD), Err(WebSocketError::HeadTooLong));
    assert_eq!(long(9), Ok(None));
    assert!(refusal(&WebSocketError::HeadTooLong).starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn a_page_is_of_the_same_origin_where_its_host_is_the_one_that_was_asked() {
    for (origin, host, is_same) in [
        ("http://localhost:8080", "localhost:8080", true),
        ("http://LOCALHOST", "localhost:80", true),
        ("https://a:443", "a", true),
        ("http://localhost:8080", "localhost:8081", false),
        ("https://a", "a:80", false),
        ("http://evil", "localhost", false),
        ("null", "localhost", false),
    ] {
        let ask = Ask { origin: Some(origin.into()), host: host.into(), ..ask() };
        let bytes = ask.write(KEY);
        assert_eq!(Request::read(&bytes).unwrap().unwrap().is_of_same_origin(), is_same, "{origin} {host}");
    }
    for (host, is_fixed) in [
        ("localhost:8080", true),
        ("127.0.0.1", true),
        ("[::1]:80", true),
        ("[::1]", true),
        ("evil.example:80", false),
        ("localhost.evil.example", false),
    ] {
        let bytes = Ask { host: host.into(), ..ask() }.write(KEY);
        assert_eq!(Request::read(&bytes).unwrap().unwrap().is_host_fixed(), is_fixed, "{host}");
    }
}

#[test]
fn who_speaks_tls_to_a_plain_server_is_not_waited_for() {
    assert_eq!(Request::read(b"\x16\x03\x01\x02\x00").err(), Some(WebSocketError::NotHttp));
    assert_eq!(Request::read(b"GET /chat HT").err(), None);
}

#[test]
fn an_answer_agrees_or_says_why_not() {
    let agreed = "HTTP/1.1 101 Yes\r\nupgrade: WebSocket\r\nconnection: upgrade\r\n\
                  sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: b\r\n\r\n";
    assert_eq!(
        answer(&format!("{agreed}frames")),
        Ok(Some(Answer { subprotocol: Some("b"), length: agreed.len() }))
    );
    assert_eq!(answer("HTT"), Ok(None));
    assert_eq!(answer("SSH-2.0"), Err(WebSocketError::NotHttp));
    for (from, to, want) in [
        ("101", "404", WebSocketError::Answered { status: 404, location: None }),
        (
            "101 Yes",
            "302 Found\r\nLocation: /x",
            WebSocketError::Answered { status: 302, location: Some("/x".into()) },
        ),
        ("101", "1010", WebSocketError::NotHttp),
        ("upgrade: WebSocket\r\n", "", WebSocketError::Field("Upgrade")),
        ("connection: upgrade", "connection: close", WebSocketError::Field("Connection")),
        ("s3pP", "s3pp", WebSocketError::Field("Sec-WebSocket-Accept")),
        ("Protocol: b", "Protocol: c", WebSocketError::Subprotocol("c".into())),
        ("Protocol: b", "Protocol: b, a", WebSocketError::Field("Sec-WebSocket-Protocol")),
        ("Sec-WebSocket-Protocol: b", "X: y", WebSocketError::Subprotocol("a, b".into())),
        (
            "Sec-WebSocket-Protocol: b",
            "Sec-WebSocket-Extensions: x",
            WebSocketError::Field("Sec-WebSocket-Extensions"),
        ),
    ] {
        assert_eq!(answer(&agreed.replacen(from, to, 1)), Err(want), "{to:?}");
    }
}

#[test]
fn a_field_of_ours_cannot_be_set_and_none_has_a_second_line() {
    for field in ["X-Y: z", "Cookie:a=b; c", "X:"] {
        assert!(is_field(field), "{field}");
    }
    for field in
        ["X", ": a", "a b: c", "X: a\r\nY: b", "X: a\nb", "Host: a", "upgrade: b", "Sec-WebSocket-Key: c"]
    {
        assert!(!is_field(field), "{field:?}");
    }
}

proptest! {
    #[test]
    fn what_was_understood_of_a_request_stays_so_whatever_follows(cut in 0..300usize, more in ".{0,16}") {
        let whole = ask().write(KEY);
        let part = &whole[..cut.min(whole.len())];
        let read = Request::read(part).unwrap().map(|request| request.length);
        prop_assert_eq!(read, (part.len() == whole.len()).then_some(whole.len()));
        let longer = [&whole[..], more.as_bytes()].concat();
        prop_assert_eq!(Request::read(&longer).unwrap().unwrap().length, whole.len());
    }

    #[test]
    fn whatever_is_accepted_is_agreed_to(random in any::<[u8; 16]>(), path in "/[!-~]{0,20}", chosen in 0..3usize) {
        let names = ["one".to_owned(), "two".to_owned()];
        let chosen = names.get(chosen).map(String::as_str);
        let subprotocols = if chosen.is_some() { names.to_vec() } else { vec![] };
        let (ask, key) = (Ask { path, subprotocols, ..ask() }, key(random));
        let asked = ask.write(&key);
        let answered = Request::read(&asked).unwrap().unwrap().accept(chosen);
        let answer = Answer::read(&answered, &ask, &key).unwrap().unwrap();
        prop_assert_eq!((answer.subprotocol, answer.length), (chosen, answered.len()));
    }

    #[test]
    fn no_head_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop((Request::read(&bytes), Answer::read(&bytes, &ask(), KEY)));
    }
}
