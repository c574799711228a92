//! `--metrics`: the counts of all listeners, for programs that fetch them over HTTP.

mod page;
mod process;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use sockeye::proto::address::Address;
use sockeye::proto::http::{Asked, asked};
use sockeye::proto::openmetrics::CONTENT_TYPE;
use sockeye::proto::shape::Shape;
use sockeye::{BoxFuture, Clock, Conn, Ctx, Events, Limits, Listening, Service, Stop, Tallies};
use tokio::time::timeout;

use crate::args::Request;
use crate::failure::Failure;
use crate::log::{Log, Unwritten};
use crate::{flag, server};

/// Those who fetch at once, unless `max-conns=` is set; others wait.
const MAX_CONNS: usize = 16;

/// How long somebody may take to ask, and to take the answer, unless `idle=` is set.
const IDLE: Duration = Duration::from_secs(10);

/// What carries bytes.
const NOT_MESSAGES: &str = "name a TCP port or a Unix socket: --metrics tcp:9100";

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
    clock: Clock,
    started: SystemTime,
}

/// What `--metrics` names, if it is there.
pub(crate) fn address(request: &Request) -> Result<Option<Address>, Failure> {
    let Some(word) = request.value(&flag::METRICS) else { return Ok(None) };
    let address = sockeye::parse_listener(word, &[])?;
    if address.shape() == Shape::Messages {
        let reason = format!("--metrics {address}: HTTP goes over bytes, and this carries messages");
        return Err(Failure::usage(reason, NOT_MESSAGES));
    }
    Ok(Some(address))
}

/// The limits of those who fetch, where its options set no others.
pub(crate) fn limits(of_others: Limits) -> Limits {
    Limits { max_conns: MAX_CONNS, idle: Some(IDLE), once: false, ..of_others }
}

impl Metrics {
    /// Listens where `--metrics` says, and tells where that is.
    pub(crate) async fn listen(request: &Request, ctx: &Ctx, log: &Log) -> Result<Option<Self>, Failure> {
        let Some(address) = address(request)? else { return Ok(None) };
        let exporter = Arc::new(Exporter {
            tallies: ctx.tallies.clone(),
            events: ctx.events.clone(),
            unwritten: log.unwritten(),
            clock: ctx.clock,
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
                return self.response("400 Bad Request", TEXT, "this is no request of HTTP/1\n");
            }
        };
        let mut answer = match (method, path) {
            ("GET" | "HEAD", "/metrics") => {
                let page = page::write(&self.tallies.list(), &self.ours());
                self.response("200 OK", &format!("Content-Type: {CONTENT_TYPE}\r\n"), &page)
            }
            ("GET" | "HEAD", _) => self.response("404 Not Found", TEXT, "the counts are at /metrics\n"),
            _ => {
                let headers = format!("{TEXT}Allow: GET, HEAD\r\n");
                self.response("405 Method Not Allowed", &headers, "GET /metrics is all there is\n")
            }
        };
        if method == "HEAD" {
            answer.truncate(answer.find("\r\n\r\n").map_or(answer.len(), |end| end + 4));
        }
        answer
    }

    fn response(&self, status: &str, headers: &str, body: &str) -> String {
        let now = Timestamp::try_from(self.clock.wall());
        let date = now.and_then(|now| DateTimePrinter::new().timestamp_to_rfc9110_string(&now));
        // Who has no clock says none (RFC 9110, section 6.6.1).
        let date = date.map_or_else(|_| String::new(), |date| format!("Date: {date}\r\n"));
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{headers}{date}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
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

/// Reads until the end.
async fn drain(conn: &mut Conn) {
    let mut buffer = [0; 1024];
    while let Ok(1..) = conn.read(&mut buffer).await {}
}
