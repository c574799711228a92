//! What goes on beside a program that listens: reports and a fresh log when signals ask for them, metrics for who
//! fetches them, and signs of life for who started it.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use sockeye::{Ctx, Reloads, Tallies, Totals};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::Request;
use crate::failure::Failure;
use crate::flag;
use crate::log::{self, Log, Order};
use crate::metrics::Metrics;
use crate::parent::Parent;
use crate::signal::Calls;

/// How often whoever started us hears how we are, unless its watchdog wants to hear more often.
const STATUS: Duration = Duration::from_secs(10);

/// Everything beside the verb. It runs in the same runtime, so that one that hangs gives no sign of life.
pub(crate) struct Attendance<'a> {
    orders: Sender<Order>,
    tallies: Tallies,
    reports: Calls,
    /// Where nobody asked for it, a hangup ends us, as the end of a terminal should.
    hangups: Option<Calls>,
    has_file: bool,
    /// Whether a hangup is answered by somebody else too, who then says when that is done: where there is a config file, or
    /// anything else to read again.
    has_config: bool,
    reloads: Reloads,
    metrics: Option<Metrics>,
    parent: &'a Parent,
}

impl<'a> Attendance<'a> {
    /// Listens for signals, and where metrics are to be fetched.
    pub(crate) async fn begin(request: &'a Request, ctx: &Ctx, log: &Log) -> Result<Self, Failure> {
        let parent = &request.parent;
        let reports = Calls::to_report()?;
        let has_file = log::has_file(request);
        let hangups = (has_file || parent.hears()).then(Calls::to_begin_anew).transpose()?;
        let has_config = request.has(&flag::CONFIG);
        let metrics = Metrics::listen(request, ctx, log).await?;
        let (orders, tallies, reloads) = (log.orders(), ctx.tallies.clone(), ctx.reloads.clone());
        Ok(Self { orders, tallies, reports, hangups, has_file, has_config, reloads, metrics, parent })
    }

    /// Attends until it is dropped.
    pub(crate) async fn attend(self) -> Infallible {
        let Self { orders, tallies, mut reports, hangups, has_file, metrics, parent, .. } = self;
        let is_answered = || self.has_config || !self.reloads.is_empty();
        // A long report holds up what is asked for behind it, and loses none of it: signals that come meanwhile are one.
        let order = async |order| {
            // A log that is gone takes none.
            let (Ok(()) | Err(_)) = orders.send(order).await;
        };
        let reports = async {
            loop {
                reports.next().await;
                order(Order::Report(tallies.clone())).await;
            }
        };
        let hangups = async {
            let Some(mut hangups) = hangups else { return pending().await };
            loop {
                hangups.next().await;
                let is_answered = is_answered();
                if !is_answered {
                    parent.reloading();
                }
                // Standard error is opened anew by nobody, and may be stuck, with the log behind it.
                if has_file {
                    let (done, is_done) = oneshot::channel();
                    order(Order::Reopen(done)).await;
                    let Err(_dropped) = is_done.await;
                }
                if !is_answered {
                    parent.ready();
                }
            }
        };
        let metrics = async {
            match metrics {
                Some(metrics) => metrics.serve().await,
                None => pending().await,
            }
        };
        tokio::select! {
            never = reports => never,
            never = hangups => never,
            never = metrics => never,
            never = live(parent, &tallies) => never,
        }
    }
}

/// Gives signs of life: at twice the pace that the watchdog asks for.
async fn live(parent: &Parent, tallies: &Tallies) -> Infallible {
    if !parent.hears() {
        return pending().await;
    }
    let pause = parent.watchdog.map_or(STATUS, |watchdog| (watchdog / 2).min(STATUS));
    let mut turns = interval(pause.max(Duration::from_millis(1)));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let Totals { open, accepted, failed, .. } = tallies.sum();
        parent.alive(&format!("{open} open, {accepted} accepted, {failed} failed"));
    }
}
