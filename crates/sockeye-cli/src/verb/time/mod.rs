//! `time`: what time others have.

mod asked;
mod chart;
mod length;
mod report;
mod watch;

use std::time::Duration;

use sockeye::proto::address::Role;
use sockeye::proto::ntp::Plan;
use sockeye::{Ctx, Events, Limits};
use sockeye_services::ask::{self, Fault, NtpClient};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::asked::{Asked, Way};
use self::report::{Answer, Answered};
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::plan;
use crate::session::{self, Threads};
use crate::signal::Interrupts;
use crate::verb::{Takes, Verb};

pub(super) static TIME: Verb = Verb {
    name: "time",
    summary: "what time others have: NTP, strftime, daytime",
    usage: "sockeye time [FLAG]... HOST|PROTOCOL:HOST[:PORT]|ADDR...",
    about: "Asks all at the same time, and never sets a clock. A host alone, or ntp:HOST, is an NTP server: it is asked \
            several times, and the answer that was quickest on its way counts. Printed are how far its clock is ahead of \
            ours (offset), how long question and answer were on their way (delay), how far the server may be wrong \
            (dispersion), and what it says of itself; of several servers also which agree, and what they come to.\n\
            daytime:HOST and time32:HOST ask old servers (RFC 867, RFC 868) over TCP; daytime+udp:HOST over UDP, and \
            likewise over any other address. An address, such as udp:HOST:PORT, is a strftime service as sockeye serve \
            time: it is asked for the time in --format.\nWhat is lost is asked again, three times in all; an answer to \
            something else is not believed. The exit code is 0 if all answered, 124 if all that did not ran out of time, \
            else 1.",
    examples: &[
        ("sockeye time localhost ntp:localhost:7710", "compare NTP servers with this clock"),
        ("sockeye time --watch localhost", "see how an offset changes"),
        ("sockeye time tcp:localhost:7708 --format '%A, %H:%M'", "ask a strftime service"),
        ("sockeye time daytime:localhost time32+udp:localhost", "ask old servers"),
    ],
    flags: &[&flag::FORMAT, &flag::SAMPLES, &flag::INTERVAL, &flag::TIME_LIMIT, &flag::WATCH, &flag::JSON],
    takes: Takes::Addresses(&[&[Role::Dial]]),
    words: 1..=64,
    expects: "expected a host or an address, or several",
    run,
};

/// How often an NTP server is asked.
const SAMPLES: usize = 8;
/// From one question to the next: as little as servers of everybody take from time to time.
const INTERVAL: Duration = Duration::from_millis(200);
/// The same where there is no end: less often is not taken amiss by ntpd (`discard minimum`).
const WATCHED: Duration = Duration::from_secs(2);
/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(5);

fn run(request: &Request) -> Result<Exit, Failure> {
    let format = request.value(&flag::FORMAT);
    let all = request.words().iter().map(|word| asked::read(word, format));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    check(request, &all)?;
    let interval = request.time(&flag::INTERVAL)?;
    let limit = positive(request, &flag::TIME_LIMIT, LIMIT)?;
    let samples = samples(request)?;
    if request.has(&flag::PLAN) {
        let planned: Vec<_> = all.iter().map(|asked| ("ask", &asked.address)).collect();
        let ctx = patient(session::context(request, Events::default(), 1)?, limit);
        return plan::print_with(request, &ctx, &planned);
    }
    session::run(request, Threads::One, 0, async |ctx| {
        let ctx = patient(ctx, limit);
        let mut interrupts = Interrupts::listen()?;
        let asking = async {
            if request.has(&flag::WATCH) {
                let watch = watch::Watch { interval: interval.unwrap_or(WATCHED), limit, samples };
                return watch.run(request, &all, &ctx).await;
            }
            let (samples, spacing) = (samples.unwrap_or(SAMPLES), interval.unwrap_or(INTERVAL));
            let plan = Plan { samples, spacing, limit };
            report::print(request, &ask_all(all, plan, &ctx).await)
        };
        tokio::select! {
            exit = asking => Ok(exit),
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    })
}

/// Flags that nobody among those who are asked has a use for.
fn check(request: &Request, all: &[Asked]) -> Result<(), Failure> {
    let has = |is: fn(&Way) -> bool| all.iter().find(|asked| is(&asked.way));
    let other = |flag: &Flag, asked: &Asked, what| {
        Failure::usage(format!("--{} does not go with {}", flag.long, asked.name), what)
    };
    if let Some(timeless) = has(|way| !matches!(way, Way::Ntp)).filter(|_| request.has(&flag::WATCH)) {
        return Err(other(&flag::WATCH, timeless, "NTP servers alone are watched: ntp:HOST"));
    }
    if request.has(&flag::FORMAT) && has(|way| matches!(way, Way::Format(_))).is_none() {
        let Some(first) = all.first() else { return Ok(()) };
        return Err(other(&flag::FORMAT, first, "a strftime service is asked by its address: udp:HOST:PORT"));
    }
    for flag in [&flag::SAMPLES, &flag::INTERVAL] {
        if request.has(flag) && has(|way| matches!(way, Way::Ntp)).is_none() {
            let Some(first) = all.first() else { return Ok(()) };
            return Err(other(flag, first, "it is for NTP servers: ntp:HOST"));
        }
    }
    Ok(())
}

fn samples(request: &Request) -> Result<Option<usize>, Failure> {
    let Some(text) = request.value(&flag::SAMPLES) else { return Ok(None) };
    let wrong = || Failure::usage(format!("--samples {text}: not a number of answers"), "write 1 to 1000");
    text.parse().ok().filter(|count| (1..=1000).contains(count)).map(Some).ok_or_else(wrong)
}

fn positive(request: &Request, flag: &Flag, default: Duration) -> Result<Duration, Failure> {
    match request.time(flag)? {
        Some(Duration::ZERO) => {
            Err(Failure::usage(format!("--{} 0: nobody answers at once", flag.long), "write 500ms or 5s"))
        }
        time => Ok(time.unwrap_or(default)),
    }
}

fn patient(ctx: Ctx, limit: Duration) -> Ctx {
    Ctx { limits: Limits { connect: Some(limit), ..ctx.limits }, ..ctx }
}

/// Asks all at once; what came of it, in the order in which they were named.
async fn ask_all(all: Vec<Asked>, plan: Plan, ctx: &Ctx) -> Vec<Answered> {
    let mut tasks = JoinSet::new();
    for (at, asked) in all.into_iter().enumerate() {
        let ctx = ctx.clone();
        tasks.spawn(async move {
            let began = Instant::now();
            let answer = ask(&asked, plan, &ctx).await;
            (at, Answered { asked, took: began.elapsed(), answer })
        });
    }
    let mut answered = tasks.join_all().await;
    answered.sort_by_key(|(at, _)| *at);
    answered.into_iter().map(|(_, answered)| answered).collect()
}

async fn ask(asked: &Asked, plan: Plan, ctx: &Ctx) -> Result<Answer, Fault> {
    let (address, limit) = (&asked.address, plan.limit);
    match &asked.way {
        Way::Daytime => ask::text(address, limit, ctx).await.map(Answer::Text),
        Way::Format(format) => ask::format(address, format, limit, ctx).await.map(Answer::Text),
        Way::Ntp => {
            let reading = NtpClient::dial(address, ctx).await?.ask(plan, ctx).await?;
            Ok(Answer::Reading(Box::new(reading)))
        }
        Way::Time32 => {
            let moment = ask::seconds(address, limit, ctx).await?;
            Ok(Answer::Moment { moment, ours: ctx.clock.wall() })
        }
    }
}
