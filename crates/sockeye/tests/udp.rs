//! UDP against sockets that are not ours: who is heard and answered, sizes, losses, and how many get in.

use std::io;
use std::net::{SocketAddr, UdpSocket as BlockingSocket};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use sockeye::{
    BoxFuture, Cause, Conn, Ctx, Datagrams, Dropped, Endpoint, Event, Kind, Listening, Message, Op, Replies,
    Result, Service, Wants,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::lab::{
    Server, accept, address, alone, assert_same, dial, echo, event, get, listen, local, numbered, rest,
    service, soon,
};

/// A socket on this address, with a port of its own.
async fn socket(ip: &str) -> UdpSocket {
    UdpSocket::bind((ip, 0)).await.unwrap()
}

fn address_of(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

/// The next datagram, and who sent it.
async fn heard(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 1 << 16];
    let (length, from) = soon("a datagram", socket.recv_from(&mut buffer)).await.unwrap();
    buffer.truncate(length);
    (buffer, from)
}

fn inet(endpoint: Endpoint) -> SocketAddr {
    let Endpoint::Inet(address) = endpoint else { panic!("{endpoint:?}") };
    address
}

/// Where a listener is.
fn place(listening: &Listening) -> SocketAddr {
    inet(listening.listener.locals()[0].local)
}

/// Where a dialled connection gets its answers. One that is open to everybody is bound to no address.
fn place_of(conn: &Conn) -> SocketAddr {
    let local = inet(conn.peer().local);
    if local.ip().is_unspecified() { SocketAddr::new([127, 0, 0, 1].into(), local.port()) } else { local }
}

async fn receive(conn: &mut Conn) -> Message {
    let mut message = Message::default();
    assert!(soon("a message", conn.receive(&mut message)).await.unwrap(), "the end, instead of a message");
    message
}

/// A context, and what is told in it.
fn told() -> (Ctx, mpsc::Receiver<Event>) {
    let mut ctx = Ctx::default();
    let events = ctx.events.subscribe(64, Wants::Connections);
    (ctx, events)
}

/// Waits until so many losses of one kind have been told, all of them on `socket`.
async fn lost(events: &mut mpsc::Receiver<Event>, socket: &str, kind: fn(&Dropped) -> u64, want: u64) {
    let mut sum = 0;
    event(events, |event| {
        if let Event::Dropped { socket: on, dropped } = event {
            assert_eq!(&*on, socket);
            sum += kind(&dropped);
        }
        (sum >= want).then_some(())
    })
    .await;
    assert_eq!(sum, want);
}

#[tokio::test]
async fn a_peer_is_answered_from_the_address_it_spoke_to() {
    for (service, kind) in [(echo(), "sessions"), (Arc::new(Each) as Arc<dyn Service>, "no sessions")] {
        let ctx = Ctx::default();
        let listening = listen("udp-l:any:0", &ctx).await;
        let port = place(&listening).port();
        let families: Vec<bool> =
            listening.listener.locals().iter().map(|at| inet(at.local).is_ipv4()).collect();
        let mut server = Server::start(listening, service, &ctx);
        for (ours, theirs) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("::1", "::1")] {
            let to: SocketAddr = (theirs.parse::<std::net::IpAddr>().unwrap(), port).into();
            if families.contains(&to.is_ipv4()) {
                let peer = socket(ours).await;
                peer.send_to(b"hi", to).await.unwrap();
                assert_eq!(heard(&peer).await, (b"hi".to_vec(), to), "{kind}");
            }
        }
        ctx.stop.drain();
        assert_eq!(server.served().await.failed, 0);
    }
}

#[tokio::test]
async fn one_socket_that_speaks_to_two_of_our_addresses_is_two_peers() {
    let ctx = Ctx::default();
    let mut listening = listen("udp-l:any:0", &ctx).await;
    let port = place(&listening).port();
    let peer = socket("127.0.0.1").await;
    for last in [1, 2] {
        let to = SocketAddr::new([127, 0, 0, last].into(), port);
        peer.send_to(&[last], to).await.unwrap();
        let mut conn = accept(&mut listening).await;
        assert_eq!(inet(conn.peer().local), to);
        assert_eq!(inet(conn.peer().remote), address_of(&peer));
        let message = receive(&mut conn).await;
        assert_eq!(
            (message.payload, inet(message.to), inet(message.from)),
            (vec![last], to, address_of(&peer))
        );
    }
}

#[test]
fn two_thousand_peers_that_start_at_once_are_kept_apart() {
    const PEERS: usize = 2000;
    alone("udp::two_thousand_peers_that_start_at_once_are_kept_apart", || {
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
async fn who_is_open_hears_everybody_and_is_told_who_it_was() {
    let (peer, stranger) = (socket("127.0.0.1").await, socket("127.0.0.2").await);
    let mut open = dial(&format!("udp:{},open", address_of(&peer)), &Ctx::default()).await;
    let at = place_of(&open);
    for one in [&stranger, &peer, &stranger] {
        one.send_to(b"hi", at).await.unwrap();
        let message = receive(&mut open).await;
        assert_eq!((&message.payload[..], inet(message.from)), (&b"hi"[..], address_of(one)));
        assert!(message.dropped_before == 0 && !message.cut);
    }
    // What it says itself goes to whom it dialled.
    open.send(b"hello").await.unwrap();
    assert_eq!(heard(&peer).await, (b"hello".to_vec(), at));
}

#[tokio::test]
async fn who_is_not_open_hears_whom_it_dialled_and_nobody_else() {
    let (peer, stranger) = (socket("127.0.0.1").await, socket("127.0.0.1").await);
    let mut conn = dial(&format!("udp:{}", address_of(&peer)), &Ctx::default()).await;
    let at = place_of(&conn);
    stranger.send_to(b"let me in", at).await.unwrap();
    peer.send_to(b"hi", at).await.unwrap();
    let message = receive(&mut conn).await;
    assert_eq!((&message.payload[..], inet(message.from)), (&b"hi"[..], address_of(&peer)));
}

#[tokio::test]
async fn bind_says_which_of_our_addresses_a_peer_sees() {
    let peer = socket("127.0.0.1").await;
    let mut conn = dial(&format!("udp:{},bind=127.0.0.3", address_of(&peer)), &Ctx::default()).await;
    conn.send(b"hi").await.unwrap();
    let (_, from) = heard(&peer).await;
    assert_eq!(from.ip().to_string(), "127.0.0.3");
    let other = format!("udp:{},bind=::1", address_of(&peer));
    let error = sockeye::dial(&address(&other), &Ctx::default()).await.unwrap_err();
    assert_eq!((error.op(), error.kind()), (Op::Dial, Kind::NotFound));
}

#[tokio::test]
async fn who_is_not_there_is_said_to_refuse() {
    // A socket that is connected to somebody else has the port, and takes nothing from us.
    let (taken, other) = (socket("127.0.0.1").await, socket("127.0.0.1").await);
    taken.connect(address_of(&other)).await.unwrap();
    let word = format!("udp:{}", address_of(&taken));
    let mut conn = dial(&word, &Ctx::default()).await;
    conn.send(b"anybody there?").await.unwrap();
    let error = soon("an error", conn.receive(&mut Message::default())).await.unwrap_err();
    assert_eq!((error.kind(), error.op(), error.address()), (Kind::Refused, Op::Read, Some(&*word)));
}

#[tokio::test]
async fn the_largest_datagram_goes_whole_and_a_larger_one_not_at_all() {
    let ctx = Ctx::default();
    for (word, most) in [("udp-l:127.0.0.1:0", 65_507), ("udp-l:[::1]:0", 65_527)] {
        let mut listening = listen(word, &ctx).await;
        let mut near = dial(&local(&listening), &ctx).await;
        near.send(b"").await.unwrap();
        let mut far = accept(&mut listening).await;
        assert_eq!(receive(&mut far).await.payload, b"");
        let large = numbered(most + 1);
        for conn in [&mut near, &mut far] {
            assert_eq!(conn.max_message(), Some(most));
            let error = conn.send(&large).await.unwrap_err();
            assert_eq!((error.kind(), error.op(), conn.counts().sent()), (Kind::TooLarge, Op::Write, 0));
            let Cause::TooLarge { size, most: limit } = error.cause() else { panic!("{error:?}") };
            assert_eq!((*size, *limit), (most + 1, most));
        }
        for message in [&large[..most], b"", b"x"] {
            near.send(message).await.unwrap();
            assert_same(&get(&mut far, 0).await, message);
            far.send(message).await.unwrap();
            assert_same(&get(&mut near, 0).await, message);
        }
    }
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
    // A MiB is full with some 900 of these. The other peer, who comes behind each lot, loses nothing.
    for _ in 0..24 {
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
    assert!((800..1000).contains(&waited), "{waited} waited");
    assert_eq!(after.dropped_before, 1200 - waited);
    lost(&mut events, &name, |dropped| dropped.queue_full, u64::from(1200 - waited)).await;
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

#[tokio::test]
async fn a_broadcast_has_to_be_asked_for() {
    let peer = socket("0.0.0.0").await;
    let word = format!("udp:127.255.255.255:{}", address_of(&peer).port());
    let error = sockeye::dial(&address(&word), &Ctx::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.op(), error.address()), (Kind::NoRight, Op::Dial, Some(&*word)));

    let mut conn = dial(&format!("{word},broadcast"), &Ctx::default()).await;
    conn.send(b"everybody").await.unwrap();
    let (payload, from) = heard(&peer).await;
    assert_eq!(payload, b"everybody");
    // Nobody answers from the address of a broadcast.
    peer.send_to(b"me", from).await.unwrap();
    let message = receive(&mut conn).await;
    assert_eq!((&message.payload[..], inet(message.from).port()), (&b"me"[..], address_of(&peer).port()));
}

#[tokio::test]
async fn several_who_join_a_group_each_hear_it_and_answer_from_their_own_address() {
    let ctx = Ctx::default();
    let mut one = listen("udp-l:0,join=239.1.2.3@lo", &ctx).await;
    let at = place(&one);
    assert_eq!(at.ip().to_string(), "239.1.2.3");
    let mut other = listen(&format!("udp-l:{},join=239.1.2.3@lo", at.port()), &ctx).await;
    let mut conn = dial(&format!("udp:{at},bind=127.0.0.1"), &ctx).await;
    conn.send(b"who is there?").await.unwrap();
    for listening in [&mut one, &mut other] {
        let mut heard = accept(listening).await;
        let message = receive(&mut heard).await;
        assert_eq!((&message.payload[..], inet(message.to)), (&b"who is there?"[..], at));
        heard.send(b"I am").await.unwrap();
        let answer = receive(&mut conn).await;
        assert_eq!(answer.payload, b"I am");
        assert!(!inet(answer.from).ip().is_multicast(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_group_that_could_not_be_heard_is_refused_in_words() {
    for (word, said) in [
        ("udp-l:127.0.0.1:0,join=239.1.2.3@lo", "a socket on 127.0.0.1 does not hear 239.1.2.3"),
        ("udp-l:0,join=239.1.2.3@no-such", "no interface \"no-such\""),
    ] {
        let error = sockeye::listen(&address(word), &Ctx::default()).await.unwrap_err();
        assert_eq!((error.op(), error.address()), (Op::Listen, Some(word.split(',').next().unwrap())));
        assert!(error.cause().to_string().starts_with(said), "{}", error.cause());
    }
}

/// A service without sessions. Each datagram is sent back; `where` is answered with where it came from and went to,
/// `lost` with how many were lost before it, and `large` with more than a datagram holds.
struct Each;

impl Service for Each {
    fn serve<'a>(&'a self, _: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        panic!("a session")
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Each {
    fn answer(&self, datagram: &Message, replies: &mut Replies, _: &Ctx) {
        let Message { payload, from, to, dropped_before, .. } = datagram;
        replies.add().extend(match &payload[..] {
            b"where" => format!("{from} {to}").into_bytes(),
            b"lost" => dropped_before.to_string().into_bytes(),
            b"large" => vec![0; 65_508],
            _ => payload.clone(),
        });
    }
}

#[tokio::test]
async fn batches_of_datagrams_are_answered_in_order_and_without_sessions() {
    let (ctx, mut events) = told();
    let listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let to = place(&listening);
    let mut server = Server::start(listening, Arc::new(Each), &ctx);
    let peers = [socket("127.0.0.1").await, socket("127.0.0.1").await, socket("127.0.0.1").await];
    for number in 0..100_u8 {
        for (peer, own) in peers.iter().zip(b'a'..) {
            peer.send_to(&[own, number], to).await.unwrap();
        }
    }
    for (peer, own) in peers.iter().zip(b'a'..) {
        for number in 0..100 {
            assert_eq!(heard(peer).await, (vec![own, number], to));
        }
        peer.send_to(b"", to).await.unwrap();
        assert_eq!(heard(peer).await.0, b"");
        peer.send_to(b"where", to).await.unwrap();
        assert_eq!(heard(peer).await.0, format!("{} {to}", address_of(peer)).as_bytes());
    }
    ctx.stop.drain();
    assert_eq!(server.served().await.accepted, 0);
    assert!(events.try_recv().is_err(), "there was a connection");
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_is_counted_and_the_others_go_on() {
    let (ctx, mut events) = told();
    let listening = listen("udp-l:127.0.0.1:0", &ctx).await;
    let (to, name) = (place(&listening), local(&listening));
    let mut server = Server::start(listening, Arc::new(Each), &ctx);
    let peer = socket("127.0.0.1").await;
    for word in ["before", "large", "large", "after"] {
        peer.send_to(word.as_bytes(), to).await.unwrap();
    }
    assert_eq!((heard(&peer).await.0, heard(&peer).await.0), (b"before".to_vec(), b"after".to_vec()));
    lost(&mut events, &name, |dropped| dropped.unsent, 2).await;
    ctx.stop.drain();
    server.served().await;
}

#[tokio::test]
async fn a_service_without_sessions_learns_what_the_kernel_dropped() {
    let (ctx, mut events) = told();
    let listening = listen("udp-l:127.0.0.1:0,rcvbuf=4k", &ctx).await;
    let to = place(&listening);
    let peer = socket("127.0.0.1").await;
    // Nobody reads yet.
    for _ in 0..50 {
        peer.send_to(b"lost", to).await.unwrap();
    }
    let mut server = Server::start(listening, Arc::new(Each), &ctx);
    let mut missed = 0;
    for _ in 0..50 {
        peer.send_to(b"lost", to).await.unwrap();
        missed += String::from_utf8(heard(&peer).await.0).unwrap().parse::<u32>().unwrap();
    }
    assert!((1..50).contains(&missed), "{missed}");
    let told = event(&mut events, |event| match event {
        Event::Dropped { dropped, .. } => Some(dropped.by_kernel),
        _ => None,
    });
    assert_eq!(told.await, u64::from(missed));
    ctx.stop.drain();
    server.served().await;
}
