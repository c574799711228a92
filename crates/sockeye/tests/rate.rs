//! `rate=`: how long it takes, where time stands still unless everybody waits.

use std::time::Duration;

use sockeye::Ctx;
use tokio::time::Instant;

use crate::lab::{accept, assert_same, dial, get, listen, numbered, put, rest};

/// How long `bytes` take from who has `near` among its options to who has `far`.
async fn takes(near: &str, far: &str, bytes: usize) -> Duration {
    let ctx = Ctx::default();
    let mut listening = listen(&format!("mem-l:x{far}"), &ctx).await;
    let mut sender = dial(&format!("mem:x{near}"), &ctx).await;
    let mut receiver = listening.accept().await.unwrap();
    let (content, began) = (numbered(bytes), Instant::now());
    let sending = async {
        sender.write_all(&content).await.unwrap();
        sender.shutdown_write().await.unwrap();
    };
    let ((), came) = tokio::join!(sending, rest(&mut receiver));
    assert_same(&came.unwrap(), &content);
    began.elapsed()
}

#[track_caller]
fn assert_seconds(took: Duration, seconds: f64) {
    let off = took.as_secs_f64() / seconds - 1.0;
    assert!(off.abs() < 0.05, "{took:?} instead of {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_each_way_by_who_dials_and_by_who_listens() {
    assert_seconds(takes(",rate=64kB/s", "", 64_000).await, 1.0);
    assert_seconds(takes("", ",rate=64kB/s", 64_000).await, 1.0);
    assert_seconds(takes(",rate=800Mbit/s", "", 50_000_000).await, 0.5);
    assert_seconds(takes(",rate=out:10kB/s", "", 20_000).await, 2.0);
    assert_eq!(takes(",rate=in:1/s", "", 20_000).await, Duration::ZERO);
    assert_seconds(takes(",rate=1MB/s", ",rate=in:10kB/s", 20_000).await, 2.0);
}

#[tokio::test(start_paused = true)]
async fn messages_are_whole_and_wait_for_those_before_them() {
    let ctx = Ctx::default();
    let mut listening = listen("mem-seq-l:x", &ctx).await;
    let mut near = dial("mem-seq:x,rate=10kB/s", &ctx).await;
    let mut far = accept(&mut listening).await;
    let began = Instant::now();
    let mut at = Vec::new();
    for size in [5000, 0, 1] {
        near.send(&numbered(size)).await.unwrap();
        assert_eq!(get(&mut far, 0).await, numbered(size));
        at.push(began.elapsed());
    }
    assert_eq!(at[0], Duration::ZERO);
    assert_seconds(at[1], 0.48);
    // What is fed goes out at its time, too, though nobody flushes.
    for size in [5000, 1] {
        std::future::poll_fn(|cx| near.poll_feed(cx, &numbered(size))).await.unwrap();
        assert_eq!(get(&mut far, 0).await, numbered(size));
    }
    assert_seconds(began.elapsed(), 0.98);
    far.send(b"back").await.unwrap();
    assert_eq!(get(&mut near, 0).await, b"back");
    assert_seconds(began.elapsed(), 0.98);
}

#[tokio::test(start_paused = true)]
async fn a_shared_rate_is_for_all_together_and_each_has_its_part() {
    for (option, seconds) in [("rate=10kB/s,rate-shared", 4.0), ("rate=10kB/s", 1.0)] {
        let ctx = Ctx::default();
        let mut listening = listen(&format!("mem-l:x,{option}"), &ctx).await;
        let mut pairs = Vec::new();
        for _ in 0..4 {
            let near = dial("mem:x", &ctx).await;
            pairs.push((near, listening.accept().await.unwrap()));
        }
        let (began, mut ends) = (Instant::now(), Vec::new());
        let mut all = tokio::task::JoinSet::new();
        for (mut near, mut far) in pairs {
            all.spawn(async move {
                put(&mut near, &numbered(10_000)).await.unwrap();
                near.shutdown_write().await.unwrap();
                assert_eq!(rest(&mut far).await.unwrap(), numbered(10_000));
                began.elapsed()
            });
        }
        while let Some(end) = all.join_next().await {
            ends.push(end.unwrap());
        }
        assert_seconds(*ends.last().unwrap(), seconds);
        assert!(ends[0].as_secs_f64() > seconds * 0.9, "{ends:?}");
    }
}
