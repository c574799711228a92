//! Who may come in: rules, limits of each peer, whose a connection is, and what is told of the refused.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, sockopt};
use sockeye::proto::shape::Shape;
use sockeye::{Conn, Ctx, Endpoint, Event, Kind, Limits, Listening, Newcomers, Peer, Refusal, Wants};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::lab::{
    Server, abstract_name, accept, address, dial, echo, event, get, listen, local, put, rest, soon,
};

/// Whether a peer that dials `word` is served.
async fn is_served(word: &str, ctx: &Ctx) -> bool {
    let Ok(mut peer) = sockeye::dial(&address(word), ctx).await else { return false };
    is_inside(&mut peer).await
}

async fn is_inside(peer: &mut Conn) -> bool {
    put(peer, b"hello").await.is_ok() && matches!(peer_hears(peer).await, Some(heard) if heard == b"hello")
}

/// What comes back, on a connection of either shape.
async fn peer_hears(peer: &mut Conn) -> Option<Vec<u8>> {
    let (mut buffer, mut message) = ([0; 5], sockeye::Message::default());
    match peer.shape() {
        Shape::Bytes => {
            let read = soon("an answer or a reset", peer.read(&mut buffer)).await.ok()?;
            buffer.get(..read).map(<[u8]>::to_vec)
        }
        Shape::Messages => {
            // Where datagrams are refused, nothing ever comes.
            let heard = timeout(Duration::from_millis(300), peer.receive(&mut message)).await;
            heard.ok()?.ok()?.then(|| message.payload.clone())
        }
    }
}

async fn refused(events: &mut mpsc::Receiver<Event>) -> (Refusal, u64, String) {
    let pick = |event| match event {
        Event::Refused { why, newcomers, peer, .. } => Some((why, newcomers, peer.to_string())),
        _ => None,
    };
    event(events, pick).await
}

fn limited(newcomers: Newcomers) -> Ctx {
    let limits = Limits { newcomers, ..Limits::default() };
    Ctx { limits, ..Ctx::default() }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[tokio::test]
async fn an_address_is_let_in_or_kept_out_by_rules_and_who_is_kept_out_is_reset_and_told() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let word = "tcp-l:127.0.0.1:0,allow=127.0.0.0/30,allow=::1,deny=127.0.0.3";
    let listening = listen(word, &ctx).await;
    let (to, tally) = (local(&listening), listening.tally.clone());
    let mut server = Server::start(listening, echo(), &ctx);
    for (from, comes_in) in [("1", true), ("2", true), ("3", false), ("4", false)] {
        let dialled = format!("{to},bind=127.0.0.{from}");
        assert_eq!(is_served(&dialled, &ctx).await, comes_in, "{dialled}");
    }
    let (why, newcomers, peer) = refused(&mut events).await;
    assert_eq!((why, newcomers), (Refusal::Denied, 1));
    assert!(peer.starts_with("tcp:127.0.0.3:"), "{peer}");
    assert_eq!(refused(&mut events).await.0, Refusal::NotAllowed);

    // The reset may be there before the connection is used.
    let denied = match sockeye::dial(&address(&format!("{to},bind=127.0.0.3")), &ctx).await {
        Ok(mut denied) => rest(&mut denied).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(denied.kind(), Kind::Reset);
    ctx.stop.drain();
    ctx.stop.hurry();
    assert_eq!(server.served().await.accepted, 2);
    let totals = tally.totals();
    assert_eq!((totals.accepted, totals.refused), (2, [("denied", 2), ("not-allowed", 1)].into()));
}

#[tokio::test]
async fn both_families_are_asked_each_by_its_own_rules() {
    let ctx = Ctx::default();
    let listening = listen("tcp-l:0,allow=::1", &ctx).await;
    let locals: Vec<String> = listening.listener.locals().iter().map(Peer::to_string).collect();
    let _server = Server::start(listening, echo(), &ctx);
    assert_eq!(locals.len(), 2, "{locals:?}");
    assert!(!is_served(&locals[0], &ctx).await && is_served(&locals[1], &ctx).await);
}

#[tokio::test]
async fn who_is_refused_is_not_the_one_that_a_listener_for_one_waits_for() {
    let ctx = Ctx::default();
    let listening = listen("tcp-l:127.0.0.1:0,once,deny=127.0.0.2", &ctx).await;
    let to = local(&listening);
    let mut server = Server::start(listening, echo(), &ctx);
    assert!(!is_served(&format!("{to},bind=127.0.0.2"), &ctx).await);
    assert!(is_served(&to, &ctx).await);
    assert_eq!(server.served().await.accepted, 1);
}

/// Three hundred of one address at a door that takes ten of each: ten are inside, whoever else comes is served, and who
/// leaves makes room.
async fn a_crowd_of_one_peer(listener: &str, from: &str, other: Option<&str>) {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(4096, Wants::Trouble);
    let listening = listen(&format!("{listener},max-per-peer=10"), &ctx).await;
    let to = local(&listening);
    let mut server = Server::start(listening, echo(), &ctx);
    let mut inside = Vec::new();
    for _ in 0..300 {
        if let Ok(mut peer) = sockeye::dial(&address(&format!("{to}{from}")), &ctx).await
            && is_inside(&mut peer).await
        {
            inside.push(peer);
        }
    }
    assert_eq!(inside.len(), 10);
    if let Some(other) = other {
        assert!(is_served(&format!("{to}{other}"), &ctx).await);
    }
    drop(inside.pop());
    soon("room for one more", async {
        while !is_served(&format!("{to}{from}"), &ctx).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(inside.iter().all(|peer| !peer.is_hung_up()));
    drop(inside);
    ctx.stop.drain();
    server.served().await;
    // All are counted, and few lines tell of them.
    let (mut counted, mut told) = (0, 0);
    while counted < 290 {
        let (why, newcomers, _) = refused(&mut events).await;
        assert_eq!(why, Refusal::TooMany);
        (counted, told) = (counted + newcomers, told + 1);
    }
    assert!(told < 30, "{told} lines");
}

#[tokio::test]
async fn a_crowd_from_one_address_of_ipv4_takes_no_more_than_its_share() {
    a_crowd_of_one_peer("tcp-l:127.0.0.1:0", ",bind=127.0.0.2", Some("")).await;
}

#[tokio::test]
async fn a_crowd_from_one_network_of_ipv6_takes_no_more_than_its_share() {
    a_crowd_of_one_peer("tcp-l:[::1]:0", "", None).await;
}

#[tokio::test]
async fn a_crowd_of_one_user_takes_no_more_than_its_share_of_a_unix_socket() {
    for scheme in ["unix", "unix-seq"] {
        let name = abstract_name(&format!("crowd-{scheme}"));
        a_crowd_of_one_peer(&format!("{scheme}-l:{name}"), "", None).await;
    }
}

#[tokio::test]
async fn who_comes_too_often_is_refused_and_another_is_not() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let listening = listen("tcp-l:127.0.0.1:0,rate-conns=1", &ctx).await;
    let to = local(&listening);
    let _server = Server::start(listening, echo(), &ctx);
    assert!(is_served(&to, &ctx).await && !is_served(&to, &ctx).await);
    assert!(is_served(&format!("{to},bind=127.0.0.2"), &ctx).await);
    assert_eq!(refused(&mut events).await.0, Refusal::TooOften);
    soon("another second", async {
        while !is_served(&to, &ctx).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn whose_a_peer_is_decides_where_a_rule_names_a_user() {
    for (at, listener) in [
        "tcp-l:127.0.0.1:0",
        "tcp-l:[::1]:0",
        "udp-l:127.0.0.1:0",
        "udp-l:[::1]:0",
        "udp-l:any:0",
        "unix-l:",
        "unix-seq-l:",
        "unix-dgram-l:",
    ]
    .into_iter()
    .enumerate()
    {
        let other = us() + 1;
        let is_local = !listener.contains("any");
        for (rule, comes_in) in [
            (format!("allow=uid:{}", us()), true),
            (format!("allow=uid:{other}"), false),
            (format!("allow=uid:{other},allow=uid:{}", us()), true),
            (format!("deny=uid:{}", us()), false),
            (format!("deny=uid:{other}"), true),
        ] {
            if rule.starts_with("deny") && !is_local {
                continue;
            }
            let ctx = Ctx::default();
            let name = if listener.starts_with("unix") {
                abstract_name(&format!("{at}-{rule}")).replace(',', "-")
            } else {
                String::new()
            };
            let listening = listen(&format!("{listener}{name},{rule}"), &ctx).await;
            let to = local(&listening).replace("0.0.0.0", "127.0.0.1");
            let _server = Server::start(listening, echo(), &ctx);
            assert_eq!(is_served(&to, &ctx).await, comes_in, "{listener},{rule}");
        }
    }
}

#[tokio::test]
async fn the_user_at_the_other_end_is_known_where_somebody_asks() {
    for newcomers in [Newcomers::Anyone, Newcomers::Identified, Newcomers::Ours] {
        let ctx = limited(newcomers);
        for listener in
            ["tcp-l:127.0.0.1:0", "tcp-l:[::1]:0", "udp-l:127.0.0.1:0", "unix-l:", "unix-dgram-l:"]
        {
            let name = if listener.starts_with("unix") { abstract_name(listener) } else { String::new() };
            let mut listening = listen(&format!("{listener}{name}"), &ctx).await;
            let mut near = dial(&local(&listening), &ctx).await;
            put(&mut near, b"hello").await.unwrap();
            let user = accept(&mut listening).await.peer().user;
            assert_eq!(user, (newcomers != Newcomers::Anyone).then(us), "{listener} {newcomers:?}");
        }
    }
}

#[tokio::test]
async fn a_socket_that_is_bound_to_the_loopback_interface_is_found_too() {
    for listener in ["tcp-l:127.0.0.1:0", "tcp-l:[::1]:0"] {
        let ctx = limited(Newcomers::Identified);
        let mut listening = listen(listener, &ctx).await;
        let to = local(&listening).trim_start_matches("tcp:").parse().unwrap();
        let near = if listener.contains('[') { TcpSocket::new_v6() } else { TcpSocket::new_v4() }.unwrap();
        near.bind_device(Some(b"lo")).unwrap();
        let _near = near.connect(to).await.unwrap();
        assert_eq!(accept(&mut listening).await.peer().user, Some(us()), "{listener}");
    }
}

#[tokio::test]
async fn who_has_left_for_good_before_it_was_asked_is_nobodys_and_not_roots() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let listening = listen("tcp-l:127.0.0.1:0,allow=uid:0", &ctx).await;
    let to = local(&listening).trim_start_matches("tcp:").to_owned();
    // One ends in order, which leaves an orphan behind, and one breaks off, which leaves nothing.
    let (orderly, abrupt) = (TcpStream::connect(&to).unwrap(), TcpStream::connect(&to).unwrap());
    sockopt::set_socket_linger(&abrupt, Some(Duration::ZERO)).unwrap();
    drop((orderly, abrupt));
    let mut server = Server::start(listening, echo(), &ctx);
    assert_eq!(refused(&mut events).await.0, Refusal::UnknownOwner);
    ctx.stop.drain();
    assert_eq!(server.served().await.accepted, 0);
}

#[tokio::test]
async fn what_is_for_our_user_alone_cannot_be_listened_on_where_others_reach_it() {
    let ctx = limited(Newcomers::Ours);
    for word in ["tcp-l:any:0", "tcp-l:0.0.0.0:0", "udp-l:any:0"] {
        let error = sockeye::listen(&address(word), &ctx).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.cause().to_string().contains("others than users")),
            (Kind::Usage, true)
        );
    }
    for word in ["tcp-l:0", "mem-l:ours", &format!("unix-l:{}", abstract_name("ours"))] {
        let listening = listen(word, &ctx).await;
        let to = local(&listening);
        let _server = Server::start(listening, echo(), &ctx);
        assert!(is_served(&to, &ctx).await, "{word}");
    }
}

#[tokio::test]
async fn a_rule_that_can_name_nobody_is_an_error_at_the_start() {
    let ctx = Ctx::default();
    for (word, said) in [
        ("tcp-l:0,allow=no-such-user", "allow=no-such-user: there is no such user"),
        ("tcp-l:any:0,deny=uid:1", "deny=uid:1 cannot be told there"),
        ("unix-l:@x,allow=10.0.0.0/8", "allow=10.0.0.0/8 names nobody"),
        ("unix-dgram-l:@x,deny=::1", "deny=::1 names nobody"),
        (
            "tcp-l:0,allow=cert:alice",
            "allow=cert:alice names nobody: who comes there is asked for no certificate",
        ),
    ] {
        let error = sockeye::listen(&address(word), &ctx).await.unwrap_err();
        let cause = error.cause().to_string();
        assert!(error.kind() == Kind::Usage && cause.starts_with(said), "{word}: {cause}");
    }
}

#[tokio::test]
async fn datagrams_of_the_refused_are_counted_and_a_limit_counts_peers() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let mut listening = listen("udp-l:127.0.0.1:0,max-per-peer=1,deny=127.0.0.3", &ctx).await;
    let to = local(&listening);
    let mut first = dial(&to, &ctx).await;
    put(&mut first, b"first").await.unwrap();
    let mut inside = accept(&mut listening).await;
    assert_eq!(get(&mut inside, 5).await, b"first");
    let (mut second, mut third) = (dial(&to, &ctx).await, dial(&format!("{to},bind=127.0.0.3"), &ctx).await);
    put(&mut second, b"x").await.unwrap();
    put(&mut third, b"x").await.unwrap();
    let mut kept_out = 0;
    while kept_out < 2 {
        let pick = |event| match event {
            Event::Dropped { dropped, .. } => Some(dropped.kept_out),
            _ => None,
        };
        kept_out += event(&mut events, pick).await;
    }
    put(&mut first, b"again").await.unwrap();
    assert_eq!(get(&mut inside, 5).await, b"again");
    // Whoever leaves makes room.
    drop(inside);
    put(&mut second, b"again").await.unwrap();
    assert_eq!(get(&mut accept(&mut listening).await, 5).await, b"again");
}

/// A connection over loopback: our end's peer as the library knows it, and the two ends.
async fn pair(ip: &str) -> (Listening, Conn, TcpStream) {
    let ctx = Ctx::default();
    let mut listening = listen(&format!("tcp-l:{ip}:0"), &ctx).await;
    let near = TcpStream::connect(local(&listening).trim_start_matches("tcp:")).unwrap();
    let far = accept(&mut listening).await;
    (listening, far, near)
}

#[tokio::test]
async fn a_peer_that_has_ended_its_side_is_still_there_and_one_that_has_closed_is_gone() {
    for ip in ["127.0.0.1", "[::1]"] {
        let (_listening, mut far, near) = pair(ip).await;
        assert_eq!(sockeye::is_gone(far.peer()), Some(false));
        near.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(rest(&mut far).await.unwrap(), b"");
        assert_eq!(sockeye::is_gone(far.peer()), Some(false), "FIN_WAIT2 with an owner");
        drop(near);
        assert_eq!(sockeye::is_gone(far.peer()), Some(true), "FIN_WAIT2 without one");
        far.shutdown_write().await.unwrap();
        assert_eq!(sockeye::is_gone(far.peer()), Some(true), "TIME_WAIT");

        let (_listening, mut far, near) = pair(ip).await;
        far.write_all(b"unread").await.unwrap();
        drop(near);
        soon("the reset", async { rest(&mut far).await.unwrap_err() }).await;
        assert_eq!(sockeye::is_gone(far.peer()), Some(true), "broken off");
    }
    let ctx = Ctx::default();
    let name = abstract_name("gone");
    let mut listening = listen(&format!("unix-l:{name}"), &ctx).await;
    let _near = dial(&local(&listening), &ctx).await;
    assert_eq!(sockeye::is_gone(accept(&mut listening).await.peer()), None);
}

#[tokio::test]
async fn who_listens_where_the_peer_was_is_not_the_peer() {
    let (_listening, mut far, near) = pair("127.0.0.1").await;
    let Endpoint::Inet(was) = far.peer().remote else { panic!("{:?}", far.peer()) };
    far.write_all(b"unread").await.unwrap();
    drop(near);
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    rustix::net::bind(&socket, &was).unwrap();
    rustix::net::listen(&socket, 1).unwrap();
    let theirs = TcpListener::from(socket);
    assert_eq!(theirs.local_addr().unwrap(), was);
    assert_eq!(sockeye::is_gone(far.peer()), Some(true));
}

#[tokio::test]
async fn a_socket_of_ipv6_that_speaks_ipv4_has_an_owner_too() {
    let ctx = limited(Newcomers::Identified);
    let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let port = local(&listening).rsplit(':').next().unwrap().parse().unwrap();
    let mapped = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let _near = TcpStream::connect((mapped, port)).unwrap();
    assert_eq!(accept(&mut listening).await.peer().user, Some(us()));
}
