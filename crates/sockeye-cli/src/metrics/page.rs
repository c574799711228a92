//! The page that is fetched: families of counts, a sample for each listener.

use std::time::SystemTime;

use sockeye::proto::openmetrics::{Exposition, Kind};
use sockeye::{Listed, Totals};

use super::process::Facts;

/// What is no listener's.
pub(super) struct Ours {
    pub(super) events_lost: u64,
    pub(super) lines_lost: u64,
    pub(super) started: SystemTime,
}

/// A family with one sample for each listener.
struct Row {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    of: fn(&Totals) -> u64,
}

const fn counter(name: &'static str, help: &'static str, of: fn(&Totals) -> u64) -> Row {
    Row { name, kind: Kind::Counter, help, of }
}

static ROWS: &[Row] = &[
    counter("sockeye_connections_accepted", "Connections that were accepted.", |totals| totals.accepted),
    Row {
        name: "sockeye_connections_open",
        kind: Kind::Gauge,
        help: "Connections that are open.",
        of: |totals| totals.open,
    },
    counter("sockeye_connections_failed", "Connections that came to a bad end.", |totals| totals.failed),
    counter("sockeye_accept_failures", "Tries to accept that failed.", |totals| totals.accept_failures),
    counter("sockeye_received_bytes", "Bytes from peers.", |totals| totals.volume.received),
    counter("sockeye_sent_bytes", "Bytes to peers.", |totals| totals.volume.sent),
    counter("sockeye_received_messages", "Messages from peers.", |totals| totals.volume.messages_received),
    counter("sockeye_sent_messages", "Messages to peers.", |totals| totals.volume.messages_sent),
];

/// The whole page.
pub(super) fn write(listed: &[Listed], ours: &Ours) -> String {
    let mut page = Exposition::default();
    let all: Vec<_> = listed.iter().map(|one| (one, one.totals())).collect();
    for Row { name, kind, help, of } in ROWS {
        page.family(name, *kind, help);
        for (one, totals) in &all {
            page.sample(&labels(one), of(totals));
        }
    }
    page.family("sockeye_connections_refused", Kind::Counter, "Newcomers that were sent away, by why.");
    for (one, totals) in &all {
        for (why, count) in &totals.refused {
            page.sample(&because(one, why), count);
        }
    }
    page.family("sockeye_dropped_datagrams", Kind::Counter, "Datagrams that were lost, by why.");
    for (one, totals) in &all {
        for (why, count) in totals.dropped.counts() {
            page.sample(&because(one, why), count);
        }
    }
    let help = "Events that found the log's queue full.";
    page.family("sockeye_events_lost", Kind::Counter, help).sample(&[], ours.events_lost);
    let help = "Lines that could not be written to the log.";
    page.family("sockeye_log_lines_lost", Kind::Counter, help).sample(&[], ours.lines_lost);
    write_process(&mut page, ours.started);
    page.finish()
}

fn labels(of: &Listed) -> [(&str, &str); 2] {
    [("service", &of.service), ("listener", &of.listener)]
}

fn because<'a>(of: &'a Listed, why: &'a str) -> [(&'a str, &'a str); 3] {
    [("service", &of.service), ("listener", &of.listener), ("reason", why)]
}

/// Under the names that dashboards know.
fn write_process(page: &mut Exposition, started: SystemTime) {
    let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    page.family("process_start_time_seconds", Kind::Gauge, "When it was started, since 1970.");
    page.sample(&[], since);
    let Facts { cpu, open_fds, max_fds, resident_memory, threads, children } = Facts::now();
    let help = "Time on processors, in all threads.";
    page.family("process_cpu_seconds", Kind::Counter, help).sample(&[], cpu.as_secs_f64());
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    for (name, help, value) in [
        ("process_open_fds", "Descriptors that are open.", open_fds.map(wide)),
        ("process_max_fds", "Descriptors that may be open.", max_fds),
        ("process_resident_memory_bytes", "Memory in use.", resident_memory),
        ("process_threads", "Threads.", threads.map(wide)),
        ("sockeye_children", "Programs that it runs.", children.map(wide)),
    ] {
        if let Some(value) = value {
            page.family(name, Kind::Gauge, help).sample(&[], value);
        }
    }
    page.family("sockeye_build", Kind::Info, "What is running.");
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}
