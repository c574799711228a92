//! Streams as wide as they go, by iperf3.

use std::io;

use serde_json::Value;

use super::Figure;
use crate::program::{Bench, Running};
use crate::server::{Port, Server, Transport, command, free_port, words};

/// Of what [`stream`] gives.
pub(super) const UNITS: &[&str] = &["Gbit/s", "s of CPU a GB"];

/// What streams lead to.
pub(super) fn server() -> io::Result<Server> {
    let port = free_port(Transport::Tcp)?;
    let text = format!("iperf3 --server --bind 127.0.0.1 --port {port}");
    Server::start(&words(&text), Port::Given(port, Transport::Tcp))
}

/// So many streams at once: what came through, and what a GB of it costs.
pub(super) fn stream(running: &Running, bench: &Bench, streams: u32) -> io::Result<Vec<Figure>> {
    // It takes whole seconds.
    let seconds = bench.lasting.as_secs().max(1);
    let client = format!(
        "timeout {} iperf3 --client 127.0.0.1 --port {} --time {seconds} --parallel {streams} --json",
        seconds + 15,
        running.port
    );
    let (output, used) = running.metered(|| command(&words(&client)).output())?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let received = |what: &str| report.pointer(&format!("/end/sum_received/{what}")).and_then(Value::as_f64);
    match (received("bits_per_second"), received("bytes")) {
        (Some(rate), Some(bytes)) if bytes > 0.0 => {
            Ok(vec![Some(rate / 1e9), used.map(|used| used.as_secs_f64() / (bytes / 1e9))])
        }
        _ => {
            let why = report.pointer("/error").and_then(Value::as_str).unwrap_or("it received nothing");
            Err(io::Error::other(format!("iperf3: {why}")))
        }
    }
}
