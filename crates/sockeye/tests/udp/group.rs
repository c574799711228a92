//! Groups and broadcasts, on the loopback interface.

use sockeye::{Ctx, Kind, Op};

use super::{address_of, heard, inet, place, socket};
use crate::lab::{accept, address, dial, listen, receive};

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
