//! The peers of a UDP listener: many at once, how many get in, and what is lost where there is no room.

use std::io;
use std::net::{SocketAddr, UdpSocket as BlockingSocket};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use sockeye::{Ctx, Event, Kind, Message, Service};
use tokio::net::UdpSocket;
use tokio::task::spawn_blocking;

use super::{address_of, heard, inet, lost, place, place_of, socket, told};
use crate::lab::{Server, accept, alone, dial, event, get, listen, local, receive, rest, service, soon};

#[test]
fn two_thousand_peers_that_start_at_once_are_kept_apart() {
    const PEERS: usize = 2000;
    alone("udp::crowd::two_thousand_peers_that_start_at_once_are_kept_apart", || {
        let mut files = getrlimit(Resource::Nofile);
        files.current = files.maximum;
        setrlimit(Resource::Nofile, files).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let ctx = Ctx::default();
            let listening = listen("udp-l:127.0.0.1:0", &ctx).await;
            let to = place(&listening);
            let mut server = Server::start(listening, hello(), &ctx);
            let all = spawn_blocking(move || {
                let peers: Vec<_> = (0..PEERS).map(|number| greeted(number, to)).collect();
                peers.iter().enumerate().for_each(|(number, peer)| greets_back(number, peer));
            });
            soon("all greetings", all).await.unwrap();
            ctx.stop.drain();
            let served = server.served().await;
            assert_eq!((served.accepted, served.failed), (PEERS as u64, 0));
        });
    });
}

/// Greets who comes, and greets back by name.
fn hello() -> Arc<dyn Service> {
    service(|mut conn, _| async move {
        conn.send(b"Hello").await?;
        let mut message = Message::default();
        while conn.receive(&mut message).await? {
            conn.send(&[b"Hello, ", &message.payload[..]].concat()).await?;
        }
        Ok(())
    })
}

/// A peer that has said its number.
fn greeted(number: usize, to: SocketAddr) -> BlockingSocket {
    let peer = BlockingSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(to).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    peer.send(number.to_string().as_bytes()).unwrap();
    peer
}

/// Sees that a peer hears its own greeting, and no other. Where the kernel has little room, as it has for users
/// without rights, the first word may be lost, and is said again.
fn greets_back(number: usize, peer: &BlockingSocket) {
    let mut buffer = [0; 64];
    let mut tries = 0;
    let mut next = || loop {
        match peer.recv(&mut buffer) {
            Ok(length) => return String::from_utf8(buffer[..length].to_vec()).unwrap(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < 10 => {
                tries += 1;
                peer.send(number.to_string().as_bytes()).unwrap();
            }
            Err(error) => panic!("peer {number}: {error}"),
        }
    };
    assert_eq!((next(), next()), ("Hello".to_owned(), format!("Hello, {number}")));
}

#[tokio::test]
async fn what_waits_for_a_peer_that_nobody_reads_is_bounded_and_the_rest_is_counted() {
    let (ctx, mut events) = told();
    let mut listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let (to, name) = (place(&listening), local(&listening));
    let (flood, other) = (socket("127.0.0.1").await, socket("127.0.0.1").await);
    flood.send_to(b"first", to).await.unwrap();
    let mut unread = accept(&mut listening).await;
    other.send_to(b"first", to).await.unwrap();
    let mut read = accept(&mut listening).await;
    assert_eq!(get(&mut read, 0).await, b"first");
    // Its share is full with some 3,500 of these. The other peer, who comes behind each lot, loses nothing.
    for _ in 0..80 {
        for _ in 0..50 {
            flood.send_to(&[b'x'; 1000], to).await.unwrap();
        }
        other.send_to(b"and I", to).await.unwrap();
        assert_eq!(get(&mut read, 0).await, b"and I");
    }
    assert_eq!(get(&mut unread, 0).await, b"first");
    // There is room again for this one, which comes behind all that waited.
    flood.send_to(b"after", to).await.unwrap();
    let mut waited = 0;
    let after = loop {
        let message = receive(&mut unread).await;
        if message.payload == b"after" {
            break message;
        }
        assert_eq!((message.payload.len(), message.dropped_before), (1000, 0));
        waited += 1;
    };
    assert!((3400..3600).contains(&waited), "{waited} waited");
    assert_eq!(after.dropped_before, 4000 - waited);
    lost(&mut events, &name, |dropped| dropped.queue_full, u64::from(4000 - waited)).await;
}

#[tokio::test]
async fn what_the_kernel_dropped_is_told_with_the_next_message() {
    let (ctx, mut events) = told();
    let by_kernel = |event| match event {
        Event::Dropped { socket, dropped } if dropped.by_kernel > 0 => Some(socket),
        _ => None,
    };
    // Nobody reads meanwhile.
    let peer = BlockingSocket::bind("127.0.0.1:0").unwrap();
    let flood = |to| (0..50).for_each(|_| assert_eq!(peer.send_to(&[b'x'; 1000], to).unwrap(), 1000));
    let word = format!("udp:{}", peer.local_addr().unwrap());
    let mut conn = dial(&format!("{word},rcvbuf=4k"), &ctx).await;
    let to = place_of(&conn);
    flood(to);
    // Those that waited come first.
    let mut missed = 0;
    for _ in 0..50 {
        peer.send_to(b"and after", to).unwrap();
        missed += receive(&mut conn).await.dropped_before;
    }
    assert!((1..=50).contains(&missed), "{missed}");
    assert_eq!(&*event(&mut events, by_kernel).await, &*word);

    let mut listening = listen("udp-l:127.0.0.1:0,rcvbuf=4k", &ctx).await;
    let (to, name) = (place(&listening), local(&listening));
    flood(to);
    let mut conn = accept(&mut listening).await;
    for _ in 0..10 {
        peer.send_to(b"and after", to).unwrap();
        receive(&mut conn).await;
    }
    assert_eq!(&*event(&mut events, by_kernel).await, &*name);
}

#[tokio::test]
async fn strangers_make_room_and_who_spoke_twice_stays() {
    let (ctx, mut events) = told();
    let mut listening = listen("udp-l:127.0.0.1:0,max-conns=2", &ctx).await;
    let (to, name) = (place(&listening), local(&listening));
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(socket("127.0.0.1").await);
    }
    let [known, first, second, third] = &peers[..] else { panic!("four peers") };
    for peer in [known, known, first, second] {
        peer.send_to(b"hi", to).await.unwrap();
    }
    let (mut of_known, mut of_second) = (accept(&mut listening).await, accept(&mut listening).await);
    assert_eq!(inet(of_known.peer().remote), address_of(known));
    assert_eq!(inet(of_second.peer().remote), address_of(second), "the stranger before it made room");
    lost(&mut events, &name, |dropped| dropped.unread, 1).await;

    // Who is being served makes room too, as long as it is a stranger; that is no end which could be passed on.
    third.send_to(b"hi", to).await.unwrap();
    let mut of_third = accept(&mut listening).await;
    assert_eq!(rest(&mut of_second).await.unwrap_err().kind(), Kind::Reset);
    assert_eq!(of_second.send(b"too late").await.unwrap_err().kind(), Kind::Reset);
    lost(&mut events, &name, |dropped| dropped.unread, 1).await;

    // Now all inside have spoken twice.
    third.send_to(b"again", to).await.unwrap();
    first.send_to(b"and I?", to).await.unwrap();
    lost(&mut events, &name, |dropped| dropped.refused, 1).await;
    for (conn, peer, said) in [(&mut of_known, known, ["hi", "hi"]), (&mut of_third, third, ["hi", "again"])]
    {
        for said in said {
            assert_eq!(get(conn, 0).await, said.as_bytes());
        }
        conn.send(b"still here").await.unwrap();
        assert_eq!(heard(peer).await.0, b"still here");
    }
    // Until one of them leaves.
    drop(of_third);
    first.send_to(b"at last", to).await.unwrap();
    assert_eq!(get(&mut accept(&mut listening).await, 0).await, b"at last");
}

#[tokio::test]
async fn where_there_is_room_for_one_the_first_who_comes_is_the_one() {
    for option in ["max-conns=1", "once"] {
        let (ctx, mut events) = told();
        let mut listening = listen(&format!("udp-l:127.0.0.1:0,{option}"), &ctx).await;
        let (to, name) = (place(&listening), local(&listening));
        let (first, second) = (socket("127.0.0.1").await, socket("127.0.0.1").await);
        first.send_to(b"hi", to).await.unwrap();
        second.send_to(b"hi", to).await.unwrap();
        let mut conn = accept(&mut listening).await;
        assert_eq!(inet(conn.peer().remote), address_of(&first), "{option}");
        lost(&mut events, &name, |dropped| dropped.refused, 1).await;
        assert_eq!(get(&mut conn, 0).await, b"hi");

        // What came before this one, and is not read, is told when its peer is gone.
        first.send_to(b"unread", to).await.unwrap();
        first.send_to(b"unread too", to).await.unwrap();
        second.send_to(b"and I?", to).await.unwrap();
        lost(&mut events, &name, |dropped| dropped.refused, 1).await;
        drop(conn);
        lost(&mut events, &name, |dropped| dropped.unread, 2).await;
    }
}

#[tokio::test]
async fn who_is_inside_stays_when_nobody_more_is_let_in() {
    let (ctx, mut events) = told();
    let mut listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let (to, name) = (place(&listening), local(&listening));
    let (inside, waiting, newcomer) =
        (socket("127.0.0.1").await, socket("127.0.0.1").await, socket("127.0.0.1").await);
    inside.send_to(b"hi", to).await.unwrap();
    let mut conn = accept(&mut listening).await;
    assert_eq!(get(&mut conn, 0).await, b"hi");
    waiting.send_to(b"hi", to).await.unwrap();
    listening.listener.stop_accepting();
    drop(listening);
    newcomer.send_to(b"hi", to).await.unwrap();
    lost(&mut events, &name, |dropped| dropped.refused, 2).await;
    for word in [b"one", b"two"] {
        inside.send_to(word, to).await.unwrap();
        assert_eq!(get(&mut conn, 0).await, word);
        conn.send(word).await.unwrap();
        assert_eq!(heard(&inside).await, (word.to_vec(), to));
    }
    // The port is free as soon as the last one has left.
    drop(conn);
    ctx.tasks.close();
    soon("the task that reads", ctx.tasks.wait()).await;
    UdpSocket::bind(to).await.unwrap();
}
