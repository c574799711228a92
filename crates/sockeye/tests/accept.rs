//! The accept loop: who is let in, who must wait, who is sent away, and what a stop does to those inside.

use std::fs::File;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockeye::{
    BoxFuture, Cause, Conn, Ctx, Ended, Entrance, Error, Event, Kind, Limit, Listener, Listening, Op, Peer,
    Result, Wants, Wrap,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{
    Server, abstract_name, address, alone, block_on, dial, echo, event, get, listen, local, put, rest,
    service, soon,
};

#[tokio::test(start_paused = true)]
async fn a_full_house_leaves_newcomers_waiting_and_lets_them_in_later() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut server = Server::start(listen("mem-l:x,max-conns=2", &ctx).await, echo(), &ctx);
    let (mut first, mut second) = (dial("mem:x", &ctx).await, dial("mem:x", &ctx).await);
    let mut third = dial("mem:x", &ctx).await;
    for conn in [&mut first, &mut second, &mut third] {
        put(conn, b"hi").await.unwrap();
    }
    assert_eq!((get(&mut first, 2).await, get(&mut second, 2).await), (b"hi".to_vec(), b"hi".to_vec()));
    let mut buffer = [0; 8];
    assert!(
        timeout(Duration::from_secs(3600), third.read(&mut buffer)).await.is_err(),
        "the third is served"
    );

    drop(first);
    assert_eq!(get(&mut third, 2).await, b"hi");
    drop((second, third));
    ctx.stop.drain();
    assert_eq!(server.served().await.accepted, 3);
    let mut inside = 0;
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Opened { .. } => inside += 1,
            Event::Closed { .. } => inside -= 1,
            _ => {}
        }
        assert!(inside <= 2, "{inside} are inside");
    }
}

#[tokio::test(start_paused = true)]
async fn once_serves_the_first_for_as_long_as_it_likes_and_nobody_else() {
    let ctx = Ctx::default();
    let mut server = Server::start(listen("mem-l:x,once", &ctx).await, echo(), &ctx);
    let mut first = dial("mem:x", &ctx).await;
    put(&mut first, b"hi").await.unwrap();
    assert_eq!(get(&mut first, 2).await, b"hi");
    let second = sockeye::dial(&address("mem:x"), &ctx).await;
    assert_eq!(second.unwrap_err().kind(), Kind::Refused);

    sleep(Duration::from_secs(86_400)).await;
    put(&mut first, b"still here").await.unwrap();
    assert_eq!(get(&mut first, 10).await, b"still here");
    assert!(!server.has_ended());
    drop(first);
    let served = server.served().await;
    assert_eq!((served.accepted, served.failed, served.aborted), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_drains_the_only_one_too() {
    let ctx = Ctx::default();
    let mut server = Server::start(listen("mem-l:x,once,drain=5s", &ctx).await, ignores_everything(), &ctx);
    let inside = dial("mem:x", &ctx).await;
    sleep(Duration::from_secs(3600)).await;
    let asked = Instant::now();
    ctx.stop.drain();
    let served = server.ended().await;
    assert_eq!((served.aborted, asked.elapsed()), (1, Duration::from_secs(7)));
    drop(inside);
}

#[tokio::test(start_paused = true)]
async fn the_idle_limit_ends_the_silent_and_leaves_the_busy() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut server = Server::start(listen("mem-l:x,idle=8s", &ctx).await, echo(), &ctx);
    let mut silent = dial("mem:x", &ctx).await;
    let mut busy = dial("mem:x", &ctx).await;
    for _ in 0..50 {
        sleep(Duration::from_secs(6)).await;
        put(&mut busy, b"x").await.unwrap();
        assert_eq!(get(&mut busy, 1).await, b"x");
    }
    assert_eq!(rest(&mut silent).await.unwrap(), b"");
    let (lasted, ended) = closed(&mut events).await;
    let Ended::Failed(error) = ended else { panic!("{ended:?}") };
    let limit = Duration::from_secs(8);
    assert!(matches!(error.cause(), Cause::Limit(Limit::Idle, after) if *after == limit), "{error:?}");
    assert!(limit <= lasted && lasted <= limit + limit / 8, "{lasted:?}");

    // Once it falls silent, the busy one has the same limit.
    let silent_since = Instant::now();
    assert_eq!(rest(&mut busy).await.unwrap(), b"");
    assert!(silent_since.elapsed() >= limit - Duration::from_secs(1), "{:?}", silent_since.elapsed());
    ctx.stop.drain();
    let served = server.served().await;
    assert_eq!((served.accepted, served.failed), (2, 2));
}

#[tokio::test]
async fn who_is_ended_in_the_middle_of_an_answer_is_reset_and_who_has_it_all_is_not() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let much = service(|mut conn, _| async move { put(&mut conn, &vec![0; 64 << 20]).await });
    let listening = listen("tcp-l:127.0.0.1:0,idle=300ms", &ctx).await;
    let to = local(&listening);
    let mut busy = Server::start(listening, much, &ctx);
    let mut cut = dial(&to, &ctx).await;
    closed(&mut events).await;
    assert_eq!(rest(&mut cut).await.unwrap_err().kind(), Kind::Reset);

    let little = service(|mut conn, _| async move {
        put(&mut conn, b"all").await?;
        pending().await
    });
    let listening = listen("tcp-l:127.0.0.1:0,idle=300ms", &ctx).await;
    let to = local(&listening);
    let mut quiet = Server::start(listening, little, &ctx);
    let mut whole = dial(&to, &ctx).await;
    assert_eq!(rest(&mut whole).await.unwrap(), b"all");
    ctx.stop.drain();
    assert_eq!((busy.served().await.failed, quiet.served().await.failed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_those_inside_finish_and_then_returns_at_once() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut server = Server::start(listen("mem-l:x", &ctx).await, echo(), &ctx);
    let mut inside = dial("mem:x", &ctx).await;
    put(&mut inside, b"1").await.unwrap();
    assert_eq!(get(&mut inside, 1).await, b"1");
    let asked = Instant::now();
    ctx.stop.drain();
    let open = event(&mut events, |event| match event {
        Event::Stopping { open, listener, alone: false } => Some((open, listener.to_string())),
        _ => None,
    });
    assert_eq!(open.await, (1, "test".to_owned()));
    let refused = sockeye::dial(&address("mem:x"), &ctx).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Refused);

    sleep(Duration::from_secs(29)).await;
    put(&mut inside, b"2").await.unwrap();
    inside.shutdown_write().await.unwrap();
    assert_eq!(rest(&mut inside).await.unwrap(), b"2");
    let served = server.ended().await;
    assert_eq!((served.accepted, served.failed, served.outstayed, served.aborted), (1, 0, 0, 0));
    assert_eq!(asked.elapsed(), Duration::from_secs(29));
    assert!(matches!(closed(&mut events).await.1, Ended::Done));
}

#[tokio::test(start_paused = true)]
async fn who_outlasts_the_drain_is_hurried_and_who_ignores_that_is_aborted() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut obeys = Server::start(listen("mem-l:obeys", &ctx).await, echo(), &ctx);
    let mut ignores = Server::start(listen("mem-l:ignores", &ctx).await, ignores_everything(), &ctx);
    let inside =
        [dial("mem:obeys", &ctx).await, dial("mem:ignores", &ctx).await, dial("mem:ignores", &ctx).await];
    for _ in &inside {
        event(&mut events, |event| matches!(event, Event::Opened { .. }).then_some(())).await;
    }
    let asked = Instant::now();
    ctx.stop.drain();

    let served = obeys.ended().await;
    assert_eq!((served.failed, served.outstayed, served.aborted), (0, 1, 0));
    assert_eq!(asked.elapsed(), Duration::from_secs(30), "the drain limit");
    assert!(matches!(closed(&mut events).await.1, Ended::Done));

    let served = ignores.ended().await;
    assert_eq!((served.accepted, served.failed, served.outstayed, served.aborted), (2, 0, 2, 2));
    assert_eq!(asked.elapsed(), Duration::from_secs(32), "two more seconds to clean up");
    for _ in 0..2 {
        let ended = closed(&mut events).await.1;
        assert!(matches!(ended, Ended::Stopped), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hurry_cuts_the_drain_short() {
    let ctx = Ctx::default();
    let mut server = Server::start(listen("mem-l:x,drain=off", &ctx).await, echo(), &ctx);
    let mut inside = dial("mem:x", &ctx).await;
    put(&mut inside, b"1").await.unwrap();
    assert_eq!(get(&mut inside, 1).await, b"1");
    ctx.stop.drain();
    sleep(Duration::from_secs(86_400)).await;
    assert!(!server.has_ended());
    let asked = Instant::now();
    ctx.stop.hurry();
    let served = server.ended().await;
    assert_eq!((served.outstayed, served.aborted, asked.elapsed()), (0, 0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_a_service_started_beside_itself_is_waited_for() {
    static CLEANED: AtomicUsize = AtomicUsize::new(0);
    let ctx = Ctx::default();
    let cleans_up = service(|mut conn, ctx| async move {
        let stop = ctx.stop.clone();
        drop(ctx.tasks.spawn(async move {
            stop.hurried().await;
            sleep(Duration::from_secs(1)).await;
            CLEANED.fetch_add(1, Ordering::Relaxed);
        }));
        rest(&mut conn).await.map(drop)
    });
    let mut server = Server::start(listen("mem-l:x", &ctx).await, cleans_up, &ctx);
    drop((dial("mem:x", &ctx).await, dial("mem:x", &ctx).await));
    tokio::task::yield_now().await;
    ctx.stop.drain();
    let served = server.ended().await;
    assert_eq!((served.accepted, CLEANED.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_connection_and_frees_its_place() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let fragile = service(|mut conn, _| async move {
        let word = get(&mut conn, 1).await;
        assert!(word != b"!", "this connection asked for a panic");
        put(&mut conn, &word).await?;
        rest(&mut conn).await.map(drop)
    });
    let mut server = Server::start(listen("mem-l:x,max-conns=2", &ctx).await, fragile, &ctx);
    let (mut other, mut fatal) = (dial("mem:x", &ctx).await, dial("mem:x", &ctx).await);
    let mut waiting = dial("mem:x", &ctx).await;
    put(&mut fatal, b"!").await.unwrap();
    let ended = closed(&mut events).await.1;
    assert!(matches!(ended, Ended::Panicked), "{ended:?}");
    for conn in [&mut other, &mut waiting] {
        put(conn, b"a").await.unwrap();
        assert_eq!(get(conn, 1).await, b"a");
    }
    drop((other, waiting));
    ctx.stop.drain();
    let served = server.served().await;
    assert_eq!((served.accepted, served.failed, served.aborted), (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_hangs_has_a_limit_and_holds_up_nobody() {
    struct Hangs;
    impl Wrap for Hangs {
        fn wrap<'a>(&'a self, mut conn: Conn, _: &'a Ctx) -> BoxFuture<'a, Result<Conn>> {
            Box::pin(async move {
                if get(&mut conn, 1).await == b"?" {
                    pending::<()>().await;
                }
                Ok(conn)
            })
        }
    }
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut listening = listen("mem-l:x,handshake=5s", &ctx).await;
    listening.wraps.push(Arc::new(Hangs));
    let mut server = Server::start(listening, echo(), &ctx);
    let (mut hangs, mut goes_on) = (dial("mem:x", &ctx).await, dial("mem:x", &ctx).await);
    put(&mut hangs, b"?").await.unwrap();
    put(&mut goes_on, b".hi").await.unwrap();
    assert_eq!(get(&mut goes_on, 2).await, b"hi");

    let (lasted, ended) = closed(&mut events).await;
    let Ended::Failed(error) = ended else { panic!("{ended:?}") };
    assert!(matches!(error.cause(), Cause::Limit(Limit::Handshake, _)), "{error:?}");
    assert_eq!((error.op(), lasted), (Op::Handshake, Duration::from_secs(5)));
    put(&mut goes_on, b"still").await.unwrap();
    assert_eq!(get(&mut goes_on, 5).await, b"still");
    drop(goes_on);
    ctx.stop.drain();
    assert_eq!(server.served().await.failed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_accept_is_told_once_and_tried_again_after_a_pause() {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let mut listening = listen("mem-l:x", &ctx).await;
    // Three failures, and in their middle a peer that was gone before it was accepted.
    let failures = vec![Errno::MFILE, Errno::CONNABORTED, Errno::MFILE, Errno::NFILE];
    listening.listener = Box::new(Fails { failures, then: listening.listener });
    let began = Instant::now();
    let mut server = Server::start(listening, echo(), &ctx);
    let mut patient = dial("mem:x", &ctx).await;
    put(&mut patient, b"hi").await.unwrap();
    assert_eq!(get(&mut patient, 2).await, b"hi");
    assert_eq!(began.elapsed(), 3 * ctx.limits.accept_pause);

    let Event::AcceptFailed { error, listener } = events.recv().await.unwrap() else {
        panic!("another event")
    };
    assert_eq!((error.kind(), &*listener), (Kind::Exhausted, "test"));
    assert!(matches!(events.recv().await.unwrap(), Event::AcceptResumed { failures: 3, .. }));
    assert!(matches!(events.recv().await.unwrap(), Event::Opened { .. }));
    drop(patient);
    ctx.stop.drain();
    assert_eq!(server.served().await.failed, 0);
}

#[tokio::test(start_paused = true)]
async fn who_accepts_one_by_one_does_not_spin_while_files_have_run_out() {
    let ctx = Ctx::default();
    for word in ["mem-l:x", "mem-l:y,frame=line"] {
        let mut listening = listen(word, &ctx).await;
        let failures = vec![Errno::MFILE, Errno::CONNABORTED, Errno::NFILE];
        listening.listener = Box::new(Fails { failures, then: listening.listener });
        let began = Instant::now();
        for kind in [Kind::Exhausted, Kind::Reset, Kind::Exhausted] {
            assert_eq!(listening.accept().await.unwrap_err().kind(), kind, "{word}");
        }
        assert_eq!(began.elapsed(), 2 * ctx.limits.accept_pause, "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_heard_while_accepting_fails() {
    let mut ctx = Ctx::default();
    ctx.limits.accept_pause = Duration::from_secs(86_400);
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let ours = listen("mem-l:x", &ctx).await;
    let failures = vec![Errno::MFILE; 9];
    let listener = Box::new(Fails { failures, then: ours.listener });
    let mut server = Server::start(Listening::of(listener, &ctx), echo(), &ctx);
    event(&mut events, |event| matches!(event, Event::AcceptFailed { .. }).then_some(())).await;
    let asked = Instant::now();
    ctx.stop.drain();
    server.ended().await;
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_stop_comes_everybody_who_got_in_is_accounted_for() {
    for round in 0..30 {
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(256, Wants::Connections);
        let listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let word = local(&listening);
        let mut server = Server::start(listening, echo(), &ctx);
        let mut clients = JoinSet::new();
        for _ in 0..20 {
            let (word, ctx) = (address(&word), ctx.clone());
            clients.spawn(async move {
                // Too late is no failure: refused, or reset while it waited in the queue.
                let Ok(mut conn) = sockeye::dial(&word, &ctx).await else { return };
                if put(&mut conn, b"hi").await.is_ok() {
                    let mut buffer = [0; 2];
                    conn.read(&mut buffer).await.ok();
                }
            });
        }
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        ctx.stop.drain();
        let served = server.served().await;
        soon("all clients", clients.join_all()).await;
        assert_eq!((served.outstayed, served.aborted), (0, 0), "round {round}");
        let (mut opened, mut closed) = (0, 0);
        while let Ok(event) = events.try_recv() {
            match event {
                Event::Opened { .. } => opened += 1,
                Event::Closed { .. } => closed += 1,
                _ => {}
            }
        }
        assert_eq!((opened, closed), (served.accepted, served.accepted), "round {round}");
    }
}

/// In a process of its own, whose limit of open files can be lowered.
#[test]
fn without_descriptors_those_inside_go_on_and_newcomers_get_in_once_there_are_some() {
    alone("accept::without_descriptors_those_inside_go_on_and_newcomers_get_in_once_there_are_some", || {
        block_on(async {
            for word in ["tcp-l:0", &format!("unix-l:{}", abstract_name("descriptors"))] {
                exhaust(word).await;
            }
        });
    });
}

async fn exhaust(word: &str) {
    let mut ctx = Ctx::default();
    let mut events = ctx.events.subscribe(64, Wants::Connections);
    let listening = listen(word, &ctx).await;
    let word = local(&listening);
    let mut server = Server::start(listening, echo(), &ctx);
    let mut inside = dial(&word, &ctx).await;
    put(&mut inside, b"1").await.unwrap();
    assert_eq!(get(&mut inside, 1).await, b"1");

    // All taken but one, which is for the newcomer's own end.
    let limit = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    taken.pop();
    let mut newcomer = dial(&word, &ctx).await;
    put(&mut newcomer, b"2").await.unwrap();
    let failed = event(&mut events, |event| match event {
        Event::AcceptFailed { error, .. } => Some(error),
        _ => None,
    });
    assert_eq!(failed.await.kind(), Kind::Exhausted);
    // Several tries later it has not been told again, and who is inside has not noticed.
    for _ in 0..3 {
        sleep(ctx.limits.accept_pause).await;
        put(&mut inside, b"3").await.unwrap();
        assert_eq!(get(&mut inside, 1).await, b"3");
    }
    assert!(events.try_recv().is_err());

    drop(taken);
    let failures = event(&mut events, |event| match event {
        Event::AcceptResumed { failures, .. } => Some(failures),
        other => panic!("{other:?}"),
    });
    assert!(failures.await >= 3);
    assert_eq!(get(&mut newcomer, 1).await, b"2");
    drop((inside, newcomer));
    ctx.stop.drain();
    let served = server.served().await;
    assert_eq!((served.accepted, served.failed), (2, 0));
}

/// How long the next connection that is over lasted, and how it ended.
async fn closed(events: &mut tokio::sync::mpsc::Receiver<Event>) -> (Duration, Ended) {
    event(events, |event| match event {
        Event::Closed { lasted, ended, .. } => Some((lasted, ended)),
        _ => None,
    })
    .await
}

fn ignores_everything() -> Arc<dyn sockeye::Service> {
    service(|conn, _| async move {
        pending::<()>().await;
        drop(conn);
        Ok(())
    })
}

/// Fails so and so, and then accepts like another.
struct Fails {
    failures: Vec<Errno>,
    then: Box<dyn Listener>,
}

impl Listener for Fails {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Conn>> {
        if self.failures.is_empty() {
            return self.then.poll_accept(cx);
        }
        Poll::Ready(Err(Error::new(Op::Accept, self.failures.remove(0))))
    }

    fn guard_with(&mut self, entrance: Option<Arc<Entrance>>) {
        self.then.guard_with(entrance);
    }

    fn stop_accepting(&mut self) {
        self.then.stop_accepting();
    }

    fn locals(&self) -> Vec<Peer> {
        self.then.locals()
    }
}
