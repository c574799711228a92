//! `chargen`: its pattern, and that it goes on for as long as somebody reads.

use crate::lab::{EVERY_KIND, Serving, get, put, rest, row, soon};

/// Line `number` of RFC 864: 72 of the 95 printable characters, each line from the next one on.
fn line(number: usize) -> Vec<u8> {
    let all: Vec<u8> = (b' '..=b'~').collect();
    let ring = all.iter().copied().cycle();
    ring.skip(number % all.len()).take(72).chain(*b"\r\n").collect()
}

#[tokio::test]
async fn the_pattern_goes_round_without_a_seam() {
    for word in ["mem-l:x", "tcp-l:127.0.0.1:0"] {
        let serving = Serving::start(row("chargen"), word).await;
        let mut client = serving.client().await;
        for number in 0..300 {
            let got = get(&mut client, 74).await;
            assert_eq!(got, line(number), "{word}, line {number}: {}", String::from_utf8_lossy(&got));
        }
        drop(client);
        serving.stop().await;
    }
}

#[tokio::test]
async fn it_ends_when_the_peer_leaves_and_not_when_the_peer_has_no_more_to_say() {
    for word in ["mem-l:x", "tcp-l:127.0.0.1:0"] {
        let serving = Serving::start(row("chargen"), word).await;
        let mut client = serving.client().await;
        put(&mut client, b"whatever I say").await;
        client.shutdown_write().await.unwrap();
        // Far more than was under way when it heard that.
        for number in 0..100_000 {
            assert_eq!(get(&mut client, 74).await, line(number), "{word}, line {number}");
        }
        client.abort();
        drop(client);
        serving.stop().await;
    }
}

#[tokio::test]
async fn what_a_peer_sends_does_not_hold_it_up() {
    let serving = Serving::start(row("chargen"), "mem-l:x").await;
    let mut client = serving.client().await;
    // More than the link holds, while nothing is read.
    soon("chargen to read", client.write_all(&vec![b'x'; 1 << 20])).await.unwrap();
    assert_eq!(get(&mut client, 74).await, line(0));
    drop(client);
    serving.stop().await;
}

#[tokio::test]
async fn each_message_gets_one_line() {
    for word in &EVERY_KIND[1..] {
        let serving = Serving::start(row("chargen"), word).await;
        let mut client = serving.client().await;
        for _ in 0..3 {
            put(&mut client, b"next").await;
            assert_eq!(get(&mut client, 74).await, line(0), "{word}");
        }
        client.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"", "{word}");
        serving.stop().await;
    }
}
