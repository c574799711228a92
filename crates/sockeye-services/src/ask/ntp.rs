//! A client of NTP servers, which compares their clocks with ours.

use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use sockeye::proto::address::{Address, Value};
use sockeye::proto::ntp::{Burst, Plan, Reading, Step};
use sockeye::{Conn, Ctx, Endpoint, Error, Message, Op, Result};
use tokio::time::{Instant, timeout_at};

use super::Fault;

/// A way to one server, which can be asked again and again.
#[derive(Debug)]
pub struct NtpClient {
    conn: Conn,
    message: Message,
    /// Who alone is heard, where the kernel lets in everybody.
    only: Option<Endpoint>,
}

impl NtpClient {
    /// Opens a way to the server at an address of messages, such as `udp:host:123,timestamps`: with that option the
    /// kernel tells when an answer came, else it is when we have read it. Nothing is sent yet. Cancel safe.
    ///
    /// # Errors
    /// As [`sockeye::dial`].
    pub async fn dial(address: &Address, ctx: &Ctx) -> Result<Self> {
        let conn = sockeye::dial(address, ctx).await?;
        let is_open = address.options().value("open") == Some(&Value::Switch(true));
        let only = is_open.then(|| conn.peer().remote);
        Ok(Self { conn, message: Message::default(), only })
    }

    /// Asks as planned, and says what came of it. Where the way breaks off or the plan's time runs out, that is what came
    /// until then. Cancel safe: answers to what was asked before are not believed.
    ///
    /// # Errors
    /// Nobody has answered, or the server asks not to be asked.
    pub async fn ask(&mut self, plan: Plan, ctx: &Ctx) -> std::result::Result<Reading, Fault> {
        let (mut burst, began) = (Burst::new(plan), Instant::now());
        let broken = self.run(&mut burst, began, ctx).await.err();
        let lasted = began.elapsed();
        if let Some(reading) = burst.reading(lasted) {
            return Ok(reading);
        }
        match (burst.kiss(), broken) {
            (Some(kiss), _) => Err(Fault::Kiss(kiss)),
            (None, Some(fault)) => Err(fault),
            (None, None) => Err(Fault::Silent { after: lasted.min(plan.limit), doubts: burst.doubts() }),
        }
    }

    async fn run(&mut self, burst: &mut Burst, began: Instant, ctx: &Ctx) -> std::result::Result<(), Fault> {
        loop {
            match burst.step(began.elapsed()) {
                Step::End => return Ok(()),
                Step::Ask => {
                    let chance = chance().map_err(|error| Error::new(Op::Write, error))?;
                    let request = burst.ask(began.elapsed(), ctx.clock.wall(), chance);
                    self.conn.send(&request).await?;
                }
                Step::Wait(until) => self.hear(burst, began, until, ctx).await?,
            }
        }
    }

    /// Waits for a datagram until then.
    async fn hear(
        &mut self,
        burst: &mut Burst,
        began: Instant,
        until: Duration,
        ctx: &Ctx,
    ) -> std::result::Result<(), Fault> {
        let Ok(received) = timeout_at(began + until, self.conn.receive(&mut self.message)).await else {
            return Ok(());
        };
        if !received? {
            return Err(Fault::Ended);
        }
        if self.only.is_none_or(|only| only == self.message.from) {
            let came = self.message.at.unwrap_or_else(|| ctx.clock.wall());
            burst.hear(&self.message.payload, came, began.elapsed());
        }
        Ok(())
    }
}

/// A number that nobody can guess.
fn chance() -> rustix::io::Result<u64> {
    let mut bytes = [0; 8];
    rustix::io::retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()))?;
    Ok(u64::from_ne_bytes(bytes))
}
