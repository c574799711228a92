//! `ws+`: what goes over the wire, what is refused, and how it ends; one side is ours, and the other one writes bytes.

use std::future::poll_fn;
use std::time::Duration;

use sockeye::proto::websocket::{Close, WebSocketError};
use sockeye::{Cause, Conn, Content, Ctx, Error, Kind, Message, Newcomers, Op, Payload, Result, Size};
use tokio::time::{Instant, timeout};

use crate::lab::{accept, assert_same, dial, get, listen, numbered, receive, rest, soon};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What a client without sockeye has said, and a listener makes of it.
async fn server(options: &str, said: &[u8], ctx: &Ctx) -> (Result<Conn>, Conn) {
    let mut listening = listen(&format!("ws+mem-l:x{options}"), ctx).await;
    let mut bytes = dial("mem:x", ctx).await;
    bytes.write_all(said).await.unwrap();
    if !said.ends_with(b"\r\n\r\n") && !said.windows(4).any(|window| window == b"\r\n\r\n") {
        bytes.shutdown_write().await.unwrap();
    }
    (soon("a handshake", listening.accept()).await, bytes)
}

/// A server of ours behind its handshake, and the bytes at its other end.
async fn served(options: &str, said: &[u8], ctx: &Ctx) -> (Conn, Conn) {
    let (conn, mut bytes) = server(options, &[REQUEST.as_bytes(), said].concat(), ctx).await;
    assert_eq!(get(&mut bytes, ANSWER.len()).await, ANSWER.as_bytes());
    (conn.unwrap(), bytes)
}

/// Both sides ours.
async fn both(client: &str, server: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen(&format!("ws+mem-l:x{server}"), ctx).await;
    let (client, server) = tokio::join!(dial_ws(client, ctx), listening.accept());
    (client.unwrap(), server.unwrap())
}

async fn dial_ws(options: &str, ctx: &Ctx) -> Result<Conn> {
    soon("a handshake", sockeye::dial(&format!("ws+mem:x{options}"), ctx)).await
}

#[track_caller]
fn fault(error: &Error) -> WebSocketError {
    let Cause::WebSocket(fault) = error.cause() else { panic!("{error:?}") };
    fault.clone()
}

/// Frames of a client, with a key of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0], payload].concat()
}

#[tokio::test(start_paused = true)]
async fn what_breaks_a_rule_is_answered_with_a_close_that_says_which() {
    for (said, code) in [
        (&b"\x81\x05hello"[..], 1002),
        (b"\xc1\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x89\xfe\0\x7e", 1002),
        (b"\x88\x81\0\0\0\0a", 1002),
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),
        (b"\x82\xfe\x03\xe9\0\0\0\0", 1009),
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009),
    ] {
        let (mut conn, mut bytes) = served(",max-message=1000", said, &Ctx::default()).await;
        let error = soon("an error", conn.receive(&mut Message::default())).await.unwrap_err();
        assert_eq!((error.op(), fault(&error).code()), (Op::Read, Some(code)), "{}", said.escape_ascii());
        let close = rest(&mut bytes).await.unwrap();
        assert_eq!(close[0], 0x88, "{}", close.escape_ascii());
        assert_eq!(close[2..4], code.to_be_bytes(), "{}", said.escape_ascii());
        assert_eq!(fault(&conn.receive(&mut Message::default()).await.unwrap_err()).code(), Some(code));
    }
}

#[tokio::test]
async fn who_asks_for_something_else_is_told_so_in_http() {
    let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let from = |origin: &str| REQUEST.replacen("Host", &format!("Origin: {origin}\r\nHost"), 1);
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000));
    for (options, said, status) in [
        ("", plain.to_owned(), "426"),
        ("", "\x16\x03\x01 hello\r\n\r\n".to_owned(), "400"),
        ("", long, "431"),
        (",path=/other", REQUEST.to_owned(), "404"),
        (",origin=https://a", from("https://b"), "403"),
        (",origin=https://a", from("https://A"), "101"),
        (",origin=any", from("https://b"), "101"),
        (",path=/chat", REQUEST.replacen("chat", "chat?x", 1), "101"),
        ("", from("https://b"), "101"),
    ] {
        let (conn, mut bytes) = server(options, said.as_bytes(), &Ctx::default()).await;
        assert_eq!(String::from_utf8(get(&mut bytes, 12).await).unwrap(), format!("HTTP/1.1 {status}"));
        assert_eq!(conn.is_ok(), status == "101", "{options} {said:?}");
        if let Err(error) = conn {
            assert_eq!(error.op(), Op::Handshake, "{error:?}");
        }
    }
}

/// A page that a browser shows can open a WebSocket to this machine, and the kernel says that it is ours.
#[tokio::test]
async fn where_it_matters_who_comes_only_pages_of_this_very_server_may() {
    for newcomers in [Newcomers::Identified, Newcomers::Ours] {
        let mut ctx = Ctx::default();
        ctx.limits.newcomers = newcomers;
        for (origin, host, is_in) in [
            ("http://evil.example", "localhost", false),
            ("http://evil.example", "evil.example", false),
            ("null", "localhost", false),
            ("http://localhost", "localhost", true),
            ("http://127.0.0.1:81", "127.0.0.1:81", true),
        ] {
            let asked = REQUEST.replacen("Host: localhost", &format!("Origin: {origin}\r\nHost: {host}"), 1);
            let (conn, _bytes) = server("", asked.as_bytes(), &ctx).await;
            assert_eq!(conn.is_ok(), is_in, "{origin} of {host}");
        }
        let (conn, _bytes) = server(",origin=http://evil.example", REQUEST.as_bytes(), &ctx).await;
        assert!(conn.is_ok(), "who is no page needs no origin");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_waited_for_as_long_as_a_handshake_may_take() {
    let ctx = Ctx::default();
    let mut listening = listen("ws+mem-l:x,handshake=3s", &ctx).await;
    let mut bytes = dial("mem:x", &ctx).await;
    bytes.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let began = Instant::now();
    let error = listening.accept().await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs()), (Kind::TimeLimit, 3), "{error:?}");
}

#[tokio::test]
async fn frames_that_come_with_the_handshake_are_taken() {
    let glued = [masked(0x81, b"hello"), masked(0x02, b"ab"), masked(0x80, b"cd")].concat();
    let (mut conn, _bytes) = served("", &glued, &Ctx::default()).await;
    let message = receive(&mut conn).await;
    assert_eq!((&message.payload[..], message.content), (&b"hello"[..], Content::Text));
    let message = receive(&mut conn).await;
    assert_eq!((&message.payload[..], message.content), (&b"abcd"[..], Content::Binary));
}

#[tokio::test]
async fn a_ping_is_answered_while_nobody_sends_and_never_within_a_message() {
    let (mut conn, mut bytes) = served("", &masked(0x89, b"there?"), &Ctx::default()).await;
    let mut message = Message::default();
    assert!(timeout(Duration::from_millis(20), conn.receive(&mut message)).await.is_err());
    assert_eq!(get(&mut bytes, 8).await, b"\x8a\x06there?");

    // A large message is under way, and its reader slow.
    let large = numbered(300_000);
    let sending = async { conn.send(&large).await.map(|()| conn) };
    let reading = async {
        bytes.write_all(&masked(0x89, b"again?")).await.unwrap();
        let head = get(&mut bytes, 10).await;
        assert_eq!(head[..2], [0x82, 127]);
        assert_same(&get(&mut bytes, large.len()).await, &large);
        bytes
    };
    let (conn, mut bytes) = tokio::join!(sending, reading);
    let mut conn = conn.unwrap();
    assert!(timeout(Duration::from_millis(20), conn.receive(&mut message)).await.is_err());
    assert_eq!(get(&mut bytes, 8).await, b"\x8a\x06again?");
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_asked_and_is_gone_where_it_does_not_answer() {
    let (mut conn, mut bytes) = served(",ping=30s", b"", &Ctx::default()).await;
    let began = Instant::now();
    let receiving = async {
        let mut message = Message::default();
        conn.receive(&mut message).await
    };
    let answering = async {
        let mut asked = [0; 9];
        assert_eq!((bytes.read(&mut asked).await.unwrap(), &asked[..2]), (2, &b"\x89\x00"[..]));
        assert_eq!(began.elapsed().as_secs(), 30);
        bytes.write_all(&masked(0x8a, b"")).await.unwrap();
        assert_eq!(timeout(Duration::from_secs(60), bytes.read(&mut [0; 9])).await.unwrap().unwrap(), 2);
        assert_eq!(began.elapsed().as_secs(), 60);
    };
    let (received, ()) = tokio::join!(receiving, answering);
    let error = received.unwrap_err();
    assert_eq!(fault(&error), WebSocketError::Silent(Duration::from_secs(60)));
    assert!((90..93).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn messages_that_are_fed_share_a_write_and_an_idle_connection_holds_no_buffer() {
    let ctx = Ctx::default();
    let (mut conn, mut bytes) = served("", b"", &ctx).await;
    for text in [&b"one"[..], b"two"] {
        poll_fn(|cx| conn.poll_feed(cx, text)).await.unwrap();
    }
    poll_fn(|cx| conn.poll_flush(cx)).await.unwrap();
    let mut buffer = [0; 64];
    let read = bytes.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], b"\x81\x03one\x81\x03two");

    let mut marked = ctx.buffers.lend(Size::Small);
    marked.fill(7);
    ctx.buffers.give_back(marked);
    assert!(timeout(Duration::from_millis(5), conn.receive(&mut Message::default())).await.is_err());
    assert_eq!(ctx.buffers.lend(Size::Small)[..9], [7; 9], "the buffer is lent already");
}

#[tokio::test]
async fn what_nobody_says_the_kind_of_goes_as_text_where_it_is_and_as_the_address_says() {
    let binary = &b"\xff"[..];
    for (options, bytes, content, want) in [
        ("", &b"text"[..], Content::Unknown, Some(Content::Text)),
        ("", binary, Content::Unknown, Some(Content::Binary)),
        ("", b"text", Content::Binary, Some(Content::Binary)),
        ("", binary, Content::Text, None),
        (",as=binary", b"text", Content::Unknown, Some(Content::Binary)),
        (",as=binary", b"text", Content::Text, Some(Content::Text)),
        (",as=text", b"text", Content::Unknown, Some(Content::Text)),
        (",as=text", binary, Content::Unknown, None),
    ] {
        let (mut client, mut server) = both(options, "", &Ctx::default()).await;
        let sent = client.send(Payload { bytes, content }).await;
        match want {
            Some(want) => {
                sent.unwrap();
                assert_eq!(receive(&mut server).await.content, want, "{options}");
            }
            None => assert!(sent.unwrap_err().is_refusal(), "{options}"),
        }
        client.send(b"next").await.unwrap();
        assert_eq!(receive(&mut server).await.payload, b"next");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_word_is_answered_with_its_code_and_the_server_closes_first() {
    let (mut conn, mut bytes) = served("", &masked(0x88, b"\x0f\xa0bye"), &Ctx::default()).await;
    assert!(!conn.receive(&mut Message::default()).await.unwrap());
    assert_eq!(conn.closing(), Some(Close { code: Some(4000), reason: "bye".into() }));
    assert!(
        timeout(Duration::from_secs(9), bytes.read(&mut [0; 9])).await.is_err(),
        "answered before the end"
    );
    conn.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut bytes).await.unwrap(), b"\x88\x02\x0f\xa0");

    // A client waits for that, but not for ever.
    let (mut client, mut server) = both("", "", &Ctx::default()).await;
    client.shutdown_write().await.unwrap();
    assert!(!server.receive(&mut Message::default()).await.unwrap());
    assert_eq!(server.closing(), Some(Close::of(Close::NORMAL)));
    assert_eq!(client.send(b"behind the end").await.unwrap_err().kind(), Kind::Reset);
    server.shutdown_write().await.unwrap();
    assert!(!client.receive(&mut Message::default()).await.unwrap());
}

#[tokio::test]
async fn who_goes_without_a_close_is_told_so() {
    let (mut conn, bytes) = served("", &masked(0x81, b"hello"), &Ctx::default()).await;
    drop(bytes);
    assert_eq!(receive(&mut conn).await.payload, b"hello");
    let error = conn.receive(&mut Message::default()).await.unwrap_err();
    assert_eq!((fault(&error), error.kind()), (WebSocketError::Gone, Kind::Reset));
}

#[tokio::test]
async fn a_client_says_who_it_is_and_is_told_why_it_may_not_come_in() {
    let ctx = Ctx::default();
    for (answer, want) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
            WebSocketError::Answered { status: 302, location: Some("/x".into()) },
        ),
        ("SSH-2.0-OpenSSH\r\n", WebSocketError::NotHttp),
        (ANSWER, WebSocketError::Field("Sec-WebSocket-Accept")),
    ] {
        let mut listening = listen("mem-l:x", &ctx).await;
        let answering = async {
            let mut bytes = accept(&mut listening).await;
            let mut buffer = vec![0; 1000];
            let read = bytes.read(&mut buffer).await.unwrap();
            bytes.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(buffer[..read].to_vec()).unwrap()
        };
        let options = ",path=/chat?a,host=h:1,origin=https://o,header=X-A:b,header=X-C: d";
        let (conn, asked) = tokio::join!(dial_ws(options, &ctx), answering);
        assert_eq!(fault(&conn.unwrap_err()), want);
        for line in ["GET /chat?a HTTP/1.1", "Host: h:1", "Origin: https://o", "X-A:b", "X-C: d"] {
            assert!(asked.contains(&format!("{line}\r\n")), "{line} is not in {asked}");
        }
    }
}

#[tokio::test]
async fn a_subprotocol_is_one_that_both_sides_speak() {
    let ctx = Ctx::default();
    both(",subprotocol=b,subprotocol=a", ",subprotocol=a,subprotocol=b", &ctx).await;
    let mut listening = listen("ws+mem-l:x,subprotocol=c", &ctx).await;
    let (client, _server) = tokio::join!(dial_ws(",subprotocol=a", &ctx), listening.accept());
    assert_eq!(fault(&client.unwrap_err()), WebSocketError::Subprotocol("a".into()));
}

#[tokio::test]
async fn a_secret_comes_from_a_file_and_is_one_line() {
    let scratch = testkit::Scratch::new();
    let path = scratch.path("secret");
    for (secret, is_taken) in [("user:pässword\n", true), ("token", true), ("", false), ("a\nb", false)] {
        std::fs::write(&path, secret).unwrap();
        let word = format!("ws+mem:x,auth=file:{}", path.display());
        assert_eq!(sockeye::dialler(&word, &Ctx::default()).is_ok(), is_taken, "{secret:?}");
    }
    let error = sockeye::dialler("ws+mem:x,auth=file:/nowhere/at-all", &Ctx::default()).unwrap_err();
    assert_eq!((error.kind(), error.op()), (Kind::NotFound, Op::Dial));
    for wrong in ["origin=https://a,origin=https://b", "origin=any"] {
        assert!(sockeye::dialler(&format!("ws+mem:x,{wrong}"), &Ctx::default()).is_err(), "{wrong}");
    }
}
