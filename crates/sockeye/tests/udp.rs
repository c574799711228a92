//! UDP against sockets that are not ours: who is heard, where answers come from, and how large datagrams may be.

mod answers;
mod crowd;
mod group;
mod load;

use std::net::{SocketAddr, UdpSocket as BlockingSocket};
use std::sync::Arc;

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use sockeye::{Cause, Conn, Ctx, Dropped, Endpoint, Event, Kind, Listening, Message, Op, Service, Wants};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use self::answers::Each;
use crate::lab::{
    Server, accept, address, assert_same, dial, echo, event, get, listen, local, numbered, receive, soon,
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
async fn who_is_dialled_from_its_own_port_is_nobody() {
    // It keeps the port, and lets those have it too who join a group.
    let flags = SocketFlags::CLOEXEC;
    let holder = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).unwrap();
    sockopt::set_socket_reuseaddr(&holder, true).unwrap();
    net::bind(&holder, &SocketAddr::new([127, 0, 0, 1].into(), 0)).unwrap();
    let holder = BlockingSocket::from(holder);
    let at = holder.local_addr().unwrap();
    let word = format!("udp:{at}");
    let own = address(&format!("{word},bind={at},join=239.1.2.4@lo"));
    let dialled = sockeye::dial(&own, &Ctx::default()).await;
    let error = dialled.expect_err("a connection to itself");
    assert_eq!((error.kind(), error.op(), error.address()), (Kind::Refused, Op::Dial, Some(&*word)));
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
