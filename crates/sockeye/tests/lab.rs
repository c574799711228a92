//! What the tests of this crate share: opening addresses, waiting under a limit, a service that is a function, a
//! server that runs beside the test, and a process for tests that must have one to themselves.

use std::borrow::BorrowMut;
use std::future::Future;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sockeye::proto::shape::Shape;
use sockeye::{BoxFuture, Conn, Ctx, Event, Listening, Message, Result, Served, Service};
use testkit::require;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a test waits for what should happen at once.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What should happen at once.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {LIMIT:?} for {what}"),
    }
}

pub(crate) fn address(word: &str) -> sockeye::proto::address::Address {
    sockeye::parse(word, &[]).unwrap_or_else(|error| panic!("{word}: {error}"))
}

pub(crate) async fn listen(word: &str, ctx: &Ctx) -> Listening {
    let listened = sockeye::listen(&address(word), ctx).await;
    listened.unwrap_or_else(|error| panic!("{error}: {}", error.cause()))
}

pub(crate) async fn dial(word: &str, ctx: &Ctx) -> Conn {
    let dialled = soon(word, sockeye::dial(&address(word), ctx)).await;
    dialled.unwrap_or_else(|error| panic!("{error}: {}", error.cause()))
}

pub(crate) async fn accept(listening: &mut Listening) -> Conn {
    soon("a connection", sockeye::accept(&mut *listening.listener)).await.unwrap()
}

/// Where a listener listens, as an address to dial.
pub(crate) fn local(listening: &Listening) -> String {
    listening.listener.locals()[0].to_string()
}

/// The name of an abstract Unix socket that only this process uses.
pub(crate) fn abstract_name(of: &str) -> String {
    format!("@sockeye-test-{}-{of}", std::process::id())
}

/// A loopback address that nobody else uses: raw sockets have no ports that would keep tests apart.
pub(crate) fn own_loopback() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id() & 0x3fff, NEXT.fetch_add(1, Ordering::Relaxed) & 0x3ff);
    Ipv4Addr::from_bits((127 << 24) | (process << 10) | number)
}

/// A service that is a function of each connection.
pub(crate) fn service<F, T>(serve: F) -> Arc<dyn Service>
where
    F: Fn(Conn, Ctx) -> T + Send + Sync + 'static,
    T: Future<Output = Result<()>> + Send + 'static,
{
    struct Function<F>(F);
    impl<F, T> Service for Function<F>
    where
        F: Fn(Conn, Ctx) -> T + Send + Sync,
        T: Future<Output = Result<()>> + Send + 'static,
    {
        fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
            Box::pin((self.0)(conn, ctx.clone()))
        }
    }
    Arc::new(Function(serve))
}

/// Sends everything back until the peer ends its side, or a hurry is asked for.
pub(crate) fn echo() -> Arc<dyn Service> {
    service(|mut conn, ctx| async move {
        tokio::select! {
            ended = send_back(&mut conn) => ended,
            () = ctx.stop.hurried() => Ok(()),
        }
    })
}

pub(crate) async fn send_back(conn: &mut Conn) -> Result<()> {
    let (mut buffer, mut message) = (vec![0; 16 << 10], Message::default());
    loop {
        match conn.shape() {
            Shape::Bytes => match conn.read(&mut buffer).await? {
                0 => break,
                read => conn.write_all(&buffer[..read]).await?,
            },
            Shape::Messages => {
                if !conn.receive(&mut message).await? {
                    break;
                }
                conn.send(&message.payload).await?;
            }
        }
    }
    conn.shutdown_write().await
}

/// Writes bytes, or sends one message.
pub(crate) async fn put(conn: &mut Conn, payload: &[u8]) -> Result<()> {
    match conn.shape() {
        Shape::Bytes => conn.write_all(payload).await,
        Shape::Messages => conn.send(payload).await,
    }
}

/// Reads so many bytes, or one message.
pub(crate) async fn get(conn: &mut Conn, bytes: usize) -> Vec<u8> {
    if conn.shape() == Shape::Messages {
        return receive(conn).await.payload;
    }
    let (mut got, mut read) = (vec![0; bytes], 0);
    while read < bytes {
        let more = soon("bytes", conn.read(&mut got[read..])).await.unwrap();
        assert!(more > 0, "the end after {read} of {bytes} bytes");
        read += more;
    }
    got
}

/// The next message.
pub(crate) async fn receive(conn: &mut Conn) -> Message {
    let mut message = Message::default();
    assert!(soon("a message", conn.receive(&mut message)).await.unwrap(), "the end, instead of a message");
    message
}

/// Reads to the end: all bytes, or all messages one behind the other.
pub(crate) async fn rest(conn: &mut Conn) -> Result<Vec<u8>> {
    let (mut all, mut buffer, mut message) = (Vec::new(), vec![0; 64 << 10], Message::default());
    let reading = async {
        loop {
            match conn.shape() {
                Shape::Bytes => match conn.read(&mut buffer).await? {
                    0 => return Ok(()),
                    read => all.extend_from_slice(&buffer[..read]),
                },
                Shape::Messages => {
                    if !conn.receive(&mut message).await? {
                        return Ok(());
                    }
                    all.extend_from_slice(&message.payload);
                }
            }
        }
    };
    soon("the end", reading).await?;
    Ok(all)
}

/// Bytes of which no two stretches of eight are alike, so that a gap or a swap shows.
pub(crate) fn numbered(bytes: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes + 8);
    for number in 0..bytes.div_ceil(8) as u64 {
        all.extend_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    }
    all.truncate(bytes);
    all
}

/// Says where two long texts differ, instead of printing both.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], want: &[u8]) {
    if got != want {
        let differ = got.iter().zip(want).position(|(got, want)| got != want);
        panic!("{} bytes instead of {}, the first other one at {differ:?}", got.len(), want.len());
    }
}

/// `serve` in a task of its own.
pub(crate) struct Server(JoinSet<Served>);

impl Server {
    pub(crate) fn start(listening: Listening, service: Arc<dyn Service>, ctx: &Ctx) -> Self {
        let (mut tasks, ctx) = (JoinSet::new(), ctx.clone());
        tasks.spawn(async move { sockeye::serve(listening, service, "test", &ctx).await });
        Self(tasks)
    }

    /// Waits, under no limit of its own, until `serve` returns.
    pub(crate) async fn ended(&mut self) -> Served {
        self.0.join_next().await.expect("nobody has waited before").unwrap()
    }

    /// Waits until `serve` returns, which should be at once.
    pub(crate) async fn served(&mut self) -> Served {
        soon("serve to return", self.ended()).await
    }

    /// Whether `serve` has returned.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_join_next().is_some()
    }
}

/// The next event that `pick` takes; the others are passed over.
pub(crate) async fn event<T>(
    events: &mut mpsc::Receiver<Event>,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> T {
    let picked = async {
        loop {
            let next = events.recv().await.expect("somebody who tells events");
            if let Some(picked) = pick(next) {
                return picked;
            }
        }
    };
    soon("an event", picked).await
}

/// Runs `body` in a process of its own, which no other test disturbs, nor it them: this binary again, with the test
/// of that name alone.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    alone_in(Command::new(std::env::current_exe().unwrap()), test, body);
}

/// As [`alone`], in a network that nobody else is in, loopback alone, as its root.
pub(crate) fn alone_in_a_network(test: &str, body: impl FnOnce()) {
    let mut command = Command::new(require("unshare"));
    command.args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    require("ip");
    alone_in(command.arg(std::env::current_exe().unwrap()), test, body);
}

/// As [`alone`], as a user without any capability.
pub(crate) fn alone_without_rights(test: &str, body: impl FnOnce()) {
    let mut command = Command::new(require("unshare"));
    alone_in(command.args(["--map-user=1"]).arg(std::env::current_exe().unwrap()), test, body);
}

fn alone_in(mut command: impl BorrowMut<Command>, test: &str, body: impl FnOnce()) {
    const ALONE: &str = "SOCKEYE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let command = command.borrow_mut();
    command.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    let exit = testkit::run(command, b"", 4 * LIMIT);
    let ran = String::from_utf8_lossy(&exit.stdout).contains("1 passed");
    assert!(exit.code == Some(0) && ran, "{test}: {exit:?}");
}

/// Runs a future on a runtime of one thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}
