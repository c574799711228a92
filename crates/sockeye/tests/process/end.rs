//! How commands end, and all that they started: whatever that does, nothing is left.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sockeye::{Cause, Conn, Ctx, Event, Exit, Flow, Forward, Op, Plan, Side, Wants};
use testkit::Scratch;
use tokio::time::Instant;

use super::{dial, exit};
use crate::lab::{self, Server, address, alone, block_on, event, listen, local, rest, soon};

/// How long whatever a command started may still be there.
const GONE: Duration = Duration::from_secs(3);

/// A command whose descendants hold a pipe open.
struct Family {
    pipe: PathBuf,
    word: String,
    _folder: Scratch,
}

impl Family {
    fn new(kind: &str) -> Self {
        let folder = Scratch::new();
        let (pipe, script) = (folder.path("alive"), folder.path("family.py"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        std::fs::write(&script, include_str!("family.py")).unwrap();
        let word = format!("exec:python3 {} {} {kind}", script.display(), pipe.display());
        Self { pipe, word, _folder: folder }
    }

    /// Waits until it is ready, and gives the pipe.
    async fn ready(&self) -> BufReader<File> {
        let pipe = self.pipe.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let mut pipe = BufReader::new(File::open(pipe).unwrap());
            let mut line = String::new();
            pipe.read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            pipe
        });
        soon("the family to be ready", opened).await.unwrap()
    }
}

/// Waits until nobody holds the pipe, and gives what they said last.
async fn gone(mut pipe: BufReader<File>) -> String {
    let all = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        pipe.read_to_string(&mut said).unwrap();
        said
    });
    soon("everybody to be gone", all).await.unwrap()
}

async fn dial_family(family: &Family, ctx: &Ctx) -> (Conn, BufReader<File>) {
    let conn = dial(&family.word, &[], ctx).await;
    let pipe = family.ready().await;
    (conn, pipe)
}

/// Waits until every guard is gone that was started with this.
async fn all_gone(ctx: &Ctx) {
    ctx.tasks.close();
    soon("all guards to be gone", ctx.tasks.wait()).await;
}

#[test]
fn whatever_it_started_is_gone_soon_after_we_let_go() {
    block_on(async {
        let each = async |kind: &str| {
            let (family, ctx) = (Family::new(kind), Ctx::default());
            let (conn, pipe) = dial_family(&family, &ctx).await;
            let let_go = Instant::now();
            drop(conn);
            let said = gone(pipe).await;
            assert!(let_go.elapsed() < GONE, "{kind}: {:?}", let_go.elapsed());
            // One that was stopped hears it all the same, and may end in order.
            assert_eq!(said, if kind == "stopped" { "asked to end\n" } else { "" }, "{kind}");
            all_gone(&ctx).await;
        };
        join_all(["stubborn", "daemon", "stopped", "forking", "many"].map(each).into()).await;
    });
}

#[test]
fn what_outlives_its_command_is_gone_soon_after_it() {
    block_on(async {
        let (family, ctx) = (Family::new("over"), Ctx::default());
        let (mut conn, pipe) = dial_family(&family, &ctx).await;
        assert_eq!(exit(&mut conn).await, Exit::Code(0));
        let ended = Instant::now();
        assert_eq!(gone(pipe).await, "");
        assert!(ended.elapsed() < GONE, "{:?}", ended.elapsed());
        assert_eq!(rest(&mut conn).await.unwrap(), b"");
    });
}

#[test]
fn a_command_that_stops_its_guard_ends_all_the_same() {
    block_on(async {
        let ctx = Ctx::default();
        // At once: it may come before the guard has had its first turn.
        for _ in 0..20 {
            let mut conn = dial("sh:kill -STOP $PPID; echo stopped; sleep 1000", &[], &ctx).await;
            assert_eq!(lab::get(&mut conn, 8).await, b"stopped\n");
            drop(conn);
        }
        all_gone(&ctx).await;
    });
}

#[test]
fn a_dial_that_nobody_waits_for_leaves_nothing() {
    block_on(async {
        let ctx = Ctx::default();
        let address = address("exec:sleep 1000");
        for _ in 0..20 {
            tokio::select! {
                biased;
                _ = sockeye::dial(&address, &ctx) => {}
                () = tokio::task::yield_now() => {}
            }
        }
        all_gone(&ctx).await;
    });
}

/// A process to itself, whose children and descriptors are counted.
#[test]
fn hundreds_at_once_leave_no_process_and_no_descriptor() {
    alone("process::end::hundreds_at_once_leave_no_process_and_no_descriptor", || {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        block_on(async {
            let first = Ctx::default();
            rest(&mut dial("exec:true", &[], &first).await).await.unwrap();
            all_gone(&first).await;
            let (before, ctx) = (count(), Ctx::default());
            let one = async |number: usize| {
                let mut conn = lab::dial("exec:cat", &ctx).await;
                let text = format!("number {number}");
                conn.write_all(text.as_bytes()).await.unwrap();
                conn.shutdown_write().await.unwrap();
                assert_eq!(rest(&mut conn).await.unwrap(), text.as_bytes());
                assert_eq!(exit(&mut conn).await, Exit::Code(0));
            };
            join_all((0..200).map(one).collect()).await;
            all_gone(&ctx).await;
            assert_eq!(count(), before);
        });
        // Neither a child of any kind nor what is left of one.
        let children = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap());
        assert_eq!(children.collect::<String>(), "");
    });
}

#[test]
fn other_children_of_the_process_are_left_to_who_started_them() {
    alone("process::end::other_children_of_the_process_are_left_to_who_started_them", || {
        let mut other = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        block_on(async {
            let ctx = Ctx::default();
            let mut conn = dial("exec:true", &[], &ctx).await;
            assert_eq!(exit(&mut conn).await, Exit::Code(0));
            all_gone(&ctx).await;
            let _running = dial("exec:cat", &[], &Ctx::default()).await;
            // Who waits for any child gets its own, and not our guard.
            assert_eq!(other.wait().unwrap().code(), Some(7));
            let none = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
            assert_eq!(none.unwrap_err(), rustix::io::Errno::CHILD);
        });
    });
}

#[test]
fn a_relay_tells_how_its_command_ended_and_for_whom() {
    block_on(async {
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(64, Wants::Connections);
        let listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let near = local(&listening);
        let forward = Forward {
            to: sockeye::dialler(&address("sh:cat; echo bye; exit 3"), &Ctx::default()).unwrap(),
            plan: Plan::default(),
        };
        let mut server = Server::start(listening, std::sync::Arc::new(forward), &ctx);
        let mut client = lab::dial(&near, &ctx).await;
        client.write_all(b"hi\n").await.unwrap();
        client.shutdown_write().await.unwrap();
        // What a command said before it failed arrives whole, and its end looks like one.
        assert_eq!(rest(&mut client).await.unwrap(), b"hi\nbye\n");
        let exited = event(&mut events, |event| match event {
            Event::Exited { command, caller, exit } => Some((command, caller, exit)),
            _ => None,
        });
        let (command, caller, exit) = exited.await;
        assert_eq!((&*command, exit), ("sh:cat; echo bye; exit 3", Exit::Code(3)));
        let ours = client.peer().local.to_string();
        assert_eq!(caller.map(|peer| peer.remote.to_string()), Some(ours));
        ctx.stop.drain();
        let failure = server.served().await.last_failure.expect("a failure");
        assert_eq!((failure.op(), failure.side()), (Op::Run, Some(Side::Right)));
        assert_eq!(failure.cause().to_string(), "exited with code 3");
    });
}

#[test]
fn who_is_joined_to_a_command_that_is_over_is_let_go() {
    block_on(async {
        let ctx = Ctx::default();
        let listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let near = local(&listening);
        // It reads one line of all that comes.
        let forward = Forward {
            to: sockeye::dialler(&address("exec:head -n 1"), &Ctx::default()).unwrap(),
            plan: Plan::default(),
        };
        let mut server = Server::start(listening, std::sync::Arc::new(forward), &ctx);
        let mut silent = lab::dial(&near, &ctx).await;
        silent.write_all(b"one\n").await.unwrap();
        assert_eq!(rest(&mut silent).await.unwrap(), b"one\n");
        // It says nothing more, and does not close.
        let mut wordy = lab::dial(&near, &ctx).await;
        wordy.write_all(&b"one\n".repeat(50_000)).await.unwrap();
        assert_eq!(rest(&mut wordy).await.unwrap(), b"one\n");
        ctx.stop.drain();
        let served = server.served().await;
        assert_eq!((served.accepted, served.failed, served.outstayed), (2, 0, 0), "{served:?}");
    });
}

#[test]
fn what_a_peer_sent_before_it_left_is_worked_on() {
    block_on(async {
        let (folder, ctx) = (Scratch::new(), Ctx::default());
        let file = folder.path("lines");
        let mut listening = listen("tcp-l:127.0.0.1:0", &ctx).await;
        let mut peer = lab::dial(&local(&listening), &ctx).await;
        let mut near = lab::accept(&mut listening).await;
        let mut slow = dial(&format!("sh:sleep 0.2; wc -l >{}", file.display()), &[], &ctx).await;
        peer.write_all(&b"line\n".repeat(50_000)).await.unwrap();
        drop(peer);
        soon("both", sockeye::relay(&mut near, &mut slow, &Plan::default(), &ctx)).await.1.unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "50000\n");
    });
}

/// Time flies here as soon as everybody waits.
#[test]
fn a_command_that_takes_nothing_is_ended_after_its_peer_unless_none_is_to_hear_it() {
    block_on(async {
        let ctx = Ctx::default();
        for word in ["exec:sleep 1000", "sh:cat >/dev/null; sleep 1000"] {
            let (mut near, mut command) = left_behind(word, &ctx).await;
            let began = Instant::now();
            let ended = sockeye::relay(&mut near, &mut command, &Plan::default(), &ctx).await.1;
            assert!(matches!(ended.unwrap_err().cause(), Cause::Deserted), "{word}");
            let lasted = began.elapsed().as_secs();
            assert!(lasted < 10, "{word}: {lasted} s");
            tokio::time::resume();
        }
        let (mut near, mut command) = left_behind("exec:sleep 1000", &ctx).await;
        let one_way = Plan { flow: Flow::OneWay, ..Plan::default() };
        let relay = sockeye::relay(&mut near, &mut command, &one_way, &ctx);
        assert!(tokio::time::timeout(Duration::from_secs(900), relay).await.is_err());
        tokio::time::resume();
    });
}

/// What a peer that sends and leaves for good was joined to, and its command; with a clock that waits for nobody.
async fn left_behind(word: &str, ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen("tcp-l:127.0.0.1:0", ctx).await;
    let mut peer = lab::dial(&local(&listening), ctx).await;
    let (near, command) = (lab::accept(&mut listening).await, dial(word, &[], ctx).await);
    peer.write_all(&b"line\n".repeat(50_000)).await.unwrap();
    drop(peer);
    tokio::time::pause();
    (near, command)
}

#[test]
fn two_commands_are_joined_and_both_are_waited_for() {
    block_on(async {
        let folder = Scratch::new();
        let ctx = Ctx::default();
        let join = async |left: &str, right: &str| {
            let (mut left, mut right) = (dial(left, &[], &ctx).await, dial(right, &[], &ctx).await);
            soon("both", sockeye::relay(&mut left, &mut right, &Plan::default(), &ctx)).await.1
        };
        let (late, file) = (folder.path("late"), folder.path("file"));
        let right = format!("sh:cat >{}; exec >&-; sleep 0.3; : >{}", file.display(), late.display());
        join("sh:seq 1000", &right).await.unwrap();
        assert!(late.exists());
        assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 1000);
        // One that never ends by itself ends with the one who heard enough.
        join("exec:yes", "exec:head -n 1").await.unwrap();
        let failed = join("sh:exit 4", "exec:cat").await.unwrap_err();
        assert_eq!(
            (failed.side(), failed.cause().to_string()),
            (Some(Side::Left), "exited with code 4".into())
        );
    });
}

/// Runs futures side by side in this task.
async fn join_all(mut futures: Vec<impl Future<Output = ()>>) {
    use std::task::Poll;
    let mut futures: Vec<_> = futures.drain(..).map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
