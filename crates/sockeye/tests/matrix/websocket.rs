//! Pairs of bytes with WebSockets on both sides: what is said, and how it ends, is on one side as on the other.

use sockeye::proto::websocket::Close;
use sockeye::{Conn, Content, Kind, Message, Payload};

use super::joint::{End, Far, Over, Pair, Relay, Room, join};
use super::{Breaking, Shapes, breaking, each_pair};
use crate::lab::{alone, assert_same, numbered, receive, soon};

/// A relay between WebSockets over each two that carry bytes. Who inherits a descriptor is a client always, and there
/// is nobody to answer it.
fn each_web_pair(check: impl AsyncFn(Pair)) {
    each_pair(Shapes::Same, async |pair| {
        let carries = pair.near.grammar.shape == sockeye::proto::shape::Shape::Bytes;
        if carries && pair.end == End::Peer && pair.far.grammar.name != "fd" {
            check(Pair { over: Over::WebSocket, ..pair }).await;
        }
    });
}

async fn meet(pair: Pair) -> (Relay, Conn, Conn) {
    let (relay, near, far) = join(pair, Room::Usual, b"").await;
    let Far::Peer(far) = far else { panic!("nobody is at this far end") };
    (relay, near, far)
}

async fn pass(from: &mut Conn, to: &mut Conn, bytes: &[u8], content: Content) {
    let (sent, came) = tokio::join!(from.send(Payload { bytes, content }), receive(to));
    sent.unwrap();
    assert_same(&came.payload, bytes);
    assert_eq!(came.content, content);
}

/// Ends one side with a word, and sees what the other side hears and says.
async fn end(mut from: Conn, mut to: Conn, word: &Close) {
    from.set_closing(word);
    soon("room", from.shutdown_write()).await.unwrap();
    assert!(!soon("the end", to.receive(&mut Message::default())).await.unwrap());
    assert_eq!(to.closing().as_ref(), Some(word));
    let answer = Close { code: Some(4001), reason: "and bye".into() };
    to.set_closing(&answer);
    soon("room", to.shutdown_write()).await.unwrap();
    assert!(!soon("the end", from.receive(&mut Message::default())).await.unwrap());
    assert_eq!(from.closing(), Some(answer));
}

#[test]
fn text_and_binary_messages_of_every_size_go_whole_each_way() {
    alone("matrix::websocket::text_and_binary_messages_of_every_size_go_whole_each_way", || {
        each_web_pair(async |pair| {
            let (relay, mut near, mut far) = meet(pair).await;
            for size in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
                for content in [Content::Text, Content::Binary] {
                    let mut bytes = numbered(size);
                    bytes.iter_mut().for_each(|byte| *byte &= 0x7f);
                    pass(&mut near, &mut far, &bytes, content).await;
                    pass(&mut far, &mut near, &bytes, content).await;
                }
            }
            end(near, far, &Close::of(Close::NORMAL)).await;
            let served = relay.end(b"").await;
            assert_eq!(served.failed, 1, "4001 is no good end");
        });
    });
}

#[test]
fn the_last_word_of_each_side_is_what_the_other_hears() {
    alone("matrix::websocket::the_last_word_of_each_side_is_what_the_other_hears", || {
        each_web_pair(async |pair| {
            for word in [Close::default(), Close { code: Some(4000), reason: "grüße".into() }] {
                let (mut relay, near, far) = meet(pair).await;
                end(near, far, &word).await;
                relay.ended().await;
                let (mut relay, near, far) = meet(pair).await;
                end(far, near, &word).await;
                relay.ended().await;
            }
        });
    });
}

#[test]
fn who_goes_without_a_word_does_not_look_as_if_it_had_ended() {
    alone("matrix::websocket::who_goes_without_a_word_does_not_look_as_if_it_had_ended", || {
        each_web_pair(async |pair| {
            for from_near in [true, false] {
                // A command hears that it is ended, and has no word of its own for it.
                if breaking(pair.far) == Breaking::Ends {
                    continue;
                }
                let (mut relay, near, far) = meet(pair).await;
                let (from, mut to) = if from_near { (near, far) } else { (far, near) };
                drop(from);
                let error = soon("the end", to.receive(&mut Message::default())).await.unwrap_err();
                assert_eq!(error.kind(), Kind::Reset, "{error:?}");
                assert_eq!(relay.ended().await.last_failure.map(|failure| failure.kind()), Some(Kind::Reset));
            }
        });
    });
}
