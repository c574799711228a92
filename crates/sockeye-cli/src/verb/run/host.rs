//! A command on one host: connects, asks for it, and moves its streams until it has ended.

use std::future::pending;
use std::time::Duration;

use sockeye::proto::address::Address;
use sockeye::proto::exec::Stream;
use sockeye::proto::retry::Retry;
use sockeye::{Cause, Conn, Ctx, Kind, Limit, Op, Size};
use sockeye_services::exec_client::{Client, Command, End, Event, Fault};
use tokio::sync::watch;
use tokio::time::timeout;

use super::input::Input;
use super::order::Order;
use super::outcome::Outcome;
use super::output::Output;
use super::parts;
use super::signals::Signals;
use super::terminal::Terminal;

/// Why a command's streams came to a halt.
pub(super) enum Halt {
    /// Those on our side.
    Here(sockeye::Error),
    /// It had so long, and has not ended.
    Late(Duration),
    /// The connection.
    There(Fault),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::There(fault)
    }
}

/// What a command has on our side.
pub(super) struct Ends {
    pub(super) input: Input,
    pub(super) output: Output,
    /// Where it has a terminal there, ours.
    pub(super) terminal: Option<Terminal>,
}

/// Runs it, and says how it went. Dropping this ends the command.
pub(super) async fn run(
    address: &Address,
    order: &Order,
    ends: &mut Ends,
    signals: &Signals,
    ctx: &Ctx,
) -> Outcome {
    let running = async {
        let conn = connect(address, order.retries, ctx).await.map_err(Fault::from)?;
        if let Some(raw) = &order.raw {
            return raw.run(conn, ends).await;
        }
        if conn.is_lossy() {
            return parts::run(conn, order, ends, ctx).await;
        }
        let client = Client::new(conn, &order.token, ctx)?;
        // It is asked for together with the greeting, which saves the time of a way there and back.
        let command = client.start(&order.request)?;
        welcome(&client, address, ctx).await?;
        if order.request.terminal.is_some() {
            // Not before: until then Ctrl-C is for us.
            ends.terminal = Some(Terminal::begin().map_err(Halt::Here)?);
        }
        let (_running, heard) = signals.run();
        talk(&command, ends, heard, ctx).await
    };
    let outcome = match order.timeout {
        None => running.await,
        Some(limit) => timeout(limit, running).await.unwrap_or(Err(Halt::Late(limit))),
    };
    // A line that was begun is shown also where its end never came.
    let finished = ends.output.finish().await;
    match (outcome, finished) {
        (Ok(_), Err(error)) | (Err(Halt::Here(error)), _) => here(error),
        (Ok(end), Ok(())) => Outcome::Ended(end),
        (Err(Halt::Late(limit)), _) => Outcome::Late(limit),
        (Err(Halt::There(fault)), _) => Outcome::Lost(fault),
    }
}

fn here(error: sockeye::Error) -> Outcome {
    if error.op() == Op::Write && error.kind() == Kind::Reset {
        Outcome::Unread
    } else {
        Outcome::Here(error)
    }
}

/// Connects, and tries again where that may help. Nothing was asked yet, so nothing runs twice.
async fn connect(address: &Address, retries: usize, ctx: &Ctx) -> sockeye::Result<Conn> {
    let mut retry = Retry::new(Duration::MAX, Duration::ZERO);
    for _ in 0..retries {
        match sockeye::dial(address, ctx).await {
            Err(error) if error.may_pass() => {
                // Without chance: that is for many clients of one server.
                tokio::time::sleep(retry.wait(Duration::ZERO, u32::MAX / 2).unwrap_or_default()).await;
            }
            tried => return tried,
        }
    }
    sockeye::dial(address, ctx).await
}

/// Waits until the server has taken us, for as long as a handshake may last.
async fn welcome(client: &Client, address: &Address, ctx: &Ctx) -> Result<(), Fault> {
    let welcomed = match sockeye::limits(address, &ctx.limits).handshake {
        None => client.welcomed().await,
        Some(limit) => timeout(limit, client.welcomed()).await.unwrap_or_else(|_| {
            let late = Cause::Limit(Limit::Handshake, limit);
            Err(sockeye::Error::new(Op::Handshake, late).on(address.bare_word()).into())
        }),
    };
    welcomed.map(|_| ())
}

/// Moves its streams until it has ended.
async fn talk(
    command: &Command,
    ends: &mut Ends,
    mut heard: watch::Receiver<u8>,
    ctx: &Ctx,
) -> Result<End, Halt> {
    let Ends { input, output, terminal } = ends;
    let passed_on = async {
        while heard.changed().await.is_ok() {
            let number = *heard.borrow_and_update();
            if command.signal(number).await.is_err() {
                break;
            }
        }
        pending().await
    };
    let resized = async {
        let Some(terminal) = terminal else { return pending().await };
        loop {
            let window = terminal.resized().await;
            if command.resize(window).await.is_err() {
                return pending().await;
            }
        }
    };
    let fed = async {
        match feed(command, input, ctx).await {
            Halt::There(_) => pending().await,
            halt => Err(halt),
        }
    };
    // That the connection is lost is for who hears to tell: what came before it is told first.
    tokio::select! {
        ended = hear(command, output, ctx) => ended,
        halt = fed => halt,
        fault = passed_on => fault,
        fault = resized => fault,
    }
}

/// Writes what it says, in the order in which it came.
async fn hear(command: &Command, output: &mut Output, ctx: &Ctx) -> Result<End, Halt> {
    // Held for as long as the command runs: it is one a host, and at most as many as run at once.
    let mut buffer = ctx.buffers.lend(Size::Large);
    loop {
        let (stream, bytes) = match command.next(&mut buffer).await? {
            Event::Started => continue,
            Event::Output(bytes) => (Stream::Output, bytes),
            Event::Errors(bytes) => (Stream::Errors, bytes),
            Event::Ended(end) => {
                ctx.buffers.give_back(buffer);
                return Ok(end);
            }
        };
        output.write(stream, buffer.get(..bytes).unwrap_or_default()).await.map_err(Halt::Here)?;
    }
}

/// Sends it what there is to read, and then the end. It says why it could not, and nothing else ends it.
async fn feed(command: &Command, input: &mut Input, ctx: &Ctx) -> Halt {
    let mut buffer = ctx.buffers.lend(Size::Medium);
    let fed = async {
        loop {
            let read = input.read(&mut buffer).await.map_err(Halt::Here)?;
            let mut rest = buffer.get(..read).unwrap_or_default();
            if rest.is_empty() {
                command.end_input().await?;
                return Ok::<(), Halt>(());
            }
            while !rest.is_empty() {
                match command.write(rest).await? {
                    // It has ended, and its end is on its way to who waits for it.
                    0 => return Ok(()),
                    taken => rest = rest.get(taken..).unwrap_or_default(),
                }
            }
        }
    };
    match fed.await {
        Ok(()) => pending().await,
        Err(halt) => halt,
    }
}
