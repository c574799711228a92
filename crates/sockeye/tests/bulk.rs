//! Much at once over a relay: moved by the kernel where it can be, and told and cut off like everything else.

use std::os::fd::AsRawFd as _;
use std::time::Duration;

use rustix::io::dup;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockeye::{Conn, Ctx, Kind, Moved, Plan, Result, Side};
use tokio::task::JoinSet;

use crate::lab::{accept, alone, assert_same, block_on, dial, get, listen, local, numbered, put, rest, soon};

/// More than what both sockets and a pipe hold together.
const MUCH: usize = 48 << 20;

/// A relay between two TCP connections, and their outer ends.
struct Joined {
    left: Conn,
    right: Conn,
    relay: JoinSet<(Moved, Result<()>)>,
}

async fn join(ctx: &Ctx) -> Joined {
    let ((left, mut inner_left), (right, mut inner_right)) = (pair(ctx).await, pair(ctx).await);
    let (mut relay, ctx) = (JoinSet::new(), ctx.clone());
    relay.spawn(
        async move { sockeye::relay(&mut inner_left, &mut inner_right, &Plan::default(), &ctx).await },
    );
    Joined { left, right, relay }
}

async fn pair(ctx: &Ctx) -> (Conn, Conn) {
    let mut listening = listen("tcp-l:127.0.0.1:0", ctx).await;
    (dial(&local(&listening), ctx).await, accept(&mut listening).await)
}

impl Joined {
    async fn done(&mut self) -> (Moved, Result<()>) {
        soon("the relay to end", self.relay.join_next()).await.expect("nobody has waited before").unwrap()
    }

    /// Says so much from the left that not all of it finds room anywhere, until nobody takes any more. Gives back how
    /// much went.
    async fn clog(&mut self, much: &[u8]) -> usize {
        let mut sent = 0;
        while let Ok(written) = tokio::time::timeout(STILL, write(&mut self.left, &much[sent..])).await {
            sent += written.unwrap();
        }
        assert!(sent < much.len(), "all found room");
        sent
    }
}

/// Nothing moves any more when nothing has for so long.
const STILL: Duration = Duration::from_millis(200);

async fn write(conn: &mut Conn, bytes: &[u8]) -> Result<usize> {
    std::future::poll_fn(|cx| conn.poll_write(cx, bytes)).await
}

/// The pipes that this process has.
fn pipes() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("pipe:")).count()
}

#[test]
fn much_goes_through_a_pipe_and_small_talk_before_and_behind_it_does_not() {
    alone("bulk::much_goes_through_a_pipe_and_small_talk_before_and_behind_it_does_not", || {
        let before = pipes();
        block_on(async {
            let mut joined = join(&Ctx::default()).await;
            for _ in 0..100 {
                put(&mut joined.left, b"a question").await.unwrap();
                assert_eq!(get(&mut joined.right, 10).await, b"a question");
                put(&mut joined.right, b"yes").await.unwrap();
                assert_eq!(get(&mut joined.left, 3).await, b"yes");
            }
            assert_eq!(pipes(), before);
            let much = numbered(MUCH);
            let sent = joined.clog(&much).await;
            assert_eq!(pipes(), before + 2);
            let (Joined { left, right, .. }, rest_of_it) = (&mut joined, &much[sent..]);
            let (sent, got) = tokio::join!(put(left, rest_of_it), get(right, MUCH));
            sent.unwrap();
            assert_same(&got, &much);
            put(left, b"last").await.unwrap();
            assert_eq!(get(right, 4).await, b"last");
            left.shutdown_write().await.unwrap();
            assert_eq!(rest(right).await.unwrap(), b"");
            right.shutdown_write().await.unwrap();
            let (moved, ended) = joined.done().await;
            ended.unwrap();
            assert_eq!(moved, Moved { to_right: 1000 + MUCH as u64 + 4, to_left: 300 });
        });
        assert_eq!(pipes(), before);
    });
}

#[test]
fn who_takes_nothing_from_pipes_gets_it_all_the_same() {
    block_on(async {
        let folder = testkit::Scratch::new();
        let (from, to) = (folder.path("from"), folder.path("to"));
        std::fs::write(&from, numbered(3 << 20)).unwrap();
        std::fs::write(&to, b"before").unwrap();
        let ctx = Ctx::default();
        // splice(2): EINVAL if the target file is opened in append mode.
        let mut left = dial(&format!("file:{}", from.display()), &ctx).await;
        let mut right = dial(&format!("file:{},append", to.display()), &ctx).await;
        let (moved, ended) = sockeye::relay(&mut left, &mut right, &Plan::default(), &ctx).await;
        ended.unwrap();
        assert_eq!(moved, Moved { to_right: 3 << 20, to_left: 0 });
        assert_same(&std::fs::read(&to).unwrap()[6..], &numbered(3 << 20));
    });
}

#[test]
fn where_no_descriptor_is_left_for_a_pipe_bytes_are_copied() {
    alone("bulk::where_no_descriptor_is_left_for_a_pipe_bytes_are_copied", || {
        block_on(async {
            let ctx = Ctx::default();
            let mut joined = join(&ctx).await;
            // The lowest number that is free: no descriptor may be opened with it, or above.
            let free = dup(std::io::stdout()).unwrap().as_raw_fd().unsigned_abs();
            let limit = Rlimit { current: Some(free.into()), ..getrlimit(Resource::Nofile) };
            setrlimit(Resource::Nofile, limit).unwrap();
            let much = numbered(MUCH);
            let Joined { left, right, .. } = &mut joined;
            let (sent, got) = tokio::join!(put(left, &much), get(right, MUCH));
            sent.unwrap();
            assert_same(&got, &much);
        });
    });
}

#[test]
fn who_breaks_off_while_much_is_under_way_is_named_and_so_is_the_other_broken_off() {
    block_on(async {
        let mut joined = join(&Ctx::default()).await;
        joined.clog(&numbered(MUCH)).await;
        let Joined { mut left, mut right, mut relay } = joined;
        right.abort();
        drop(right);
        let (_, ended) = soon("the relay to end", relay.join_next()).await.unwrap().unwrap();
        let error = ended.unwrap_err();
        assert_eq!((error.kind(), error.side()), (Kind::Reset, Some(Side::Right)));
        assert_eq!(rest(&mut left).await.unwrap_err().kind(), Kind::Reset);
    });
}
