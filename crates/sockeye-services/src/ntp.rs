//! `ntp`: the time here, for whoever sets a clock by it (RFC 5905).
//!
//! It sets no clock, and of who asks it keeps nothing but how often, where that is limited.

mod keeper;
mod mirror;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sockeye::proto::ntp::{Packet, Patience, Timestamp, Verdict};
use sockeye::proto::reflect::is_near;
use sockeye::proto::unit;
use sockeye::{
    BoxFuture, Built, Carries, Conn, Ctx, Datagrams, Given, Ignored, May, Message, Replies, Result, Service,
    ServiceFlag, ServiceRow,
};
use tokio::time::Instant;

use self::keeper::Keeper;
use self::mirror::Mirror;
use crate::session;

pub(crate) static NTP: ServiceRow = ServiceRow {
    name: "ntp",
    help: "the time, to set a clock by (NTP, RFC 5905)",
    flags: &[
        flag("stratum", "N", "the stratum of a clock that is kept here; 3 unless set"),
        flag("local-stratum", "N", "the stratum of one that nobody keeps; 16 unless set"),
        flag("mirror", "HOST[:PORT]", "say of this clock what the NTP server there says"),
        flag("interval", "TIME", "how often one may ask; 1s unless set, and 0s nearby"),
    ],
    carries: Carries::Datagrams { frame: "frame=len32" },
    speaks: &[],
    may: May::Answer,
    port: 7710,
    example: "sockeye time ntp:localhost:PORT",
    build,
};

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> ServiceFlag {
    ServiceFlag { name, value: Some(value), repeats: false, help }
}

/// How often who is beyond this machine and private networks is answered, unless that is set.
const INTERVAL: Duration = Duration::from_secs(1);
/// No client asks more rarely (RFC 5905, MAXPOLL).
const LONGEST: Duration = Duration::from_secs(1 << 17);

fn build(given: &Given, ctx: &Ctx) -> Built {
    let local = stratum(given, "local-stratum", 1)?;
    let mirror = given.value("mirror").map(mirror::address).transpose()?;
    let interval = given.value("interval").map(interval).transpose()?;
    let keeper = match (mirror, stratum(given, "stratum", 2)?) {
        (Some(_), Some(_)) => return Err("--mirror says the stratum, and so does --stratum".to_owned()),
        (Some(address), None) => Keeper::mirror(Mirror::start(address, ctx), local),
        (None, stratum) => Keeper::kernel(stratum, local),
    };
    Ok(Arc::new(Ntp { keeper, interval, patience: Mutex::default(), began: Instant::now() }))
}

fn stratum(given: &Given, name: &str, least: u8) -> std::result::Result<Option<u8>, String> {
    let Some(value) = given.value(name) else { return Ok(None) };
    match value.parse() {
        Ok(stratum) if (least..=15).contains(&stratum) => Ok(Some(stratum)),
        _ => Err(format!("--{name} {value}: expected a number from {least} to 15")),
    }
}

fn interval(text: &str) -> std::result::Result<Duration, String> {
    let interval = unit::duration(text).filter(|interval| *interval <= LONGEST);
    interval.ok_or_else(|| format!("--interval {text}: expected a time, such as 2s, of at most 36h"))
}

struct Ntp {
    keeper: Keeper,
    /// How often everybody may ask, where that is set.
    interval: Option<Duration>,
    /// Of those whom it concerns; most servers have none.
    patience: Mutex<Option<Patience>>,
    /// When time began for patience.
    began: Instant,
}

impl Service for Ntp {
    fn serve<'a>(&'a self, conn: Conn, ctx: &'a Ctx) -> BoxFuture<'a, Result<()>> {
        Box::pin(session::answer(conn, ctx, self))
    }

    fn as_datagrams(&self) -> Option<&dyn Datagrams> {
        Some(self)
    }
}

impl Datagrams for Ntp {
    fn answer(&self, datagram: &Message, replies: &mut Replies, ctx: &Ctx) {
        let received = Timestamp::of(datagram.at.unwrap_or_else(|| ctx.clock.wall()));
        let status = self.keeper.status(received, ctx);
        let answer = Packet::read(&datagram.payload)
            .and_then(|request| status.answer(&request, received, Timestamp::UNKNOWN));
        let Some(answer) = answer else { return replies.ignore(Ignored::Foreign) };
        let answer = match self.hears(datagram.from.ip()) {
            Verdict::Answer => answer,
            Verdict::Kiss => answer.into_rate_kiss(),
            Verdict::Silence => return replies.ignore(Ignored::TooOften),
        };
        let reply = replies.add();
        // The last of all that is done: what follows, the client takes for the way.
        let answer = Packet { transmit: Timestamp::of(ctx.clock.wall()), ..answer };
        reply.extend_from_slice(&answer.bytes());
    }

    fn asks_when(&self) -> bool {
        true
    }

    fn may_loop(&self) -> bool {
        false
    }
}

impl Ntp {
    /// Whose address is not known, such as that of a program at a Unix socket, is near.
    fn hears(&self, from: Option<IpAddr>) -> Verdict {
        let interval = self.interval.unwrap_or(INTERVAL);
        match from {
            Some(from) if self.interval.is_some() || !is_near(from) => {
                let mut patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
                let patience = patience.get_or_insert_with(|| Patience::new(interval));
                patience.hears(from, self.began.elapsed())
            }
            _ => Verdict::Answer,
        }
    }
}
