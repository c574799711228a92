//! What these tests share: a service that is being served, and reading and writing under a limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sockeye::proto::address::Address;
use sockeye::proto::shape::Shape;
use sockeye::{Conn, Ctx, Given, Message, Result, Served, Service, ServiceRow};
use tokio::task::JoinSet;

/// How long a test waits for what should happen at once.
const LIMIT: Duration = Duration::from_secs(20);

/// An address for bytes, one for messages over bytes, and one for messages, inside this process.
pub(crate) const EVERY_KIND: [&str; 3] = ["mem-l:x", "mem-l:x,frame=burst", "mem-seq-l:x"];

/// What should happen at once.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {LIMIT:?} for {what}"),
    }
}

pub(crate) fn row(name: &str) -> &'static ServiceRow {
    let mut rows = sockeye_services::ALL.iter();
    rows.find(|row| row.name == name).unwrap_or_else(|| panic!("no service {name}"))
}

/// A service that is being served.
pub(crate) struct Serving {
    pub(crate) ctx: Ctx,
    tasks: JoinSet<Served>,
    word: String,
}

impl Serving {
    /// Serves a service without flags.
    pub(crate) async fn start(row: &'static ServiceRow, word: &str) -> Self {
        Self::start_in(row, &Given::default(), word, Ctx::default()).await
    }

    /// Serves at `word`, with the frame that the service wants where its address gives bytes.
    pub(crate) async fn start_in(row: &'static ServiceRow, given: &Given, word: &str, ctx: Ctx) -> Self {
        let mut address = sockeye::parse(word, &[]).unwrap();
        if let Some(frame) = row.carries.frame(given)
            && address.shape() == Shape::Bytes
        {
            address.insert(frame, sockeye::vocabulary()).unwrap();
        }
        Self::start_service((row.build)(given, &ctx).unwrap(), &address, ctx).await
    }

    /// Serves a service that may be served elsewhere too.
    pub(crate) async fn start_service(service: Arc<dyn Service>, address: &Address, mut ctx: Ctx) -> Self {
        ctx.limits.newcomers = service.newcomers(address).unwrap();
        let listening = sockeye::listen(address, &ctx).await.unwrap();
        let scheme = address.scheme().name;
        let word = match scheme {
            "mem" | "mem-seq" => format!("{scheme}:x"),
            _ => listening.listener.locals()[0].to_string(),
        };
        let (mut tasks, served_in) = (JoinSet::new(), ctx.clone());
        tasks.spawn(async move { sockeye::serve(listening, service, "served", &served_in).await });
        Self { ctx, tasks, word }
    }

    /// The address that clients dial.
    pub(crate) fn word(&self) -> &str {
        &self.word
    }

    /// Where it is served, as who dials calls it.
    pub(crate) fn address(&self) -> &str {
        &self.word
    }

    /// A client, which takes what comes as it comes.
    pub(crate) async fn client(&self) -> Conn {
        let address = sockeye::parse(&self.word, &[]).unwrap();
        soon("a connection", sockeye::dial(&address, &self.ctx)).await.unwrap()
    }

    /// Waits, under no limit of its own, until nobody is served any more.
    pub(crate) async fn ended(&mut self) -> Served {
        self.tasks.join_next().await.expect("nobody has waited before").unwrap()
    }

    /// Stops, and sees that everybody has come to a good end.
    pub(crate) async fn stop(mut self) {
        self.ctx.stop.drain();
        let served = soon("the end", self.ended()).await;
        assert_eq!((served.failed, served.outstayed, served.aborted), (0, 0, 0), "{:?}", served.last_failure);
    }
}

/// Writes bytes, or sends one message.
pub(crate) async fn put(conn: &mut Conn, payload: &[u8]) {
    let sent = async {
        match conn.shape() {
            Shape::Bytes => conn.write_all(payload).await,
            Shape::Messages => conn.send(payload).await,
        }
    };
    soon("room to send", sent).await.unwrap();
}

/// Reads so many bytes, or one message, which must be that long.
pub(crate) async fn get(conn: &mut Conn, bytes: usize) -> Vec<u8> {
    if conn.shape() == Shape::Messages {
        let mut message = Message::default();
        assert!(
            soon("a message", conn.receive(&mut message)).await.unwrap(),
            "the end, instead of a message"
        );
        assert_eq!(message.payload.len(), bytes, "{:?}", String::from_utf8_lossy(&message.payload));
        return message.payload;
    }
    let (mut got, mut read) = (vec![0; bytes], 0);
    while read < bytes {
        let more = soon("bytes", conn.read(&mut got[read..])).await.unwrap();
        assert!(more > 0, "the end, behind {:?}", String::from_utf8_lossy(&got[..read]));
        read += more;
    }
    got
}

/// Reads to the end: all bytes, or all messages one behind the other.
pub(crate) async fn rest(conn: &mut Conn) -> Result<Vec<u8>> {
    let (mut all, mut buffer, mut message) = (Vec::new(), vec![0; 64 << 10], Message::default());
    loop {
        let more = match conn.shape() {
            Shape::Bytes => soon("the end", conn.read(&mut buffer)).await.map(|read| &buffer[..read]),
            Shape::Messages => {
                let more = soon("the end", conn.receive(&mut message)).await;
                match more? {
                    true => Ok(&message.payload[..]),
                    false => return Ok(all),
                }
            }
        }?;
        if more.is_empty() && conn.shape() == Shape::Bytes {
            return Ok(all);
        }
        all.extend_from_slice(more);
    }
}
