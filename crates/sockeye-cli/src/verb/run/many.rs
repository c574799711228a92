//! Many hosts: so many at once, each line with its host, or the answers collected.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sockeye::Ctx;
use sockeye::proto::exec::Stream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answers::{Answer, Folded, Form};
use super::host::{self, Ends};
use super::hosts::Host;
use super::input::{self, Input, Source};
use super::lines::Lines;
use super::order::Order;
use super::outcome::{NEVER_RAN, Outcome};
use super::output::Output;
use super::screen::Screen;
use super::signals::Signals;
use crate::args::Request;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flag;

/// How many hosts run it at once by default.
const TOGETHER: usize = 32;

/// How many hosts run it at once.
pub(super) fn together(request: &Request) -> Result<usize, Failure> {
    Ok(request.number(&flag::PARALLEL, 1..=10_000)?.unwrap_or(TOGETHER))
}

/// What all of them share.
struct Round<'a> {
    request: &'a Request,
    screen: Arc<Screen>,
    form: Option<Form>,
    program: String,
    all: usize,
    done: usize,
    failed: usize,
    worst: Exit,
    folded: Folded,
}

/// What is known of a host at its end.
struct Done {
    host: Host,
    outcome: Outcome,
    output: Output,
    took: Duration,
}

pub(super) async fn run(
    request: &Request,
    hosts: &[Host],
    order: Order,
    form: Option<Form>,
    together: usize,
    ctx: &Ctx,
) -> Result<Exit, Failure> {
    let is_read = order.request.has_input && request.value(&flag::HOSTS) != Some("-");
    let source = if is_read { Source::find() } else { Source::Nothing };
    if source == Source::Stream && hosts.len() > together {
        return Err(Failure::usage(
            format!("{} hosts would read standard input in step, and {together} run at once", hosts.len()),
            format!("try --parallel {}, --recv-only, or input from a file", hosts.len()),
        ));
    }
    let (inputs, senders) = source.inputs(hosts.len());
    let round = Round {
        request,
        screen: Arc::new(Screen::open(request.has(&flag::RAW), hosts.len() > 1, ctx).await?),
        form,
        program: order.program(),
        all: hosts.len(),
        done: 0,
        failed: 0,
        worst: Exit::Done,
        folded: Folded::default(),
    };
    let signals = Arc::new(Signals::default());
    let fed = async {
        input::feed(senders, ctx).await?;
        pending().await
    };
    tokio::select! {
        ended = round.run(hosts, inputs, Arc::new(order), together, &signals, ctx) => ended,
        failed = fed, if source == Source::Stream => failed,
        ended = signals.pass_on() => ended.map(|()| Exit::Interrupted),
    }
}

async fn one_of_them(host: Host, order: Arc<Order>, mut ends: Ends, signals: Arc<Signals>, ctx: Ctx) -> Done {
    let began = Instant::now();
    let outcome = host::run(&host.address, &order, &mut ends, &signals, &ctx).await;
    Done { host, outcome, output: ends.output, took: began.elapsed() }
}

impl Round<'_> {
    /// Runs it on all of them, in their order.
    async fn run(
        mut self,
        hosts: &[Host],
        inputs: Vec<Input>,
        order: Arc<Order>,
        together: usize,
        signals: &Arc<Signals>,
        ctx: &Ctx,
    ) -> Result<Exit, Failure> {
        let mut waiting = hosts.iter().cloned().zip(inputs);
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < together && !signals.is_asked() {
                let Some((host, input)) = waiting.next() else { break };
                let ends = Ends { input, output: self.output(&host), terminal: None };
                tasks.spawn(one_of_them(host, order.clone(), ends, signals.clone(), ctx.clone()));
            }
            self.progress(tasks.len()).await;
            let Some(done) = tasks.join_next().await else { break };
            match done {
                Ok(done) => {
                    if !self.take(done).await? {
                        return Ok(Exit::Done);
                    }
                }
                // A panic was printed where it happened; how it went there, nobody knows.
                Err(_) => (self.failed, self.worst) = (self.failed + 1, Exit::Command(NEVER_RAN)),
            }
        }
        let is_cut_short = signals.is_asked() && waiting.next().is_some();
        let ended = self.finish().await?;
        Ok(if is_cut_short { Exit::Interrupted } else { ended })
    }

    fn output(&self, host: &Host) -> Output {
        match self.form {
            None => Output::Lines(Lines::of(&host.label, self.screen.clone())),
            Some(_) => Output::Kept(Answer::default()),
        }
    }

    /// Takes how it went on a host; `false` where nobody reads our standard output any more.
    async fn take(&mut self, done: Done) -> Result<bool, Failure> {
        let Done { host, outcome, output, took } = done;
        if matches!(outcome, Outcome::Unread) {
            return Ok(false);
        }
        let exit = outcome.exit();
        self.done += 1;
        self.failed += usize::from(exit != Exit::Done);
        if exit.code() > self.worst.code() {
            self.worst = exit;
        }
        if let (Some(form), Output::Kept(answer)) = (self.form, output) {
            if answer.is_cut {
                self.say(&host, "its answer is longer than 1 MiB, and was cut").await;
            }
            match form {
                Form::Fold => self.folded.add(&host.label, answer),
                Form::Json => {
                    let address = host.address.bare_word();
                    let object = answer.json(&host.label, &address, &outcome, took, &self.program);
                    return written(self.screen.write(Stream::Output, object.as_bytes()).await);
                }
            }
        }
        if let Some(short) = outcome.in_short(&self.program) {
            self.say(&host, &short).await;
        }
        Ok(true)
    }

    async fn say(&self, host: &Host, text: &str) {
        let object =
            json!({ "event": "host", "host": host.label, "address": host.address.bare_word(), "told": text });
        self.screen.say(self.request, object, &format!("{}: {text}", host.label)).await;
    }

    async fn progress(&self, running: usize) {
        let Self { all, done, failed, .. } = self;
        let text = if running == 0 {
            String::new()
        } else {
            format!("{done} of {all} done, {failed} failed, {running} running")
        };
        self.screen.progress(text).await;
    }

    async fn finish(&self) -> Result<Exit, Failure> {
        if self.form == Some(Form::Fold) {
            written(self.screen.write(Stream::Output, &self.folded.text()).await)?;
        }
        Ok(self.worst)
    }
}

/// Whether our standard output is still read by somebody.
fn written(result: sockeye::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == sockeye::Kind::Reset => Ok(false),
        Err(error) => Err(error.into()),
    }
}
