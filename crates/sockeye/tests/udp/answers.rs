//! Services that answer datagrams without a session.

use std::sync::Arc;

use sockeye::{BoxFuture, Conn, Ctx, Datagrams, Event, Message, Replies, Result, Service};

use super::{address_of, heard, lost, place, socket, told};
use crate::lab::{Server, event, listen, local};

/// A service without sessions. Each datagram is sent back; `where` is answered with where it came from and went to,
/// `lost` with how many were lost before it, and `large` with more than a datagram holds.
pub(super) struct Each;

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
