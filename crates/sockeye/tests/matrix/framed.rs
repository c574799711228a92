//! Pairs of bytes and messages, with a frame on the side of bytes: messages go both ways as if both carried them.

use super::datagrams::{cut, meet, pass, too_large};
use super::joint::{End, Over, Pair, Room, is_datagram, start};
use super::{Shapes, each_pair};
use crate::lab::{alone, get, numbered, rest, soon};
use sockeye::{Conn, Kind};

/// A relay between bytes with `frame=len32` and messages.
fn each_framed(check: impl AsyncFn(Pair)) {
    each_pair(Shapes::Different, async |pair| check(Pair { over: Over::Frame, ..pair }).await);
}

#[test]
fn with_a_frame_on_the_bytes_messages_go_whole_each_way() {
    alone("matrix::framed::with_a_frame_on_the_bytes_messages_go_whole_each_way", || {
        each_framed(async |pair| {
            if pair.end != End::Peer {
                return;
            }
            let (relay, mut near, mut far) = meet(pair).await;
            let largest = near.max_message().into_iter().chain(far.max_message()).min().unwrap();
            for size in [0, 1, largest, 0, 7] {
                pass(&mut near, &mut far, &numbered(size)).await;
                pass(&mut far, &mut near, &numbered(size)).await;
            }
            pass_many(&mut near, &mut far).await;
            pass_many(&mut far, &mut near).await;
            drop((near, far));
            assert!(cut(relay).await.is_none());
        });
    });
}

/// Sends many messages while they are received. They are so few and short that no queue is full.
async fn pass_many(from: &mut Conn, to: &mut Conn) {
    let message = |number: usize| numbered(number * 3 % 50);
    let sending = async {
        for number in 0..64 {
            soon("room", from.send(&message(number))).await.unwrap();
        }
    };
    let receiving = async {
        for number in 0..64 {
            assert_eq!(get(to, 0).await, message(number), "message {number}");
        }
    };
    tokio::join!(sending, receiving);
}

#[test]
fn a_framed_message_that_is_too_long_for_the_other_side_is_told_and_the_next_goes_through() {
    alone(
        "matrix::framed::a_framed_message_that_is_too_long_for_the_other_side_is_told_and_the_next_goes_through",
        || {
            each_framed(async |pair| {
                if pair.end != End::Peer {
                    return;
                }
                let (mut relay, mut near, mut far) = meet(pair).await;
                let is_told = too_large(&mut relay, &mut near, &mut far).await
                    | too_large(&mut relay, &mut far, &mut near).await;
                drop((near, far));
                assert!(is_told, "what carries bytes carries more");
                assert_eq!(cut(relay).await.map(|failure| failure.kind()), Some(Kind::TooLarge));
            });
        },
    );
}

const SIZES: [usize; 5] = [0, 1, 60_000, 0, 7];

/// What a framed file holds.
fn frames() -> Vec<u8> {
    let frame = |size: usize| [&u32::try_from(size).unwrap().to_be_bytes()[..], &numbered(size)].concat();
    SIZES.into_iter().flat_map(frame).collect()
}

#[test]
fn a_framed_file_is_a_row_of_messages() {
    alone("matrix::framed::a_framed_file_is_a_row_of_messages", || {
        each_framed(async |pair| {
            // Who comes with a message finds nobody who takes it in a file that is read.
            if pair.end == End::Peer || (pair.end == End::Source && is_datagram(pair.near)) {
                return;
            }
            let (mut relay, _) = start(pair, Room::Usual, &frames()).await;
            let mut near = relay.client().await;
            if pair.end == End::Source {
                for size in SIZES {
                    assert_eq!(get(&mut near, 0).await, numbered(size));
                }
            } else {
                for size in SIZES {
                    near.send(&numbered(size)).await.unwrap();
                }
            }
            relay.opened().await;
            near.shutdown_write().await.unwrap();
            if !is_datagram(pair.near) {
                assert_eq!(rest(&mut near).await.unwrap(), b"");
            }
            assert_eq!(relay.end(&frames()).await.failed, 0);
        });
    });
}
