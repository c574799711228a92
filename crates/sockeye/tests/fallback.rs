//! A name with several addresses over UDP, which has no handshake that could tell at which of them somebody is.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;

use sockeye::{Ctx, Kind, Message, Resolver};

use tokio::task::JoinSet;

use crate::lab::{LIMIT, dial, soon};

/// Knows one name, which is both loopback addresses.
fn ctx() -> Ctx {
    let both = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    let known = Arc::new([("both".to_owned(), both)].into());
    Ctx { resolver: Resolver { known, ..Resolver::default() }, ..Ctx::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_at_the_second_address_gets_all_that_was_sent_and_is_heard() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let ours = server.local_addr().unwrap();
    let mut conn = dial(&format!("udp:both:{}", ours.port()), &ctx()).await;
    conn.send(b"first").await.unwrap();
    let mut message = Message::default();
    let mut receiving = JoinSet::new();
    receiving.spawn(async move {
        soon("an answer", conn.receive(&mut message)).await.unwrap();
        conn.send(b"second").await.unwrap();
        (conn, message)
    });
    let mut buffer = [0; 16];
    let (size, from) = tokio::task::block_in_place(|| server.recv_from(&mut buffer)).unwrap();
    assert_eq!(&buffer[..size], b"first");
    server.send_to(b"an answer", from).unwrap();
    let (_conn, message) = soon("the end", receiving.join_next()).await.unwrap().unwrap();
    assert_eq!(
        (message.payload.as_slice(), message.from),
        (&b"an answer"[..], sockeye::Endpoint::Inet(ours))
    );
    assert_eq!(server.recv(&mut buffer).unwrap(), 6);
}

#[tokio::test]
async fn nobody_at_any_address_is_a_refusal_for_who_reads_and_for_who_writes() {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut conn = dial(&format!("udp:both:{free}"), &ctx()).await;
    conn.send(b"is anybody there?").await.unwrap();
    let refused = soon("a refusal", conn.receive(&mut Message::default())).await.unwrap_err();
    assert_eq!((refused.kind(), refused.address()), (Kind::Refused, Some(&*format!("udp:both:{free}"))));
    let refused = soon("a refusal", async {
        loop {
            if let Err(refused) = conn.send(b"again").await {
                return refused;
            }
        }
    });
    assert_eq!(refused.await.kind(), Kind::Refused);
}
