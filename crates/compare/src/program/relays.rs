//! haproxy and nginx, which relay.

use std::fs;
use std::io;
use std::path::Path;

use super::{Bench, Running, Work, other};
use crate::server::{Transport, free_port};

pub(super) fn haproxy(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let port = free_port(Transport::Tcp)?;
    let tls = format!("ssl crt {}", bench.identity.pair.display());
    let listen = match work {
        Work::Echo | Work::EchoDatagrams | Work::EchoWebSocket | Work::RunCommands | Work::TellTime => {
            return Ok(None);
        }
        Work::AnswerTls => {
            format!(" mode http\n bind 127.0.0.1:{port} {tls}\n http-request return status 200\n")
        }
        Work::Relay(to) => {
            format!(" bind 127.0.0.1:{port}\n option splice-auto\n server back 127.0.0.1:{to}\n")
        }
        Work::RelayTls(to) => format!(" bind 127.0.0.1:{port} {tls}\n server back 127.0.0.1:{to}\n"),
    };
    let text = format!(
        "global\n maxconn 4000\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\nlisten all\n{listen}"
    );
    let config = bench.folder.join("haproxy.cfg");
    fs::write(&config, text)?;
    other(Transport::Tcp, port, &format!("haproxy -db -f {}", config.display()))
}

pub(super) fn nginx(work: Work, bench: &Bench) -> io::Result<Option<Running>> {
    let port = free_port(Transport::Tcp)?;
    let folder = bench.folder.display();
    let pair = bench.identity.pair.display();
    let tls = format!(
        "listen 127.0.0.1:{port} ssl; ssl_certificate {pair}; ssl_certificate_key {pair}; ssl_protocols TLSv1.3;"
    );
    let server = match work {
        Work::Echo | Work::EchoDatagrams | Work::EchoWebSocket | Work::RunCommands | Work::TellTime => {
            return Ok(None);
        }
        Work::AnswerTls => format!("{tls} return answer;"),
        Work::Relay(to) => format!("listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{to};"),
        Work::RelayTls(to) => format!("{tls} proxy_pass 127.0.0.1:{to};"),
    };
    // A module of its own in Debian; elsewhere it may be built in.
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let load = if Path::new(module).exists() { format!("load_module {module};\n") } else { String::new() };
    let text = format!(
        "{load}daemon off;\nworker_processes auto;\npid {folder}/nginx.pid;\nevents {{ worker_connections 4000; }}\n\
         stream {{ server {{ {server} }} }}\n"
    );
    let config = bench.folder.join("nginx.conf");
    fs::write(&config, text)?;
    other(Transport::Tcp, port, &format!("nginx -e stderr -p {folder} -c {}", config.display()))
}
