//! `exec`: commands for those who may run them, many at once on a connection, each with its own streams.

mod house;
mod job;
mod parts;
mod policy;
mod raw;
mod record;
mod settings;

use std::sync::Arc;

use sockeye::proto::address::Address;
use sockeye::{
    BoxFuture, Carries, Conn, Ctx, May, Newcomers, Protocol, Result, Service, ServiceFlag, ServiceRow,
};

use self::house::House;
use self::parts::Desk;
use self::settings::Settings;

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
    port: 7707,
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
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if let Some(raw) = &self.settings.raw {
                return raw.serve(self, conn, ctx).await;
            }
            if conn.is_lossy() {
                return self.desk.serve(conn, ctx).await;
            }
            drop((conn, ctx));
            Ok(())
        })
    }

    fn newcomers(&self, address: &Address) -> std::result::Result<Newcomers, String> {
        self.settings.access.newcomers(address)
    }
}
