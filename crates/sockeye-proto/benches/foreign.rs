//! How fast what strangers wrote is read, and made safe to show: `cargo bench -p sockeye-proto`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use sockeye_proto::{hex, http, printable};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost:9100\r\nUser-Agent: Prometheus/2.42.0\r\n\
        Accept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip\r\n\r\n";
    let text = "a line of text, as most are, with an \u{fc}mlaut and a tab\t".repeat(20);
    let noise: Vec<u8> = (0..=u8::MAX).cycle().step_by(7).take(1024).collect();
    measure(&mut criterion, "the head of a request", request, |bytes| http::asked(bytes));
    measure(&mut criterion, "text made printable", text.as_bytes(), printable::line);
    measure(&mut criterion, "noise made printable", &noise, printable::line);
    measure(&mut criterion, "noise in hexadecimal", &noise, |bytes| hex::dump(0, bytes));
    criterion.final_summary();
}

fn measure<'a, T>(criterion: &mut Criterion, what: &str, bytes: &'a [u8], work: impl Fn(&'a [u8]) -> T) {
    let mut group = criterion.benchmark_group("foreign bytes");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(what, |bencher| bencher.iter(|| work(black_box(bytes))));
    group.finish();
}
