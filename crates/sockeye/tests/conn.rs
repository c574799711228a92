//! One connection: its two directions, what it says of itself, and calls that make no sense on it.

use std::time::Duration;

use sockeye::proto::shape::Shape;
use sockeye::{Cause, Conn, Ctx, Kind, Message, Op};
use testkit::Scratch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{
    abstract_name, accept, address, assert_same, dial, get, listen, local, numbered, put, rest, soon,
};

/// Listens, dials, and gives both ends: whatever stands behind `-l:` in `word` leads back to it.
async fn pair(word: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen(word, ctx).await;
    let to = if word.ends_with(":0") { local(&listening) } else { word.replacen("-l:", ":", 1) };
    (dial(&to, ctx).await, accept(&mut listening).await)
}

fn everywhere() -> Vec<String> {
    let unix = format!("unix-l:{}", abstract_name("conn"));
    ["tcp-l:127.0.0.1:0", "tcp-l:[::1]:0", &unix, "mem-l:x", "mem-l:x,frame=burst", "mem-seq-l:x"]
        .map(str::to_owned)
        .to_vec()
}

#[tokio::test]
async fn each_direction_ends_for_itself() {
    for word in everywhere() {
        let (mut near, mut far) = pair(&word, &Ctx::default()).await;
        assert!(near.half_close() && far.half_close(), "{word}");
        near.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut far).await.unwrap(), b"", "{word}");
        // The end stays, however often it is asked for.
        assert_eq!(rest(&mut far).await.unwrap(), b"", "{word}");
        put(&mut far, b"an answer").await.unwrap();
        assert_eq!(get(&mut near, 9).await, b"an answer", "{word}");
        far.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut near).await.unwrap(), b"", "{word}");
        // Telling it twice is no error.
        near.shutdown_write().await.unwrap();
        assert_eq!((near.counts().sent(), near.counts().received()), (0, 9), "{word}");
        assert_eq!((far.counts().sent(), far.counts().received()), (9, 0), "{word}");
    }
}

#[tokio::test]
async fn who_is_gone_cannot_be_written_to() {
    for word in everywhere() {
        let (near, mut far) = pair(&word, &Ctx::default()).await;
        drop(near);
        assert_eq!(rest(&mut far).await.unwrap(), b"", "{word}: an orderly end");
        // TCP must ask first: the answer to what is written is the reset.
        let error = soon("an error", async {
            loop {
                if let Err(error) = put(&mut far, b"anybody?").await {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!((error.kind(), error.op()), (Kind::Reset, Op::Write), "{word}");
    }
}

#[tokio::test]
async fn what_was_sent_before_an_orderly_drop_arrives() {
    for word in everywhere() {
        let (mut near, mut far) = pair(&word, &Ctx::default()).await;
        let last = numbered(10_000);
        put(&mut near, &last).await.unwrap();
        drop(near);
        assert_same(&rest(&mut far).await.unwrap(), &last);
    }
}

#[tokio::test]
async fn halves_work_in_two_tasks() {
    for word in everywhere() {
        let (near, mut far) = pair(&word, &Ctx::default()).await;
        let shape = near.shape();
        let (mut reading, mut writing) = near.split();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for number in 0..200u32 {
                match shape {
                    Shape::Bytes => writing.write_all(&number.to_be_bytes()).await.unwrap(),
                    Shape::Messages => writing.send(&number.to_be_bytes()).await.unwrap(),
                }
            }
            writing.shutdown_write().await.unwrap();
            // The half is dropped, and the connection is still open.
        });
        tasks.spawn(async move {
            let (mut buffer, mut message, mut came) = ([0; 3], Message::default(), 0);
            loop {
                came += match shape {
                    Shape::Bytes => reading.read(&mut buffer).await.unwrap(),
                    Shape::Messages => {
                        reading.receive(&mut message).await.unwrap();
                        message.payload.len()
                    }
                };
                if came == 800 {
                    return;
                }
            }
        });
        let sent = rest(&mut far).await.unwrap();
        let want: Vec<u8> = (0..200u32).flat_map(u32::to_be_bytes).collect();
        assert_same(&sent, &want);
        for piece in sent.chunks(8) {
            put(&mut far, piece).await.unwrap();
        }
        soon("both tasks", tasks.join_all()).await;
        assert_eq!(rest(&mut far).await.unwrap(), b"", "{word}");
    }
}

#[tokio::test]
async fn a_half_can_break_the_whole_off() {
    for word in ["tcp-l:127.0.0.1:0", "mem-l:x", "mem-l:x,frame=burst", "mem-seq-l:x"] {
        let (near, mut far) = pair(word, &Ctx::default()).await;
        let (reading, mut writing) = near.split();
        writing.abort();
        drop(writing);
        let early = timeout(Duration::from_millis(20), rest(&mut far)).await;
        assert!(early.is_err(), "{word}: the other half is still there: {early:?}");
        drop(reading);
        assert_eq!(rest(&mut far).await.unwrap_err().kind(), Kind::Reset, "{word}");
    }
}

#[tokio::test]
async fn bytes_and_messages_are_not_taken_for_each_other() {
    for word in everywhere() {
        let (mut near, _far) = pair(&word, &Ctx::default()).await;
        let shape = near.shape();
        let (mut buffer, mut message) = ([0; 8], Message::default());
        let errors = match shape {
            Shape::Bytes => {
                [near.send(b"x").await.unwrap_err(), near.receive(&mut message).await.unwrap_err()]
            }
            Shape::Messages => {
                [near.write_all(b"x").await.unwrap_err(), near.read(&mut buffer).await.unwrap_err()]
            }
        };
        for (error, op) in errors.iter().zip([Op::Write, Op::Read]) {
            assert_eq!((error.kind(), error.op()), (Kind::Usage, op), "{word}");
            assert!(matches!(error.cause(), Cause::WrongShape { has } if *has == shape), "{word}: {error:?}");
        }
    }
}

#[tokio::test]
async fn last_words_arrive_although_the_peer_keeps_sending() {
    let ctx = Ctx::default();
    for word in everywhere() {
        let (mut near, mut far) = pair(&word, &ctx).await;
        let talk = numbered(10_000);
        put(&mut near, &talk).await.unwrap();
        put(&mut far, b"the last words").await.unwrap();
        let (ended, heard) = tokio::join!(far.farewell(&ctx), async {
            put(&mut near, b"I am not listening").await.unwrap();
            let heard = rest(&mut near).await.unwrap();
            near.shutdown_write().await.unwrap();
            heard
        });
        ended.unwrap();
        assert_eq!(heard, b"the last words", "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_farewell_ends_with_the_peer_with_its_limits_or_with_a_hurry() {
    let ctx = Ctx::default();
    let (silent, far) = pair("mem-l:x", &ctx).await;
    let began = Instant::now();
    far.farewell(&ctx).await.unwrap();
    let took = began.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_millis(2100)).contains(&took), "{took:?}");
    drop(silent);

    let (ends, far) = pair("mem-l:x", &ctx).await;
    let began = Instant::now();
    let (ended, ()) = tokio::join!(far.farewell(&ctx), async {
        sleep(Duration::from_secs(1)).await;
        drop(ends);
    });
    ended.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(1), "its end is not waited out");

    let (mut talks, far) = pair("mem-l:x", &ctx).await;
    let began = Instant::now();
    let endless = async {
        while talks.write_all(b"and another thing").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let (ended, ()) = tokio::join!(far.farewell(&ctx), endless);
    ended.unwrap();
    let took = began.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_millis(2200)).contains(&took), "{took:?}");

    let (_silent, far) = pair("mem-l:x", &ctx).await;
    ctx.stop.hurry();
    let began = Instant::now();
    far.farewell(&ctx).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_name_inside_this_process_is_taken_once_and_free_again_afterwards() {
    let ctx = Ctx::default();
    for scheme in ["mem", "mem-seq"] {
        let listening = listen(&format!("{scheme}-l:x"), &ctx).await;
        let again = sockeye::listen(&address(&format!("{scheme}-l:x")), &ctx).await;
        let error = again.unwrap_err();
        assert_eq!((error.kind(), error.op()), (Kind::InUse, Op::Listen));
        // Another name, another network and another shape are other places.
        drop(listen(&format!("{scheme}-l:y"), &ctx).await);
        drop(listen(&format!("{scheme}-l:x"), &Ctx::default()).await);
        drop(listening);
        let refused = sockeye::dial(&address(&format!("{scheme}:x")), &ctx).await.unwrap_err();
        assert_eq!((refused.kind(), refused.address()), (Kind::Refused, Some(&*format!("{scheme}:x"))));
        drop(listen(&format!("{scheme}-l:x"), &ctx).await);
    }
}

#[tokio::test]
async fn files_are_read_written_and_appended_to() {
    let scratch = Scratch::new();
    let ctx = Ctx::default();
    let path = scratch.path("notes");
    let word = format!("file:{}", path.display());
    let missing = sockeye::dial(&address(&word), &ctx).await.unwrap_err();
    assert_eq!((missing.kind(), missing.op(), missing.address()), (Kind::NotFound, Op::Dial, Some(&*word)));
    for (options, text, want) in [
        (",append", "one\n", "one\n"),
        (",append", "two\n", "one\ntwo\n"),
        (",write", "three\n", "three\n"),
        (",append", "four\n", "three\nfour\n"),
    ] {
        let mut file = dial(&format!("{word}{options}"), &ctx).await;
        assert_eq!(rest(&mut file).await.unwrap(), b"", "nothing comes from a file that is written");
        file.write_all(text.as_bytes()).await.unwrap();
        file.shutdown_write().await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), want);
    }
    let mut file = dial(&word, &ctx).await;
    assert_eq!(rest(&mut file).await.unwrap(), b"three\nfour\n");
    assert_eq!(file.write_all(b"x").await.unwrap_err().op(), Op::Write);
    let both = sockeye::dial(&address(&format!("{word},write,append")), &ctx).await.unwrap_err();
    assert_eq!(both.kind(), Kind::Usage);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\nfour\n");
}
