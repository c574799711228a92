//! `reconnect=`: who is not there yet is waited for, and a conversation outlasts the server that it began with.

use std::time::Duration;

use sockeye::proto::shape::Shape;
use sockeye::{Conn, Ctx, Event, Forward, Kind, Limits, Names, Op, Plan, Resolver, Wants};
use testkit::Scratch;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::lab::{
    Server, accept, address, dial, echo, event, get, listen, own_loopback, put, receive, rest, soon,
};

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Reads in a task of its own, since a loss is noticed by who reads or writes.
fn reading(mut conn: Conn, bytes: usize) -> JoinSet<(Conn, Vec<u8>)> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let got = get(&mut conn, bytes).await;
        (conn, got)
    });
    tasks
}

async fn read(mut tasks: JoinSet<(Conn, Vec<u8>)>) -> (Conn, Vec<u8>) {
    tasks.join_next().await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_yet_is_waited_for_and_each_try_is_told() {
    let mut ctx = Ctx::default();
    let mut told = ctx.events.subscribe(99, Wants::Trouble);
    let near = address("mem:late,reconnect=1m");
    let there = async {
        sleep(seconds(1.0)).await;
        listen("mem:late", &ctx).await
    };
    let (near, mut listening) = tokio::join!(sockeye::dial(&near, &ctx), there);
    let (mut near, mut far) = (near.unwrap(), accept(&mut listening).await);
    put(&mut near, b"hello").await.unwrap();
    assert_eq!(get(&mut far, 5).await, b"hello");

    let mut tried = 0;
    loop {
        match told.try_recv().unwrap() {
            Event::Retrying { attempt, error, wait, .. } => {
                tried += 1;
                assert_eq!((attempt, error.op(), error.kind()), (tried, Op::Dial, Kind::Refused));
                assert!(wait >= seconds(0.075) && wait < seconds(1.1), "{wait:?}");
            }
            Event::Reached { address, attempts, after } => {
                assert_eq!((&*address, attempts), ("mem:late", tried));
                assert!(after >= seconds(1.0) && after < seconds(2.5), "{after:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((3..=5).contains(&tried), "{tried}");
}

#[tokio::test(start_paused = true)]
async fn after_the_limit_the_last_error_is_given() {
    let (ctx, began) = (Ctx::default(), Instant::now());
    let error = sockeye::dial("mem:nobody,reconnect=5s", &ctx).await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs()), (Kind::Refused, 5));
    let began = Instant::now();
    sockeye::dial("mem:nobody,reconnect=off", &ctx).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_tried_again() {
    let mut ctx =
        Ctx { resolver: Resolver { names: Names::NumbersOnly, ..Resolver::default() }, ..Ctx::default() };
    let mut told = ctx.events.subscribe(9, Wants::Trouble);
    let error = sockeye::dial("tcp:nobody.example:80,reconnect=1h", &ctx).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(told.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_waiting_at_once() {
    let (ctx, began) = (Ctx::default(), Instant::now());
    let stopping = async {
        sleep(seconds(3.0)).await;
        ctx.stop.drain();
    };
    let (dialled, ()) = tokio::join!(sockeye::dial("mem:nobody,reconnect=1h", &ctx), stopping);
    assert_eq!((dialled.unwrap_err().kind(), began.elapsed()), (Kind::Refused, seconds(3.0)));
}

#[tokio::test]
async fn a_conversation_goes_on_with_the_server_that_comes_after() {
    let (folder, mut ctx) = (Scratch::new(), Ctx::default());
    let mut told = ctx.events.subscribe(99, Wants::Trouble);
    let path = folder.path("server").display().to_string();
    let mut listening = listen(&format!("unix-l:{path}"), &ctx).await;
    let mut near = dial(&format!("unix:{path},reconnect=1m"), &ctx).await;
    let mut far = accept(&mut listening).await;
    put(&mut near, b"one").await.unwrap();
    put(&mut far, b"two").await.unwrap();
    assert_eq!((get(&mut far, 3).await, get(&mut near, 3).await), (b"one".to_vec(), b"two".to_vec()));
    let counts = near.counts();

    drop((listening, far));
    let reader = reading(near, 5);
    let why = |event| match event {
        Event::Retrying { error, .. } => Some((error.op(), error.cause().to_string())),
        _ => None,
    };
    assert_eq!(event(&mut told, why).await, (Op::Read, "it has ended".to_owned()));
    assert_eq!(event(&mut told, why).await.0, Op::Dial);
    let mut listening = listen(&format!("unix-l:{path}"), &ctx).await;
    let mut far = accept(&mut listening).await;
    put(&mut far, b"three").await.unwrap();
    let (mut near, got) = read(reader).await;
    assert_eq!(got, b"three");
    put(&mut near, b"four").await.unwrap();
    assert_eq!(get(&mut far, 4).await, b"four");
    assert_eq!((counts.received(), counts.sent()), (8, 7));

    near.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut far).await.unwrap(), b"");
    drop((listening, far));
    assert_eq!(rest(&mut near).await.unwrap(), b"", "an end after ours is one");
}

#[tokio::test]
async fn a_reset_is_no_end_and_the_write_that_finds_it_is_made_again() {
    let ctx = Ctx::default();
    let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let word = format!("{},reconnect=1m", listening.listener.locals()[0]);
    let mut near = dial(&word, &ctx).await;
    let mut far = accept(&mut listening).await;
    far.abort();
    drop(far);
    let next = async {
        let mut far = accept(&mut listening).await;
        let got = get(&mut far, 5).await;
        (far, got)
    };
    // A socket tells of a reset once the kernel has heard of it.
    let writing = async {
        while near.peer().local != sockeye::Endpoint::Unnamed {
            near.write_all(b"again").await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        (_far, got) = soon("the next connection", next) => assert_eq!(got, b"again"),
        () = writing => {}
    }
}

#[tokio::test]
async fn a_message_is_received_whole_or_not_at_all() {
    let (folder, ctx) = (Scratch::new(), Ctx::default());
    let path = folder.path("server").display().to_string();
    for (scheme, frame) in [("unix", ",frame=len16"), ("unix-seq", "")] {
        let mut listening = listen(&format!("{scheme}-l:{path}"), &ctx).await;
        let mut near = dial(&format!("{scheme}:{path},reconnect=1m{frame}"), &ctx).await;
        assert_eq!(near.shape(), Shape::Messages);
        let mut far = accept(&mut listening).await;
        if scheme == "unix" {
            // The beginning of a message, and no more.
            put(&mut far, b"\0\x09half").await.unwrap();
        }
        drop((listening, far));
        let mut listening = listen(&format!("{scheme}-l:{path}{frame}"), &ctx).await;
        let there = async {
            let mut far = soon("a connection", listening.accept()).await.unwrap();
            far.send(b"whole").await.unwrap();
            assert_eq!(receive(&mut far).await.payload, b"answer");
        };
        let here = async {
            assert_eq!(receive(&mut near).await.payload, b"whole");
            near.send(b"answer").await.unwrap();
        };
        tokio::join!(here, there);
    }
}

#[tokio::test]
async fn layers_are_put_on_anew() {
    let ctx = Ctx::default();
    let mut listening = sockeye::listen("ws+mem:again", &ctx).await.unwrap();
    let here = async {
        let mut near = sockeye::dial("ws+mem:again,reconnect=1m", &ctx).await.unwrap();
        for word in [b"one", b"two"] {
            near.send(word).await.unwrap();
            assert_eq!(receive(&mut near).await.payload, word);
        }
    };
    let there = async {
        for _ in 0..2 {
            let mut far = soon("a connection", listening.accept()).await.unwrap();
            let word = receive(&mut far).await.payload;
            far.send(&word[..]).await.unwrap();
            far.abort();
        }
    };
    tokio::join!(here, there);
}

#[tokio::test]
async fn a_message_that_was_not_sent_whole_is_sent_again_whole() {
    let (folder, ctx) = (Scratch::new(), Ctx::default());
    let path = folder.path("server").display().to_string();
    let mut listening = listen(&format!("unix-l:{path}"), &ctx).await;
    let mut near = dial(&format!("unix:{path},reconnect=1m,frame=len32"), &ctx).await;
    let mut far = accept(&mut listening).await;
    let large = vec![7; 4 << 20];
    let here = async { near.send(&large[..]).await.unwrap() };
    let there = async {
        // Part of it has come, the rest finds no room.
        get(&mut far, 99).await;
        drop((listening, far));
        let mut listening = listen(&format!("unix-l:{path},frame=len32"), &ctx).await;
        let mut far = soon("a connection", listening.accept()).await.unwrap();
        assert!(receive(&mut far).await.payload == large, "the whole message");
    };
    tokio::join!(here, there);
}

#[tokio::test]
async fn halves_in_two_tasks_both_hear_of_the_loss_and_of_the_next_connection() {
    let (folder, ctx) = (Scratch::new(), Ctx::default());
    let path = folder.path("server").display().to_string();
    let mut listening = listen(&format!("unix-l:{path}"), &ctx).await;
    let near = dial(&format!("unix:{path},reconnect=1m"), &ctx).await;
    let far = accept(&mut listening).await;
    let (mut reader, mut writer) = near.split();
    let mut tasks = JoinSet::new();
    // Much more than there is room for, so that both wait while the server is killed.
    tasks.spawn(async move { writer.write_all(&vec![1; 4 << 20]).await.unwrap() });
    tasks.spawn(async move {
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 2);
    });
    tokio::task::yield_now().await;
    drop((listening, far));
    let mut listening = listen(&format!("unix-l:{path}"), &ctx).await;
    let mut far = accept(&mut listening).await;
    put(&mut far, b"hi").await.unwrap();
    let (mut buffer, mut left) = (vec![0; 64 << 10], 2);
    while left > 0 {
        tokio::select! {
            // The end of the last of them, and of its connection, are seen at the same time.
            biased;
            ended = soon("both halves", tasks.join_next()) => { ended.unwrap().unwrap(); left -= 1 }
            read = far.read(&mut buffer) => assert!(read.unwrap() > 0 || left == 0),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_every_connection_at_once_is_given_up() {
    let ctx = Ctx::default();
    let mut listening = listen("mem:brief", &ctx).await;
    let mut near = dial("mem:brief,reconnect=10s", &ctx).await;
    let began = Instant::now();
    let (mut accepted, mut buffer) = (0, [0]);
    let error = loop {
        tokio::select! {
            read = near.read(&mut buffer) => break read.unwrap_err(),
            conn = sockeye::accept(&mut *listening.listener) => {
                accepted += 1;
                drop(conn);
            }
        }
    };
    assert_eq!((error.op(), error.kind(), began.elapsed().as_secs()), (Op::Read, Kind::Reset, 10));
    assert!((6..=10).contains(&accepted), "{accepted}");
}

#[tokio::test]
async fn datagrams_that_nobody_takes_end_no_conversation() {
    let ctx = Ctx::default();
    let host = own_loopback();
    let server = UdpSocket::bind((host, 0)).await.unwrap();
    let at = server.local_addr().unwrap();
    drop(server);
    let mut near = dial(&format!("udp:{at},reconnect=1m"), &ctx).await;
    near.send(b"lost").await.unwrap();
    // The refusal comes to whoever sends next, who then sends anew.
    near.send(b"lost too").await.unwrap();
    let server = UdpSocket::bind(at).await.unwrap();
    let mut buffer = [0; 9];
    let asking = async {
        loop {
            near.send(b"heard").await.unwrap();
            sleep(seconds(0.01)).await;
        }
    };
    tokio::select! {
        came = soon("a datagram", server.recv(&mut buffer)) => assert_eq!(&buffer[..came.unwrap()], b"heard"),
        () = asking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_of_a_relay_waits_while_its_far_end_is_tried() {
    let ctx = Ctx { limits: Limits { drain: Some(seconds(1.0)), ..Limits::default() }, ..Ctx::default() };
    let to = sockeye::dialler("mem:far,reconnect=1m", &ctx).unwrap();
    let forward = std::sync::Arc::new(Forward { to, plan: Plan::default() });
    let mut relay = Server::start(listen("mem:near", &ctx).await, forward, &ctx);
    let mut near = dial("mem:near", &ctx).await;
    put(&mut near, b"early").await.unwrap();
    sleep(seconds(2.0)).await;
    let far_ctx = Ctx { memory: ctx.memory.clone(), ..Ctx::default() };
    let _far = Server::start(listen("mem:far", &far_ctx).await, echo(), &far_ctx);
    assert_eq!(get(&mut near, 5).await, b"early");
    near.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut near).await.unwrap(), b"");
    ctx.stop.drain();
    assert_eq!(relay.served().await.failed, 0);
}
