//! The message shape: borders, sizes, messages made of bytes by `frame=`, and services that answer datagrams without
//! a session.

use std::time::Duration;

use sockeye::{
    BoxFuture, Cause, Conn, Content, Ctx, Datagrams, Event, Kind, Message, Op, Replies, Result, SCHEMES,
    Service, Wants, Way,
};
use std::sync::Arc;
use tokio::time::timeout;

use crate::lab::{
    Server, accept, address, assert_same, dial, echo, get, listen, numbered, put, rest, send_back, soon,
};

/// Two ends of a connection inside this process.
async fn pair(word: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen(&word.replacen(':', "-l:", 1), ctx).await;
    (dial(word, ctx).await, accept(&mut listening).await)
}

#[tokio::test]
async fn messages_keep_their_borders_and_an_empty_one_is_a_message() {
    let (mut one, mut other) = pair("mem-seq:x", &Ctx::default()).await;
    let messages: [&[u8]; 6] = [b"one", b"", b"two\nlines", b"\0", b"", b"last"];
    for message in messages {
        one.send(message).await.unwrap();
    }
    one.shutdown_write().await.unwrap();
    let mut message = Message::default();
    for want in messages {
        assert!(other.receive(&mut message).await.unwrap());
        assert_eq!(message.payload, want);
        assert!(!message.cut && message.dropped_before == 0 && message.content == Content::Unknown);
    }
    assert!(!other.receive(&mut message).await.unwrap(), "{message:?}");
    other.send(b"an answer").await.unwrap();
    assert_eq!(get(&mut one, 0).await, b"an answer");
}

#[tokio::test]
async fn the_largest_message_goes_whole_and_a_larger_one_not_at_all() {
    let ctx = Ctx::default();
    let row = SCHEMES.iter().find(|row| row.grammar.name == "mem-seq").unwrap();
    let most = row.max_message.unwrap();
    let (mut one, mut other) = pair("mem-seq:x", &ctx).await;
    assert_eq!((one.max_message(), other.max_message()), (Some(most), Some(most)));
    let large = numbered(most + 1);
    let error = one.send(&large).await.unwrap_err();
    assert!(
        matches!(error.cause(), Cause::TooLarge { size, most: limit } if *size == most + 1 && *limit == most)
    );
    assert_eq!((error.kind(), error.op(), error.address()), (Kind::TooLarge, Op::Write, Some("mem-seq:x")));
    assert_eq!(one.counts().sent(), 0);

    // The connection is none the worse for it.
    one.send(&large[..most]).await.unwrap();
    assert_same(&get(&mut other, most).await, &large[..most]);
}

#[tokio::test]
async fn a_buffer_is_used_again_and_nothing_of_the_last_message_shows() {
    let (mut one, mut other) = pair("mem-seq:x", &Ctx::default()).await;
    let mut message = Message { cut: true, dropped_before: 7, ..Message::default() };
    one.send(&numbered(4096)).await.unwrap();
    one.send(b"short").await.unwrap();
    assert!(other.receive(&mut message).await.unwrap());
    let place = message.payload.as_ptr();
    assert!(other.receive(&mut message).await.unwrap());
    assert_eq!((&message.payload[..], message.payload.as_ptr()), (&b"short"[..], place));
    assert!(!message.cut && message.dropped_before == 0);
}

#[tokio::test(start_paused = true)]
async fn with_frame_burst_each_read_is_a_message() {
    let ctx = Ctx::default();
    let mut listening = listen("mem-l:x", &ctx).await;
    let mut framed = dial("mem:x,frame=burst", &ctx).await;
    let mut bytes = accept(&mut listening).await;
    assert_eq!(framed.peer().through, ["frame"]);
    assert!(framed.bare().is_none() && framed.half_close() && framed.max_message() == Some(16 << 20));

    bytes.write_all(b"what comes together").await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"what comes together");
    for part in ["what ", "comes apart"] {
        bytes.write_all(part.as_bytes()).await.unwrap();
        assert_eq!(get(&mut framed, 0).await, part.as_bytes());
    }
    framed.send(b"one").await.unwrap();
    framed.send(b"two").await.unwrap();
    assert_eq!(get(&mut bytes, 6).await, b"onetwo");

    // A message that does not fit at once goes on where it stopped.
    let long = numbered(1 << 20);
    let (sent, came) = tokio::join!(framed.send(&long), get(&mut bytes, 1 << 20));
    sent.unwrap();
    assert_same(&came, &long);
    assert_eq!((framed.counts().sent(), framed.counts().received()), (6 + (1 << 20), 35));

    framed.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut bytes).await.unwrap(), b"");
    bytes.write_all(b"still here").await.unwrap();
    assert_eq!(get(&mut framed, 0).await, b"still here");
    bytes.abort();
    drop(bytes);
    assert_eq!(rest(&mut framed).await.unwrap_err().kind(), Kind::Reset);
}

#[tokio::test]
async fn a_listener_puts_its_frame_on_whoever_comes() {
    let ctx = Ctx::default();
    let mut server =
        Server::start(listen("mem-l:x,frame=burst", &ctx).await, each_with(Sessions::Alone), &ctx);
    let mut client = dial("mem:x", &ctx).await;
    put(&mut client, b"hi").await.unwrap();
    assert_eq!(get(&mut client, 2).await, b"hi");
    drop(client);
    ctx.stop.drain();
    assert_eq!(server.served().await.accepted, 1);
}

#[tokio::test]
async fn a_service_that_answers_datagrams_is_never_given_a_session() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut server = Server::start(listen("mem-seq-l:x", &ctx).await, each_with(Sessions::None), &ctx);
    let mut clients = [dial("mem-seq:x", &ctx).await, dial("mem-seq:x", &ctx).await];
    for (round, client) in clients.iter_mut().enumerate() {
        for message in [format!("{round}"), String::new(), "twice".to_owned(), "silence".to_owned()] {
            client.send(message.as_bytes()).await.unwrap();
        }
    }
    for (round, client) in clients.iter_mut().enumerate() {
        for want in [format!("{round}"), String::new(), "twice".to_owned(), "twice".to_owned()] {
            assert_eq!(get(client, 0).await, want.as_bytes());
        }
    }
    // Who ends its side has had all its answers, and no more come.
    let [mut first, mut second] = clients;
    first.send(b"the last").await.unwrap();
    first.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut first).await.unwrap(), b"the last");
    second.send(b"me too").await.unwrap();
    assert_eq!(get(&mut second, 0).await, b"me too");

    ctx.stop.drain();
    let served = server.served().await;
    assert_eq!((served.accepted, served.failed), (0, 0));
    assert!(events.try_recv().is_err(), "there was a connection");
    assert_eq!(rest(&mut second).await.unwrap(), b"");
}

#[tokio::test]
async fn all_else_is_given_sessions() {
    // A service that needs them; bytes, which have no datagrams; a frame, which only a connection can have.
    let both = || each_with(Sessions::Alone);
    for (word, service) in [("mem-seq-l:x", echo()), ("mem-l:x", both()), ("mem-l:x,frame=burst", both())] {
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(64, Wants::Connections);
        let mut server = Server::start(listen(word, &ctx).await, service, &ctx);
        let mut client = dial(&format!("{}:x", address(word).scheme().name), &ctx).await;
        put(&mut client, b"hi").await.unwrap();
        assert_eq!(get(&mut client, 2).await, b"hi", "{word}");
        assert!(matches!(events.try_recv(), Ok(Event::Opened { .. })), "{word}");
        drop(client);
        ctx.stop.drain();
        assert_eq!(server.served().await.accepted, 1, "{word}");
    }
}

/// Each of many peers may have as many answers under way as a link holds; none of them is in another's way.
#[tokio::test]
async fn an_answer_that_finds_room_arrives_however_many_peers_there_are() {
    const PEERS: usize = 50;
    const EACH: usize = 10;
    let ctx = Ctx::default();
    let mut clients = Vec::new();
    let listening = listen("mem-seq-l:x", &ctx).await;
    for _ in 0..PEERS {
        let mut client = dial("mem-seq:x", &ctx).await;
        for number in 0..EACH {
            client.send(&[u8::try_from(number).unwrap()]).await.unwrap();
        }
        client.shutdown_write().await.unwrap();
        clients.push(client);
    }
    let mut server = Server::start(listening, each_with(Sessions::None), &ctx);
    let want: Vec<u8> = (0..u8::try_from(EACH).unwrap()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(rest(client).await.unwrap(), want, "peer {number}");
    }
    ctx.stop.drain();
    server.served().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_a_session_waits_for_its_place_and_gets_it() {
    let ctx = Ctx::default();
    let listening = listen("mem-seq-l:x,max-conns=1", &ctx).await;
    let mut server = Server::start(listening, each_with(Sessions::None), &ctx);
    let (mut inside, mut waiting) = (dial("mem-seq:x", &ctx).await, dial("mem-seq:x", &ctx).await);
    waiting.send(b"me too").await.unwrap();
    inside.send(b"hi").await.unwrap();
    assert_eq!(get(&mut inside, 0).await, b"hi");
    let mut message = Message::default();
    assert!(timeout(Duration::from_secs(60), waiting.receive(&mut message)).await.is_err());
    drop(inside);
    assert_eq!(get(&mut waiting, 0).await, b"me too");
    ctx.stop.drain();
    server.served().await;
}

#[tokio::test]
async fn messages_without_a_session_are_told_to_those_who_want_them() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Messages);
    let mut server = Server::start(listen("mem-seq-l:x", &ctx).await, each_with(Sessions::None), &ctx);
    let mut client = dial("mem-seq:x", &ctx).await;
    client.send(b"hi").await.unwrap();
    assert_eq!(get(&mut client, 0).await, b"hi");
    ctx.stop.drain();
    server.served().await;
    for want in [Way::In, Way::Out] {
        let told = events.try_recv();
        let Ok(Event::Message { way, payload, .. }) = told else { panic!("{want:?}: {told:?}") };
        assert_eq!((way, &*payload), (want, &b"hi"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_its_answers_loses_them_and_nobody_else_does() {
    let ctx = Ctx::default();
    let mut server = Server::start(listen("mem-seq-l:x", &ctx).await, each_with(Sessions::None), &ctx);
    let (mut deaf, mut other) = (dial("mem-seq:x", &ctx).await, dial("mem-seq:x", &ctx).await);
    for number in 0..1000u32 {
        soon("a datagram to be taken", deaf.send(&number.to_be_bytes())).await.unwrap();
    }
    other.send(b"hi").await.unwrap();
    assert_eq!(get(&mut other, 0).await, b"hi");
    // The first ones waited for it, in order and whole; what found no room is gone.
    deaf.shutdown_write().await.unwrap();
    let had = rest(&mut deaf).await.unwrap();
    let had: Vec<u32> = had.chunks(4).map(|four| u32::from_be_bytes(four.try_into().unwrap())).collect();
    assert!((1..1000).contains(&had.len()) && had.is_sorted(), "{} answers", had.len());
    assert!(timeout(Duration::from_secs(60), server.ended()).await.is_err());
    ctx.stop.drain();
    server.served().await;
}

/// What a service of `each_with` does when it is given a session all the same.
enum Sessions {
    /// Serves it.
    Alone,
    /// Panics.
    None,
}

/// Sends each message back; `twice` twice, and `silence` not at all.
fn each_with(sessions: Sessions) -> Arc<dyn Service> {
    struct Each(Sessions);
    impl Service for Each {
        fn serve<'a>(&'a self, mut conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<()>> {
            assert!(matches!(self.0, Sessions::Alone), "a session");
            Box::pin(async move { send_back(&mut conn).await })
        }

        fn as_datagrams(&self) -> Option<&dyn Datagrams> {
            Some(self)
        }
    }
    impl Datagrams for Each {
        fn answer(&self, datagram: &Message, replies: &mut Replies, _: &Ctx) {
            let times = match &datagram.payload[..] {
                b"twice" => 2,
                b"silence" => 0,
                _ => 1,
            };
            for _ in 0..times {
                replies.add().extend_from_slice(&datagram.payload);
            }
        }
    }
    Arc::new(Each(sessions))
}
