//! sockeye itself, and the bound.

use std::io;

use super::{Bench, Running, Work};
use crate::server::{Port, Server, words};

pub(super) fn sockeye(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let pair = bench.identity.pair.display();
    let words_behind = match work {
        // One more than are held is busy.
        Work::Echo => format!("serve echo tcp:127.0.0.1:0,max-conns={}", bench.held + 1),
        Work::EchoDatagrams => "serve echo udp:127.0.0.1:0".to_owned(),
        Work::EchoWebSocket => "serve echo ws:127.0.0.1:0".to_owned(),
        Work::AnswerTls => format!("serve echo tls:127.0.0.1:0,cert={pair}"),
        Work::Relay(to) => format!("relay tcp-l:127.0.0.1:0 tcp:127.0.0.1:{to}"),
        Work::RelayTls(to) => format!("relay tls-l:127.0.0.1:0,cert={pair} tcp:127.0.0.1:{to}"),
    };
    let words = [vec![bench.binary.clone().into()], words(&words_behind)].concat();
    Server::start(&words, Port::Told).map(|server| Some(server.into()))
}

pub(super) fn bound(work: Work, _: &Bench) -> io::Result<Option<Running>> {
    let what = match work {
        Work::Echo => "streams",
        Work::EchoDatagrams => "datagrams",
        Work::Relay(to) => return Ok(Some(Running { port: to, server: None, far: None })),
        Work::AnswerTls | Work::EchoWebSocket | Work::RelayTls(_) => return Ok(None),
    };
    limit(what).map(|server| Some(server.into()))
}

/// The least work, in a process of its own.
pub(crate) fn limit(what: &str) -> io::Result<Server> {
    let words = [std::env::current_exe()?.into(), "limit".into(), what.into()];
    Server::start(&words, Port::Told)
}
