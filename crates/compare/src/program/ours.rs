//! sockeye itself, and the bound.

use std::io;

use super::{Bench, Runner, Running, Work, hosts};
use crate::server::{Port, Server, Transport, free_port, words};

pub(super) fn sockeye(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let pair = bench.identity.pair.display();
    let words_behind = match work {
        // One more than are held is busy.
        Work::Echo => format!("serve echo tcp:127.0.0.1:0,max-conns={}", bench.held + 1),
        Work::EchoDatagrams => "serve echo udp:127.0.0.1:0".to_owned(),
        Work::EchoWebSocket => "serve echo ws:127.0.0.1:0".to_owned(),
        Work::AnswerTls => format!("serve echo tls:127.0.0.1:0,cert={pair}"),
        Work::TellTime => "serve ntp udp:127.0.0.1:0 --local-stratum 10".to_owned(),
        Work::RunCommands => return runs_commands(bench).map(Some),
        Work::Relay(to) => format!("relay tcp-l:127.0.0.1:0 tcp:127.0.0.1:{to}"),
        Work::RelayTls(to) => format!("relay tls-l:127.0.0.1:0,cert={pair} tcp:127.0.0.1:{to}"),
    };
    let words = [vec![bench.binary.clone().into()], words(&words_behind)].concat();
    Server::start(&words, Port::Told).map(|server| Some(server.into()))
}

/// Programs are named, as whoever serves them would.
fn runs_commands(bench: &Bench) -> io::Result<Running> {
    let port = free_port(Transport::Tcp)?;
    let addresses: String = hosts().map(|host| format!("tcp:{host}:{port} ")).collect();
    let as_root = if rustix::process::geteuid().is_root() { "--as-root " } else { "" };
    let serve = words(&format!(
        "serve exec --program true --program head --program ls {as_root}{}",
        addresses.trim_end()
    ));
    let server = Server::start(&[vec![bench.binary.clone().into()], serve].concat(), Port::Told)?;
    let client = vec![bench.binary.clone().into(), "run".into()];
    Ok(Running { runner: Some(Runner::Ours(client)), ..server.into() })
}

pub(super) fn bound(work: Work, _: &Bench) -> io::Result<Option<Running>> {
    let what = match work {
        Work::Echo => "streams",
        Work::EchoDatagrams => "datagrams",
        Work::Relay(to) => return Ok(Some(nothing(to, None))),
        Work::RunCommands => return Ok(Some(nothing(0, Some(Runner::Here)))),
        Work::AnswerTls | Work::EchoWebSocket | Work::RelayTls(_) | Work::TellTime => return Ok(None),
    };
    limit(what).map(|server| Some(server.into()))
}

/// The least of all: no program is there.
fn nothing(port: u16, runner: Option<Runner>) -> Running {
    Running { port, server: None, far: None, runner }
}

/// The least work, in a process of its own.
pub(crate) fn limit(what: &str) -> io::Result<Server> {
    let words = [std::env::current_exe()?.into(), "limit".into(), what.into()];
    Server::start(&words, Port::Told)
}
