//! `--metrics`: the counts of all listeners, for programs that fetch them over HTTP.

mod page;
mod process;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sockeye::proto::address::Address;
use sockeye::proto::http::{Asked, asked};
use sockeye::proto::openmetrics::CONTENT_TYPE;
use sockeye::proto::shape::Shape;
use sockeye::{BoxFuture, Conn, Ctx, Events, Limits, Listening, Service, Stop, Tallies};
use tokio::time::timeout;

use crate::args::Request;
use crate::failure::Failure;
use crate::log::{Log, Unwritten};
use crate::{flag, hint, server};

/// Those who fetch at once, unless `max-conns=` is set; others wait.
const MAX_CONNS: usize = 16;

/// How long somebody may take to ask, and to take the answer, unless `idle=` is set.
const IDLE: Duration = Duration::from_secs(10);

/// How long who was answered may take to end.
const TO_END: Duration = Duration::from_secs(1);

/// A listener of its own, which goes on through the drain of the others, and is not counted among them.
pub(crate) struct Metrics {
    listening: Listening,
    exporter: Arc<Exporter>,
    ctx: Ctx,
}

/// What is told to who fetches.
struct Exporter {
    tallies: Tallies,
    events: Events,
    unwritten: Unwritten,
    started: SystemTime,
}

impl Metrics {
    /// Listens where `--metrics` says, and tells where that is.
    pub(crate) async fn listen(request: &Request, ctx: &Ctx, log: &Log) -> Result<Option<Self>, Failure> {
        let Some(address) = address(request)? else { return Ok(None) };
        let exporter = Arc::new(Exporter {
            tallies: ctx.tallies.clone(),
            events: ctx.events.clone(),
            unwritten: log.unwritten(),
            started: ctx.clock.wall(),
        });
        let limits = limits(ctx.limits);
        let (stop, events) = (Stop::default(), ctx.events.without_messages());
        let ctx = Ctx { limits, stop, events, tallies: Tallies::default(), ..ctx.clone() };
        let listening = sockeye::listen(&address, &ctx).await?;
        server::ready("metrics", &listening, request);
        Ok(Some(Self { listening, exporter, ctx }))
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) -> Infallible {
        sockeye::serve(self.listening, self.exporter, "metrics", &self.ctx).await;
        // `once` ends a listener after its first guest.
        pending().await
    }
}

/// Where `--metrics` says that they are to be fetched.
pub(crate) fn address(request: &Request) -> Result<Option<Address>, Failure> {
    let Some(word) = request.value(&flag::METRICS) else { return Ok(None) };
    let address = sockeye::parse_listener(word, &[])?;
    if address.shape() == Shape::Messages {
        let reason = format!("--metrics {address}: HTTP goes over bytes, and this carries messages");
        return Err(Failure::usage(reason, hint::FRAME));
    }
    Ok(Some(address))
}

/// The limits of those who fetch, unless the address says otherwise.
pub(crate) fn limits(limits: Limits) -> Limits {
    Limits { max_conns: MAX_CONNS, idle: Some(IDLE), once: false, ..limits }
}

impl Service for Exporter {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, sockeye::Result<()>> {
        Box::pin(async move {
            // Whoever sends a byte now and then does not count as idle.
            let Ok(answer) = timeout(ctx.limits.idle.unwrap_or(IDLE), self.hear(&mut conn)).await else {
                return Ok(());
            };
            let Some(answer) = answer? else { return Ok(()) };
            conn.write_all(answer.as_bytes()).await?;
            conn.shutdown_write().await?;
            // What is left unread would make the close a reset, which takes the answer with it.
            let (Ok(()) | Err(_)) = timeout(TO_END, drain(&mut conn)).await;
            Ok(())
        })
    }
}

impl Exporter {
    /// The answer to what is asked; nothing to who leaves without asking.
    async fn hear(&self, conn: &mut Conn) -> sockeye::Result<Option<String>> {
        let mut head = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            let read = conn.read(&mut buffer).await?;
            head.extend_from_slice(buffer.get(..read).unwrap_or_default());
            match asked(&head) {
                Asked::Unfinished if read == 0 && head.is_empty() => return Ok(None),
                Asked::Unfinished if read > 0 => {}
                asked => return Ok(Some(self.answer(asked))),
            }
        }
    }

    fn answer(&self, asked: Asked<'_>) -> String {
        let (method, path) = match asked {
            Asked::Wants { method, path } => (method, path),
            Asked::Unfinished | Asked::Wrong => {
                return refusal("400 Bad Request", "", "this is no request of HTTP/1");
            }
        };
        match (method, path) {
            ("GET" | "HEAD", "/metrics") => {
                let page = page::write(&self.tallies.list(), &self.ours());
                response("200 OK", &format!("Content-Type: {CONTENT_TYPE}\r\n"), &page, method)
            }
            ("GET" | "HEAD", _) => response("404 Not Found", TEXT, "the counts are at /metrics\n", method),
            _ => refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "GET /metrics is all there is"),
        }
    }

    fn ours(&self) -> page::Ours {
        page::Ours {
            events_lost: self.events.lost(),
            lines_lost: self.unwritten.count(),
            started: self.started,
        }
    }
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";

fn refusal(status: &str, header: &str, why: &str) -> String {
    response(status, &format!("{TEXT}{header}"), &format!("{why}\n"), "GET")
}

fn response(status: &str, headers: &str, body: &str, method: &str) -> String {
    let length = body.len();
    let body = if method == "HEAD" { "" } else { body };
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Reads until the end.
async fn drain(conn: &mut Conn) {
    let mut buffer = [0; 1024];
    while let Ok(1..) = conn.read(&mut buffer).await {}
}
