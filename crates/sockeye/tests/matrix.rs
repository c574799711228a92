//! The relay matrix: every scheme that listens before every scheme that can be dialled, taken from the rows.
//!
//! A client dials the relay, the relay dials the far end, and the test holds both outer ends (`joint`). A row that is
//! added is a line and a column here from that day on, and fails until `joint` and `breaking` know it. Datagrams have
//! checks of their own (`datagrams`), and so have a frame that makes messages of one side's bytes (`framed`) and
//! WebSockets on both sides (`websocket`). Some rows run once more while bytes come one by one (`sliced`). Each test
//! is a process of its own, where descriptors can be counted, and tells of all pairs that fail.

mod datagrams;
mod framed;
mod joint;
mod sliced;
mod websocket;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use sockeye::proto::shape::Shape;
use sockeye::{Conn, Counts, Kind, Message, Op, Result, Scheme, Side};
use testkit::LIMIT;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use self::joint::{End, Far, Pair, Relay, Room, can_be_secret, is_datagram, join, start};
use crate::lab::{alone, assert_same, get, numbered, put, rest, send_back, soon};

const MIB: usize = 1 << 20;

/// More than everything on the way holds, where it has [`Room::Small`].
const MUCH: usize = 8 * MIB;

#[test]
fn what_is_sent_arrives_whole_and_comes_back_whole() {
    alone("matrix::what_is_sent_arrives_whole_and_comes_back_whole", || {
        each_pair(Shapes::Same, go_there_and_back);
    });
}

#[test]
fn who_looks_at_a_connection_changes_nothing() {
    alone("matrix::who_looks_at_a_connection_changes_nothing", || {
        each_pair(Shapes::Same, async |pair| go_there_and_back(Pair { is_looked_at: true, ..pair }).await);
    });
}

#[test]
fn what_goes_through_tls_arrives_whole_and_comes_back_whole() {
    alone("matrix::what_goes_through_tls_arrives_whole_and_comes_back_whole", || {
        each_secret(go_there_and_back);
    });
}

/// Every pair of which at least one side can have TLS, which then has it.
fn each_secret(check: impl AsyncFn(Pair)) {
    each_pair(Shapes::Same, async |pair| {
        if can_be_secret(pair.near) || can_be_secret(pair.far) {
            check(Pair { is_secret: true, ..pair }).await;
        }
    });
}

/// Sends through a relay, and back again: nothing, a byte, and much or the largest message that there can be.
async fn go_there_and_back(pair: Pair) {
    for size in [0, 1, largest(pair).await.unwrap_or(MIB)] {
        let content = numbered(size);
        let (mut relay, mut near, far) = join(pair, Room::Usual, &content).await;
        // What is seen is told to those who want to hear anything, and waits for them.
        relay.events.close();
        match far {
            Far::Peer(mut far) => {
                let (sent, came) = tokio::join!(send_back(&mut far), exchange(near, &content));
                sent.unwrap();
                assert_same(&came.unwrap(), &content);
            }
            Far::Source => {
                near.shutdown_write().await.unwrap();
                assert_same(&rest(&mut near).await.unwrap(), &content);
            }
            Far::Sink => {
                near.write_all(&content).await.unwrap();
                near.shutdown_write().await.unwrap();
                assert_eq!(rest(&mut near).await.unwrap(), b"");
            }
        }
        assert_eq!(relay.end(&content).await.failed, 0);
    }
}

/// The largest message that both sides carry, as their connections state it.
async fn largest(pair: Pair) -> Option<usize> {
    let (relay, near, far) = join(pair, Room::Usual, b"").await;
    let of_far = if let Far::Peer(far) = &far { far.max_message() } else { None };
    let largest = [near.max_message(), of_far].into_iter().flatten().min();
    drop((near, far));
    relay.end(b"").await;
    largest
}

#[test]
fn who_has_ended_still_gets_the_answer() {
    alone("matrix::who_has_ended_still_gets_the_answer", || {
        each_pair(Shapes::Same, get_the_answer_after_the_end);
    });
}

#[test]
fn who_has_ended_in_tls_still_gets_the_answer() {
    alone("matrix::who_has_ended_in_tls_still_gets_the_answer", || {
        each_secret(get_the_answer_after_the_end);
    });
}

async fn get_the_answer_after_the_end(pair: Pair) {
    if !pair.half_close() {
        return;
    }
    let (relay, mut near, far) = join(pair, Room::Usual, b"content").await;
    if !matches!(far, Far::Source) {
        put(&mut near, b"content").await.unwrap();
    }
    near.shutdown_write().await.unwrap();
    let want: &[u8] = match far {
        Far::Peer(mut far) => {
            assert_eq!(rest(&mut far).await.unwrap(), b"content");
            put(&mut far, b"an answer").await.unwrap();
            far.shutdown_write().await.unwrap();
            b"an answer"
        }
        Far::Source => b"content",
        Far::Sink => b"",
    };
    assert_eq!(rest(&mut near).await.unwrap(), want);
    assert_eq!(relay.end(b"content").await.failed, 0);
}

#[test]
fn who_hears_the_end_can_still_send() {
    alone("matrix::who_hears_the_end_can_still_send", || {
        each_pair(Shapes::Same, async |pair| {
            if !pair.half_close() {
                return;
            }
            let (relay, mut near, mut far) = join(pair, Room::Usual, b"content").await;
            match &mut far {
                Far::Peer(far) => {
                    put(far, b"a greeting").await.unwrap();
                    far.shutdown_write().await.unwrap();
                    assert_eq!(rest(&mut near).await.unwrap(), b"a greeting");
                }
                Far::Source => assert_eq!(rest(&mut near).await.unwrap(), b"content"),
                // A file that is written says nothing, not even its end.
                Far::Sink => {}
            }
            if !matches!(far, Far::Source) {
                put(&mut near, b"content").await.unwrap();
            }
            near.shutdown_write().await.unwrap();
            if let Far::Peer(mut far) = far {
                assert_eq!(rest(&mut far).await.unwrap(), b"content");
            }
            assert_eq!(relay.end(b"content").await.failed, 0);
        });
    });
}

/// How an end can be abrupt. The rows do not say, because it is the kernel that decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaking {
    /// Breaking off resets the connection, and the other side is told.
    Resets,
    /// The kernel knows a reset only for who closes with bytes unread; all other ends look orderly (unix(7)). So a
    /// peer can break off like that, but the relay, which reads everything, cannot pass it on.
    WithBytesUnread,
    /// It can only end, and who is behind it hears that somehow: a command, which is ended.
    Ends,
    /// There is nobody who could break off, or no way to tell.
    Never,
}

fn breaking(scheme: &Scheme) -> Breaking {
    match scheme.grammar.name {
        "tcp" | "mem" | "mem-seq" => Breaking::Resets,
        "unix" | "unix-seq" | "fd" => Breaking::WithBytesUnread,
        "exec" | "sh" => Breaking::Ends,
        "file" | "raw" | "udp" | "unix-dgram" => Breaking::Never,
        other => panic!("nothing is known of how {other} breaks off"),
    }
}

/// Makes an end abrupt, and leaves something unread, where that is what it takes.
async fn break_off(mut conn: Conn, scheme: &Scheme, other: &mut Conn) {
    if breaking(scheme) == Breaking::WithBytesUnread {
        put(other, b"ab").await.unwrap();
        match conn.shape() {
            Shape::Bytes => assert_eq!(get(&mut conn, 1).await, b"a"),
            Shape::Messages => {
                let socket = conn.bare().expect("a socket");
                soon("a message", poll_fn(|cx| socket.poll_read_ready(cx).map(drop))).await;
            }
        }
    }
    conn.abort();
}

/// What is heard behind a relay one of whose ends broke off.
async fn assert_told(mut conn: Conn, scheme: &Scheme) {
    let heard = rest(&mut conn).await;
    match breaking(scheme) {
        Breaking::Resets => match heard {
            Err(error) => assert_eq!(error.kind(), Kind::Reset, "{error:?}"),
            Ok(bytes) => panic!("an orderly end, behind {} bytes", bytes.len()),
        },
        Breaking::WithBytesUnread => assert!(heard.is_ok(), "{heard:?}"),
        Breaking::Ends => {}
        Breaking::Never => panic!("nobody is there"),
    }
}

#[test]
fn a_client_that_breaks_off_does_not_look_as_if_it_had_ended() {
    alone("matrix::a_client_that_breaks_off_does_not_look_as_if_it_had_ended", || {
        let content = numbered(MUCH);
        each_pair(Shapes::Same, async |pair| {
            // Without anything to leave unread, such a client can only end.
            if matches!(pair.end, End::Sink) && breaking(pair.near) == Breaking::WithBytesUnread {
                return;
            }
            let (mut relay, mut near, far) = join(pair, Room::Small, &content).await;
            match far {
                Far::Peer(mut far) => {
                    break_off(near, pair.near, &mut far).await;
                    assert_told(far, pair.far).await;
                }
                Far::Source => {
                    get(&mut near, 1).await;
                    near.abort();
                    drop(near);
                }
                Far::Sink => {
                    near.abort();
                    drop(near);
                }
            }
            let served = relay.ended().await;
            let failure = served.last_failure.expect("a failure");
            assert_eq!((served.failed, failure.kind(), failure.side()), (1, Kind::Reset, Some(Side::Left)));
        });
    });
}

#[test]
fn a_server_that_breaks_off_does_not_look_as_if_it_had_ended() {
    alone("matrix::a_server_that_breaks_off_does_not_look_as_if_it_had_ended", || {
        each_pair(Shapes::Same, async |pair| {
            if matches!(breaking(pair.far), Breaking::Ends | Breaking::Never) {
                return;
            }
            let (mut relay, mut near, far) = join(pair, Room::Usual, b"").await;
            let Far::Peer(far) = far else { panic!("a file cannot break off") };
            break_off(far, pair.far, &mut near).await;
            assert_told(near, pair.near).await;
            let served = relay.ended().await;
            let failure = served.last_failure.expect("a failure");
            assert_eq!((served.failed, failure.kind(), failure.side()), (1, Kind::Reset, Some(Side::Right)));
        });
    });
}

#[test]
fn who_does_not_read_holds_the_sender_back_and_gets_everything_in_order() {
    alone("matrix::who_does_not_read_holds_the_sender_back_and_gets_everything_in_order", || {
        let content = numbered(MUCH);
        each_pair(Shapes::Same, async |pair| {
            let (relay, mut near, far) = join(pair, Room::Small, &content).await;
            match far {
                Far::Peer(mut far) => {
                    to_a_slow_reader(&mut near, &mut far, &content).await;
                    to_a_slow_reader(&mut far, &mut near, &content).await;
                }
                Far::Source => assert_same(&rest(&mut near).await.unwrap(), &content),
                Far::Sink => soon("a file", near.write_all(&content)).await.unwrap(),
            }
            drop(near);
            assert_eq!(relay.end(&content).await.failed, 0);
        });
    });
}

/// Sends bytes as they are, or messages of 1 KiB, and ends; the reader begins when no more can be sent.
async fn to_a_slow_reader(from: &mut Conn, to: &mut Conn, content: &[u8]) {
    let counts = from.counts();
    let mut sending = pin!(send(from, content));
    tokio::select! {
        sent = &mut sending => panic!("nobody reads, and all was sent: {sent:?}"),
        () = standstill(&counts) => {}
    }
    assert!(counts.sent() < content.len() as u64);
    let (sent, came) = tokio::join!(sending, rest(to));
    sent.unwrap();
    assert_same(&came.unwrap(), content);
}

async fn send(conn: &mut Conn, content: &[u8]) -> Result<()> {
    match conn.shape() {
        Shape::Bytes => conn.write_all(content).await?,
        Shape::Messages => {
            for message in content.chunks(1 << 10) {
                conn.send(message).await?;
            }
        }
    }
    conn.shutdown_write().await
}

/// Returns when nothing more is sent: a sender that is never held back is done before.
async fn standstill(counts: &Counts) {
    let (mut looks, mut seen) = (0, 0);
    while looks < 10 {
        sleep(Duration::from_millis(5)).await;
        looks = if counts.sent() == seen { looks + 1 } else { 0 };
        seen = counts.sent();
    }
}

#[test]
fn a_drain_lets_what_is_under_way_finish() {
    alone("matrix::a_drain_lets_what_is_under_way_finish", || {
        let content = numbered(MUCH);
        each_pair(Shapes::Same, async |pair| {
            let (half, other_half) = content.split_at(MUCH / 2);
            let (mut relay, mut near, far) = join(pair, Room::Small, &content).await;
            match far {
                Far::Peer(mut far) => {
                    put(&mut near, b"begin").await.unwrap();
                    assert_eq!(get(&mut far, 5).await, b"begin");
                    relay.refuses_newcomers().await;
                    let (sent, came) = tokio::join!(send(&mut near, half), rest(&mut far));
                    sent.unwrap();
                    assert_same(&came.unwrap(), half);
                    let (sent, came) = tokio::join!(send(&mut far, other_half), rest(&mut near));
                    sent.unwrap();
                    assert_same(&came.unwrap(), other_half);
                }
                Far::Source => {
                    let begin = get(&mut near, 1).await;
                    relay.refuses_newcomers().await;
                    assert_same(&[begin, rest(&mut near).await.unwrap()].concat(), &content);
                }
                Far::Sink => {
                    near.write_all(half).await.unwrap();
                    relay.refuses_newcomers().await;
                    near.write_all(other_half).await.unwrap();
                }
            }
            drop(near);
            assert_eq!(relay.end(&content).await.failed, 0);
        });
    });
}

#[test]
fn a_hurry_ends_who_is_idle_at_once_and_who_is_busy_soon() {
    alone("matrix::a_hurry_ends_who_is_idle_at_once_and_who_is_busy_soon", || {
        let content = numbered(MUCH);
        each_pair(Shapes::Same, async |pair| {
            let (mut relay, near, far) = join(pair, Room::Small, b"").await;
            relay.ctx.stop.hurry();
            let served = relay.server.served().await;
            assert_eq!((served.accepted, served.aborted), (1, 0));
            drop((near, far, relay));

            let (mut relay, near, far) = busy(pair, &content).await;
            let asked = Instant::now();
            relay.ctx.stop.hurry();
            let served = relay.server.served().await;
            let took = asked.elapsed();
            assert!(
                served.accepted == 1 && took < relay.ctx.limits.hurry + Duration::from_secs(5),
                "{took:?}"
            );
            drop((near, far));
        });
    });
}

#[test]
fn what_a_hurry_cuts_off_does_not_look_whole() {
    alone("matrix::what_a_hurry_cuts_off_does_not_look_whole", || {
        let content = numbered(MUCH);
        each_pair(Shapes::Same, async |pair| {
            let (mut relay, near, far) = busy(pair, &content).await;
            relay.ctx.stop.hurry();
            relay.server.served().await;
            // Where there are no resets, the kernel decides by what is unread.
            let is_told = |scheme| breaking(scheme) == Breaking::Resets;
            if !matches!(far, Far::Sink) && is_told(pair.near) {
                assert_told(near, pair.near).await;
            }
            if let Far::Peer(far) = far
                && is_told(pair.far)
            {
                assert_told(far, pair.far).await;
            }
        });
    });
}

/// A relay in the middle of a transfer that nobody reads.
async fn busy(pair: Pair, content: &[u8]) -> (Relay, Conn, Far) {
    let (relay, mut near, far) = join(pair, Room::Small, content).await;
    match far {
        Far::Peer(_) => {
            let counts = near.counts();
            tokio::select! {
                sent = send(&mut near, content) => panic!("nobody reads, and all was sent: {sent:?}"),
                () = standstill(&counts) => {}
            }
        }
        Far::Source => drop(get(&mut near, 1).await),
        Far::Sink => near.write_all(b"some").await.unwrap(),
    }
    (relay, near, far)
}

#[test]
fn a_pair_of_two_shapes_is_refused() {
    alone("matrix::a_pair_of_two_shapes_is_refused", || {
        each_pair(Shapes::Different, async |pair| {
            let (mut relay, waiting) = start(pair, Room::Usual, b"").await;
            let mut near = relay.client().await;
            if is_datagram(pair.near) {
                near.send(b"here I am").await.unwrap();
            }
            relay.opened().await;
            // The client must not take this for the orderly end of a conversation that never was.
            if breaking(pair.near) == Breaking::Resets {
                assert_told(near, pair.near).await;
            }
            let served = relay.ended().await;
            let refusal = served.last_failure.expect("a refusal");
            assert_eq!((served.failed, refusal.kind(), refusal.op()), (1, Kind::Usage, Op::Relay));
            drop(waiting);
        });
    });
}

/// Sends `content`, one message where it carries messages, and ends, while it reads to the other's end.
async fn exchange(conn: Conn, content: &[u8]) -> Result<Vec<u8>> {
    let shape = conn.shape();
    let (mut reading, mut writing) = conn.split();
    let send = async {
        match shape {
            Shape::Bytes => writing.write_all(content).await?,
            Shape::Messages => writing.send(content).await?,
        }
        writing.shutdown_write().await
    };
    let receive = async {
        let (mut came, mut buffer, mut message) = (Vec::new(), vec![0; 64 << 10], Message::default());
        match shape {
            Shape::Bytes => loop {
                match reading.read(&mut buffer).await? {
                    0 => break,
                    read => came.extend_from_slice(&buffer[..read]),
                }
            },
            Shape::Messages => {
                assert!(reading.receive(&mut message).await?, "the end, instead of a message");
                came.extend_from_slice(&message.payload);
                assert!(!reading.receive(&mut message).await?, "a second message");
            }
        }
        Ok(came)
    };
    let (sent, came) = soon("everything to come back", async { tokio::join!(send, receive) }).await;
    sent.and(came)
}

/// What the two schemes of a pair carry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shapes {
    /// The same, and each side has an end that can be told.
    Same,
    /// Messages, and one side at least has no end.
    Datagrams,
    /// Bytes and messages.
    Different,
}

impl Shapes {
    fn of(pair: Pair) -> Self {
        match pair.near.grammar.shape == pair.far.grammar.shape {
            true if is_datagram(pair.near) || is_datagram(pair.far) => Self::Datagrams,
            true => Self::Same,
            false => Self::Different,
        }
    }
}

/// Runs a check on each pair whose shapes are so, one after the other, and panics with the names of those that fail.
fn each_pair(shapes: Shapes, check: impl AsyncFn(Pair)) {
    let pairs: Vec<Pair> = Pair::all().filter(|pair| Shapes::of(*pair) == shapes).collect();
    let failed = pairs.iter().filter_map(|pair| {
        let before = open_descriptors();
        let failure = failure(*pair, &check);
        let left = open_descriptors().saturating_sub(before);
        let left = (left > 0).then(|| format!("{}: {left} descriptors are left", name(*pair)));
        failure.or(left)
    });
    assert_none(pairs.len(), &failed.collect::<Vec<_>>());
}

/// As `each_pair`, but all at once, for checks that take their time; a descriptor that is left could be anybody's.
fn all_pairs(shapes: Shapes, check: impl AsyncFn(Pair) + Sync) {
    let pairs: Vec<Pair> = Pair::all().filter(|pair| Shapes::of(*pair) == shapes).collect();
    let before = open_descriptors();
    let mut failed: Vec<String> = std::thread::scope(|scope| {
        let check = &check;
        let running: Vec<_> = pairs.iter().map(|pair| scope.spawn(move || failure(*pair, check))).collect();
        running.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    let left = open_descriptors().saturating_sub(before);
    failed.extend((left > 0).then(|| format!("{left} descriptors are left")));
    assert_none(pairs.len(), &failed);
}

#[track_caller]
fn assert_none(tried: usize, failed: &[String]) {
    assert!(tried > 0 && failed.is_empty(), "of {tried} pairs failed {failed:#?}");
}

/// How a check failed on a pair, if it did.
fn failure(pair: Pair, check: &impl AsyncFn(Pair)) -> Option<String> {
    let runtime = runtime();
    let checked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(check(pair))));
    // Of what was cut off, a command is the last to end: nobody waits for that longer than a hurry takes.
    let count = || runtime.metrics().num_alive_tasks();
    let tasks = runtime.block_on(async {
        let until = Instant::now() + LIMIT;
        while count() > 0 && Instant::now() < until {
            sleep(Duration::from_millis(5)).await;
        }
        count()
    });
    match checked {
        Err(_told_where_it_happened) => Some(name(pair)),
        Ok(()) => (tasks > 0).then(|| format!("{}: {tasks} tasks are left", name(pair))),
    }
}

fn name(pair: Pair) -> String {
    format!("{} to {} ({:?})", pair.near.grammar.name, pair.far.grammar.name, pair.end)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// How many there are beside those of runtimes: where anything else in the build listens to signals, the first runtime
/// opens two for them, which stay to the end of the process.
fn open_descriptors() -> usize {
    drop(runtime());
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
