//! `log=`: what goes over a connection is told, all of it and in order, and is waited for.

use std::fmt::Write as _;
use std::time::Duration;

use sockeye::{Content, Ctx, Event, Seen, Style, Wants, Way};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::lab::{accept, dial, get, listen, local, numbered, put, rest, soon};

/// What was seen so far, a word each.
fn words(events: &mut Receiver<Event>) -> String {
    let mut words = String::new();
    while let Ok(event) = events.try_recv() {
        let Event::Traffic { seen, style, .. } = event else { panic!("{event:?}") };
        assert_eq!(style, Style::Text);
        let arrow = |way| if way == Way::In { '<' } else { '>' };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match seen {
            Seen::Opened => write!(words, "open"),
            Seen::Bytes { way, bytes, offset } => write!(words, " {}{}@{offset}", arrow(way), text(&bytes)),
            Seen::Message { way, bytes, content: Content::Unknown, cut: false } => {
                write!(words, " {}[{}]", arrow(way), text(&bytes))
            }
            Seen::Ended(way) => write!(words, " {}end", arrow(way)),
            Seen::Failed(way, _) => write!(words, " {}failed", arrow(way)),
            Seen::Closed { aborted: false } => write!(words, " closed"),
            Seen::Closed { aborted: true } => write!(words, " aborted"),
            other => panic!("{other:?}"),
        }
        .unwrap();
    }
    words
}

#[tokio::test]
async fn what_goes_and_who_ends_first_is_told_in_order_whatever_a_subscriber_wants() {
    for (options, want) in [
        ("", "open >one@0 >two@3 >end <three@0 <end closed"),
        (",frame=line", "open >[one] >[two] >end <[three] <end closed"),
    ] {
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(99, Wants::Trouble);
        let mut listening =
            listen(&format!("mem-l:x{options}"), &Ctx { events: Ctx::default().events, ..ctx.clone() }).await;
        let mut near = dial(&format!("mem:x{options},log=text"), &ctx).await;
        let mut far = soon("a connection", listening.accept()).await.unwrap();
        for piece in ["one", "two"] {
            put(&mut near, piece.as_bytes()).await.unwrap();
        }
        near.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut far).await.unwrap(), b"onetwo");
        put(&mut far, b"three").await.unwrap();
        far.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut near).await.unwrap(), b"three");
        drop(near);
        assert_eq!(words(&mut events), want, "{options}");
    }
}

#[tokio::test]
async fn a_reset_is_told_apart_from_an_end() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(99, Wants::Trouble);
    let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let mut near = dial(&format!("{},log=text", local(&listening)), &ctx).await;
    let mut far = accept(&mut listening).await;
    put(&mut far, b"some").await.unwrap();
    get(&mut near, 4).await;
    far.abort();
    drop(far);
    rest(&mut near).await.unwrap_err();
    near.abort();
    drop(near);
    assert_eq!(words(&mut events), "open <some@0 <failed aborted");
}

#[tokio::test(start_paused = true)]
async fn a_connection_waits_for_who_reads_what_is_told_and_loses_none_of_it() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(9999, Wants::Trouble);
    let mut listening = listen("mem-l:x", &ctx).await;
    let mut near = dial("mem:x,log=hex", &ctx).await;
    let mut far = accept(&mut listening).await;
    let content = numbered(8 << 20);
    let (mut told, mut went, counts) = (Vec::new(), 0, near.counts());
    tokio::join!(
        async {
            near.write_all(&content).await.unwrap();
            near.shutdown_write().await.unwrap();
        },
        async { assert_eq!(rest(&mut far).await.unwrap(), content) },
        async {
            // Nobody reads for a while, in which time stands still until everybody waits.
            assert!(timeout(Duration::from_secs(1), std::future::pending::<()>()).await.is_err());
            went = counts.sent();
            while told.len() < content.len() {
                let event = soon("an event", events.recv()).await.unwrap();
                let Event::Traffic { seen: Seen::Bytes { bytes, offset, .. }, .. } = event else { continue };
                assert_eq!(offset, told.len() as u64);
                told.extend_from_slice(&bytes);
            }
        },
    );
    assert!(told == content);
    assert!((1 << 20..3 << 20).contains(&went), "{went} bytes went while nobody read");
}
