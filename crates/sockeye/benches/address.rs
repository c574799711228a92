//! How fast addresses are read against all the rows there are: `cargo bench -p sockeye`.

#![allow(clippy::panic, reason = "an address that is read wrongly has no speed")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use sockeye::parse;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let long = format!("unix-l:/run/{},mode=0660,idle=90s,max-conns=500,frame=line", "sockeye/".repeat(12));
    let allowed: Vec<_> = (0..100).map(|n| format!("allow=192.0.2.{n}")).collect();
    let crowded = format!("tcp-l:any:8080,{}", allowed.join(","));
    let escaped = format!("file:/tmp/{}", "%2C".repeat(1000));
    for (what, word, is_right) in [
        ("a host and a port", "tcp:example.org:80", true),
        ("IPv6 with options", "tcp:[2001:db8::1]:443,connect=3s,nodelay=no,frame=len32", true),
        ("a command", "exec:'grep -i fish' notes.txt", true),
        ("a long one", &long, true),
        ("a hundred options", &crowded, true),
        ("a thousand escapes", &escaped, true),
        ("no such scheme", "tpc:example.org:80", false),
        ("no such option", "tcp:example.org:80,nodleay", false),
        ("a wrong value", "tcp:example.org:80,connect=soon", false),
    ] {
        assert!(parse(word, &[]).is_ok() == is_right, "{what}: {word}: {:?}", parse(word, &[]));
        let mut group = criterion.benchmark_group(if is_right { "address" } else { "wrong address" });
        group.throughput(Throughput::Bytes(word.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(what), word, |bencher, word| {
            bencher.iter(|| parse(black_box(word), &[]));
        });
        group.finish();
    }
    criterion.final_summary();
}
