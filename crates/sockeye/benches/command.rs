//! What a command costs, from its start to its end, beside what the standard library needs for the same: in a process that
//! is small, and in one that has much in memory. They take turns, since machines are never equally fast for long.
//! `cargo bench -p sockeye --bench command`

#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench says what it measured, and nothing that failed"
)]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use sockeye::Ctx;
use sockeye::process::{Program, Running};
use tokio::runtime::Builder;

const COMMANDS: [&[&str]; 2] = [&["true"], &["sh", "-c", "echo hi"]];

/// How much a large process has in memory.
const LARGE: usize = 256 << 20;

fn main() {
    let turns = if std::env::args().any(|argument| argument == "--test") { 3 } else { 500 };
    for (size, ballast) in [("small", 0), ("large", LARGE)] {
        let ballast = black_box(vec![1_u8; ballast]);
        for words in COMMANDS {
            let [theirs, ours] = compare(words, turns);
            let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
            println!("{words:?} in a {size} process: std {theirs:?}, sockeye {ours:?}, {ratio:.2} of it");
        }
        drop(black_box(ballast));
    }
}

/// The median times of both.
fn compare(words: &[&str], turns: usize) -> [Duration; 2] {
    let runtime =
        Builder::new_current_thread().enable_all().build().unwrap_or_else(|error| panic!("{error}"));
    let ctx = Ctx::default();
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..turns {
        let began = Instant::now();
        theirs(words);
        times[0].push(began.elapsed());
        let began = Instant::now();
        runtime.block_on(ours(words, &ctx));
        times[1].push(began.elapsed());
    }
    ctx.tasks.close();
    runtime.block_on(ctx.tasks.wait());
    times.map(|mut times| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    })
}

fn theirs(words: &[&str]) {
    let Some((program, arguments)) = words.split_first() else { return };
    let output = Command::new(program).args(arguments).output();
    assert!(output.is_ok_and(|output| output.status.success()));
}

async fn ours(words: &[&str], ctx: &Ctx) {
    let program = Program { no_input: true, ..Program::new(words) };
    let started = program.start(ctx).await;
    let Running { mut output, mut errors, mut command, .. } =
        started.unwrap_or_else(|error| panic!("{error:?}"));
    let mut buffer = [0; 4096];
    while matches!(output.read(&mut buffer).await, Ok(1..)) {}
    while let Some(errors) = &mut errors
        && matches!(errors.read(&mut buffer).await, Ok(1..))
    {}
    assert!(command.exit().await.is_success());
}
