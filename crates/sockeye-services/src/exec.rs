//! `exec`: commands for those who may run them, many at once on a connection, each with its own streams.

mod command;
mod commands;
mod feed;
mod house;
mod inbox;
mod job;
mod outbox;
mod parts;
mod policy;
mod raw;
mod record;
mod session;
mod settings;
mod speech;
mod turns;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use sockeye::proto::address::Address;
use sockeye::proto::exec::{ExecError, FromClient, FromServer, HEAD, MAGIC, MAX_MESSAGE, Refusal, VERSION};
use sockeye::{
    BoxFuture, Carries, Cause, Conn, Ctx, Error, Limit, May, Newcomers, Op, Peer, Protocol, Result, Service,
    ServiceFlag, ServiceRow,
};
use tokio::time::timeout;

use self::commands::Commands;
use self::house::House;
use self::inbox::Inbox;
use self::outbox::Outbox;
use self::parts::Desk;
use self::policy::No;
use self::record::Record;
use self::session::Session;
use self::settings::Settings;
use crate::access::Denied;

pub(crate) static EXEC: ServiceRow = ServiceRow {
    name: "exec",
    help: "run commands for our user, or who has a token",
    flags: FLAGS,
    carries: Carries::Given(|given| match given.value("wire") {
        // What comes without a silence between is one command.
        Some("raw") => Carries::Messages { frame: "frame=burst=50" },
        _ => Carries::Either,
    }),
    speaks: &[Protocol::Text],
    may: May::Run,
    port: 7709,
    example: "sockeye run tcp:localhost:PORT -- uptime",
    build: |given, ctx| Ok(Arc::new(Exec::new(Settings::read(given, ctx)?))),
};

const fn takes(name: &'static str, value: &'static str, help: &'static str) -> ServiceFlag {
    ServiceFlag { name, value: Some(value), repeats: false, help }
}

const fn repeats(name: &'static str, value: &'static str, help: &'static str) -> ServiceFlag {
    ServiceFlag { name, value: Some(value), repeats: true, help }
}

const fn switch(name: &'static str, help: &'static str) -> ServiceFlag {
    ServiceFlag { name, value: None, repeats: false, help }
}

static FLAGS: &[ServiceFlag] = &[
    repeats("program", "PROG", "a program that may be run, without a shell; again for more"),
    switch("shell", "any program may be run, and lines for /bin/sh"),
    switch("as-root", "serve although we are root: commands are, too"),
    repeats("env", "NAME", "a variable that clients may set; with --shell all"),
    takes("cwd", "DIR", "where commands work; our own folder unless set"),
    takes("tokens", "WHERE", "let in who has a token: FILE, fd:N or env:NAME"),
    takes("commands", "N", "commands at once, in all; 1000 unless set"),
    takes("commands-per-peer", "N", "of one peer; 100 unless set"),
    takes("time", "TIME", "how long each may run; no limit unless set"),
    takes("output", "SIZE", "how much each may say; no limit unless set"),
    takes("memory", "SIZE", "what each process may have; no limit unless set"),
    takes("processes", "N", "processes of each at once; no limit unless set"),
    takes("open-files", "N", "open files of each process; 1024 unless set"),
    takes("wire", "WIRE", "framed (default), or raw: text in, text back"),
    takes("encoding", "NAME", "with --wire raw: how text goes back; utf-8 unless set"),
    takes("empty-text", "TEXT", "with --wire raw: for no output; 执行成功 unless set"),
];

/// What all connections of a server of commands share.
pub(crate) struct Exec {
    settings: Arc<Settings>,
    house: Arc<House>,
    /// For datagrams.
    desk: Arc<Desk>,
}

impl Exec {
    fn new(settings: Settings) -> Self {
        let house = House::new(settings.most, settings.most_per_peer);
        let settings = Arc::new(settings);
        let desk = Desk::new(settings.clone(), house.clone());
        Self { settings, house, desk }
    }
}

impl Service for Exec {
    fn serve<'a>(&'a self, mut conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if let Some(raw) = &self.settings.raw {
                return raw.serve(self, conn, ctx).await;
            }
            if conn.is_lossy() {
                return self.desk.serve(conn, ctx).await;
            }
            let mut inbox = Inbox::new(&ctx.buffers, HELLO);
            // A port that is only looked at is no failure.
            let Some(hello) = first(&mut inbox, &mut conn, ctx.limits.handshake).await? else {
                return Ok(());
            };
            let mut outbox = Outbox::new(&ctx.buffers, &conn);
            let told = match FromClient::decode(&hello) {
                Ok((_, FromClient::Hello { version, token })) => {
                    self.welcome(version, token, conn.peer(), ctx).await
                }
                Ok(_) => return Err(fault(&conn, ExecError::Magic)),
                Err(error) => return Err(fault(&conn, error)),
            };
            match told {
                Ok(()) => {
                    let most = self.settings.most.min(self.settings.most_per_peer);
                    outbox.put(0, &FromServer::Welcome { version: VERSION, most });
                    inbox.expect(MAX_MESSAGE);
                    let commands = Commands::new(self, conn.peer(), outbox, ctx);
                    Session::new(conn, inbox, commands).run(ctx).await
                }
                Err(No { why, text }) => {
                    Record::new(&ctx.events, conn.peer(), None).refuse(&text);
                    outbox.put(0, &FromServer::Refused { why, text: &text });
                    poll_fn(|cx| outbox.poll_drain(&mut conn, cx)).await?;
                    conn.farewell(ctx).await
                }
            }
        })
    }

    fn newcomers(&self, address: &Address) -> std::result::Result<Newcomers, String> {
        self.settings.access.newcomers(address)
    }
}

impl Exec {
    /// Whether a client is let in that says this.
    async fn welcome(
        &self,
        version: u8,
        token: &[u8],
        peer: &Peer,
        ctx: &Ctx,
    ) -> std::result::Result<(), No> {
        if version != VERSION {
            return Err(No::new(
                Refusal::Malformed,
                format!("version {VERSION} of the wire is spoken here, and not {version}"),
            ));
        }
        let token = Some(token).filter(|token| !token.is_empty());
        let denied = |denied: Denied| No::new(Refusal::NotPermitted, denied.to_string());
        self.settings.access.admit(peer, token, ctx).await.map_err(denied)
    }
}

/// The most bytes of a first message: a token has at most 256.
const HELLO: usize = HEAD + MAGIC.len() + 1 + 256;

/// Waits for the first message, under a limit; `None` is the end.
async fn first(inbox: &mut Inbox, conn: &mut Conn, limit: Option<Duration>) -> Result<Option<Vec<u8>>> {
    let first = poll_fn(|cx| inbox.poll_next(conn, cx).map_ok(|first| first.map(<[u8]>::to_vec)));
    let Some(limit) = limit else { return first.await };
    match timeout(limit, first).await {
        Ok(first) => first,
        Err(_) => Err(Error::new(Op::Handshake, Cause::Limit(Limit::Handshake, limit)).on(conn.peer())),
    }
}

/// What is wrong with what a client says.
fn fault(conn: &Conn, error: ExecError) -> Error {
    Error::new(Op::Read, std::io::Error::new(std::io::ErrorKind::InvalidData, error)).on(conn.peer())
}
