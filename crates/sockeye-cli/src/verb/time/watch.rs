//! `--watch`: NTP servers, asked again and again.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::time::Duration;

use jiff::Timestamp;
use rustix::termios::tcgetwinsize;
use serde_json::json;
use sockeye::Ctx;
use sockeye::proto::ntp::{Kiss, Plan, Reading};
use sockeye::proto::printable;
use sockeye_services::ask::{Fault, NtpClient};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::asked::Asked;
use super::chart;
use super::length::{plain, signed};
use super::report::{Answer, Answered, exit_of, object};
use crate::args::Request;
use crate::exit::Exit;
use crate::{flag, say};

/// How servers are watched.
pub(super) struct Watch {
    /// From one question to the next.
    pub(super) interval: Duration,
    /// How long an answer may take.
    pub(super) limit: Duration,
    /// How often they are asked; `None` without end.
    pub(super) samples: Option<usize>,
}

/// The least time between two questions: there is no interval without length.
const LEAST: Duration = Duration::from_millis(10);
/// How long an answer may take, however short the interval is.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most offsets that are kept of a server: more than are drawn on any screen.
const KEPT: usize = 2048;
/// How many lines of the screen the drawings share, and the least that one has.
const LINES: (usize, usize) = (12, 3);
/// How many columns there are where nobody says.
const COLUMNS: usize = 80;
/// The longest that a server is left alone that asks not to be asked so often, in intervals.
const RAREST: u32 = 64;

/// A server, and what it has said.
struct Server {
    asked: Asked,
    client: Option<NtpClient>,
    last: Option<Answered>,
    offsets: VecDeque<Option<i64>>,
    has_answered: bool,
    /// Why it did not, the last time that it did not.
    fault: Option<Fault>,
    /// It is asked once in so many intervals.
    every: u32,
    /// How many of them are still to pass.
    left: u32,
    /// It does not want to be asked any more.
    is_over: bool,
}

impl Watch {
    pub(super) async fn run(&self, request: &Request, all: &[Asked], ctx: &Ctx) -> Exit {
        let mut servers: Vec<Server> = all.iter().cloned().map(Server::new).collect();
        let mut ticks = interval(self.interval.max(LEAST));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let draws = !request.has(&flag::JSON) && std::io::stdout().is_terminal();
        let (mut asked, mut drawn) = (0, 0);
        while self.samples.is_none_or(|samples| asked < samples) && !servers.iter().all(|it| it.is_over) {
            ticks.tick().await;
            asked += 1;
            servers = self.ask(servers, ctx).await;
            let told = if draws {
                let screen = screen(&servers);
                let text = format!("{}{screen}", back(drawn));
                drawn = screen.lines().count();
                text
            } else {
                let now = ctx.clock.wall();
                servers
                    .iter()
                    .filter_map(|it| it.line(request, now.try_into().unwrap_or(Timestamp::MAX)))
                    .collect()
            };
            if let Err(exit) = say::more_data(&told) {
                return exit;
            }
        }
        exit_of(
            servers.iter().filter(|server| !server.has_answered).filter_map(|server| server.fault.as_ref()),
        )
    }

    /// Asks all once, at the same time.
    async fn ask(&self, servers: Vec<Server>, ctx: &Ctx) -> Vec<Server> {
        // Who does not answer keeps the others waiting.
        let limit = self.limit.min(self.interval.max(PATIENCE));
        let plan = Plan { samples: 1, spacing: Duration::ZERO, limit };
        let mut tasks = JoinSet::new();
        for (at, mut server) in servers.into_iter().enumerate() {
            let ctx = ctx.clone();
            tasks.spawn(async move {
                server.ask(plan, &ctx).await;
                (at, server)
            });
        }
        let mut servers = tasks.join_all().await;
        servers.sort_by_key(|(at, _)| *at);
        servers.into_iter().map(|(_, server)| server).collect()
    }
}

impl Server {
    fn new(asked: Asked) -> Self {
        let offsets = VecDeque::new();
        Self {
            asked,
            client: None,
            last: None,
            offsets,
            has_answered: false,
            fault: None,
            every: 1,
            left: 0,
            is_over: false,
        }
    }

    /// Asks once, if it is its turn.
    async fn ask(&mut self, plan: Plan, ctx: &Ctx) {
        self.last = None;
        if self.is_over || self.left > 0 {
            self.left = self.left.saturating_sub(1);
            return;
        }
        let began = Instant::now();
        let answer = self.answer(plan, ctx).await;
        match &answer {
            Ok(_) => self.has_answered = true,
            Err(Fault::Kiss(Kiss::Deny)) => self.is_over = true,
            Err(Fault::Kiss(_)) => self.every = (self.every * 2).min(RAREST),
            // Its address may have changed, and a socket may be of no use any more.
            Err(_) => self.client = None,
        }
        self.fault = answer.as_ref().err().cloned().or(self.fault.take());
        self.left = self.every - 1;
        if self.offsets.len() == KEPT {
            self.offsets.pop_front();
        }
        self.offsets.push_back(answer.as_ref().ok().map(|reading| reading.offset_ns));
        let answer = answer.map(|reading| Answer::Reading(Box::new(reading)));
        self.last = Some(Answered { asked: self.asked.clone(), took: began.elapsed(), answer });
    }

    async fn answer(&mut self, plan: Plan, ctx: &Ctx) -> Result<Reading, Fault> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(NtpClient::dial(&self.asked.address, ctx).await?),
        };
        client.ask(plan, ctx).await
    }

    /// What it said just now, as a line; `None` where it was not asked.
    fn line(&self, request: &Request, now: Timestamp) -> Option<String> {
        let last = self.last.as_ref()?;
        let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        if request.has(&flag::JSON) {
            let mut object = object(last, None);
            object.as_object_mut().map(|object| object.insert("time".to_owned(), json!(time)));
            return Some(format!("{object}\n"));
        }
        Some(format!("{time}  {}\n", self.state()))
    }

    /// Its name, and what it said last.
    fn state(&self) -> String {
        let name = printable::line(self.asked.name.as_bytes());
        match self.last.as_ref().map(|last| &last.answer) {
            Some(Ok(Answer::Reading(reading))) => {
                let (offset, delay) = (signed(reading.offset_ns), plain(reading.delay_ns.unsigned_abs()));
                let mark = if reading.status.is_synchronised() { "" } else { ", not synchronised" };
                format!("{name}  offset {offset}, delay {delay}, stratum {}{mark}", reading.status.stratum)
            }
            Some(Err(fault)) => format!("{name}  {fault}"),
            Some(Ok(_)) | None => format!("{name}  is asked once in {} intervals", self.every),
        }
    }
}

/// Moves the cursor to the first of so many lines, and clears all from there.
fn back(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}F\x1b[J") }
}

/// All servers, each with its drawing.
fn screen(servers: &[Server]) -> String {
    let columns = tcgetwinsize(rustix::stdio::stdout()).map_or(COLUMNS, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { COLUMNS } else { columns };
    let lines = (LINES.0 / servers.len().max(1)).max(LINES.1);
    let mut text = String::new();
    for server in servers {
        // A line that is wider than the screen would be two of it, and the next drawing would begin too low.
        let state = server.state();
        let is_cut = state.chars().count() > columns;
        text.extend(state.chars().take(columns.saturating_sub(usize::from(is_cut))));
        text.push_str(if is_cut { "…" } else { "" });
        text.push('\n');
        let offsets: Vec<_> = server.offsets.iter().copied().collect();
        for line in chart::draw(&offsets, columns, lines) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}
