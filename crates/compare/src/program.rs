//! Each program that is compared, and how it is told to do a work.

mod chrony;
mod forking;
mod openssh;
mod ours;
mod relays;
mod websockets;

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use crate::identity::Identity;
use crate::server::{Port, Server, Transport, command, words};

pub(crate) use ours::limit;

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
    /// What servers show where TLS is spoken.
    pub(crate) identity: Identity,
}

/// What a program is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Echo what comes by TCP.
    Echo,
    /// Echo datagrams of UDP.
    EchoDatagrams,
    /// Echo the messages of WebSocket.
    EchoWebSocket,
    /// Answer whoever comes by TLS: with what was sent, or with what costs least.
    AnswerTls,
    /// Tell the time by NTP.
    TellTime,
    /// Run what is asked for, at all [`hosts`].
    RunCommands,
    /// Pass on to that port what comes by TCP, and back.
    Relay(u16),
    /// Pass on to that port, by TCP, what comes by TLS, and back.
    RelayTls(u16),
}

/// One of those that are compared.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Debian's package; empty where it is ours.
    pub(crate) package: &'static str,
    /// What asks for its version; nothing where it is as old as this. Of ours it is a flag.
    version: &'static [&'static str],
    /// Starts it; `None` where it does not do such work.
    pub(crate) start: fn(Work, &Bench) -> io::Result<Option<Running>>,
}

/// What does the work.
pub(crate) struct Running {
    pub(crate) port: u16,
    /// `None` where there is nothing between the load and that port: nobody's time and memory can be told.
    pub(crate) server: Option<Server>,
    /// What it leads to, where that is in this process.
    pub(crate) far: Option<TcpListener>,
    /// Where it runs commands: by what it is asked for one.
    pub(crate) runner: Option<Runner>,
}

/// How a program is asked to run a command.
pub(crate) enum Runner {
    /// By starting it.
    Here,
    /// By this client of its own, with these words before an address and, behind the last one, `--`.
    Ours(Vec<OsString>),
    /// By this client, with these words before a host.
    Ssh(Vec<OsString>),
}

/// All of them, as they stand in the table.
pub(crate) static PROGRAMS: &[Program] = &[
    Program { name: "sockeye", package: "", version: &["--version"], start: ours::sockeye },
    Program { name: "bound", package: "", version: &[], start: ours::bound },
    Program { name: "socat", package: "socat", version: &["socat", "-V"], start: forking::socat },
    Program { name: "ncat", package: "ncat", version: &["ncat", "--version"], start: forking::ncat },
    Program { name: "haproxy", package: "haproxy", version: &["haproxy", "-v"], start: relays::haproxy },
    Program {
        name: "nginx",
        package: "nginx and libnginx-mod-stream",
        version: &["nginx", "-v"],
        start: relays::nginx,
    },
    Program {
        name: "websockets",
        package: "python3-websockets",
        version: &[websockets::PYTHON, "-c", "import websockets; print(websockets.__version__)"],
        start: websockets::python,
    },
    Program {
        name: "ws",
        package: "node-ws",
        version: &["node", "-p", "require('/usr/share/nodejs/ws/package.json').version"],
        start: websockets::node,
    },
    Program { name: "chrony", package: "chrony", version: &["chronyd", "-v"], start: chrony::chrony },
    Program {
        name: "openssh",
        package: "openssh-server and openssh-client",
        version: &["ssh", "-V"],
        start: openssh::openssh,
    },
];

impl Program {
    /// Whether it is neither ours nor the bound.
    pub(crate) fn is_rival(&self) -> bool {
        !self.package.is_empty()
    }

    /// Its version, which may be empty; `None` where it cannot be asked, because it is not there.
    pub(crate) fn version(&self, bench: &Bench) -> Option<String> {
        if self.version.is_empty() {
            return Some(String::new());
        }
        let ours = (!self.is_rival()).then(|| bench.binary.clone().into());
        let words: Vec<OsString> = ours.into_iter().chain(self.version.iter().map(OsString::from)).collect();
        let output = command(&words).output().ok().filter(|output| output.status.success())?;
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
        Self { port: server.port, server: Some(server), far: None, runner: None }
    }
}

/// The addresses of this machine at which commands are asked for.
pub(crate) fn hosts() -> impl Iterator<Item = Ipv4Addr> {
    (1..=50).map(|host| Ipv4Addr::new(127, 0, 0, host))
}

/// Starts a program of others.
fn other(transport: Transport, port: u16, text: &str) -> io::Result<Option<Running>> {
    Server::start(&words(text), Port::Given(port, transport)).map(|server| Some(server.into()))
}

impl Work {
    fn transport(self) -> Transport {
        match self {
            Self::EchoDatagrams | Self::TellTime => Transport::Udp,
            Self::AnswerTls
            | Self::Echo
            | Self::EchoWebSocket
            | Self::Relay(_)
            | Self::RelayTls(_)
            | Self::RunCommands => Transport::Tcp,
        }
    }
}
