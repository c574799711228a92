//! UDP listeners with more than they can take: bursts, newcomers in a full house, and peers that nobody reads.

use std::net::{SocketAddr, UdpSocket as BlockingSocket};
use std::sync::Arc;
use std::time::Duration;

use sockeye::{
    Conn, Ctx, Dropped, Endpoint, Event, Forward, Limits, Listening, Message, Plan, Service, Wants,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::lab::{Server, abstract_name, accept, address, echo, event, get, listen, soon};

/// A listener on loopback, and what is told of it.
struct Scene {
    ctx: Ctx,
    events: mpsc::Receiver<Event>,
    /// Until it is served.
    listening: Option<Listening>,
    at: SocketAddr,
}

impl Scene {
    async fn new(options: &str, mut ctx: Ctx) -> Self {
        let events = ctx.events.subscribe(64, Wants::Trouble);
        let listening = listen(&format!("udp-l:127.0.0.1:0{options}"), &ctx).await;
        let Endpoint::Inet(at) = listening.listener.locals()[0].local else { panic!("no address of IP") };
        Self { ctx, events, listening: Some(listening), at }
    }

    fn serve(&mut self, service: Arc<dyn Service>) -> Server {
        let listening = self.listening.take().expect("not served before");
        Server::start(listening, service, &self.ctx)
    }

    fn relay(&mut self, to: &str) -> Server {
        self.serve(Arc::new(Forward { to: address(to), plan: Plan::default() }))
    }

    async fn accept(&mut self) -> Conn {
        accept(self.listening.as_mut().expect("not served")).await
    }

    async fn peer(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.at).await.unwrap();
        socket
    }

    /// Waits until so many losses of one kind are told, and no others.
    async fn lost(&mut self, kind: fn(&Dropped) -> u64, want: u64) {
        let mut sum = 0;
        while sum < want {
            sum += event(&mut self.events, |event| {
                let Event::Dropped { dropped, .. } = event else { return None };
                let all: u64 = dropped.counts().iter().map(|(_, count)| count).sum();
                assert_eq!(all, kind(&dropped), "{dropped:?}");
                Some(all)
            })
            .await;
        }
        assert_eq!(sum, want);
    }
}

async fn said(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 100];
    let length = soon("an answer", peer.recv(&mut buffer)).await.unwrap();
    buffer[..length].to_vec()
}

const BURST: u64 = 2000;
const SIZE: usize = 1400;

/// What ends a burst. It is said until it is heard: the kernel may have no room for it.
const END: &[u8] = b"that was all";

/// A peer that has sent a burst: all of it is in the kernel's buffer by now, or lost.
fn burst(to: SocketAddr) -> BlockingSocket {
    let peer = BlockingSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(to).unwrap();
    for _ in 0..BURST {
        assert_eq!(peer.send(&[b'x'; SIZE]).unwrap(), SIZE);
    }
    peer
}

/// How much of its burst arrives.
async fn count(conn: &mut Conn, peer: &BlockingSocket) -> u64 {
    let (mut count, mut message) = (0, Message::default());
    let counting = async {
        loop {
            match timeout(Duration::from_millis(50), conn.receive(&mut message)).await {
                Err(_silence) => assert_eq!(peer.send(END).unwrap(), END.len()),
                Ok(more) => {
                    assert!(more.unwrap(), "the end after {count}");
                    if message.payload == END {
                        return count;
                    }
                    assert_eq!(message.payload.len(), SIZE);
                    count += 1;
                }
            }
        }
    };
    soon("the end of the burst", counting).await
}

#[tokio::test]
async fn of_a_burst_nothing_is_lost_that_the_kernel_took_where_one_thread_does_all() {
    let mut scene = Scene::new("", Ctx::default()).await;
    let peer = burst(scene.at);
    let mut conn = scene.accept().await;
    let count = count(&mut conn, &peer).await;
    scene.lost(|dropped| dropped.by_kernel, BURST - count).await;
}

#[tokio::test]
async fn in_a_house_for_one_the_first_of_ten_is_served() {
    let once = Ctx { limits: Limits { once: true, ..Limits::default() }, ..Ctx::default() };
    for (options, ctx) in [(",max-conns=1", Ctx::default()), ("", once)] {
        let mut scene = Scene::new(options, ctx).await;
        let mut peers = Vec::new();
        for number in 0..10 {
            peers.push(scene.peer().await);
            peers[number].send(&[b'0' + number as u8]).await.unwrap();
        }
        let _server = scene.serve(echo());
        assert_eq!(said(&peers[0]).await, b"0", "{options}");
        scene.lost(|dropped| dropped.refused, 9).await;
        peers[0].send(b"again").await.unwrap();
        assert_eq!(said(&peers[0]).await, b"again", "{options}");
    }
}

#[tokio::test]
async fn who_makes_room_leaves_its_place_in_a_relay_whose_other_side_never_ends() {
    let mut scene = Scene::new(",max-conns=2", Ctx::default()).await;
    let name = abstract_name("place");
    let mut far = listen(&format!("unix-seq-l:{name}"), &scene.ctx).await;
    let _relay = scene.relay(&format!("unix-seq:{name}"));
    let mut sides = Vec::new();
    // Each is a stranger, and makes room for the next but one.
    for word in [b"one", b"two", b"six"] {
        let peer = scene.peer().await;
        peer.send(word).await.unwrap();
        let mut side = accept(&mut far).await;
        assert_eq!(get(&mut side, 0).await, word);
        sides.push((peer, side));
    }
    for (peer, side) in &mut sides[1..] {
        side.send(b"still here").await.unwrap();
        assert_eq!(said(peer).await, b"still here");
    }
}

#[tokio::test]
async fn what_nobody_read_before_its_connection_was_over_is_told() {
    let mut scene = Scene::new("", Ctx::default()).await;
    let (left, waiting, inside) = (scene.peer().await, scene.peer().await, scene.peer().await);
    for word in [b"one", b"two", b"six"] {
        left.send(word).await.unwrap();
    }
    inside.send(b"hi").await.unwrap();
    let mut of_left = scene.accept().await;
    let mut of_inside = scene.accept().await;
    assert_eq!(get(&mut of_inside, 0).await, b"hi");
    assert_eq!(get(&mut of_left, 0).await, b"one");
    drop(of_left);
    scene.lost(|dropped| dropped.unread, 2).await;

    // Who waits at the door came before a message that is heard.
    waiting.send(b"hello?").await.unwrap();
    inside.send(b"hi again").await.unwrap();
    assert_eq!(get(&mut of_inside, 0).await, b"hi again");
    scene.listening.as_mut().unwrap().listener.stop_accepting();
    scene.lost(|dropped| dropped.unread, 1).await;
}

#[tokio::test]
async fn peers_that_nobody_reads_keep_out_neither_newcomers_nor_those_who_are_read() {
    const STALLED: usize = 64;
    let mut scene = Scene::new("", Ctx::default()).await;
    let talker = scene.peer().await;
    talker.send(b"first").await.unwrap();
    let mut of_talker = scene.accept().await;
    assert_eq!(get(&mut of_talker, 0).await, b"first");
    // With what each costs beside its bytes, sixteen of these are what may wait for one peer, and all of them what may
    // wait for all.
    let large = vec![b'x'; (64 << 10) - 128];
    let (mut stalled, mut unread) = (Vec::new(), Vec::new());
    for turn in 0..16 {
        for number in 0..STALLED {
            if turn == 0 {
                stalled.push(scene.peer().await);
            }
            stalled[number].send(&large).await.unwrap();
            // What comes behind it is heard, so that it was taken or dropped, and the kernel has room again.
            talker.send(b"and I").await.unwrap();
            assert_eq!(get(&mut of_talker, 0).await, b"and I", "turn {turn}, {number}");
            if turn == 0 {
                unread.push(scene.accept().await);
            }
        }
    }
    for _ in 0..10 {
        let newcomer = scene.peer().await;
        newcomer.send(b"hi").await.unwrap();
        let mut conn = scene.accept().await;
        assert_eq!(get(&mut conn, 0).await, b"hi");
    }
}
