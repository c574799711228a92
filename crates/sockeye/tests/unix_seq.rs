//! Unix sequenced packets: messages on a connection, so that there is an end, and an empty message is none.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
};
use sockeye::{Cause, Conn, Ctx, Endpoint, Kind, Limits, Message, Newcomers, Op};
use testkit::Scratch;
use tokio::task::spawn_blocking;

use crate::lab::{
    LIMIT, abstract_name, accept, address, assert_same, dial, get, listen, local, numbered, rest, soon,
};

async fn pair(of: &str, options: &str) -> (Conn, Conn) {
    let (name, ctx) = (abstract_name(of), Ctx::default());
    let mut listening = listen(&format!("unix-seq-l:{name}{options}"), &ctx).await;
    let near = dial(&format!("unix-seq:{name}{options}"), &ctx).await;
    (near, accept(&mut listening).await)
}

async fn assert_end(conn: &mut Conn) {
    let more = soon("the end", conn.receive(&mut Message::default())).await.unwrap();
    assert!(!more, "a message, instead of the end");
}

#[tokio::test]
async fn an_empty_message_is_no_end_and_the_end_goes_one_way() {
    let (mut near, mut far) = pair("empty", "").await;
    for message in [&b""[..], b"one", b"", b""] {
        near.send(message).await.unwrap();
        assert_eq!(get(&mut far, 0).await, message);
    }
    near.shutdown_write().await.unwrap();
    assert_end(&mut far).await;
    assert_end(&mut far).await;
    for message in [&b"an answer"[..], b"", b"another"] {
        far.send(message).await.unwrap();
        assert_eq!(get(&mut near, 0).await, message);
    }
    drop(far);
    assert_end(&mut near).await;
}

#[tokio::test]
async fn who_is_not_ours_sends_empty_messages_and_ends_too() {
    let (scratch, ctx) = (Scratch::new(), Ctx::default());
    let path = scratch.path("socket");
    let mut listening = listen(&format!("unix-seq-l:{}", path.display()), &ctx).await;
    let theirs = connected(&SocketAddrUnix::new(&path).unwrap());
    let mut conn = accept(&mut listening).await;
    for message in [&b"one"[..], b"", b"two"] {
        net::send(&theirs, message, SendFlags::empty()).unwrap();
    }
    net::shutdown(&theirs, Shutdown::Write).unwrap();
    for message in [&b"one"[..], b"", b"two"] {
        let mut got = Message::default();
        assert!(soon("a message", conn.receive(&mut got)).await.unwrap(), "the end, instead of {message:?}");
        assert_eq!(got.payload, message);
    }
    assert_end(&mut conn).await;
    conn.send(&numbered(1000)).await.unwrap();
    let answer = spawn_blocking(move || {
        let mut buffer = vec![0; 2000];
        let (length, _) = net::recv(&theirs, &mut buffer[..], RecvFlags::empty()).unwrap();
        buffer.truncate(length);
        buffer
    });
    assert_same(&soon("the answer", answer).await.unwrap(), &numbered(1000));
}

fn connected(to: &SocketAddrUnix) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    net::connect(&socket, to).unwrap();
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT)).unwrap();
    socket
}

#[tokio::test]
async fn the_largest_message_goes_whole_and_a_larger_one_not_at_all() {
    for options in ["", ",sndbuf=10000"] {
        let (mut near, mut far) = pair("sizes", options).await;
        let most = near.max_message().unwrap();
        assert_eq!((far.max_message(), most < 20_000), (Some(most), !options.is_empty()));
        let large = numbered(most + 1);
        for _ in 0..2 {
            let error = near.send(&large).await.unwrap_err();
            assert_eq!((error.kind(), error.op(), near.counts().sent()), (Kind::TooLarge, Op::Write, 0));
            let Cause::TooLarge { size, most: limit } = error.cause() else { panic!("{error:?}") };
            assert_eq!((*size, *limit), (most + 1, most));
            near.send(&large[..most]).await.unwrap();
            assert_same(&get(&mut far, 0).await, &large[..most]);
            std::mem::swap(&mut near, &mut far);
        }
    }
}

#[tokio::test]
async fn a_message_that_is_cut_off_by_a_leaving_peer_is_a_reset() {
    let (mut near, mut far) = pair("reset", "").await;
    near.send(b"unread").await.unwrap();
    far.send(b"read").await.unwrap();
    drop(far);
    assert_eq!(rest(&mut near).await.unwrap_err().kind(), Kind::Reset);
}

#[tokio::test]
async fn what_a_peer_says_before_it_leaves_with_something_unread_is_heard_before_the_reset() {
    let (mut near, mut far) = pair("last-words", "").await;
    near.send(b"unread").await.unwrap();
    for word in [&b"an answer"[..], b"", b"and another"] {
        far.send(word).await.unwrap();
    }
    drop(far);
    for word in [&b"an answer"[..], b"", b"and another"] {
        assert_eq!(get(&mut near, 0).await, word);
    }
    let error = soon("the reset", near.receive(&mut Message::default())).await.unwrap_err();
    assert_eq!((error.kind(), error.op()), (Kind::Reset, Op::Read));
}

#[tokio::test]
async fn a_path_and_its_user_are_known_as_those_of_streams_are() {
    let limits = Limits { newcomers: Newcomers::Identified, ..Limits::default() };
    let (scratch, ctx) = (Scratch::new(), Ctx { limits, ..Ctx::default() });
    let path = scratch.path("socket");
    let word = format!("unix-seq:{}", path.display());
    let mut listening = listen(&word.replacen(':', "-l:", 1), &ctx).await;
    assert_eq!(path.symlink_metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(local(&listening), word);
    let near = dial(&word, &ctx).await;
    let far = accept(&mut listening).await;
    assert_eq!(far.peer().user, Some(rustix::process::geteuid().as_raw()));
    assert_eq!((near.peer().remote, far.peer().local), (Endpoint::path(&path), Endpoint::path(&path)));
    assert!(near.bare().is_some() && far.bare().is_some() && near.half_close() && far.half_close());
    drop(listening);
    assert!(!path.exists());

    // A stream socket at the path is no sequenced one.
    let _theirs = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = sockeye::dial(&address(&word), &ctx).await.unwrap_err();
    assert_eq!(
        (error.op(), error.cause().to_string()),
        (Op::Dial, "protocol wrong type for socket".to_owned())
    );
}
