//! The relay loop by itself: which ways bytes go, what an end does, how long it waits, and which side an error is on.
//! That it works between all schemes is the matrix's to show.

use std::sync::Arc;
use std::time::Duration;

use sockeye::{Cause, Conn, Ctx, End, Flow, Forward, Kind, Limit, Moved, Op, Plan, Result, Side, Size};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{
    Server, abstract_name, accept, address, assert_same, dial, echo, get, listen, local, numbered, put, rest,
    service, soon,
};

/// A relay that runs beside the test, and its two outer ends.
struct Joined {
    left: Conn,
    right: Conn,
    relay: JoinSet<(Moved, Result<()>)>,
    began: Instant,
}

async fn join(plan: Plan) -> Joined {
    join_in(plan, &Ctx::default()).await
}

async fn join_in(plan: Plan, ctx: &Ctx) -> Joined {
    let (left, mut inner_left) = pair("left", ctx).await;
    let (right, mut inner_right) = pair("right", ctx).await;
    let (mut relay, ctx) = (JoinSet::new(), ctx.clone());
    relay.spawn(async move { sockeye::relay(&mut inner_left, &mut inner_right, &plan, &ctx).await });
    Joined { left, right, relay, began: Instant::now() }
}

/// Two ends of a connection inside this process.
async fn pair(name: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen(&format!("mem-l:{name}"), ctx).await;
    (dial(&format!("mem:{name}"), ctx).await, accept(&mut listening).await)
}

impl Joined {
    /// Waits, under no limit of its own, until the relay is done.
    async fn done(&mut self) -> (Moved, Result<()>) {
        self.relay.join_next().await.expect("nobody has waited before").unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn both_ways_are_counted_and_an_answer_may_take_as_long_as_it_likes() {
    let mut joined = join(Plan::default()).await;
    put(&mut joined.left, b"a question").await.unwrap();
    joined.left.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut joined.right).await.unwrap(), b"a question");
    sleep(Duration::from_secs(86_400)).await;
    put(&mut joined.right, b"yes").await.unwrap();
    joined.right.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut joined.left).await.unwrap(), b"yes");
    let (moved, ended) = joined.done().await;
    ended.unwrap();
    assert_eq!(moved, Moved { to_right: 10, to_left: 3 });
}

#[tokio::test(start_paused = true)]
async fn with_eof_close_the_end_of_one_side_ends_both() {
    for ends_left in [true, false] {
        let plan = Plan {
            left_end: if ends_left { End::Close } else { End::Half },
            right_end: if ends_left { End::Half } else { End::Close },
            ..Plan::default()
        };
        let mut joined = join(plan).await;
        let (ends, other) = if ends_left {
            (&mut joined.left, &mut joined.right)
        } else {
            (&mut joined.right, &mut joined.left)
        };
        put(ends, b"the last word").await.unwrap();
        ends.shutdown_write().await.unwrap();
        assert_eq!(rest(other).await.unwrap(), b"the last word");
        assert_eq!(rest(ends).await.unwrap(), b"", "the other side has not ended, and all is over");
        let (moved, ended) = joined.done().await;
        ended.unwrap();
        assert_eq!(moved.to_right + moved.to_left, 13);
    }
}

#[tokio::test(start_paused = true)]
async fn with_eof_ignore_the_other_side_is_not_told() {
    let mut joined = join(Plan { left_end: End::Ignore, ..Plan::default() }).await;
    put(&mut joined.left, b"bye").await.unwrap();
    joined.left.shutdown_write().await.unwrap();
    assert_eq!(get(&mut joined.right, 3).await, b"bye");
    let mut buffer = [0; 1];
    let told = timeout(Duration::from_secs(3600), joined.right.read(&mut buffer)).await;
    assert!(told.is_err(), "{told:?}");
    put(&mut joined.right, b"still here").await.unwrap();
    joined.right.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut joined.left).await.unwrap(), b"still here");
    joined.done().await.1.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_way_drops_what_comes_back_and_holds_nobody_up() {
    let Joined { mut left, mut right, mut relay, .. } =
        join(Plan { flow: Flow::OneWay, ..Plan::default() }).await;
    put(&mut left, b"this way").await.unwrap();
    soon("the other way to be read", right.write_all(&vec![b'x'; 1 << 20])).await.unwrap();
    assert_eq!(get(&mut right, 8).await, b"this way");
    left.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut right).await.unwrap(), b"");
    drop(right);
    assert_eq!(rest(&mut left).await.unwrap(), b"", "something came back");
    let (moved, ended) = soon("the relay", relay.join_next()).await.unwrap().unwrap();
    ended.unwrap();
    assert_eq!(moved, Moved { to_right: 8, to_left: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_wait_begins_when_the_left_side_has_ended_and_anew_with_each_answer() {
    let wait = Duration::from_secs(8);
    let mut joined = join(Plan { wait: Some(wait), ..Plan::default() }).await;
    sleep(10 * wait).await;
    joined.left.shutdown_write().await.unwrap();
    for _ in 0..5 {
        sleep(wait - Duration::from_secs(2)).await;
        put(&mut joined.right, b"more").await.unwrap();
        assert_eq!(get(&mut joined.left, 4).await, b"more");
    }
    let silent = Instant::now();
    let (moved, ended) = joined.done().await;
    ended.unwrap();
    assert_eq!(moved.to_left, 20);
    assert!(silent.elapsed() >= wait - Duration::from_secs(1), "{:?}", silent.elapsed());
    assert!(silent.elapsed() <= wait + wait / 8, "{:?}", silent.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_wait_does_not_count_what_the_left_side_is_slow_to_take() {
    let wait = Duration::from_secs(8);
    let mut joined = join(Plan { wait: Some(wait), ..Plan::default() }).await;
    joined.left.shutdown_write().await.unwrap();
    let answer = numbered(1 << 20);
    let (sent, came) = tokio::join!(joined.right.write_all(&answer), async {
        let mut came = Vec::new();
        while came.len() < answer.len() {
            sleep(wait * 2).await;
            came.extend(get(&mut joined.left, 1 << 17).await);
        }
        came
    });
    sent.unwrap();
    assert_same(&came, &answer);
    let (moved, ended) = joined.done().await;
    ended.unwrap();
    assert_eq!(moved.to_left, 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn silence_both_ways_ends_with_the_limit_and_looks_whole_to_nobody() {
    let idle = Duration::from_secs(8);
    let mut joined = join(Plan { idle: Some(idle), ..Plan::default() }).await;
    for left_speaks in [true, false, true, false] {
        sleep(idle - Duration::from_secs(2)).await;
        let (from, to) = if left_speaks {
            (&mut joined.left, &mut joined.right)
        } else {
            (&mut joined.right, &mut joined.left)
        };
        put(from, b"x").await.unwrap();
        assert_eq!(get(to, 1).await, b"x");
    }
    let error = joined.done().await.1.unwrap_err();
    assert!(matches!(error.cause(), Cause::Limit(Limit::Idle, after) if *after == idle), "{error:?}");
    assert!(joined.began.elapsed() <= 4 * idle + idle / 8);
    for conn in [&mut joined.left, &mut joined.right] {
        assert_eq!(rest(conn).await.unwrap_err().kind(), Kind::Reset);
    }
}

#[tokio::test(start_paused = true)]
async fn the_idle_limit_of_a_listener_looks_whole_to_nobody_either() {
    let ctx = Ctx::default();
    let mut far = listen("mem-l:far", &ctx).await;
    let forward = Arc::new(Forward {
        to: sockeye::dialler(&address("mem:far"), &Ctx::default()).unwrap(),
        plan: Plan::default(),
    });
    let mut server = Server::start(listen("mem-l:near,idle=8s", &ctx).await, forward, &ctx);
    let (mut near, mut far) = (dial("mem:near", &ctx).await, accept(&mut far).await);
    put(&mut near, b"half of what I").await.unwrap();
    assert_eq!(get(&mut far, 14).await, b"half of what I");
    for conn in [&mut near, &mut far] {
        assert_eq!(rest(conn).await.unwrap_err().kind(), Kind::Reset);
    }
    ctx.stop.drain();
    assert_eq!(server.served().await.failed, 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_names_its_side_and_breaks_off_the_other() {
    for side in [Side::Left, Side::Right] {
        let Joined { mut left, mut right, mut relay, .. } = join(Plan::default()).await;
        put(&mut left, b"x").await.unwrap();
        assert_eq!(get(&mut right, 1).await, b"x");
        let (mut breaks, mut other) = if side == Side::Left { (left, right) } else { (right, left) };
        breaks.abort();
        drop(breaks);
        assert_eq!(rest(&mut other).await.unwrap_err().kind(), Kind::Reset);
        let (_, ended) = soon("the relay", relay.join_next()).await.unwrap().unwrap();
        let error = ended.unwrap_err();
        assert_eq!((error.side(), error.kind(), error.op()), (Some(side), Kind::Reset, Op::Read));
    }
}

/// Where the kernel lets a peer stop reading and go on sending: a Unix socket whose reading side is shut.
#[tokio::test]
async fn who_no_longer_reads_is_still_heard_to_its_end() {
    let ctx = Ctx::default();
    let (mut left, mut inner_left) = pair("left", &ctx).await;
    let name = abstract_name("deaf");
    let mut listening = listen(&format!("unix-l:{name}"), &ctx).await;
    let mut inner_right = dial(&format!("unix:{name}"), &ctx).await;
    let mut right = accept(&mut listening).await;
    rustix::net::shutdown(right.bare().unwrap(), rustix::net::Shutdown::Read).unwrap();

    let plan = Plan::default();
    let relaying = sockeye::relay(&mut inner_left, &mut inner_right, &plan, &ctx);
    let talking = async {
        soon("what nobody reads to be dropped", left.write_all(&vec![b'x'; 1 << 20])).await.unwrap();
        put(&mut right, b"I only talk").await.unwrap();
        assert_eq!(get(&mut left, 11).await, b"I only talk");
        right.shutdown_write().await.unwrap();
        assert_eq!(rest(&mut left).await.unwrap(), b"");
        left.shutdown_write().await.unwrap();
    };
    let (relayed, ()) = tokio::join!(soon("the relay", relaying), talking);
    let (moved, ended) = relayed;
    assert_eq!(moved.to_left, 11);
    let error = ended.unwrap_err();
    assert_eq!((error.side(), error.kind(), error.op()), (Some(Side::Right), Kind::Reset, Op::Write));
}

/// A message that was held back to share a write is the last there is, and finds nobody who reads.
#[tokio::test]
async fn who_no_longer_reads_the_last_message_is_still_heard_to_its_end() {
    let ctx = Ctx::default();
    let mut listening = listen("mem-seq-l:left", &ctx).await;
    let mut left = dial("mem-seq:left", &ctx).await;
    let mut inner_left = accept(&mut listening).await;
    let name = abstract_name("deaf-to-the-last");
    let mut listening = listen(&format!("unix-l:{name}"), &ctx).await;
    let mut inner_right = dial(&format!("unix:{name},frame=line"), &ctx).await;
    let mut right = accept(&mut listening).await;
    rustix::net::shutdown(right.bare().unwrap(), rustix::net::Shutdown::Read).unwrap();

    put(&mut left, b"the last").await.unwrap();
    left.shutdown_write().await.unwrap();
    put(&mut right, b"I only talk\n").await.unwrap();
    right.shutdown_write().await.unwrap();
    let plan = Plan::default();
    let (moved, ended) =
        soon("the relay", sockeye::relay(&mut inner_left, &mut inner_right, &plan, &ctx)).await;
    let error = ended.unwrap_err();
    assert_eq!((error.side(), error.kind(), error.op()), (Some(Side::Right), Kind::Reset, Op::Write));
    assert_eq!((moved.to_left, get(&mut left, 11).await.as_slice()), (11, &b"I only talk"[..]));
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_relay_to_a_source_that_never_does() {
    let ctx = Ctx::default();
    let endless = service(|mut conn, _| async move {
        while conn.write_all(&[b'x'; 1 << 10]).await.is_ok() {}
        Ok(())
    });
    let mut source = Server::start(listen("mem-l:source", &ctx).await, endless, &ctx);
    for word in ["mem-l:near", "tcp-l:127.0.0.1:0", &format!("unix-l:{}", abstract_name("leaves"))] {
        let listening = listen(&format!("{word},once"), &ctx).await;
        let near = if word.starts_with("tcp") { local(&listening) } else { word.replacen("-l:", ":", 1) };
        let forward = Arc::new(Forward {
            to: sockeye::dialler(&address("mem:source"), &Ctx::default()).unwrap(),
            plan: Plan::default(),
        });
        let mut server = Server::start(listening, forward, &ctx);
        let mut client = dial(&near, &ctx).await;
        get(&mut client, 100_000).await;
        drop(client);
        assert_eq!(server.served().await.accepted, 1, "{word}");
    }
    ctx.stop.drain();
    assert_eq!(source.served().await.accepted, 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_far_end_cannot_be_dialled_is_told_abruptly() {
    let ctx = Ctx::default();
    let forward = Arc::new(Forward {
        to: sockeye::dialler(&address("mem:nobody"), &Ctx::default()).unwrap(),
        plan: Plan::default(),
    });
    let mut server = Server::start(listen("mem-l:near", &ctx).await, forward, &ctx);
    let mut client = dial("mem:near", &ctx).await;
    assert_eq!(rest(&mut client).await.unwrap_err().kind(), Kind::Reset);
    ctx.stop.drain();
    let error = server.served().await.last_failure.unwrap();
    assert_eq!((error.op(), error.kind(), error.side()), (Op::Dial, Kind::Refused, Some(Side::Right)));
    assert_eq!(error.address(), Some("mem:nobody"));
}

#[tokio::test(start_paused = true)]
async fn a_hurry_is_heard_while_the_far_end_is_being_dialled() {
    let ctx = Ctx::default();
    let _never_accepts = listen("mem-l:far", &ctx).await;
    let mut waiting = Vec::new();
    while let Ok(conn) = timeout(Duration::from_secs(1), dial("mem:far", &ctx)).await {
        waiting.push(conn);
    }
    let forward = Arc::new(Forward {
        to: sockeye::dialler(&address("mem:far"), &Ctx::default()).unwrap(),
        plan: Plan::default(),
    });
    let mut server = Server::start(listen("mem-l:near", &ctx).await, forward, &ctx);
    let client = dial("mem:near", &ctx).await;
    sleep(Duration::from_secs(5)).await;
    let asked = Instant::now();
    ctx.stop.hurry();
    let served = server.ended().await;
    assert_eq!((served.accepted, served.aborted, asked.elapsed()), (1, 0, Duration::ZERO));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn an_idle_relay_holds_no_buffer() {
    let ctx = Ctx::default();
    let marked: Vec<Box<[u8]>> = (0..2).map(|_| vec![0; Size::Small.bytes()].into()).collect();
    let places: Vec<*const u8> = marked.iter().map(|buffer| buffer.as_ptr()).collect();
    marked.into_iter().for_each(|buffer| ctx.buffers.give_back(buffer));
    let mut joined = join_in(Plan::default(), &ctx).await;
    for _ in 0..3 {
        put(&mut joined.left, b"there").await.unwrap();
        assert_eq!(get(&mut joined.right, 5).await, b"there");
        put(&mut joined.right, b"and back").await.unwrap();
        assert_eq!(get(&mut joined.left, 8).await, b"and back");
    }
    let lent: Vec<Box<[u8]>> = (0..2).map(|_| ctx.buffers.lend(Size::Small)).collect();
    assert!(lent.iter().all(|buffer| places.contains(&buffer.as_ptr())), "the relay holds a buffer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_on_several_threads_do_not_mix() {
    let ctx = Ctx::default();
    let far = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let forward = Arc::new(Forward {
        to: sockeye::dialler(&address(&local(&far)), &Ctx::default()).unwrap(),
        plan: Plan::default(),
    });
    let mut echoes = Server::start(far, echo(), &ctx);
    let listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
    let near = local(&listening);
    let mut server = Server::start(listening, forward, &ctx);
    let mut clients = JoinSet::new();
    for client in 0..100usize {
        let (near, ctx) = (near.clone(), ctx.clone());
        clients.spawn(async move {
            let mut conn = dial(&near, &ctx).await;
            for round in 0..20 {
                let text = numbered(client * 97 + round * 13 + 8);
                let text = [format!("{client}/{round}:").as_bytes(), &text].concat();
                put(&mut conn, &text).await.unwrap();
                assert_same(&get(&mut conn, text.len()).await, &text);
            }
            conn.shutdown_write().await.unwrap();
            assert_eq!(rest(&mut conn).await.unwrap(), b"");
        });
    }
    soon("all clients", clients.join_all()).await;
    ctx.stop.drain();
    for served in [server.served().await, echoes.served().await] {
        assert_eq!(
            (served.accepted, served.failed, served.aborted),
            (100, 0, 0),
            "{:?}",
            served.last_failure
        );
    }
}

#[test]
fn a_plan_takes_the_ends_and_the_shorter_idle_limit_of_its_addresses() {
    let ctx = Ctx::default();
    let plan = Plan::of(&address("mem:a,eof=close,idle=2m"), &address("mem:b,eof=ignore,idle=90s"), &ctx);
    let want = Plan {
        left_end: End::Close,
        right_end: End::Ignore,
        idle: Some(Duration::from_secs(90)),
        ..Plan::default()
    };
    assert_eq!(plan, want);
    assert_eq!(Plan::of(&address("mem:a"), &address("mem:b,idle=off"), &ctx), Plan::default());
}
