//! Unix datagram sockets against sockets that are not ours: names, paths, sizes, and who waits for whom.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use sockeye::{Cause, Ctx, Endpoint, Kind, Op, PathTaken};
use testkit::Scratch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::lab::{
    LIMIT, Server, abstract_name, accept, address, assert_same, dial, echo, get, listen, local, numbered,
    receive, soon,
};

/// A socket at this path.
fn bound(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// The next datagram, and who sent it.
async fn heard(socket: &UnixDatagram) -> (Vec<u8>, SocketAddr) {
    let socket = socket.try_clone().unwrap();
    let receive = move || {
        let mut buffer = vec![0; 1 << 20];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        buffer.truncate(length);
        (buffer, from)
    };
    soon("a datagram", spawn_blocking(receive)).await.unwrap()
}

fn word(path: &Path) -> String {
    format!("unix-dgram:{}", path.display())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn who_dials_has_a_name_that_answers_come_to_and_hears_nobody_else() {
    let scratch = Scratch::new();
    let theirs = bound(&scratch.path("theirs"));
    let mut conn = dial(&word(&scratch.path("theirs")), &Ctx::default()).await;
    conn.send(b"hi").await.unwrap();
    let (payload, from) = heard(&theirs).await;
    assert_eq!(payload, b"hi");
    let name = from.as_abstract_name().expect("an abstract name");
    assert_eq!(conn.peer().local.to_string(), format!("@{}", name.escape_ascii()));

    let refused = UnixDatagram::unbound().unwrap().send_to_addr(b"let me in", &from).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    theirs.send_to_addr(b"hello", &from).unwrap();
    let message = receive(&mut conn).await;
    assert_eq!(
        (&message.payload[..], message.from),
        (&b"hello"[..], Endpoint::path(&scratch.path("theirs")))
    );
    // The name goes with the connection.
    drop(conn);
    assert_eq!(theirs.send_to_addr(b"?", &from).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_path_of_our_own_is_there_while_we_are() {
    let scratch = Scratch::new();
    let (path, ours) = (scratch.path("theirs"), scratch.path("ours"));
    let theirs = bound(&path);
    let dialling = format!("{},bind={}", word(&path), ours.display());
    let mut conn = dial(&dialling, &Ctx::default()).await;
    assert_eq!((mode(&ours), conn.peer().local), (0o600, Endpoint::path(&ours)));
    conn.send(b"hi").await.unwrap();
    assert_eq!(heard(&theirs).await.1.as_pathname(), Some(&*ours));
    theirs.send_to(b"hello", &ours).unwrap();
    assert_eq!(get(&mut conn, 0).await, b"hello");

    let error = sockeye::dial(&address(&dialling), &Ctx::default()).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::PathTaken(PathTaken::Locked)), "{error:?}");
    assert_eq!((error.op(), error.kind()), (Op::Dial, Kind::InUse));
    drop(conn);
    assert!(!ours.exists() && !ours.with_extension("lock").exists());
}

#[tokio::test]
async fn the_path_of_a_listener_is_ours_alone_and_goes_with_it() {
    let (scratch, ctx) = (Scratch::new(), Ctx::default());
    let path = scratch.path("socket");
    let listening_word = word(&path).replacen(':', "-l:", 1);
    for (option, want) in [("", 0o600), (",mode=0666", 0o666)] {
        // What is left of one that has crashed is replaced.
        drop(UnixDatagram::bind(&path).unwrap());
        let mut listening = listen(&format!("{listening_word}{option}"), &ctx).await;
        assert_eq!((mode(&path), local(&listening)), (want, word(&path)));
        let error = sockeye::listen(&address(&listening_word), &ctx).await.unwrap_err();
        assert_eq!((error.kind(), error.op()), (Kind::InUse, Op::Listen));
        listening.listener.stop_accepting();
        assert!(!path.exists() && !scratch.path("socket.lock").exists());
    }
}

#[tokio::test]
async fn each_client_is_a_peer_of_its_own_and_hears_its_own_answers() {
    let (scratch, ctx) = (Scratch::new(), Ctx::default());
    let path = scratch.path("socket");
    let listening = listen(&word(&path).replacen(':', "-l:", 1), &ctx).await;
    let mut server = Server::start(listening, echo(), &ctx);
    let clients: Vec<_> = (0..9).map(|number| bound(&scratch.path(number.to_string()))).collect();
    for word in ["one", "two", "three"] {
        for (number, client) in clients.iter().enumerate() {
            let (client, path) = (client.try_clone().unwrap(), path.clone());
            // Where the listener's queue is full, this waits.
            let send = move || client.send_to(format!("{word} {number}").as_bytes(), path).unwrap();
            soon("room", spawn_blocking(send)).await.unwrap();
        }
    }
    for word in ["one", "two", "three"] {
        for (number, client) in clients.iter().enumerate() {
            let (payload, from) = heard(client).await;
            assert_eq!(
                (payload, from.as_pathname()),
                (format!("{word} {number}").into_bytes(), Some(&*path))
            );
        }
    }
    ctx.stop.drain();
    let served = server.served().await;
    assert_eq!((served.accepted, served.failed), (9, 0));
}

#[tokio::test]
async fn who_has_no_name_is_heard_and_cannot_be_answered() {
    let (name, ctx) = (abstract_name("unnamed"), Ctx::default());
    let mut listening = listen(&format!("unix-dgram-l:{name}"), &ctx).await;
    let unnamed = UnixDatagram::unbound().unwrap();
    let to = SocketAddr::from_abstract_name(&name[1..]).unwrap();
    unnamed.send_to_addr(b"hi", &to).unwrap();
    let mut conn = accept(&mut listening).await;
    assert_eq!(conn.peer().remote, Endpoint::Unnamed);
    let message = receive(&mut conn).await;
    assert_eq!((&message.payload[..], message.from), (&b"hi"[..], Endpoint::Unnamed));
    let error = conn.send(b"who are you?").await.unwrap_err();
    assert_eq!(error.cause().to_string(), "destination address required");
    unnamed.send_to_addr(b"still here", &to).unwrap();
    assert_eq!(get(&mut conn, 0).await, b"still here");
}

/// The queue of a Unix socket is short, by default ten datagrams.
#[tokio::test]
async fn answers_wait_for_a_slow_client_and_nobody_else_does() {
    const ANSWERS: usize = 600;
    let (scratch, ctx) = (Scratch::new(), Ctx::default());
    let path = scratch.path("socket");
    let mut listening = listen(&word(&path).replacen(':', "-l:", 1), &ctx).await;
    let (slow, quick) = (bound(&scratch.path("slow")), bound(&scratch.path("quick")));
    slow.send_to(b"hi", &path).unwrap();
    let mut to_slow = accept(&mut listening).await;
    quick.send_to(b"hi", &path).unwrap();
    let mut to_quick = accept(&mut listening).await;

    let mut sending = std::pin::pin!(async {
        for number in 0..ANSWERS {
            to_slow.send(number.to_string().as_bytes()).await.unwrap();
        }
    });
    assert!(timeout(Duration::from_millis(100), &mut sending).await.is_err(), "the queue has no bound");
    to_quick.send(b"hello").await.unwrap();
    assert_eq!(heard(&quick).await.0, b"hello");
    let receiving = async {
        for number in 0..ANSWERS {
            assert_eq!(heard(&slow).await.0, number.to_string().as_bytes());
        }
    };
    soon("all answers", async { tokio::join!(sending, receiving) }).await;
}

#[tokio::test]
async fn the_largest_datagram_goes_whole_and_a_larger_one_not_at_all() {
    let ctx = Ctx::default();
    for (of, options) in [("usual-sizes", ""), ("small-sizes", ",sndbuf=10000")] {
        let name = abstract_name(of);
        let mut listening = listen(&format!("unix-dgram-l:{name}{options}"), &ctx).await;
        let mut near = dial(&format!("unix-dgram:{name}{options}"), &ctx).await;
        near.send(b"").await.unwrap();
        let mut far = accept(&mut listening).await;
        assert_eq!(receive(&mut far).await.payload, b"");
        let most = near.max_message().unwrap();
        assert_eq!((far.max_message(), most < 20_000), (Some(most), !options.is_empty()));
        let large = numbered(most + 1);
        for conn in [&mut near, &mut far] {
            let error = conn.send(&large).await.unwrap_err();
            assert_eq!((error.kind(), error.op(), conn.counts().sent()), (Kind::TooLarge, Op::Write, 0));
        }
        for message in [&large[..most], b"", b"x"] {
            near.send(message).await.unwrap();
            let message_here = receive(&mut far).await;
            assert_same(&message_here.payload, message);
            far.send(message).await.unwrap();
            let message_there = receive(&mut near).await;
            assert_same(&message_there.payload, message);
            assert!(!message_here.cut && !message_there.cut);
        }
    }
}

#[tokio::test]
async fn who_is_not_there_is_said_to_refuse_and_who_leaves_too() {
    let (scratch, ctx) = (Scratch::new(), Ctx::default());
    let path = scratch.path("socket");
    let failure = async || sockeye::dial(&address(&word(&path)), &ctx).await.unwrap_err();
    assert_eq!((failure().await.kind(), failure().await.op()), (Kind::NotFound, Op::Dial));
    drop(UnixDatagram::bind(&path).unwrap());
    assert_eq!(failure().await.kind(), Kind::Refused);
    fs::remove_file(&path).unwrap();

    let theirs = bound(&path);
    let mut conn = dial(&word(&path), &ctx).await;
    drop(theirs);
    let error = conn.send(b"anybody there?").await.unwrap_err();
    assert_eq!((error.kind(), error.address()), (Kind::Refused, Some(&*word(&path))));
}
