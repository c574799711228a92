//! Some rows once more, with every byte in a read and a write of its own, at each end and in the relay.

use super::joint::{End, Far, Pair, Room, join};
use super::{Breaking, Shapes, assert_told, break_off, breaking, each_pair, exchange};
use crate::lab::{alone, assert_same, numbered, send_back};

/// A relay between two of these, whose other ends can be peers.
fn each_sliced(check: impl AsyncFn(Pair)) {
    each_pair(Shapes::Same, async |pair| {
        let is_here = |name: &str| ["tcp", "unix", "mem", "exec"].contains(&name);
        if is_here(pair.near.grammar.name) && is_here(pair.far.grammar.name) && pair.end == End::Peer {
            check(Pair { is_sliced: true, ..pair }).await;
        }
    });
}

#[test]
fn byte_by_byte_all_arrives_whole_and_comes_back_whole() {
    alone("matrix::sliced::byte_by_byte_all_arrives_whole_and_comes_back_whole", || {
        each_sliced(async |pair| {
            let content = numbered(1 << 10);
            let (relay, near, far) = join(pair, Room::Usual, &content).await;
            let Far::Peer(mut far) = far else { panic!("no peer") };
            let (sent, came) = tokio::join!(send_back(&mut far), exchange(near, &content));
            sent.unwrap();
            assert_same(&came.unwrap(), &content);
            drop(far);
            assert_eq!(relay.end(&content).await.failed, 0);
        });
    });
}

#[test]
fn byte_by_byte_who_breaks_off_does_not_look_as_if_it_had_ended() {
    alone("matrix::sliced::byte_by_byte_who_breaks_off_does_not_look_as_if_it_had_ended", || {
        each_sliced(async |pair| {
            if breaking(pair.near) != Breaking::Resets {
                return;
            }
            let (mut relay, near, far) = join(pair, Room::Usual, b"").await;
            let Far::Peer(mut far) = far else { panic!("no peer") };
            break_off(near, pair.near, &mut far).await;
            if breaking(pair.far) == Breaking::Resets {
                assert_told(far, pair.far).await;
            }
            assert_eq!(relay.ended().await.failed, 1);
        });
    });
}
