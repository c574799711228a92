//! `daytime`: its line, by a clock that stands still, and that the line arrives.

use std::time::{Duration, SystemTime};

use sockeye::{Clock, Ctx, Given};

use crate::lab::{EVERY_KIND, Serving, get, put, rest, row};

/// The moment of the RFC's first example.
const THEN: u64 = 383_276_263;

fn stopped_clock() -> Ctx {
    let clock = Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(THEN));
    Ctx { clock, ..Ctx::default() }
}

/// The line that is right here: the zone is that of this machine.
fn line() -> Vec<u8> {
    let now = jiff::Timestamp::from_second(383_276_263).unwrap().to_zoned(jiff::tz::TimeZone::system());
    let weekday = ["Monday", "Tuesday", "Wednesday"][now.date().weekday().to_monday_zero_offset() as usize];
    let (day, zone) = (now.day(), now.strftime("%Z"));
    let (hour, minute, second) = (now.hour(), now.minute(), now.second());
    format!("{weekday}, February {day}, 1982 {hour:02}:{minute:02}:{second:02}-{zone}\r\n").into_bytes()
}

#[tokio::test]
async fn who_connects_gets_the_line_and_the_end() {
    for word in ["mem-l:x", "tcp-l:127.0.0.1:0"] {
        let serving = Serving::start_in(row("daytime"), &Given::default(), word, stopped_clock()).await;
        let mut client = serving.client().await;
        assert_eq!(rest(&mut client).await.unwrap(), line(), "{word}");
        drop(client);
        serving.stop().await;
    }
}

#[tokio::test]
async fn each_message_gets_the_line() {
    for word in &EVERY_KIND[1..] {
        let serving = Serving::start_in(row("daytime"), &Given::default(), word, stopped_clock()).await;
        let mut client = serving.client().await;
        for question in [&b"?"[..], b"what time is it", b"\n"] {
            put(&mut client, question).await;
            assert_eq!(get(&mut client, line().len()).await, line(), "{word}");
        }
        client.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"", "{word}");
        serving.stop().await;
    }
}

/// TCP resets a connection that is closed with bytes unread, and a reset overtakes what was sent before it.
#[tokio::test]
async fn the_line_arrives_although_the_peer_keeps_sending() {
    let serving =
        Serving::start_in(row("daytime"), &Given::default(), "tcp-l:127.0.0.1:0", stopped_clock()).await;
    for round in 0..50 {
        let mut client = serving.client().await;
        for _ in 0..10 {
            put(&mut client, &[b'x'; 1_000]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(rest(&mut client).await.unwrap(), line(), "round {round}");
    }
    serving.stop().await;
}
