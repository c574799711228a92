//! `fault=`: what reaches the other end, when, and what is told of it.

use std::pin::pin;
use std::time::Duration;

use sockeye::proto::fault::{Deeds, Fault, HELD};
use sockeye::{Conn, Ctx, Ended, Event, Forward, Kind, Limits, Message, Plan, SCHEMES, Wants};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{
    Server, accept, address, assert_same, block_on, dial, echo, event, get, listen, local, numbered, put,
    receive, rest, soon,
};

/// Longer than anything here lasts that ends by itself.
const LONG: Duration = Duration::from_secs(3600);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A dialled end with faults on, and its other end without.
async fn faulty(scheme: &str, options: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen(&format!("{scheme}-l:x"), ctx).await;
    let faulty = dial(&format!("{scheme}:x,{options}"), ctx).await;
    (faulty, accept(&mut listening).await)
}

fn events(ctx: &mut Ctx) -> mpsc::Receiver<Event> {
    ctx.events.subscribe(64, Wants::Connections)
}

/// What faults did, as it is told once the connection is over.
async fn told(events: &mut mpsc::Receiver<Event>) -> (Deeds, Deeds) {
    let pick = |event| match event {
        Event::Faulted { came, went, .. } => Some((came, went)),
        _ => None,
    };
    event(events, pick).await
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_up_each_way_and_nobody_who_writes() {
    let ctx = Ctx::default();
    let (mut near, mut far) = faulty("mem", "fault=delay:50ms", &ctx).await;
    let begun = Instant::now();
    near.write_all(b"one").await.unwrap();
    sleep(ms(10)).await;
    near.write_all(b"two").await.unwrap();
    assert_eq!(begun.elapsed(), ms(10), "who writes is held up");
    assert_eq!(get(&mut far, 3).await, b"one");
    assert_eq!(begun.elapsed(), ms(50));
    assert_eq!(get(&mut far, 3).await, b"two");
    assert_eq!(begun.elapsed(), ms(60));

    far.write_all(b"back").await.unwrap();
    assert_eq!(get(&mut near, 4).await, b"back");
    assert_eq!(begun.elapsed(), ms(110));
    // The end comes as late as all else.
    let (ended, rest) = tokio::join!(near.shutdown_write(), rest(&mut far));
    ended.unwrap();
    assert_eq!((rest.unwrap(), begun.elapsed()), (Vec::new(), ms(160)));
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_arrives_although_the_sender_has_closed_since() {
    for (scheme, options) in
        [("mem", "fault=out:delay:2s"), ("mem-seq", "fault=delay:2s"), ("mem", "fault=stall:0:2s")]
    {
        let ctx = Ctx::default();
        let (mut near, mut far) = faulty(scheme, options, &ctx).await;
        // A stall that has begun takes nothing in.
        sleep(if options.contains("stall") { ms(2000) } else { ms(0) }).await;
        let begun = Instant::now();
        put(&mut near, b"the last words").await.unwrap();
        drop(near);
        assert_eq!(rest(&mut far).await.unwrap(), b"the last words", "{options}");
        let late = if options.contains("delay") { ms(2000) } else { ms(0) };
        assert_eq!(begun.elapsed(), late, "{options}");
        ctx.tasks.close();
        soon("the courier to end", ctx.tasks.wait()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_breaks_off_breaks_off_at_once_and_so_does_a_hurry_for_who_has_closed() {
    let ctx = Ctx::default();
    let (mut near, mut far) = faulty("mem", "fault=delay:10s", &ctx).await;
    let begun = Instant::now();
    near.write_all(b"never heard").await.unwrap();
    near.abort();
    drop(near);
    assert_eq!(rest(&mut far).await.unwrap_err().kind(), Kind::Reset);
    assert_eq!(begun.elapsed(), ms(0));

    let ctx = Ctx::default();
    let (mut near, mut far) = faulty("mem", "fault=delay:10s", &ctx).await;
    near.write_all(b"never heard").await.unwrap();
    drop(near);
    ctx.stop.hurry();
    assert_eq!(rest(&mut far).await.unwrap_err().kind(), Kind::Reset);
    ctx.tasks.close();
    soon("the courier to end", ctx.tasks.wait()).await;
    assert_eq!(begun.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn nobody_who_has_closed_keeps_a_connection_for_longer_than_half_a_minute() {
    let ctx = Ctx::default();
    let (mut near, mut far) = faulty("mem", "fault=out:delay:1h", &ctx).await;
    let begun = Instant::now();
    near.write_all(b"never heard").await.unwrap();
    drop(near);
    let heard = timeout(LONG, far.read(&mut [0; 9])).await.unwrap();
    assert_eq!((heard.unwrap_err().kind(), begun.elapsed()), (Kind::Reset, Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_bounded_and_then_the_sender_waits() {
    for (scheme, size) in [("mem", HELD), ("mem-seq", 1 << 10)] {
        let ctx = Ctx::default();
        let (mut near, _far) = faulty(scheme, "fault=out:delay:1h", &ctx).await;
        let counts = near.counts();
        let sending = async {
            loop {
                put(&mut near, &vec![7; size]).await.unwrap();
            }
        };
        assert!(timeout(ms(1000), sending).await.is_err());
        let sent = usize::try_from(counts.sent()).unwrap();
        assert!(sent <= HELD && sent > HELD / 2, "{scheme}: {sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_glued_comes_in_one_read_and_what_is_sliced_in_many() {
    let ctx = Ctx::default();
    let (mut near, mut far) = faulty("mem", "fault=in:glue:100ms,fault=out:slice:2:5ms", &ctx).await;
    let mut buffer = [0; 64];
    for word in ["what ", "comes ", "apart"] {
        far.write_all(word.as_bytes()).await.unwrap();
        // Whoever reads takes it in.
        assert!(timeout(ms(20), near.read(&mut buffer)).await.is_err());
    }
    let read = near.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..read], b"what comes apart");

    near.write_all(b"abcde").await.unwrap();
    for want in [&b"ab"[..], b"cd", b"e"] {
        let read = far.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_an_end_a_reset_or_a_hole() {
    let mut ctx = Ctx::default();
    let mut events = events(&mut ctx);
    let (mut near, mut far) = faulty("mem", "fault=out:cut:fin:4", &ctx).await;
    near.write_all(b"abcdef").await.unwrap();
    assert_eq!(rest(&mut far).await.unwrap(), b"abcd");
    // The other way is as it was.
    far.write_all(b"answer").await.unwrap();
    assert_eq!(get(&mut near, 6).await, b"answer");
    near.write_all(b"more").await.unwrap();
    drop(near);
    let (came, went) = told(&mut events).await;
    assert_eq!((came, went.cut, went.swallowed), (Deeds::default(), 1, 6));

    for way in ["in", "out"] {
        let (mut near, mut far) = faulty("mem", &format!("fault={way}:cut:rst:4"), &ctx).await;
        let (from, to) = if way == "in" { (&mut far, &mut near) } else { (&mut near, &mut far) };
        from.write_all(b"abcdef").await.unwrap();
        assert_eq!(get(to, 4).await, b"abcd");
        for conn in [to, from] {
            assert_eq!(rest(conn).await.unwrap_err().kind(), Kind::Reset, "{way}");
        }
        assert_eq!(near.write_all(b"more").await.unwrap_err().kind(), Kind::Reset, "{way}");
    }

    let (mut near, mut far) = faulty("mem", "fault=cut:silence:2s", &ctx).await;
    near.write_all(b"heard").await.unwrap();
    assert_eq!(get(&mut far, 5).await, b"heard");
    sleep(ms(2000)).await;
    near.write_all(b"not heard").await.unwrap();
    near.shutdown_write().await.unwrap();
    far.write_all(b"not heard either").await.unwrap();
    assert!(timeout(LONG, far.read(&mut [0; 9])).await.is_err());
    far.abort();
    drop(far);
    assert!(timeout(LONG, near.read(&mut [0; 9])).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_cut_by_time_falls_on_who_only_waits() {
    for (options, ends) in [("fault=in:cut:fin:2s", true), ("fault=out:cut:rst:2s", false)] {
        let ctx = Ctx::default();
        let (mut near, _far) = faulty("mem", options, &ctx).await;
        let begun = Instant::now();
        let read = timeout(LONG, near.read(&mut [0; 9])).await.unwrap();
        assert_eq!((read.is_ok(), begun.elapsed()), (ends, ms(2000)), "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_holds_the_peer_up() {
    for scheme in ["mem", "mem-seq"] {
        let ctx = Ctx::default();
        let (mut near, mut far) = faulty(scheme, "fault=no-read:5", &ctx).await;
        put(&mut far, b"hello").await.unwrap();
        assert_eq!(get(&mut near, 5).await, b"hello");
        let mut reading = pin!(async { near.read(&mut [0; 9]).await.map(drop) });
        let sending = async {
            loop {
                put(&mut far, &[7; 1 << 10]).await.unwrap();
            }
        };
        tokio::select! {
            _ = timeout(LONG, sending) => {}
            read = &mut reading => assert_eq!(scheme, "mem-seq", "{read:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_framing_stands_what_comes_byte_by_byte() {
    for frame in ["line", "crlf", "nul", "len8", "len32", "len16le", "varint", "netstring", "fixed=11"] {
        let ctx = Ctx::default();
        let listening = listen(&format!("mem-l:x,frame={frame}"), &ctx).await;
        let mut server = Server::start(listening, echo(), &ctx);
        let to = sockeye::dialler(&address("mem:x,fault=slice:1"), &ctx).unwrap();
        let relaying = listen("mem-l:relay", &ctx).await;
        let relay = Ctx { stop: ctx.stop.child(), ..ctx.clone() };
        let mut relay =
            Server::start(relaying, std::sync::Arc::new(Forward { to, plan: Plan::default() }), &relay);
        let mut near = dial(&format!("mem:relay,frame={frame}"), &ctx).await;
        for _ in 0..3 {
            near.send(b"hello again").await.unwrap();
            assert_eq!(get(&mut near, 0).await, b"hello again", "{frame}");
        }
        drop(near);
        ctx.stop.drain();
        assert_eq!((relay.served().await.failed, server.served().await.failed), (0, 0), "{frame}");
    }
}

/// Which of 100 messages come, in their order.
async fn came(options: &str, ctx: &Ctx) -> Vec<u8> {
    let (mut near, mut far) = faulty("mem-seq", options, ctx).await;
    let sending = async {
        for number in 0..100 {
            far.send(&[number]).await.unwrap();
            sleep(ms(1)).await;
        }
        far.shutdown_write().await.unwrap();
    };
    let ((), came) = tokio::join!(sending, rest(&mut near));
    came.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_what_chance_decided_for_each_connection() {
    let ctx = Ctx::default();
    let options = "fault=loss:20%,fault=duplicate:10%,fault=reorder:10%,fault=delay:20ms:15ms";
    let first = came(&format!("{options},seed=7"), &ctx).await;
    assert!(first.len() < 100 && !first.is_sorted(), "{first:?}");
    assert_eq!(came(&format!("{options},seed=7"), &ctx).await, first);
    assert_ne!(came(&format!("{options},seed=8"), &ctx).await, first);

    // Of one address, each connection has its own numbers, and the second again the same.
    let seconds = async || {
        let mut listening = listen("mem-seq-l:x", &ctx).await;
        let dialler = sockeye::dialler(&address("mem-seq:x,fault=out:loss:50%,seed=7"), &ctx).unwrap();
        let mut heard = Vec::new();
        for _ in 0..2 {
            let (dialled, mut far) = tokio::join!(dialler.dial(&ctx), accept(&mut listening));
            let mut near = dialled.unwrap();
            let sending = async {
                for number in 0..100 {
                    near.send(&[number]).await.unwrap();
                }
                near.shutdown_write().await.unwrap();
            };
            let ((), came) = tokio::join!(sending, rest(&mut far));
            heard.push(came.unwrap());
        }
        heard
    };
    let heard = seconds().await;
    assert_ne!(heard[0], heard[1]);
    assert_eq!(seconds().await, heard);
}

#[tokio::test(start_paused = true)]
async fn a_seed_is_told_where_nobody_set_it_and_chance_decides() {
    for (options, is_told) in [
        ("fault=corrupt:1%", true),
        ("fault=delay:50ms:10ms", true),
        ("fault=delay:50ms", false),
        ("fault=corrupt:1%,seed=3", false),
        ("fault=duplicate:100%", false),
    ] {
        let mut ctx = Ctx::default();
        let mut events = events(&mut ctx);
        drop(faulty("mem-seq", options, &ctx).await);
        match events.try_recv() {
            Ok(Event::Faults { address, seed }) => {
                assert!(is_told && &*address == "mem-seq:x" && seed < 1_000_000)
            }
            other => assert!(!is_told, "{options}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_told_at_the_end() {
    let mut ctx = Ctx::default();
    let mut events = events(&mut ctx);
    let (mut near, mut far) = faulty("mem-seq", "fault=in:truncate:3,fault=out:mtu:3,seed=1", &ctx).await;
    far.send(b"hello").await.unwrap();
    far.send(b"hi").await.unwrap();
    let Message { payload, cut, .. } = receive(&mut near).await;
    assert_eq!((&payload[..], cut), (&b"hel"[..], true));
    let Message { payload, cut, .. } = receive(&mut near).await;
    assert_eq!((&payload[..], cut), (&b"hi"[..], false));
    near.send(b"hello").await.unwrap();
    near.send(b"hi").await.unwrap();
    assert_eq!(receive(&mut far).await.payload, b"hi");
    drop(near);
    let (came, went) = told(&mut events).await;
    assert_eq!(came, Deeds { truncated: 1, ..Deeds::default() });
    assert_eq!(went, Deeds { too_large: 1, ..Deeds::default() });
}

#[tokio::test(start_paused = true)]
async fn an_idle_limit_ends_a_relay_whose_far_end_is_stalled() {
    let ctx = Ctx::default();
    let server = Server::start(listen("mem-l:far", &ctx).await, echo(), &ctx);
    let far = address("mem:far,fault=stall:1k:1h");
    let plan = Plan { idle: Some(Duration::from_secs(1)), ..Plan::default() };
    let forward = Forward { to: sockeye::dialler(&far, &ctx).unwrap(), plan };
    let mut relay = Server::start(listen("mem-l:relay", &ctx).await, std::sync::Arc::new(forward), &ctx);
    let mut near = dial("mem:relay", &ctx).await;
    near.write_all(&numbered(1 << 10)).await.unwrap();
    assert_same(&get(&mut near, 1 << 10).await, &numbered(1 << 10));
    near.write_all(b"into the stall").await.unwrap();
    assert_eq!(rest(&mut near).await.unwrap_err().kind(), Kind::Reset);
    ctx.stop.drain();
    let served = relay.served().await;
    assert_eq!(served.last_failure.map(|failure| failure.kind()), Some(Kind::TimeLimit));
    drop(server);
}

#[test]
fn a_service_whose_peers_are_reset_serves_the_next() {
    block_on(async {
        let mut ctx = Ctx::default();
        let mut events = events(&mut ctx);
        let listening = listen("tcp-l:127.0.0.1:0,fault=in:cut:rst:4k", &ctx).await;
        let to = local(&listening);
        let mut server = Server::start(listening, echo(), &ctx);
        for _ in 0..3 {
            let mut near = dial(&to, &ctx).await;
            let sent = soon("a reset", async {
                loop {
                    near.write_all(&[7; 1 << 10]).await?;
                }
            });
            let error: sockeye::Result<()> = sent.await;
            assert_eq!(error.unwrap_err().kind(), Kind::Reset);
            drop(near);
            let closed = |event| match event {
                Event::Closed { ended, received, .. } => Some((ended, received)),
                _ => None,
            };
            let (ended, received) = event(&mut events, closed).await;
            assert!(matches!(ended, Ended::Failed(_)) && received == 4 << 10, "{received} {ended:?}");
        }
        ctx.stop.drain();
        assert_eq!(server.served().await.failed, 3);
    });
}

#[test]
fn a_relay_of_datagrams_loses_and_doubles_as_many_as_it_tells() {
    block_on(async {
        let mut ctx = Ctx::default();
        let mut events = events(&mut ctx);
        let mut far = listen("udp-l:127.0.0.1:0", &ctx).await;
        let options = "fault=out:loss:20%,fault=out:duplicate:20%,seed=5";
        let to = sockeye::dialler(&address(&format!("{},{options}", local(&far))), &ctx).unwrap();
        let relays = Ctx { limits: Limits { idle: Some(ms(300)), ..ctx.limits }, ..ctx.clone() };
        let listening = listen("udp-l:127.0.0.1:0", &relays).await;
        let mut near = dial(&local(&listening), &ctx).await;
        let forward = Forward { to, plan: Plan::default() };
        let mut relay = Server::start(listening, std::sync::Arc::new(forward), &relays);
        for number in 0..100 {
            near.send(&[number]).await.unwrap();
        }
        let mut far = accept(&mut far).await;
        let mut came = 0;
        let mut message = Message::default();
        while timeout(ms(500), far.receive(&mut message)).await.is_ok_and(|received| received.unwrap()) {
            came += 1;
        }
        drop(near);
        ctx.stop.drain();
        relay.served().await;
        let (_, went) = told(&mut events).await;
        assert!(went.lost > 5 && went.duplicated > 5, "{went:?}");
        assert_eq!(came, 100 - went.lost + went.duplicated);
    });
}

#[test]
fn what_cannot_happen_is_refused_where_it_stands() {
    for (word, at, why) in [
        ("tcp:x:1,fault=loss:5%", "fault=loss:5%", "TCP, or any stream, loses no bytes"),
        ("udp:x:1,fault=delay:1s,fault=slice:1", "fault=slice:1", "a message is whole"),
        ("tcp:x:1,frame=line,fault=slice:1", "fault=slice:1", "a message is whole"),
        ("udp:x:1,fault=cut:fin:1s", "fault=cut:fin:1s", "udp has no end that a peer could be told"),
        ("unix:/x,fault=cut:rst:1s", "fault=cut:rst:1s", "unix has no resets"),
        ("tcp:x:1,fault=los:5%", "fault=los:5%", "did you mean \"loss\"?"),
        ("tcp:x:1,fault=delay", "fault=delay", "expected delay:TIME[:JITTER], such as delay:50ms:10ms"),
        ("tcp:x:1,fault=delay:1s,fault=in:delay:2s", "fault=in:delay:2s", "fault=delay is set twice"),
        ("tcp:x:1,seed=1", "seed=1", "tcp has no option \"seed\""),
    ] {
        let error = sockeye::parse(word, &[]).unwrap_err();
        assert_eq!(&word[error.span()], at, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let mut later = address("tcp:x:1,fault=slice:1");
    let refused = later.insert("frame=line", sockeye::vocabulary()).unwrap_err();
    assert!(refused.reason().contains("a message is whole"), "{refused}");
    let stacked = address("tcp:x:1,fault=in:stall:1k:1s,fault=stall:2s:1s,frame=line,fault=loss:5%,seed=9");
    assert_eq!(stacked.layers().len(), 2);
    assert_eq!(address(&stacked.word()), stacked);
}

/// The words for what has no end are the table's, and who has one says its scheme.
#[test]
fn the_table_knows_who_has_no_end() {
    let fault = Fault::read("cut:fin:1").unwrap();
    for scheme in SCHEMES {
        let (shape, name) = (scheme.grammar.shape, scheme.grammar.name);
        assert_eq!(fault.refusal(shape, name).is_some(), !scheme.half_close, "{name}");
    }
}
