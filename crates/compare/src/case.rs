//! What is measured: each case is a row, with the figures that it gives.

mod commands;
mod iperf;
mod tls;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::load::{Load, Manner, PATIENCE, hold};
use crate::program::{Bench, Program, Running, Work, limit};
use crate::server::Server;

/// How many connections are held to weigh one.
const WEIGHED: usize = 500;
/// How long memory is left to settle before it is weighed.
const SETTLED: Duration = Duration::from_secs(1);

/// One row.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What is done, as the table says it.
    pub(crate) what: &'static str,
    /// The units of its figures.
    pub(crate) units: &'static [&'static str],
    /// Whether others do it too: some start a process for each connection, and 10,000 of those measure something else.
    pub(crate) has_rivals: bool,
    behind: Behind,
    measure: fn(&Running, &Bench) -> io::Result<Vec<Figure>>,
}

/// `None` where there is nobody whose it could be.
pub(crate) type Figure = Option<f64>;

/// Which server a program's work needs behind it.
enum Behind {
    /// None: it echoes TCP.
    Echo,
    /// None: it echoes UDP.
    EchoDatagrams,
    /// None: it echoes WebSocket.
    EchoWebSocket,
    /// None: it answers by TLS.
    AnswerTls,
    /// None: it tells the time.
    TellTime,
    /// None: it runs commands.
    RunCommands,
    /// It relays to the bound.
    RelayToBound,
    /// It relays to iperf3.
    RelayToIperf,
    /// It relays from TLS to here.
    RelayFromTls,
}

const REPLIES: &str = "replies/s";
const CPU: &str = "µs of CPU a reply";
const SLOWEST: &str = "µs, the 99th percentile";

/// Every case.
pub(crate) static CASES: &[Case] = &[
    Case {
        name: "tcp",
        what: "TCP echo, 64 clients",
        units: &[REPLIES, SLOWEST, CPU],
        has_rivals: true,
        behind: Behind::Echo,
        measure: |running, bench| talk(running, bench, Manner::Exchanges, 64),
    },
    Case {
        name: "connections",
        what: "TCP echo, a connection a reply, 16 clients",
        units: &["connections/s", SLOWEST, "µs of CPU a connection"],
        has_rivals: true,
        behind: Behind::Echo,
        measure: |running, bench| talk(running, bench, Manner::Connections, 16),
    },
    Case {
        name: "udp",
        what: "UDP echo, 64 peers",
        units: &[REPLIES, SLOWEST, CPU],
        has_rivals: true,
        behind: Behind::EchoDatagrams,
        measure: |running, bench| talk(running, bench, Manner::Datagrams, 64),
    },
    Case {
        name: "memory",
        what: "a held TCP connection",
        units: &["KiB of memory"],
        has_rivals: true,
        behind: Behind::Echo,
        measure: weigh,
    },
    Case {
        name: "held",
        what: "TCP echo, one client, beside idle ones",
        units: &["replies/s beside none", "replies/s beside all"],
        has_rivals: false,
        behind: Behind::Echo,
        measure: one_among_many,
    },
    Case {
        name: "relay",
        what: "relay, one stream",
        units: iperf::UNITS,
        has_rivals: true,
        behind: Behind::RelayToIperf,
        measure: |running, bench| iperf::stream(running, bench, 1),
    },
    Case {
        name: "relay4",
        what: "relay, four streams",
        units: iperf::UNITS,
        has_rivals: true,
        behind: Behind::RelayToIperf,
        measure: |running, bench| iperf::stream(running, bench, 4),
    },
    Case {
        name: "relay-messages",
        what: "relay, small messages, 32 clients",
        units: &[REPLIES, SLOWEST, CPU],
        has_rivals: true,
        behind: Behind::RelayToBound,
        measure: |running, bench| talk(running, bench, Manner::Exchanges, 32),
    },
    Case {
        name: "relay-connections",
        what: "relay, a connection a reply, 32 clients",
        units: &["connections/s", SLOWEST, "µs of CPU a connection"],
        has_rivals: true,
        behind: Behind::RelayToBound,
        measure: |running, bench| talk(running, bench, Manner::Connections, 32),
    },
    Case {
        name: "tls-handshakes",
        what: "TLS 1.3, a handshake and an answer, 8 clients",
        units: &["connections/s", SLOWEST, "µs of CPU a connection"],
        has_rivals: true,
        behind: Behind::AnswerTls,
        measure: tls::handshakes,
    },
    Case {
        name: "tls-relay",
        what: "relay from TLS 1.3 to TCP, one stream",
        units: tls::UNITS,
        has_rivals: true,
        behind: Behind::RelayFromTls,
        measure: tls::streams,
    },
    Case {
        name: "websocket",
        what: "WebSocket echo, messages of 64 bytes, 64 clients",
        units: &[REPLIES, SLOWEST, CPU],
        has_rivals: true,
        behind: Behind::EchoWebSocket,
        measure: |running, bench| talk(running, bench, Manner::WebSocket, 64),
    },
    Case {
        name: "websocket-bursts",
        what: "the same, 16 messages at once",
        units: &[REPLIES, "µs for all 16, the 99th percentile", CPU],
        has_rivals: true,
        behind: Behind::EchoWebSocket,
        measure: |running, bench| talk(running, bench, Manner::WebSocketBursts, 64),
    },
    Case {
        name: "ntp",
        what: "NTP, 64 clients",
        units: &["answers/s", SLOWEST, "µs of CPU an answer"],
        has_rivals: true,
        behind: Behind::TellTime,
        measure: |running, bench| talk(running, bench, Manner::Time, 64),
    },
    Case {
        name: "command",
        what: "a command, over a connection that is kept",
        units: &["µs for `true`", "µs for `ls -l /usr/bin`"],
        has_rivals: true,
        behind: Behind::RunCommands,
        measure: commands::kept,
    },
    Case {
        name: "command-new",
        what: "`true`, over a connection of its own",
        units: &["ms a command"],
        has_rivals: true,
        behind: Behind::RunCommands,
        measure: commands::new,
    },
    Case {
        name: "command-output",
        what: "the output of `head -c 1G /dev/zero`",
        units: &["MB/s"],
        has_rivals: true,
        behind: Behind::RunCommands,
        measure: commands::output,
    },
    Case {
        name: "command-many",
        what: "`true` at 50 addresses, all of them over and over",
        units: &["commands/s"],
        has_rivals: true,
        behind: Behind::RunCommands,
        measure: commands::many,
    },
];

impl Case {
    /// Starts a program, measures it, and ends it; `None` where it does not do such work.
    pub(crate) fn run(&self, program: &Program, bench: &Bench) -> io::Result<Option<Vec<Figure>>> {
        let mut far = None;
        let (behind, work): (Option<Server>, Work) = match self.behind {
            Behind::Echo => (None, Work::Echo),
            Behind::EchoDatagrams => (None, Work::EchoDatagrams),
            Behind::EchoWebSocket => (None, Work::EchoWebSocket),
            Behind::AnswerTls => (None, Work::AnswerTls),
            Behind::TellTime => (None, Work::TellTime),
            Behind::RunCommands => (None, Work::RunCommands),
            Behind::RelayToBound => relayed(limit("streams")?),
            Behind::RelayToIperf => relayed(iperf::server()?),
            Behind::RelayFromTls => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let port = listener.local_addr()?.port();
                far = Some(listener);
                (None, Work::RelayTls(port))
            }
        };
        let Some(running) = (program.start)(work, bench)? else { return Ok(None) };
        let figures = (self.measure)(&Running { far, ..running }, bench).map(Some);
        drop(behind);
        figures
    }
}

fn relayed(server: Server) -> (Option<Server>, Work) {
    let work = Work::Relay(server.port);
    (Some(server), work)
}

/// Replies, the slowest of them, and what each costs.
fn talk(running: &Running, bench: &Bench, manner: Manner, clients: usize) -> io::Result<Vec<Figure>> {
    let load = Load { port: running.port, clients, manner, lasting: bench.lasting, patience: PATIENCE };
    let (heard, used) = running.metered(|| load.run())?;
    let slowest = heard.latencies.percentile(99).as_secs_f64() * 1e6;
    let cost = used.map(|used| used.as_secs_f64() * 1e6 / heard.replies as f64);
    Ok(vec![Some(heard.per_second()), Some(slowest), cost])
}

/// What each of many connections costs that have had one reply.
fn weigh(running: &Running, _: &Bench) -> io::Result<Vec<Figure>> {
    let Some(server) = &running.server else { return Ok(vec![None]) };
    let before = server.memory();
    let held = hold(server.port, WEIGHED)?;
    #[expect(clippy::disallowed_methods, reason = "what is weighed is what is left after a second of rest")]
    std::thread::sleep(SETTLED);
    let grown = server.memory().saturating_sub(before);
    Ok(vec![Some(grown as f64 / 1024.0 / held.len() as f64)])
}

/// One busy client alone, and the same beside many that are idle.
fn one_among_many(running: &Running, bench: &Bench) -> io::Result<Vec<Figure>> {
    let (port, lasting) = (running.port, bench.lasting);
    let busy = Load { port, clients: 1, manner: Manner::Exchanges, lasting, patience: PATIENCE };
    let alone = busy.run()?.per_second();
    let idle = hold(port, bench.held)?;
    let beside = busy.run()?.per_second();
    drop(idle);
    Ok(vec![Some(alone), Some(beside)])
}
