//! Each program that is compared, and how it is told to do a work.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::server::{Port, Server, Transport, command, free_port, words};

/// What all programs are given.
pub(crate) struct Bench {
    /// The `sockeye` that is measured.
    pub(crate) binary: PathBuf,
    /// For configurations, and what programs say.
    pub(crate) folder: PathBuf,
    /// How many connections are held where the case asks for many.
    pub(crate) held: usize,
    /// How long each measurement takes.
    pub(crate) lasting: Duration,
}

/// What a program is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Echo what comes by TCP.
    Echo,
    /// Echo datagrams of UDP.
    EchoDatagrams,
    /// Pass on to that port what comes by TCP, and back.
    Relay(u16),
}

/// One of those that are compared.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Debian's package; empty where it is ours.
    pub(crate) package: &'static str,
    /// The flag that asks for its version; `None` where it is as old as this.
    version: Option<&'static str>,
    /// Starts it; `None` where it does not do such work.
    pub(crate) start: fn(Work, &Bench) -> io::Result<Option<Running>>,
}

/// What does the work.
pub(crate) struct Running {
    pub(crate) port: u16,
    /// `None` where there is nothing between the load and that port: nobody's time and memory can be told.
    pub(crate) server: Option<Server>,
}

/// All of them, as they stand in the table.
pub(crate) static PROGRAMS: &[Program] = &[
    Program { name: "sockeye", package: "", version: Some("--version"), start: sockeye },
    Program { name: "bound", package: "", version: None, start: bound },
    Program { name: "socat", package: "socat", version: Some("-V"), start: socat },
    Program { name: "ncat", package: "ncat", version: Some("--version"), start: ncat },
    Program { name: "haproxy", package: "haproxy", version: Some("-v"), start: haproxy },
    Program { name: "nginx", package: "nginx and libnginx-mod-stream", version: Some("-v"), start: nginx },
];

impl Program {
    /// Whether it is neither ours nor the bound.
    pub(crate) fn is_rival(&self) -> bool {
        !self.package.is_empty()
    }

    /// Its version, which may be empty; `None` where it cannot be asked, because it is not there.
    pub(crate) fn version(&self, bench: &Bench) -> Option<String> {
        let Some(flag) = self.version else { return Some(String::new()) };
        let program = if self.is_rival() { self.name.into() } else { bench.binary.clone().into() };
        let output =
            command(&[program, flag.into()]).output().ok().filter(|output| output.status.success())?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        // The first word that looks like one.
        let mut numbers =
            text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.'));
        numbers.find(|word| word.contains('.')).map(str::to_owned)
    }
}

impl Running {
    /// Does `work`, and says how much of the processors' time the program used meanwhile.
    pub(crate) fn metered<T>(
        &self,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<(T, Option<Duration>)> {
        let before = self.server.as_ref().map(Server::cpu);
        let done = work()?;
        let after = self.server.as_ref().map(Server::cpu);
        Ok((done, after.zip(before).map(|(after, before)| after.saturating_sub(before))))
    }
}

impl From<Server> for Running {
    fn from(server: Server) -> Self {
        Self { port: server.port, server: Some(server) }
    }
}

fn sockeye(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let words_behind = match work {
        // One more than are held is busy.
        Work::Echo => format!("serve echo tcp:127.0.0.1:0,max-conns={}", bench.held + 1),
        Work::EchoDatagrams => "serve echo udp:127.0.0.1:0".to_owned(),
        Work::Relay(to) => format!("relay tcp-l:127.0.0.1:0 tcp:127.0.0.1:{to}"),
    };
    let words = [vec![bench.binary.clone().into()], words(&words_behind)].concat();
    Server::start(&words, Port::Told).map(|server| Some(server.into()))
}

fn bound(work: Work, _: &Bench) -> io::Result<Option<Running>> {
    let what = match work {
        Work::Echo => "streams",
        Work::EchoDatagrams => "datagrams",
        Work::Relay(to) => return Ok(Some(Running { port: to, server: None })),
    };
    limit(what).map(|server| Some(server.into()))
}

/// The least work, in a process of its own.
pub(crate) fn limit(what: &str) -> io::Result<Server> {
    let words = [std::env::current_exe()?.into(), "limit".into(), what.into()];
    Server::start(&words, Port::Told)
}

/// Starts a program of others.
fn other(transport: Transport, port: u16, text: &str) -> io::Result<Option<Running>> {
    Server::start(&words(text), Port::Given(port, transport)).map(|server| Some(server.into()))
}

fn socat(work: Work, _: &Bench) -> io::Result<Option<Running>> {
    let transport = work.transport();
    let port = free_port(transport)?;
    let listens = format!("TCP4-LISTEN:{port},bind=127.0.0.1,fork,backlog=4096,nodelay");
    let words = match work {
        Work::Echo => format!("socat {listens} PIPE"),
        Work::EchoDatagrams => format!("socat UDP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr PIPE"),
        Work::Relay(to) => format!("socat -b 65536 {listens} TCP4:127.0.0.1:{to},nodelay"),
    };
    other(transport, port, &words)
}

fn ncat(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let transport = work.transport();
    let port = free_port(transport)?;
    let listens = format!("ncat -l -k --max-conns 4000 127.0.0.1 {port}");
    match work {
        Work::Echo => other(transport, port, &format!("{listens} --exec /bin/cat")),
        Work::EchoDatagrams => other(transport, port, &format!("{listens} --udp --exec /bin/cat")),
        Work::Relay(to) => {
            let script = bench.folder.join("ncat-relay");
            fs::write(&script, format!("#!/bin/sh\nexec ncat 127.0.0.1 {to}\n"))?;
            fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            other(transport, port, &format!("{listens} --exec {}", script.display()))
        }
    }
}

fn haproxy(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let Work::Relay(to) = work else { return Ok(None) };
    let port = free_port(Transport::Tcp)?;
    let config = bench.folder.join("haproxy.cfg");
    let text = format!(
        "global\n maxconn 4000\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\nlisten relay\n bind 127.0.0.1:{port}\n option splice-auto\n \
         server back 127.0.0.1:{to}\n"
    );
    fs::write(&config, text)?;
    other(Transport::Tcp, port, &format!("haproxy -db -f {}", config.display()))
}

fn nginx(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let Work::Relay(to) = work else { return Ok(None) };
    let port = free_port(Transport::Tcp)?;
    let config = bench.folder.join("nginx.conf");
    // A module of its own in Debian; elsewhere it may be built in.
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let load = if Path::new(module).exists() { format!("load_module {module};\n") } else { String::new() };
    let folder = bench.folder.display();
    let text = format!(
        "{load}daemon off;\nworker_processes auto;\npid {folder}/nginx.pid;\nevents {{ worker_connections 4000; }}\n\
         stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{to}; }} }}\n"
    );
    fs::write(&config, text)?;
    other(Transport::Tcp, port, &format!("nginx -e stderr -p {folder} -c {}", config.display()))
}

impl Work {
    fn transport(self) -> Transport {
        match self {
            Self::EchoDatagrams => Transport::Udp,
            Self::Echo | Self::Relay(_) => Transport::Tcp,
        }
    }
}
