//! How fast each framing makes bytes of messages, and messages of bytes: `cargo bench -p sockeye-proto`.

#![allow(clippy::panic, reason = "a framing that refuses what it should take has no speed")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use sockeye_proto::frame::{Decoder, FRAMINGS, FrameError, Framing, MAX_MESSAGE};

/// How many bytes of messages there are in a stream.
const STREAM: usize = 64 << 10;
/// How many bytes come with one read.
const READ: usize = 16 << 10;
/// Some processors copy far slower to a place that stands in its page as the source does in its own. What is copied stands
/// so much further in its page, so that codecs are measured and not this.
const HALF_A_PAGE: usize = 2048;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for size in [64, 16 << 10] {
        encode(&mut criterion, size);
        decode(&mut criterion, size);
    }
    criterion.final_summary();
}

fn encode(criterion: &mut Criterion, size: usize) {
    let mut group = criterion.benchmark_group(format!("encode {size} bytes"));
    group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: size as u64 });
    let message = vec![b'x'; size];
    let mut room = vec![0; HALF_A_PAGE + 2 * size];
    let wire = room.split_at_mut(HALF_A_PAGE).1;
    for framing in framings(size) {
        group.bench_function(BenchmarkId::from_parameter(framing), |bencher| {
            bencher.iter(|| write(framing, black_box(&message), black_box(wire)));
        });
    }
    group.finish();
}

fn decode(criterion: &mut Criterion, size: usize) {
    let mut group = criterion.benchmark_group(format!("decode {size} bytes"));
    let count = STREAM / size;
    group.throughput(Throughput::ElementsAndBytes { elements: count as u64, bytes: STREAM as u64 });
    for framing in framings(size) {
        // What one read brings is a message to some: as much as was sent at once.
        let read = if matches!(framing, Framing::Burst { .. }) { size } else { READ };
        group.bench_function(BenchmarkId::from_parameter(framing), |bencher| {
            let room = stream(framing, size, count);
            let stream = room.split_at(HALF_A_PAGE).1;
            assert!(decode_all(framing, stream, read) == count, "{framing} finds other messages");
            bencher.iter(|| decode_all(framing, black_box(stream), read));
        });
    }
    group.finish();
}

/// Every framing that takes messages of that size, one of each row.
fn framings(size: usize) -> impl Iterator<Item = Framing> {
    let read = move |usage: String| {
        let text = usage.replace("=N", &format!("={size}")).replace("=MS", "=5");
        Framing::read(&text).unwrap_or_else(|| panic!("no framing is written {text}"))
    };
    FRAMINGS.iter().map(|row| row.usage()).map(read).filter(move |framing| framing.max_message(size) == size)
}

/// So many messages of a size, one behind the other, and half a page before them.
fn stream(framing: Framing, size: usize, count: usize) -> Vec<u8> {
    let mut wire = vec![0; 2 * size];
    let written = write(framing, &vec![b'x'; size], &mut wire);
    wire.truncate(written);
    [vec![0; HALF_A_PAGE], wire.repeat(count)].concat()
}

/// Puts a message on the wire, and says how many bytes it takes there.
fn write(framing: Framing, message: &[u8], wire: &mut [u8]) -> usize {
    match framing.encode(message, MAX_MESSAGE) {
        Ok(encoded) => encoded.fill(message, 0, wire),
        Err(error) => panic!("{framing}: {error}"),
    }
}

/// How many messages there are in a stream of which so many bytes come at once.
fn decode_all(framing: Framing, stream: &[u8], read: usize) -> usize {
    let mut decoder = Decoder::new(framing, MAX_MESSAGE);
    let (mut message, mut messages) = (Vec::new(), 0);
    for mut input in stream.chunks(read) {
        while whole(decoder.decode(&mut input, &mut message)) {
            messages += 1;
            black_box(&mut message).clear();
        }
        // After each read there is a silence.
        if matches!(framing, Framing::Burst { .. }) && whole(decoder.finish(&mut message)) {
            messages += 1;
            black_box(&mut message).clear();
        }
    }
    messages
}

fn whole(decoded: Result<bool, FrameError>) -> bool {
    decoded.unwrap_or_else(|error| panic!("{error}"))
}
