//! `raw:`, on loopback addresses of each test's own. It takes the right to open such sockets (CAP_NET_RAW).

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{self, AddressFamily, SendFlags, SocketType};
use sockeye::{Cause, Conn, Ctx, Ended, Endpoint, Event, Forward, Kind, Newcomers, Plan, RuleFault, Wants};

use crate::lab::{Server, accept, address, dial, event, get, listen, local, own_loopback, receive, soon};

async fn say(conn: &mut Conn, message: &[u8]) {
    soon("room", conn.send(message)).await.unwrap();
}

#[tokio::test]
async fn each_address_is_a_peer_and_is_named_as_one_dials_it() {
    let (ours, [one, other], ctx) = (own_loopback(), [own_loopback(), own_loopback()], Ctx::default());
    let mut listening = listen(&format!("raw-l:253:{ours}"), &ctx).await;
    assert_eq!(local(&listening), format!("raw:253:{ours}"));
    for theirs in [one, other] {
        let mut near = dial(&format!("raw:253:{ours},bind={theirs}"), &ctx).await;
        assert_eq!(near.peer().to_string(), format!("raw:253:{ours}"));
        assert_eq!(near.peer().local, Endpoint::Raw(253, (theirs, 0).into()));
        say(&mut near, b"hello").await;
        let mut far = accept(&mut listening).await;
        assert_eq!(far.peer().to_string(), format!("raw:253:{theirs}"));
        let message = receive(&mut far).await;
        assert_eq!(
            (&message.payload[..], message.from, message.to),
            (&b"hello"[..], far.peer().remote, Endpoint::Raw(253, (ours, 0).into()))
        );
        say(&mut far, b"an answer").await;
        assert_eq!(get(&mut near, 0).await, b"an answer");
    }
}

/// As many as go at a call and more, of which UDP would join some.
async fn feed_all(conn: &mut Conn) -> Vec<Vec<u8>> {
    let messages: Vec<Vec<u8>> = (0..150).map(|n| vec![n; [9, 9, 9, 0, 1200][usize::from(n % 5)]]).collect();
    for message in &messages {
        soon("room", poll_fn(|cx| conn.poll_feed(cx, message))).await.unwrap();
    }
    soon("room", conn.flush()).await.unwrap();
    messages
}

async fn assert_heard(conn: &mut Conn, messages: &[Vec<u8>], from: Endpoint) {
    for message in messages {
        let heard = receive(conn).await;
        assert_eq!((&heard.payload, heard.from, heard.cut), (message, from, false));
    }
}

#[tokio::test]
async fn what_is_fed_comes_message_by_message_and_without_a_header() {
    let (ours, theirs, ctx) = (own_loopback(), own_loopback(), Ctx::default());
    let end = |ip| Endpoint::Raw(253, SocketAddr::new(ip, 0));
    let mut listening = listen(&format!("raw-l:253:{ours}"), &ctx).await;
    let mut near = dial(&format!("raw:253:{ours},bind={theirs},rcvbuf=1MB"), &ctx).await;
    let asked = feed_all(&mut near).await;
    let mut far = accept(&mut listening).await;
    assert_heard(&mut far, &asked, end(theirs.into())).await;
    let answered = feed_all(&mut far).await;
    assert_heard(&mut near, &answered, end(ours.into())).await;

    // On IPv6 there is one loopback address, on which a socket hears itself, and no header that the kernel shows.
    let mut own = dial("raw:252:[::1],rcvbuf=1MB", &ctx).await;
    let said = feed_all(&mut own).await;
    assert_heard(&mut own, &said, Endpoint::Raw(252, "[::1]:0".parse().unwrap())).await;
}

#[tokio::test]
async fn what_the_kernel_drops_is_told_even_where_nothing_comes_after_it() {
    let (ours, theirs, mut ctx) = (own_loopback(), own_loopback(), Ctx::default());
    let mut events = ctx.events.subscribe(64, Wants::Trouble);
    let near = dial(&format!("raw:253:{theirs},bind={ours},rcvbuf=4k"), &ctx).await;
    let mut far = dial(&format!("raw:253:{ours},bind={theirs}"), &ctx).await;
    for _ in 0..100 {
        say(&mut far, &[0; 1000]).await;
    }
    drop(near);
    let lost = event(&mut events, |event| match event {
        Event::Dropped { dropped, .. } => Some(dropped.by_kernel),
        _ => None,
    });
    assert!((50..100).contains(&lost.await));
}

#[tokio::test]
async fn who_is_dialled_is_heard_alone_unless_all_are_to_be() {
    let (ours, [friend, stranger], ctx) = (own_loopback(), [own_loopback(), own_loopback()], Ctx::default());
    let from = async |theirs| dial(&format!("raw:253:{ours},bind={theirs}"), &ctx).await;
    for (option, want) in [("", &[&b"friend"[..]][..]), (",open", &[b"stranger", b"friend"])] {
        let mut near = dial(&format!("raw:253:{friend},bind={ours}{option}"), &ctx).await;
        say(&mut from(stranger).await, b"stranger").await;
        say(&mut from(friend).await, b"friend").await;
        for heard in want {
            let message = receive(&mut near).await;
            assert_eq!(&message.payload, heard, "{option}");
            let theirs = if *heard == b"friend" { friend } else { stranger };
            assert_eq!(message.from, Endpoint::Raw(253, (theirs, 0).into()), "{option}");
        }
    }
}

#[tokio::test]
async fn rules_know_addresses_there_and_no_users() {
    let (ours, friend, ctx) = (own_loopback(), own_loopback(), Ctx::default());
    let refused = async |options: &str, newcomers| {
        let mut ctx = Ctx::default();
        ctx.limits.newcomers = newcomers;
        let word = address(&format!("raw-l:253:{ours}{options}"));
        sockeye::listen(&word, &ctx).await.map(drop).unwrap_err()
    };
    let error = refused("", Newcomers::Ours).await;
    assert!(matches!(error.cause(), Cause::NoUsers) && error.kind() == Kind::Usage, "{error:?}");
    for rule in [",allow=root", ",deny=uid:7"] {
        let error = refused(rule, Newcomers::Anyone).await;
        assert!(matches!(error.cause(), Cause::Rule(_, RuleFault::NoUsers)), "{error:?}");
    }
    let mut listening = listen(&format!("raw-l:253:{ours},allow={friend},max-per-peer=1"), &ctx).await;
    for theirs in [own_loopback(), friend] {
        let mut near = dial(&format!("raw:253:{ours},bind={theirs}"), &ctx).await;
        say(&mut near, b"hello").await;
    }
    assert_eq!(accept(&mut listening).await.peer().to_string(), format!("raw:253:{friend}"));
}

#[tokio::test]
async fn names_of_protocols_and_families_of_hosts_are_looked_up() {
    let ctx = Ctx::default();
    for (word, reached) in [
        ("raw:icmp:localhost", "raw:icmp:127.0.0.1"),
        ("raw:IPv6-ICMP:[::1]", "raw:icmpv6:[::1]"),
        ("raw:rspf:127.0.0.1", "raw:73:127.0.0.1"),
        ("raw:253:::1", "raw:253:[::1]"),
    ] {
        assert_eq!(dial(word, &ctx).await.peer().reached(), reached, "{word}");
    }
    for (word, cause) in [
        ("raw:icmp:::1", "icmp goes over IPv4 alone: over IPv6 it is icmpv6"),
        ("raw:58:127.0.0.1", "icmpv6 goes over IPv6 alone: over IPv4 it is icmp"),
        ("raw:pigeon:::1", "/etc/protocols has no pigeon: write the number of the protocol"),
        ("raw:0:127.0.0.1", "protocol not supported"),
        ("raw:253:127.0.0.1,bind=127.0.0.2:7", "raw sockets have no ports: write bind=127.0.0.2"),
    ] {
        let error = sockeye::dial(&address(word), &ctx).await.map(drop).unwrap_err();
        assert_eq!(error.cause().to_string(), cause, "{word}");
    }
}

#[tokio::test]
async fn the_largest_message_is_what_the_kernel_takes() {
    let ctx = Ctx::default();
    let (v4, v6) = (format!("raw:253:{}", own_loopback()), "raw:254:[::1]");
    for (word, most) in [
        (v4.clone(), 65_515),
        (v4.clone() + ",hdrincl", 65_535),
        (v6.to_owned(), 65_535),
        (v6.to_owned() + ",hdrincl", 65_575),
    ] {
        let mut conn = dial(&word, &ctx).await;
        assert_eq!(conn.max_message(), Some(most), "{word}");
        let error = soon("a refusal", conn.send(&vec![0; most + 1])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge, "{word}");
        if !word.ends_with("hdrincl") {
            say(&mut conn, &vec![0; most]).await;
        }
    }
}

/// A raw socket hears everybody until it is told whom to hear.
#[tokio::test]
async fn who_is_dialled_while_others_talk_is_still_heard_alone() {
    let (ours, [friend, stranger], ctx) = (own_loopback(), [own_loopback(), own_loopback()], Ctx::default());
    let talks = Arc::new(AtomicBool::new(true));
    let chatter = {
        let (talks, protocol) = (talks.clone(), net::Protocol::from_raw(253.try_into().unwrap()));
        let socket = net::socket(AddressFamily::INET, SocketType::RAW, Some(protocol)).unwrap();
        net::connect(&socket, &SocketAddr::new(stranger.into(), 0)).unwrap();
        std::thread::spawn(move || {
            while talks.load(Ordering::Relaxed) {
                net::send(&socket, b"chatter", SendFlags::empty()).unwrap();
            }
        })
    };
    for _ in 0..200 {
        let mut near = dial(&format!("raw:253:{friend},bind={ours}"), &ctx).await;
        let mut far = dial(&format!("raw:253:{ours},bind={friend}"), &ctx).await;
        say(&mut far, b"friend").await;
        assert_eq!(get(&mut near, 0).await, b"friend");
    }
    talks.store(false, Ordering::Relaxed);
    chatter.join().unwrap();
}

/// The far end answers the relay, and the listener would hear that as well.
#[tokio::test]
async fn a_relay_does_not_speak_from_the_address_where_it_listens() {
    for options in ["", ",open"] {
        let (ours, far) = (own_loopback(), own_loopback());
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(64, Wants::Connections);
        let from = if options.is_empty() { format!(",bind={ours}") } else { options.to_owned() };
        let forward = Forward {
            to: sockeye::dialler(&address(&format!("raw:253:{far}{from}")), &Ctx::default()).unwrap(),
            plan: Plan::default(),
        };
        let mut server =
            Server::start(listen(&format!("raw-l:253:{ours}"), &ctx).await, Arc::new(forward), &ctx);
        let mut near = dial(&format!("raw:253:{ours},bind={}", own_loopback()), &ctx).await;
        say(&mut near, b"hello").await;
        let ended = event(&mut events, |event| match event {
            Event::Closed { ended, .. } => Some(ended),
            _ => None,
        });
        let Ended::Failed(error) = ended.await else { panic!("it was relayed") };
        let why = format!("253:{ours} would hear the answers too: speak from another address, with bind=");
        assert_eq!(error.cause().to_string(), why);
        ctx.stop.hurry();
        server.served().await;
    }
}
