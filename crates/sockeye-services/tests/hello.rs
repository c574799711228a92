//! `hello`: its greeting, its answers, and how it ends.

use crate::lab::{Serving, get, put, rest, row};

const KINDS: [&str; 3] = ["mem-l:x", "mem-seq-l:x", "tcp-l:127.0.0.1:0"];

#[tokio::test]
async fn it_greets_and_greets_back_by_name_until_it_hears_exit() {
    for word in KINDS {
        for exit in ["exit", "exit\n", "exit\r\n"] {
            let serving = Serving::start(row("hello"), word).await;
            let mut client = serving.client().await;
            assert_eq!(get(&mut client, 5).await, b"Hello", "{word}");
            for (text, want) in
                [("mike", "Hello,mike!"), ("驴\n", "Hello,驴!\n"), ("exits\r\n", "Hello,exits!\r\n")]
            {
                put(&mut client, text.as_bytes()).await;
                assert_eq!(get(&mut client, want.len()).await, want.as_bytes(), "{word}");
            }
            put(&mut client, exit.as_bytes()).await;
            assert_eq!(rest(&mut client).await.unwrap(), b"", "{word}");
            drop(client);
            serving.stop().await;
        }
    }
}

#[tokio::test]
async fn who_only_listens_and_ends_has_been_greeted() {
    for word in KINDS {
        let serving = Serving::start(row("hello"), word).await;
        let mut client = serving.client().await;
        client.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"Hello", "{word}");
        serving.stop().await;
    }
}

#[tokio::test]
async fn an_empty_message_is_greeted_too() {
    let serving = Serving::start(row("hello"), "mem-seq-l:x").await;
    let mut client = serving.client().await;
    assert_eq!(get(&mut client, 5).await, b"Hello");
    put(&mut client, b"").await;
    assert_eq!(get(&mut client, 7).await, b"Hello,!");
    drop(client);
    serving.stop().await;
}
