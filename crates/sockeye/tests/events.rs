//! What is told of connections and messages, and to whom.

use std::time::Duration;

use sockeye::{Conn, Ctx, Ended, Error, Event, Kind, Op, SHOWN, Wants, Way};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::lab::{
    Server, abstract_name, assert_same, dial, echo, event, get, listen, local, numbered, put, rest, service,
};

/// Serves an echo at `word`, lets one client say `hello`, and gives all that was told.
async fn told(word: &str, wants: Wants) -> Vec<Event> {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, wants);
    let listening = listen(word, &ctx).await;
    let to = if word.contains("tcp") { local(&listening) } else { word.replacen("-l:", ":", 1) };
    let mut server = Server::start(listening, echo(), &ctx);
    let mut client = dial(&to, &ctx).await;
    put(&mut client, b"hello").await.unwrap();
    assert_eq!(get(&mut client, 5).await, b"hello");
    client.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut client).await.unwrap(), b"");
    ctx.stop.drain();
    server.served().await;
    all(&mut events)
}

fn all(events: &mut mpsc::Receiver<Event>) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv().ok())
        .filter(|event| !matches!(event, Event::Stopping { .. }))
        .collect()
}

#[tokio::test]
async fn a_connection_is_told_when_it_begins_and_when_it_ends() {
    let unix = format!("unix-l:{}", abstract_name("told"));
    for word in ["tcp-l:127.0.0.1:0", &unix, "mem-l:x", "mem-l:x,frame=burst", "mem-seq-l:x"] {
        let events = told(word, Wants::Connections).await;
        let [
            Event::Opened { id, listener, peer },
            Event::Closed { id: same, peer: of, received, sent, ended, .. },
        ] = &events[..]
        else {
            panic!("{word}: {events:?}")
        };
        assert_eq!((id, &**listener), (same, "test"), "{word}");
        assert_eq!((peer.scheme, of.scheme), (peer.scheme, peer.scheme), "{word}");
        assert!(word.starts_with(peer.scheme), "{word}: {peer:?}");
        assert_eq!((*received, *sent), (5, 5), "{word}");
        assert!(matches!(ended, Ended::Done), "{word}: {ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_connection_has_a_number_and_a_length_of_its_own() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut server = Server::start(listen("mem-l:x", &ctx).await, echo(), &ctx);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(dial("mem:x", &ctx).await);
        sleep(Duration::from_secs(10)).await;
    }
    // The last that came is the first to go.
    while let Some(client) = clients.pop() {
        drop(client);
        sleep(Duration::from_secs(10)).await;
    }
    ctx.stop.drain();
    server.served().await;
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for event in all(&mut events) {
        match event {
            Event::Opened { id, .. } => opened.push(id),
            Event::Closed { id, lasted, .. } => closed.push((id, lasted.as_secs())),
            other => panic!("{other:?}"),
        }
    }
    let [first, second, third] = opened[..] else { panic!("{opened:?}") };
    assert!(first < second && second < third);
    assert_eq!(closed, [(third, 10), (second, 30), (first, 50)]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_end_is_told_with_its_cause() {
    let mut ctx = Ctx::default();
    let mut trouble = ctx.events.subscribe(64, Wants::Trouble);
    let fails =
        service(|_: Conn, _| async { Err(Error::new(Op::Write, rustix::io::Errno::NOSPC).on("the disk")) });
    let mut server = Server::start(listen("mem-l:x", &ctx).await, fails, &ctx);
    let mut client = dial("mem:x", &ctx).await;
    assert_eq!(rest(&mut client).await.unwrap(), b"");
    let ended = event(&mut trouble, |event| match event {
        Event::Closed { ended, .. } => Some(ended),
        other => panic!("{other:?}"),
    });
    let Ended::Failed(error) = ended.await else { panic!("an orderly end") };
    assert_eq!((error.op(), error.kind(), error.address()), (Op::Write, Kind::Other, Some("the disk")));
    ctx.stop.drain();
    let served = server.served().await;
    assert_eq!((served.failed, served.last_failure.unwrap().op()), (1, Op::Write));
}

#[tokio::test]
async fn a_peer_that_breaks_off_is_told_of_with_the_others_who_leave_and_is_no_trouble() {
    let mut ctx = Ctx::default();
    let mut trouble = ctx.events.subscribe(64, Wants::Trouble);
    let mut all = ctx.events.subscribe(64, Wants::Connections);
    let listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let mut client = dial(&local(&listening), &ctx).await;
    let mut server = Server::start(listening, echo(), &ctx);
    put(&mut client, b"hello").await.unwrap();
    assert_eq!(get(&mut client, 5).await, b"hello");
    client.abort();
    drop(client);
    let ended = event(&mut all, |event| match event {
        Event::Closed { ended, .. } => Some(ended),
        _ => None,
    });
    let Ended::Failed(error) = ended.await else { panic!("an orderly end") };
    assert_eq!(error.kind(), Kind::Reset);
    ctx.stop.drain();
    assert_eq!(server.served().await.failed, 1);
    assert!(trouble.try_recv().is_err());
}

#[tokio::test]
async fn messages_are_told_to_those_who_want_them_and_to_nobody_else() {
    for word in ["tcp-l:127.0.0.1:0", "mem-l:x", "mem-l:x,frame=burst", "mem-seq-l:x"] {
        let messages: Vec<_> = told(word, Wants::Messages)
            .await
            .into_iter()
            .filter_map(|event| match event {
                Event::Message { way, payload, .. } => Some((way, payload.to_vec())),
                _ => None,
            })
            .collect();
        assert_eq!(messages, [(Way::In, b"hello".to_vec()), (Way::Out, b"hello".to_vec())], "{word}");
        for wants in [Wants::Trouble, Wants::Connections] {
            let events = told(word, wants).await;
            assert!(!events.iter().any(|event| matches!(event, Event::Message { .. })), "{word}: {events:?}");
        }
        let quiet = told(word, Wants::Trouble).await;
        assert!(quiet.is_empty(), "{word}: {quiet:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_large_message_the_beginning_is_told_and_its_size() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Messages);
    let mut server = Server::start(listen("mem-seq-l:x", &ctx).await, echo(), &ctx);
    let mut client = dial("mem-seq:x", &ctx).await;
    let large = numbered(60_000);
    put(&mut client, &large).await.unwrap();
    assert_same(&get(&mut client, 0).await, &large);
    for want in [Way::In, Way::Out] {
        let told = event(&mut events, |event| match event {
            Event::Message { way, payload, size, .. } => Some((way, payload, size)),
            _ => None,
        });
        let (way, payload, size) = told.await;
        assert_eq!((way, size), (want, large.len()));
        assert_same(&payload, &large[..SHOWN]);
    }
    drop(client);
    ctx.stop.drain();
    server.served().await;
}

#[tokio::test(start_paused = true)]
async fn connections_whose_messages_are_not_shown_are_told_as_ever() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Messages);
    ctx.events = ctx.events.without_messages();
    let mut server = Server::start(listen("mem-l:x", &ctx).await, echo(), &ctx);
    let mut client = dial("mem:x", &ctx).await;
    put(&mut client, b"hi").await.unwrap();
    assert_eq!(get(&mut client, 2).await, b"hi");
    drop(client);
    ctx.stop.drain();
    server.served().await;
    let events = all(&mut events);
    assert!(matches!(events[..], [Event::Opened { .. }, Event::Closed { .. }]), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_full_misses_events_and_slows_nobody_down() {
    let mut ctx = Ctx::default();
    let mut full = ctx.events.subscribe(1, Wants::Connections);
    let mut server = Server::start(listen("mem-l:x", &ctx).await, echo(), &ctx);
    for _ in 0..10 {
        let mut client = dial("mem:x", &ctx).await;
        put(&mut client, b"hi").await.unwrap();
        assert_eq!(get(&mut client, 2).await, b"hi");
    }
    assert!(matches!(full.recv().await, Some(Event::Opened { .. })));
    let mut last = dial("mem:x", &ctx).await;
    put(&mut last, b"hi").await.unwrap();
    assert_eq!(get(&mut last, 2).await, b"hi");
    let Some(Event::Lost { events }) = full.recv().await else {
        panic!("nothing is told of what was missed")
    };
    assert!(events >= 18, "10 connections began and ended, one of these events fitted: {events}");
    drop(last);
    ctx.stop.drain();
    assert_eq!(server.served().await.accepted, 11);
}
