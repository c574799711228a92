//! `echo`, `upper`, `discard` and `reply`: what comes back, byte for byte and message for message.

use sockeye::proto::shape::Shape;
use sockeye::{Ctx, Given, Size};

use crate::lab::{EVERY_KIND, Serving, get, put, rest, row, soon};

fn every_byte() -> Vec<u8> {
    (0..=255).collect()
}

#[tokio::test]
async fn echo_sends_back_what_comes_and_ends_when_the_peer_does() {
    for word in EVERY_KIND {
        let serving = Serving::start(row("echo"), word).await;
        let mut client = serving.client().await;
        for text in [every_byte(), b"\0".to_vec(), "两个\r\n".into()] {
            put(&mut client, &text).await;
            assert_eq!(get(&mut client, text.len()).await, text, "{word}");
        }
        put(&mut client, b"the last").await;
        client.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"the last", "{word}");
        serving.stop().await;
    }
}

#[tokio::test]
async fn echo_keeps_the_borders_of_messages_and_the_empty_ones() {
    let serving = Serving::start(row("echo"), "mem-seq-l:x").await;
    let mut client = serving.client().await;
    let most = client.max_message().unwrap();
    for size in [0, 1, 0, most, 7] {
        let message = vec![b'm'; size];
        put(&mut client, &message).await;
        assert_eq!(get(&mut client, size).await, message);
    }
    serving.stop().await;
}

#[tokio::test]
async fn much_goes_through_echo_and_upper_whole() {
    for name in ["echo", "upper"] {
        for word in ["mem-l:x", "mem-l:x,frame=burst", "tcp-l:127.0.0.1:0"] {
            let serving = Serving::start(row(name), word).await;
            // Digits have no capitals, and no two stretches of eight are alike.
            let much: Vec<u8> =
                (0..1u32 << 17).flat_map(|number| format!("{number:08}").into_bytes()).collect();
            let (mut reading, mut writing) = serving.client().await.split();
            let (sent, came) = tokio::join!(
                async {
                    writing.write_all(&much).await?;
                    writing.shutdown_write().await
                },
                soon("all of it", async {
                    let (mut came, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
                    loop {
                        match reading.read(&mut buffer).await.unwrap() {
                            0 => break came,
                            read => came.extend_from_slice(&buffer[..read]),
                        }
                    }
                })
            );
            sent.unwrap();
            assert!(came == much, "{name} at {word}: {} bytes of {}", came.len(), much.len());
            serving.stop().await;
        }
    }
}

#[tokio::test]
async fn upper_raises_ascii_and_leaves_all_other_bytes_alone() {
    let want: Vec<u8> =
        (0..=255u8).map(|byte| if byte.is_ascii_lowercase() { byte - 32 } else { byte }).collect();
    for word in EVERY_KIND {
        let serving = Serving::start(row("upper"), word).await;
        let mut client = serving.client().await;
        for (text, want) in [(every_byte(), want.clone()), ("größe\n".into(), "GRößE\n".into())] {
            put(&mut client, &text).await;
            assert_eq!(get(&mut client, want.len()).await, want, "{word}");
        }
        drop(client);
        serving.stop().await;
    }
}

#[tokio::test]
async fn discard_takes_everything_and_says_nothing() {
    for word in EVERY_KIND {
        let serving = Serving::start(row("discard"), word).await;
        let mut client = serving.client().await;
        for _ in 0..1024 {
            put(&mut client, &[b'x'; 1024]).await;
        }
        client.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"", "{word}");
        serving.stop().await;
    }
}

#[tokio::test]
async fn reply_says_the_same_to_each_message_and_what_its_flag_says() {
    for word in EVERY_KIND {
        for (text, want) in [(None, "Hello, client!"), (Some("Hallo\n"), "Hallo\n"), (Some(""), "")] {
            // Nothing at all can be a message only where messages have borders.
            if want.is_empty() && word != "mem-seq-l:x" {
                continue;
            }
            let serving = Serving::start_in(row("reply"), &says(text), word, Ctx::default()).await;
            let mut client = serving.client().await;
            for text in ["one", "two", "one"] {
                put(&mut client, text.as_bytes()).await;
                assert_eq!(get(&mut client, want.len()).await, want.as_bytes(), "{word}");
            }
            client.shutdown_write().await.unwrap();
            assert_eq!(rest(&mut client).await.unwrap(), b"", "{word}");
            serving.stop().await;
        }
    }
}

fn says(text: Option<&str>) -> Given {
    let [flag] = row("reply").flags else { panic!("reply has another flag") };
    let mut given = Given::default();
    text.into_iter().for_each(|text| given.set(flag, text));
    given
}

#[tokio::test]
async fn an_empty_reply_that_nobody_could_see_is_a_failure_and_not_a_silence() {
    let mut serving = Serving::start_in(row("reply"), &says(Some("")), "mem-l:x", Ctx::default()).await;
    let mut client = serving.client().await;
    put(&mut client, b"one").await;
    assert_eq!(rest(&mut client).await.unwrap(), b"");
    serving.ctx.stop.drain();
    let served = serving.ended().await;
    let said = served.last_failure.expect("a failure").cause().to_string();
    assert_eq!((served.failed, &*said), (1, "an empty message cannot go as frame=burst"));
}

#[tokio::test]
async fn who_is_idle_holds_no_buffer() {
    for name in ["echo", "upper", "discard", "chargen"] {
        let ctx = Ctx::default();
        let marked: Box<[u8]> = vec![0; Size::Small.bytes()].into();
        let place = marked.as_ptr();
        ctx.buffers.give_back(marked);
        let serving = Serving::start_in(row(name), &Given::default(), "mem-l:x", ctx.clone()).await;
        let mut client = serving.client().await;
        assert_eq!(client.shape(), Shape::Bytes);
        for _ in 0..3 {
            put(&mut client, b"hello").await;
            if name != "discard" {
                get(&mut client, 5).await;
            }
            // Until the service has had its turn.
            tokio::task::yield_now().await;
        }
        let lent = ctx.buffers.lend(Size::Small);
        assert_eq!(lent.as_ptr(), place, "{name} holds a buffer");
        drop(client);
        serving.stop().await;
    }
}
