//! Listeners with more than they can take: bursts, relays in a full house, and peers that nobody reads.

use std::net::{SocketAddr, UdpSocket as BlockingSocket};
use std::sync::Arc;
use std::time::Duration;

use sockeye::{Conn, Ctx, Dropped, Event, Forward, Message, Plan, Service};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answers::Each;
use super::{address_of, heard, lost, place, place_of, socket, told};
use crate::lab::{Server, abstract_name, accept, address, dial, echo, event, get, listen, local, soon};

const SIZE: usize = 1400;

/// What ends a burst. It is said until it is heard: the kernel may have no room for it.
const END: &[u8] = b"that was all";

/// A peer that has sent a burst: all of it is in the kernel's buffer by now, or lost.
fn burst(count: u64, to: SocketAddr) -> BlockingSocket {
    let peer = BlockingSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(to).unwrap();
    for _ in 0..count {
        assert_eq!(peer.send(&[b'x'; SIZE]).unwrap(), SIZE);
    }
    peer
}

/// How much of a burst arrives. What does not must have been dropped by the kernel, and told.
async fn arrives(count: u64, conn: &mut Conn, peer: &BlockingSocket, events: &mut mpsc::Receiver<Event>) {
    let (mut came, mut message) = (0, Message::default());
    let receiving = async {
        loop {
            match timeout(Duration::from_millis(50), conn.receive(&mut message)).await {
                Err(_silence) => assert_eq!(peer.send(END).unwrap(), END.len()),
                Ok(more) if message.payload == END => return assert!(more.unwrap()),
                Ok(more) => {
                    assert_eq!((more.unwrap(), message.payload.len()), (true, SIZE), "{came} came");
                    came += 1;
                }
            }
        }
    };
    soon("the end of the burst", receiving).await;
    while came < count {
        came += event(events, |event| {
            let Event::Dropped { dropped, .. } = event else { return None };
            assert_eq!(dropped, Dropped { by_kernel: dropped.by_kernel, ..Dropped::default() });
            Some(dropped.by_kernel)
        })
        .await;
    }
    assert_eq!(came, count);
}

/// More than may wait for one peer, and less than the kernel's buffer holds.
#[tokio::test]
async fn of_a_burst_nothing_is_lost_that_the_kernel_took_where_one_thread_does_all() {
    let (ctx, mut events) = told();
    let mut listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let peer = burst(4000, place(&listening));
    let mut conn = accept(&mut listening).await;
    arrives(4000, &mut conn, &peer, &mut events).await;
}

/// The reader is quicker than a relay, and on another thread: there must be room for all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_loses_nothing_of_a_burst_that_the_kernel_took() {
    let (ctx, mut events) = told();
    let listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    // A far end that has its sender wait, and so loses nothing itself.
    let name = abstract_name("burst");
    let mut far = listen(&format!("unix-seq-l:{name}"), &ctx).await;
    let peer = burst(2000, place(&listening));
    let _relay = Server::start(listening, relay_to(&name), &ctx);
    let mut conn = accept(&mut far).await;
    arrives(2000, &mut conn, &peer, &mut events).await;
}

fn relay_to(name: &str) -> Arc<dyn Service> {
    Arc::new(Forward {
        to: sockeye::dialler(&address(&format!("unix-seq:{name}")), &Ctx::default()).unwrap(),
        plan: Plan::default(),
    })
}

#[tokio::test]
async fn who_makes_room_leaves_its_place_in_a_relay_whose_other_side_never_ends() {
    let ctx = Ctx::default();
    let listening = listen("udp-l:127.0.0.1:0,max-conns=2", &ctx).await;
    let (to, name) = (place(&listening), abstract_name("place"));
    let mut far = listen(&format!("unix-seq-l:{name}"), &ctx).await;
    let _relay = Server::start(listening, relay_to(&name), &ctx);
    let mut pairs = Vec::new();
    // Each is a stranger, and makes room for the next but one.
    for word in [b"one", b"two", b"six"] {
        let peer = socket("127.0.0.1").await;
        peer.send_to(word, to).await.unwrap();
        let mut side = accept(&mut far).await;
        assert_eq!(get(&mut side, 0).await, word);
        pairs.push((peer, side));
    }
    for (peer, side) in &mut pairs[1..] {
        side.send(b"still here").await.unwrap();
        assert_eq!(heard(peer).await.0, b"still here");
    }
}

#[tokio::test]
async fn what_waits_at_the_door_when_it_is_shut_is_told() {
    let (ctx, mut events) = told();
    let mut listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let (to, name) = (place(&listening), local(&listening));
    let (inside, waiting) = (socket("127.0.0.1").await, socket("127.0.0.1").await);
    inside.send_to(b"hi", to).await.unwrap();
    let mut conn = accept(&mut listening).await;
    assert_eq!(get(&mut conn, 0).await, b"hi");
    for (peer, word) in [(&waiting, &b"hello?"[..]), (&waiting, b"anybody?"), (&inside, b"hi again")] {
        peer.send_to(word, to).await.unwrap();
    }
    // What came before it is at the door by now.
    assert_eq!(get(&mut conn, 0).await, b"hi again");
    listening.listener.stop_accepting();
    lost(&mut events, &name, |dropped| dropped.unread, 2).await;
}

#[tokio::test]
async fn peers_that_nobody_reads_keep_out_neither_newcomers_nor_those_who_are_read() {
    let ctx = Ctx::default();
    let mut listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let (to, talker) = (place(&listening), socket("127.0.0.1").await);
    talker.send_to(b"first", to).await.unwrap();
    let mut of_talker = accept(&mut listening).await;
    assert_eq!(get(&mut of_talker, 0).await, b"first");
    // With what each costs beside its bytes, all of them are what may wait for all peers together.
    let large = vec![b'x'; (64 << 10) - 128];
    let (mut stalled, mut unread) = (Vec::new(), Vec::new());
    for turn in 0..16 {
        for number in 0..64 {
            if turn == 0 {
                stalled.push(socket("127.0.0.1").await);
            }
            stalled[number].send_to(&large, to).await.unwrap();
            // What comes behind it is heard, so that it was taken or dropped, and the kernel has room again.
            talker.send_to(b"and I", to).await.unwrap();
            assert_eq!(get(&mut of_talker, 0).await, b"and I", "turn {turn}, {number}");
            if turn == 0 {
                unread.push(accept(&mut listening).await);
            }
        }
    }
    for _ in 0..10 {
        let newcomer = socket("127.0.0.1").await;
        newcomer.send_to(b"hi", to).await.unwrap();
        assert_eq!(get(&mut accept(&mut listening).await, 0).await, b"hi");
    }
}

/// With the next that comes the kernel tells how many it has dropped before it. Here none comes.
#[tokio::test]
async fn what_the_kernel_dropped_last_is_told_at_the_end() {
    for service in [echo(), Arc::new(Each) as Arc<dyn Service>] {
        let (ctx, mut events) = told();
        let listening = listen("udp-l:127.0.0.1:0,rcvbuf=4096", &ctx).await;
        let (name, peer) = (listening.listener.locals()[0].to_string(), socket("127.0.0.1").await);
        peer.connect(place(&listening)).await.unwrap();
        for _ in 0..100 {
            peer.send(&[b'x'; SIZE]).await.unwrap();
        }
        let mut server = Server::start(listening, service, &ctx);
        let (mut answered, mut answer) = (0, [0; SIZE]);
        while timeout(Duration::from_millis(200), peer.recv(&mut answer)).await.is_ok() {
            answered += 1;
        }
        ctx.stop.drain();
        server.served().await;
        lost(&mut events, &name, |dropped| dropped.by_kernel, 100 - answered).await;
    }

    let (ctx, mut events) = told();
    let far = socket("127.0.0.1").await;
    let mut conn = dial(&format!("udp:{},rcvbuf=4096", address_of(&far)), &ctx).await;
    for _ in 0..100 {
        far.send_to(&[b'x'; SIZE], place_of(&conn)).await.unwrap();
    }
    let (mut came, mut message) = (0, Message::default());
    while timeout(Duration::from_millis(200), conn.receive(&mut message)).await.is_ok() {
        came += 1;
    }
    let name = conn.peer().to_string();
    drop(conn);
    lost(&mut events, &name, |dropped| dropped.by_kernel, 100 - came).await;
}
