//! What a command costs, from its start to its end, beside what the standard library needs for the same: in a process that
//! is small, and in one that has much in memory, of which each copy of a process copies the page tables.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sockeye::Ctx;
use sockeye::process::{Program, Running};
use tokio::runtime::Runtime;

const COMMANDS: [&[&str]; 2] = [&["true"], &["sh", "-c", "echo hi"]];

/// How much a large process has in memory.
const LARGE: usize = 256 << 20;

async fn run(words: &[&str], ctx: &Ctx) {
    let program = Program { no_input: true, ..Program::new(words) };
    let Ok(Running { mut output, mut errors, mut command, .. }) = program.start(ctx).await else { return };
    let mut buffer = [0; 4096];
    while matches!(output.read(&mut buffer).await, Ok(1..)) {}
    while let Some(errors) = &mut errors
        && matches!(errors.read(&mut buffer).await, Ok(1..))
    {}
    command.exit().await;
}

fn commands(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else { return };
    for (size, ballast) in [("small", 0), ("large", LARGE)] {
        let ballast = black_box(vec![1_u8; ballast]);
        for words in COMMANDS {
            let mut group = criterion.benchmark_group(format!("{} in a {size} process", words.join(" ")));
            group
                .sample_size(20)
                .measurement_time(Duration::from_secs(2))
                .warm_up_time(Duration::from_millis(300));
            group.bench_function("std", |bencher| {
                bencher.iter(|| {
                    let (program, arguments) =
                        words.split_first().map_or(("true", &[][..]), |(one, all)| (*one, all));
                    Command::new(program).args(arguments).output()
                });
            });
            let ctx = Ctx::default();
            group.bench_function("sockeye", |bencher| bencher.iter(|| runtime.block_on(run(words, &ctx))));
            ctx.tasks.close();
            runtime.block_on(ctx.tasks.wait());
        }
        drop(black_box(ballast));
    }
}

criterion_group!(benches, commands);
criterion_main!(benches);
