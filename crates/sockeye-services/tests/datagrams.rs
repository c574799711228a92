//! Services over sockets that carry messages: over UDP without a session where they need none, over Unix sockets with
//! one.

use sockeye::proto::ntp::{Packet, Timestamp};
use sockeye::{Ctx, Event, Given, May, Message, Outsiders, Wants};
use sockeye_services::ALL;

use crate::lab::{Serving, get, put, row, soon};

#[tokio::test]
async fn each_message_is_answered_over_every_kind_of_socket_that_carries_messages() {
    for scheme in ["udp-l:127.0.0.1:0", "udp-l:[::1]:0", "unix-dgram-l", "unix-seq-l"] {
        for (service, want) in [
            ("echo", "hi"),
            ("upper", "HI"),
            ("reply", "Hello, client!"),
            ("hello", "Hello"),
            ("chargen", &*format!("{}\r\n", (' '..='g').collect::<String>())),
        ] {
            let word = if scheme.contains(':') {
                scheme.to_owned()
            } else {
                format!("{scheme}:@sockeye-{}-{service}", std::process::id())
            };
            let serving = Serving::start(row(service), &word).await;
            let mut client = serving.client().await;
            put(&mut client, b"hi").await;
            assert_eq!(get(&mut client, want.len()).await, want.as_bytes(), "{service} at {word}");
            if service == "hello" {
                assert_eq!(get(&mut client, 9).await, b"Hello,hi!", "{word}");
            }
            drop(client);
            serving.stop().await;
        }
    }
}

#[tokio::test]
async fn over_udp_only_those_who_need_a_session_have_one() {
    // What may do more has sessions, in which it is known who asks.
    for row in ALL.iter().filter(|row| row.may == May::Answer) {
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(16, Wants::Connections);
        let serving = Serving::start_in(row, &Given::default(), "udp-l:127.0.0.1:0", ctx).await;
        let mut client = serving.client().await;
        let asked = Packet::request(Timestamp::UNKNOWN).bytes();
        put(&mut client, if row.name == "ntp" { &asked } else { b"hi" }).await;
        if row.name != "discard" {
            let answered = soon(row.name, client.receive(&mut Message::default())).await;
            assert!(answered.unwrap(), "{}", row.name);
        }
        serving.stop().await;
        let needs_one = (row.build)(&Given::default(), &Ctx::default()).unwrap().as_datagrams().is_none();
        let told = events.try_recv();
        assert_eq!(matches!(told, Ok(Event::Opened { .. })), needs_one, "{}: {told:?}", row.name);
    }
}

#[tokio::test]
async fn this_machine_is_answered_with_more_than_it_sent_whether_or_not_a_service_is_public() {
    for outsiders in [Outsiders::Refused, Outsiders::Guarded] {
        let mut ctx = Ctx::default();
        ctx.limits.outsiders = outsiders;
        let serving = Serving::start_in(row("reply"), &Given::default(), "udp-l:127.0.0.1:0", ctx).await;
        let mut client = serving.client().await;
        // More often than anybody else would be.
        for _ in 0..300 {
            put(&mut client, b"").await;
            assert_eq!(get(&mut client, 14).await, b"Hello, client!");
        }
        serving.stop().await;
    }
}
