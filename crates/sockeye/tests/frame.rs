//! `frame=`: messages over bytes, their borders, their limits, and what is held meanwhile.

use std::future::poll_fn;
use std::time::Duration;

use sockeye::proto::frame::FrameError;
use sockeye::{Cause, Conn, Ctx, Kind, Message, Op, Size};
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{Server, accept, assert_same, dial, echo, get, listen, numbered, rest, soon};

/// A framed end, and the bytes at its other end.
async fn framed(options: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen("mem-l:x", ctx).await;
    let framed = dial(&format!("mem:x,{options}"), ctx).await;
    (framed, accept(&mut listening).await)
}

fn frame_error(error: &sockeye::Error) -> FrameError {
    let Cause::Frame(error) = error.cause() else { panic!("{error}: {}", error.cause()) };
    *error
}

#[tokio::test]
async fn each_framing_has_its_borders_on_the_wire_and_one_write_has_all_of_a_short_message() {
    for (frame, wire) in [
        ("line", &b"hello\n"[..]),
        ("crlf", b"hello\r\n"),
        ("nul", b"hello\0"),
        ("len8", b"\x05hello"),
        ("len16", b"\0\x05hello"),
        ("len32", b"\0\0\0\x05hello"),
        ("len16le", b"\x05\0hello"),
        ("len32le", b"\x05\0\0\0hello"),
        ("varint", b"\x05hello"),
        ("netstring", b"5:hello,"),
        ("fixed=5", b"hello"),
        ("burst", b"hello"),
    ] {
        let (mut framed, mut bytes) = framed(&format!("frame={frame}"), &Ctx::default()).await;
        framed.send(b"hello").await.unwrap();
        let mut buffer = [0; 64];
        let read = soon("a read", bytes.read(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..read], wire, "{frame}");
        bytes.write_all(wire).await.unwrap();
        assert_eq!(get(&mut framed, 0).await, b"hello", "{frame}");
        assert_eq!((framed.counts().sent(), framed.counts().received()), (5, 5), "{frame}");

        framed.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut bytes).await.unwrap(), b"", "{frame}");
        bytes.shutdown_write().await.unwrap();
        for _ in 0..2 {
            assert!(!soon("the end", framed.receive(&mut Message::default())).await.unwrap(), "{frame}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_fed_share_a_write_and_go_with_the_flush_the_next_message_or_the_end() {
    let (mut framed, mut bytes) = framed("frame=line", &Ctx::default()).await;
    let feed = async |framed: &mut Conn, text: &[u8]| poll_fn(|cx| framed.poll_feed(cx, text)).await;
    let mut buffer = [0; 64];
    for text in [&b"one"[..], b"two"] {
        feed(&mut framed, text).await.unwrap();
    }
    assert!(timeout(Duration::from_secs(60), bytes.read(&mut buffer)).await.is_err(), "nothing is held back");
    assert!(matches!(feed(&mut framed, b"line\nend").await, Err(error) if error.kind() == Kind::Other));
    poll_fn(|cx| framed.poll_flush(cx)).await.unwrap();
    let read = bytes.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], b"one\ntwo\n");

    feed(&mut framed, b"three").await.unwrap();
    framed.send(b"four").await.unwrap();
    let read = bytes.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], b"three\nfour\n");
    feed(&mut framed, b"five").await.unwrap();
    framed.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut bytes).await.unwrap(), b"five\n");
}

#[tokio::test]
async fn more_than_is_held_back_goes_in_order_and_bursts_stay_apart() {
    let (mut framed, mut bytes) = framed("frame=len32", &Ctx::default()).await;
    let message = numbered(100_000);
    let feeding = async {
        for _ in 0..3 {
            poll_fn(|cx| framed.poll_feed(cx, &message)).await.unwrap();
        }
        framed.shutdown_write().await.unwrap();
    };
    let ((), wire) = tokio::join!(feeding, rest(&mut bytes));
    let one = [&100_000_u32.to_be_bytes()[..], &message].concat();
    assert_same(&wire.unwrap(), &one.repeat(3));

    let (mut framed, mut bytes) = self::framed("frame=burst", &Ctx::default()).await;
    for text in [&b"one"[..], b"two"] {
        poll_fn(|cx| framed.poll_feed(cx, text)).await.unwrap();
        let mut buffer = [0; 64];
        let read = soon("a burst", bytes.read(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..read], text);
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_read_brings_is_handed_out_one_by_one_and_the_buffer_goes_back_with_the_last() {
    let ctx = Ctx::default();
    let (mut framed, mut bytes) = framed("frame=line", &ctx).await;
    bytes.write_all(b"one\r\n\ntwo\nthr").await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"one");
    assert_eq!(ctx.buffers.lend(Size::Small)[..3], *b"\0\0\0", "the buffer was given back too early");
    assert_eq!(get(&mut framed, 0).await, b"");
    assert_eq!(get(&mut framed, 0).await, b"two");

    let mut message = Message::default();
    assert!(timeout(Duration::from_secs(60), framed.receive(&mut message)).await.is_err());
    let kept = ctx.buffers.lend(Size::Small);
    assert_eq!(kept[..3], *b"one", "an idle connection holds a buffer");

    bytes.write_all(b"ee").await.unwrap();
    bytes.shutdown_write().await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"three");
    assert!(!framed.receive(&mut message).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_what_is_under_way_goes_and_comes_whole() {
    for frame in ["len32", "netstring", "varint", "fixed=1048576", "burst=100"] {
        let ctx = Ctx::default();
        let listening = listen(&format!("mem-l:x,frame={frame}"), &ctx).await;
        let mut server = Server::start(listening, echo(), &ctx);
        let mut client = dial(&format!("mem:x,frame={frame}"), &ctx).await;
        let long = numbered(1 << 20);
        for _ in 0..2 {
            soon("room for a message", client.send(&long)).await.unwrap();
            assert_same(&get(&mut client, 0).await, &long);
        }
        drop(client);
        ctx.stop.drain();
        assert_eq!(server.served().await.failed, 0, "{frame}");
    }
}

#[tokio::test]
async fn an_end_inside_a_message_is_an_error_that_stays() {
    let (mut framed, mut bytes) = framed("frame=len16", &Ctx::default()).await;
    bytes.write_all(b"\0\x02hi\0\x03ab").await.unwrap();
    bytes.shutdown_write().await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"hi");
    for _ in 0..2 {
        let error = rest(&mut framed).await.unwrap_err();
        assert_eq!(frame_error(&error), FrameError::Unfinished);
        assert_eq!((error.op(), error.address()), (Op::Read, Some("mem:x")));
        assert_eq!(error.cause().to_string(), "the connection ended inside a message");
    }
    // The other way is open still.
    framed.send(b"answer").await.unwrap();
    assert_eq!(get(&mut bytes, 8).await, b"\0\x06answer");
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_as_soon_as_that_shows() {
    for (options, bytes_sent, most) in [
        ("frame=line,max-message=4", &b"hello"[..], 4),
        ("frame=line,max-message=4", b"hell\n12345\n", 4),
        ("frame=len32", b"\x01\0\0\x01", 16 << 20),
        ("frame=netstring,max-message=1k", b"1025", 1024),
        ("frame=burst,max-message=4", b"hello", 4),
        ("frame=burst=60000,max-message=4", b"hello", 4),
    ] {
        let (mut framed, mut bytes) = framed(options, &Ctx::default()).await;
        bytes.write_all(bytes_sent).await.unwrap();
        for _ in 0..2 {
            let error = rest(&mut framed).await.unwrap_err();
            assert_eq!(frame_error(&error), FrameError::TooLong { most }, "{options}");
            assert_eq!(error.kind(), Kind::TooLarge, "{options}");
        }
    }
}

#[tokio::test]
async fn a_message_that_its_frame_cannot_carry_leaves_no_trace() {
    for (options, refused, sent, wire) in [
        ("frame=line", &b"a\nb"[..], &b"c"[..], &b"c\n"[..]),
        ("frame=crlf", b"a\r\nb", b"c", b"c\r\n"),
        ("frame=nul", b"a\0", b"c", b"c\0"),
        ("frame=fixed=2", b"a", b"bc", b"bc"),
        ("frame=fixed=2", b"abc", b"bc", b"bc"),
        ("frame=len8", &[7; 256], b"c", b"\x01c"),
        ("frame=len16,max-message=2", b"abc", b"c", b"\0\x01c"),
        ("frame=burst", b"", b"c", b"c"),
    ] {
        let (mut framed, mut bytes) = framed(options, &Ctx::default()).await;
        let error = framed.send(refused).await.unwrap_err();
        assert!(error.is_refusal(), "{options}: {error:?}");
        assert_eq!((error.op(), framed.counts().sent()), (Op::Write, 0), "{options}");
        framed.send(sent).await.unwrap();
        framed.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut bytes).await.unwrap(), wire, "{options}");
    }
}

#[tokio::test]
async fn a_connection_says_how_large_its_messages_may_be() {
    for (options, most) in [
        ("frame=line", 16 << 20),
        ("frame=len8", 255),
        ("frame=len16le", 65_535),
        ("frame=len32,max-message=32M", 32 << 20),
        ("frame=len8,max-message=32M", 255),
        ("frame=fixed=512", 512),
    ] {
        let (framed, _bytes) = framed(options, &Ctx::default()).await;
        assert_eq!(framed.max_message(), Some(most), "{options}");
        assert!(framed.bare().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_silence_a_burst_is_what_comes_until_nothing_comes() {
    let ctx = Ctx::default();
    let (mut framed, mut bytes) = framed("frame=burst=50", &ctx).await;
    let begun = Instant::now();
    let writing = async {
        for part in ["what ", "comes ", "apart"] {
            bytes.write_all(part.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(40)).await;
        }
    };
    let (came, ()) = tokio::join!(get(&mut framed, 0), writing);
    assert_eq!(came, b"what comes apart");
    assert_eq!(begun.elapsed(), Duration::from_millis(80 + 50));

    // Between bursts a silence is none.
    let mut message = Message::default();
    assert!(timeout(Duration::from_secs(60), framed.receive(&mut message)).await.is_err());
    bytes.write_all(b"again").await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"again");

    // The end is as good as a silence.
    let begun = Instant::now();
    bytes.write_all(b"the last").await.unwrap();
    bytes.shutdown_write().await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"the last");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(!framed.receive(&mut message).await.unwrap());
}
