//! socat and ncat, which start a process for each connection.

use std::fs;
use std::io;

use super::{Bench, Running, Work, other};
use crate::server::free_port;

pub(super) fn socat(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let transport = work.transport();
    let port = free_port(transport)?;
    let options = format!("{port},bind=127.0.0.1,fork,backlog=4096,nodelay");
    let tls = format!("OPENSSL-LISTEN:{options},verify=0,cert={}", bench.identity.pair.display());
    let words = match work {
        Work::Echo => format!("socat TCP4-LISTEN:{options} PIPE"),
        Work::EchoDatagrams => format!("socat UDP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr PIPE"),
        Work::EchoWebSocket | Work::RunCommands | Work::TellTime => return Ok(None),
        Work::AnswerTls => format!("socat {tls} PIPE"),
        Work::Relay(to) => format!("socat -b 65536 TCP4-LISTEN:{options} TCP4:127.0.0.1:{to},nodelay"),
        Work::RelayTls(to) => format!("socat -b 65536 {tls} TCP4:127.0.0.1:{to},nodelay"),
    };
    other(transport, port, &words)
}

pub(super) fn ncat(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let transport = work.transport();
    let port = free_port(transport)?;
    let listens = format!("ncat -l -k --max-conns 4000 127.0.0.1 {port}");
    let pair = bench.identity.pair.display();
    let tls = format!("--ssl --ssl-cert {pair} --ssl-key {pair}");
    let relays = |to: u16| {
        let script = bench.folder.join("ncat-relay");
        fs::write(&script, format!("#!/bin/sh\nexec ncat 127.0.0.1 {to}\n"))?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        io::Result::Ok(script.display().to_string())
    };
    let words = match work {
        Work::Echo => format!("{listens} --exec /bin/cat"),
        Work::EchoDatagrams => format!("{listens} --udp --exec /bin/cat"),
        Work::EchoWebSocket | Work::RunCommands | Work::TellTime => return Ok(None),
        Work::AnswerTls => format!("{listens} {tls} --exec /bin/cat"),
        Work::Relay(to) => format!("{listens} --exec {}", relays(to)?),
        Work::RelayTls(to) => format!("{listens} {tls} --exec {}", relays(to)?),
    };
    other(transport, port, &words)
}
