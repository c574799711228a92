//! What every verb begins with: limits, events, a runtime, and the world that connections live in.

use std::future::Future;
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sockeye::proto::unit::{print_duration, print_flow, rounded};
use sockeye::{Ctx, Events, Limits, Pipes, Tallies, Totals};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::args::Request;
use crate::attendance::Attendance;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::log::Log;
use crate::{flag, say, state};

/// How many descriptors are left for ourselves when the limit of open files bounds the number of connections, beside those
/// of the pipes through which the kernel moves bytes.
const OWN_DESCRIPTORS: u64 = 64;

/// How many descriptors a connection needs that is relayed: its own, and that of the other side.
const RELAYED: u64 = 2;

/// How many it needs that is led to a command while that is started: its own, three pipes or terminals, and three ways to
/// the guard, of each of which all but the guard itself have two ends.
const COMMANDED: u64 = 12;

/// How many threads a verb needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// One conversation.
    One,
    /// Many conversations: all cores but one, unless `--threads` says otherwise. The kernel's work on each packet takes
    /// as long as ours, and needs a core too.
    Many,
}

impl Threads {
    /// The runtime that a verb lives in.
    fn runtime(self, request: &Request) -> Result<Runtime, Failure> {
        let threads = match self {
            Self::One => 1,
            Self::Many => many(request)?,
        };
        let mut builder =
            if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        if threads > 1 {
            builder.worker_threads(threads);
        }
        builder.enable_all().build().map_err(Failure::Start)
    }
}

/// How many threads serve connections.
fn many(request: &Request) -> Result<usize, Failure> {
    let Some(text) = request.value(&flag::THREADS) else {
        return Ok(available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)));
    };
    let wrong = || Failure::usage(format!("--threads {text}: not a number of threads"), "write 1 to 1024");
    text.parse().ok().filter(|count| (1..=1024).contains(count)).ok_or_else(wrong)
}

/// Runs a verb that opens so many listeners to its end, and then lets those who read events finish. One that listens is
/// attended: see [`Attendance`].
pub(crate) fn run<F>(
    request: &Request,
    threads: Threads,
    listeners: usize,
    verb: impl FnOnce(Ctx) -> F,
) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let runtime = threads.runtime(request)?;
    let (events, log) = Log::start(request)?;
    let open_files = raise_open_files();
    let mut ctx = context(request, events, listeners)?;
    ctx.limits.open_files = open_files;
    let (tasks, clean_up) = (ctx.tasks.clone(), ctx.limits.hurry);
    let (began, tallies) = (Instant::now(), ctx.tallies.clone());
    let exit = runtime.block_on(async {
        let exit = if listeners == 0 {
            verb(ctx).await
        } else {
            let attendance = Attendance::begin(request, &ctx, &log).await?;
            tokio::select! {
                exit = verb(ctx) => exit,
                never = attendance.attend() => match never {},
            }
        };
        // Those who read for others end with them.
        tasks.close();
        let (Ok(()) | Err(_)) = tokio::time::timeout(clean_up, tasks.wait()).await;
        exit
    });
    // A name look-up that nobody waits for any more must not hold us.
    runtime.shutdown_background();
    log.finish();
    if request.has(&flag::VERBOSE) && !tallies.list().is_empty() {
        summary(request, &tallies, began.elapsed());
    }
    exit
}

/// What all listeners did, and how fast, once they are over.
fn summary(request: &Request, tallies: &Tallies, lasted: Duration) {
    let Totals { accepted, failed, volume, .. } = tallies.sum();
    let object = json!({
        "event": "served", "accepted": accepted, "failed": failed, "received": volume.received,
        "sent": volume.sent, "seconds": lasted.as_secs_f64(),
    });
    let (came, went) = (print_flow(volume.received, "in", lasted), print_flow(volume.sent, "out", lasted));
    let connections =
        if accepted == 1 { "1 connection".to_owned() } else { format!("{accepted} connections") };
    let lasted = print_duration(rounded(lasted));
    say::note(request, object, &format!("{connections} in {lasted}, {failed} failed, {came}, {went}"));
}

/// What connections live in, as the flags ask; so many listeners share what may be open.
pub(crate) fn context(request: &Request, events: Events, listeners: usize) -> Result<Ctx, Failure> {
    let handed = request.parent.sockets.clone();
    Ok(Ctx {
        resolver: request.resolver()?,
        limits: shared_limits(listeners),
        events,
        handed,
        state: state::state(),
        ..Ctx::default()
    })
}

/// The defaults of each of so many listeners, which share what may be open.
pub(crate) fn shared_limits(listeners: usize) -> Limits {
    limits(most_open_files(), listeners, RELAYED)
}

/// How many connections one listener takes by default where each has a command of its own.
pub(crate) fn most_commands() -> usize {
    limits(most_open_files(), 1, COMMANDED).max_conns
}

fn most_open_files() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// The defaults, with no more connections than there is room for in the files that may be open, where `each` needs so
/// many. Several listeners share them.
fn limits(open_files: u64, listeners: usize, each: u64) -> Limits {
    let limits = Limits::default();
    let own = OWN_DESCRIPTORS + 2 * Pipes::most(open_files);
    let room = usize::try_from(open_files.saturating_sub(own) / each).unwrap_or(usize::MAX);
    Limits { max_conns: limits.max_conns.min(room / listeners.max(1)).max(1), ..limits }
}

/// Raises the soft limit of open files to the hard one; gives back what it was, which is for the commands we start.
fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    #[expect(
        clippy::let_underscore_must_use,
        reason = "any process may raise it so far; if not, accepting will tell"
    )]
    let _: rustix::io::Result<()> = setrlimit(Resource::Nofile, raised);
    limit.current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_open_files_allow_few_connections() {
        assert_eq!(limits(1 << 20, 1, RELAYED).max_conns, 10_000);
        assert_eq!(limits(1024, 0, RELAYED).max_conns, 416);
        assert_eq!(limits(1024, 4, RELAYED).max_conns, 104);
        assert_eq!(limits(1024, 1, COMMANDED).max_conns, 69);
        assert_eq!(limits(3, 1, RELAYED).max_conns, 1);
    }
}
