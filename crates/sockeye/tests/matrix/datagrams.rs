//! Pairs that carry messages, and of which one side at least has no end: peers that a socket tells apart by their
//! names. Such a side loses what finds no room, so little is under way here at a time.

use std::time::Duration;

use sockeye::{Cause, Conn, Ended, Error, Event, Kind};
use tokio::time::Instant;

use super::joint::{Far, Pair, Relay, Room, Waiting, is_datagram, start};
use super::{Shapes, all_pairs, each_pair};
use crate::lab::{Server, accept, alone, assert_same, echo, event, get, numbered, rest, soon};

/// What each client says first: a listener has a peer only from its first message on.
const FIRST: &[u8] = b"here I am";

/// A relay, and both of its outer ends, which have heard of each other.
pub(super) async fn meet(pair: Pair) -> (Relay, Conn, Conn) {
    let (mut relay, waiting) = start(pair, Room::Usual, b"").await;
    let near = greeting(&mut relay).await;
    let Far::Peer(mut far) = waiting.far().await else { panic!("nobody is at this far end") };
    assert_eq!(get(&mut far, 0).await, FIRST);
    (relay, near, far)
}

/// A client that has said something.
async fn greeting(relay: &mut Relay) -> Conn {
    let mut near = relay.client().await;
    near.send(FIRST).await.unwrap();
    relay.opened().await;
    near
}

/// Ends what is left of a session at once, sees that nothing stays, and says what the relay made of it.
pub(super) async fn cut(mut relay: Relay) -> Option<Error> {
    relay.ctx.stop.hurry();
    let served = relay.server.served().await;
    assert_eq!(served.aborted, 0);
    nothing_is_left(&relay).await;
    served.last_failure.filter(|failure| !matches!(failure.cause(), Cause::Stopped))
}

async fn nothing_is_left(relay: &Relay) {
    relay.ctx.tasks.close();
    soon("the tasks to end", relay.ctx.tasks.wait()).await;
}

/// Sends a message, and sees that it arrives as it is.
pub(super) async fn pass(from: &mut Conn, to: &mut Conn, message: &[u8]) {
    soon("room", from.send(message)).await.unwrap();
    assert_same(&get(to, 0).await, message);
}

#[test]
fn messages_of_every_size_go_whole_each_way() {
    alone("matrix::datagrams::messages_of_every_size_go_whole_each_way", || {
        each_pair(Shapes::Datagrams, async |pair| {
            let (relay, mut near, mut far) = meet(pair).await;
            let largest = near.max_message().min(far.max_message()).unwrap();
            for size in [0, 1, largest, 0, 7] {
                pass(&mut near, &mut far, &numbered(size)).await;
                pass(&mut far, &mut near, &numbered(size)).await;
            }
            drop((near, far));
            assert!(cut(relay).await.is_none());
        });
    });
}

#[test]
fn many_clients_at_once_each_get_their_own_answers() {
    alone("matrix::datagrams::many_clients_at_once_each_get_their_own_answers", || {
        each_pair(Shapes::Datagrams, async |pair| {
            // Who dials it knows no session from another of the same address.
            if pair.far.grammar.name == "raw" {
                return;
            }
            let (relay, waiting) = start(pair, Room::Usual, b"").await;
            let Waiting::Listening(listening) = waiting else { panic!("{:?} listens", pair.far) };
            let mut server = Server::start(*listening, echo(), &relay.ctx);
            let mut clients = Vec::new();
            for _ in 0..20 {
                clients.push(relay.client().await);
            }
            let said = |round: usize, client: usize| format!("{round} of {client}").into_bytes();
            for round in 0..5 {
                for (number, client) in clients.iter_mut().enumerate() {
                    soon("room", client.send(&said(round, number))).await.unwrap();
                }
            }
            for round in 0..5 {
                for (number, client) in clients.iter_mut().enumerate() {
                    assert_eq!(get(client, 0).await, said(round, number));
                }
            }
            relay.ctx.stop.hurry();
            assert_eq!(server.served().await.accepted, 20);
            drop(clients);
            assert!(cut(relay).await.is_none());
        });
    });
}

/// How the session ended that is the next to end.
async fn closed(relay: &mut Relay) -> Ended {
    let ended = event(&mut relay.events, |event| match event {
        Event::Closed { ended, .. } => Some(ended),
        _ => None,
    });
    ended.await
}

#[test]
fn a_session_ends_a_second_after_the_side_that_has_an_end() {
    alone("matrix::datagrams::a_session_ends_a_second_after_the_side_that_has_an_end", || {
        all_pairs(Shapes::Datagrams, async |pair| {
            if is_datagram(pair.near) && is_datagram(pair.far) {
                return;
            }
            let (mut relay, mut near, mut far) = meet(pair).await;
            let (ends, other) =
                if is_datagram(pair.near) { (&mut far, &mut near) } else { (&mut near, &mut far) };
            ends.shutdown_write().await.unwrap();
            pass(other, ends, b"an answer that came later").await;
            let answered = Instant::now();
            assert_eq!(rest(ends).await.unwrap(), b"");
            assert!(matches!(closed(&mut relay).await, Ended::Done));
            let took = answered.elapsed();
            assert!((Duration::from_millis(800)..Duration::from_secs(5)).contains(&took), "{took:?}");
            drop((near, far));
            assert!(cut(relay).await.is_none());
        });
    });
}

#[test]
fn a_stop_ends_who_is_silent_in_order_and_leaves_nothing() {
    alone("matrix::datagrams::a_stop_ends_who_is_silent_in_order_and_leaves_nothing", || {
        all_pairs(Shapes::Datagrams, async |pair| {
            let (mut relay, mut near, mut far) = meet(pair).await;
            let asked = Instant::now();
            relay.ctx.stop.drain();
            pass(&mut near, &mut far, b"still here").await;
            pass(&mut far, &mut near, b"so am I").await;
            match (is_datagram(pair.near), is_datagram(pair.far)) {
                (true, true) => {}
                // Who can be told that the other is gone has a last word.
                (true, false) => {
                    assert_eq!(rest(&mut far).await.unwrap(), b"");
                    far.shutdown_write().await.unwrap();
                }
                (false, _) => near.shutdown_write().await.unwrap(),
            }
            let served = relay.server.served().await;
            assert_eq!((served.accepted, served.failed, served.outstayed), (1, 0, 0), "{served:?}");
            assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
            drop((near, far));
            nothing_is_left(&relay).await;
        });
    });
}

#[test]
fn a_silent_client_is_taken_to_have_left_and_may_come_back() {
    alone("matrix::datagrams::a_silent_client_is_taken_to_have_left_and_may_come_back", || {
        all_pairs(Shapes::Datagrams, async |pair| {
            if !is_datagram(pair.near) {
                return;
            }
            let pair = Pair { idle: Some(Duration::from_millis(200)), ..pair };
            let (mut relay, waiting) = start(pair, Room::Usual, b"").await;
            let Waiting::Listening(mut listening) = waiting else { panic!("{:?} listens", pair.far) };
            let mut near = greeting(&mut relay).await;
            let mut far = accept(&mut listening).await;
            assert_eq!(get(&mut far, 0).await, FIRST);
            if !is_datagram(pair.far) {
                assert_eq!(rest(&mut far).await.unwrap(), b"");
            }
            drop(far);
            let ended = closed(&mut relay).await;
            assert!(matches!(ended, Ended::Done), "{ended:?}");

            near.send(b"back again").await.unwrap();
            relay.opened().await;
            let mut far = accept(&mut listening).await;
            assert_eq!(get(&mut far, 0).await, b"back again");
            pass(&mut far, &mut near, b"welcome").await;
            drop((near, far, listening));
            assert!(cut(relay).await.is_none());
        });
    });
}

#[test]
fn a_message_that_the_other_side_does_not_carry_is_told_and_the_next_goes_through() {
    alone(
        "matrix::datagrams::a_message_that_the_other_side_does_not_carry_is_told_and_the_next_goes_through",
        || {
            each_pair(Shapes::Datagrams, async |pair| {
                let (mut relay, mut near, mut far) = meet(pair).await;
                let is_told = too_large(&mut relay, &mut near, &mut far).await
                    | too_large(&mut relay, &mut far, &mut near).await;
                drop((near, far));
                let failure = cut(relay).await.map(|failure| failure.kind());
                assert_eq!(failure, is_told.then_some(Kind::TooLarge));
            });
        },
    );
}

/// Sends what is one byte too long for the other side, where that can be; `false` where both carry as much.
pub(super) async fn too_large(relay: &mut Relay, from: &mut Conn, to: &mut Conn) -> bool {
    let limit = to.max_message().unwrap();
    if from.max_message().is_some_and(|most| most <= limit) {
        return false;
    }
    from.send(&numbered(limit + 1)).await.unwrap();
    pass(from, to, b"the next").await;
    let undelivered = event(&mut relay.events, |event| match event {
        Event::Undelivered { from, to, messages: 1, error } => Some((from, to, error)),
        _ => None,
    });
    let (sender, target, error) = undelivered.await;
    // The test is at the other side of a Unix socket there.
    let scheme =
        |conn: &Conn| relay.command.filter(|_| conn.peer().scheme == "unix").unwrap_or(conn.peer().scheme);
    assert_eq!((sender.scheme, target.scheme), (scheme(from), scheme(to)));
    assert!(
        matches!(error.cause(), Cause::TooLarge { size, most } if *size == limit + 1 && *most == limit),
        "{error:?}"
    );
    true
}
