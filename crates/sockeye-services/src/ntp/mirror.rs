//! Saying of our clock what another server says of its own: one that keeps ours, such as chronyd on this machine.

use std::hash::{BuildHasher as _, RandomState};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sockeye::proto::address::Address;
use sockeye::proto::ntp::{Kiss, Mode, PORT, Packet, Sample, Short, Status, Timestamp};
use sockeye::proto::reflect::is_near;
use sockeye::{Conn, Ctx, Doubt, Error, Event, Message, Wants};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How often a server is asked on this machine or a private network, and how often elsewhere.
const NEAR: Duration = Duration::from_secs(1);
const FAR: Duration = Duration::from_secs(64);
/// How often at least, also where it asks to be asked less often.
const RAREST: Duration = Duration::from_secs(1024);
/// How long an answer is waited for, name look-up included.
const LIMIT: Duration = Duration::from_secs(1);
/// After so many questions without an answer, what was said before is forgotten.
const MISSES: u32 = 8;

/// Where `--mirror` asks: at port 123, unless `host` names another.
pub(super) fn address(host: &str) -> Result<Address, String> {
    let is_bare = host.parse::<Ipv6Addr>().is_ok();
    let place = if is_bare { format!("[{host}]") } else { host.to_owned() };
    let read = |place: &str| sockeye::parse(&format!("udp:{place}"), &["timestamps".to_owned()]);
    let read = read(&place).or_else(|_| read(&format!("{place}:{PORT}")));
    read.map_err(|_| format!("--mirror {host}: expected a host, or HOST:PORT"))
}

/// Asks a server until it is dropped.
pub(super) struct Mirror {
    said: Arc<Mutex<Option<Status>>>,
    /// The task that asks.
    _task: JoinSet<()>,
}

impl Mirror {
    /// Begins to ask.
    pub(super) fn start(address: Address, ctx: &Ctx) -> Self {
        let (said, mut task) = (Arc::default(), JoinSet::new());
        let asking = Asking {
            server: address.bare_word().into(),
            address,
            ctx: ctx.clone(),
            conn: None,
            said: Arc::clone(&said),
            interval: NEAR,
            misses: MISSES,
            is_trusted: None,
        };
        task.spawn(asking.run());
        Self { said, _task: task }
    }

    /// What the server said last; `None` where that is not to be believed.
    pub(super) fn said(&self) -> Option<Status> {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Asking {
    server: Arc<str>,
    address: Address,
    ctx: Ctx,
    /// As long as it is answered.
    conn: Option<Conn>,
    said: Arc<Mutex<Option<Status>>>,
    interval: Duration,
    /// Questions without an answer, since the last that had one.
    misses: u32,
    /// Whether what it says is believed, as was last told.
    is_trusted: Option<bool>,
}

impl Asking {
    async fn run(mut self) {
        loop {
            self.ask_once().await;
            sleep(self.interval).await;
        }
    }

    async fn ask_once(&mut self) {
        let answer = timeout(LIMIT, self.ask()).await;
        match answer {
            Ok(Ok(Some(answer))) => self.hear(&answer),
            Ok(Err(error)) => self.miss(Some(error)),
            Ok(Ok(None)) | Err(_) => self.miss(None),
        }
    }

    /// Asks, and waits for the answer to this very question; `None` where none can come any more.
    async fn ask(&mut self) -> sockeye::Result<Option<Exchange>> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => {
                let conn = sockeye::dial(&self.address, &self.ctx).await?;
                let is_far = conn.peer().remote.ip().is_some_and(|ip| !is_near(ip));
                self.interval = self.interval.max(if is_far { FAR } else { NEAR });
                none.insert(conn)
            }
        };
        // Nobody can guess it who did not see the question.
        let question = Timestamp::from_bits(RandomState::new().hash_one(()));
        let asked = self.ctx.clock.wall();
        conn.send(&Packet::request(question).bytes()).await?;
        let mut message = Message::default();
        while conn.receive(&mut message).await? {
            let came = message.at.unwrap_or_else(|| self.ctx.clock.wall());
            match Packet::read(&message.payload) {
                Some(answer) if (answer.mode, answer.origin) == (Mode::Server, question) => {
                    return Ok(Some(Exchange { asked, answer, came }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn hear(&mut self, exchange: &Exchange) {
        match exchange.answer.kiss() {
            None => {
                self.misses = 0;
                let status = exchange.status();
                let is_good = status.is_synchronised();
                self.believe(is_good.then_some(status), || Doubt::Unsynchronised);
            }
            Some(Kiss::Deny) => {
                self.misses = 0;
                self.interval = RAREST;
                self.believe(None, || Doubt::Denied);
            }
            Some(kiss) => {
                if kiss == Kiss::Rate {
                    self.interval = (self.interval * 2).min(RAREST);
                }
                // What it said of its clock before gets old.
                self.misses = self.misses.saturating_add(1);
                if self.misses >= MISSES {
                    self.believe(None, || Doubt::Unsynchronised);
                }
            }
        }
    }

    /// Where it is comes from a name that may lead elsewhere by now.
    fn miss(&mut self, why: Option<Error>) {
        self.conn = None;
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MISSES {
            self.believe(None, || Doubt::Silent(why));
        }
    }

    fn believe(&mut self, status: Option<Status>, why_not: impl FnOnce() -> Doubt) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = status;
        let (before, is_trusted) = (self.is_trusted, status.is_some());
        self.is_trusted = Some(is_trusted);
        if before.unwrap_or(true) != is_trusted {
            let keeper = Some(self.server.clone());
            self.ctx.events.tell(Wants::Trouble, || match is_trusted {
                true => Event::ClockTrusted { keeper },
                false => Event::ClockDoubted { keeper, why: why_not() },
            });
        }
    }
}

/// A question and its answer, with the times on our clock.
struct Exchange {
    asked: SystemTime,
    answer: Packet,
    came: SystemTime,
}

impl Exchange {
    /// What the answer says of the server's clock, as ours: as far as ours is off from that, it is worse.
    fn status(&self) -> Status {
        let sample = Sample::of(&self.answer, self.asked, self.came, Duration::ZERO);
        let error = sample.offset_ns.unsigned_abs() + sample.delay_ns.unsigned_abs() / 2;
        let theirs = self.answer.status();
        let root_dispersion = theirs.root_dispersion.duration() + Duration::from_nanos(error);
        Status { root_dispersion: Short::of(root_dispersion), ..theirs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye::proto::ntp::{Leap, ReferenceId};

    #[test]
    fn a_server_is_named_with_or_without_its_port() {
        for (host, word) in [
            ("time.example", "udp:time.example:123"),
            ("192.0.2.1", "udp:192.0.2.1:123"),
            ("time.example:1123", "udp:time.example:1123"),
            ("::1", "udp:[::1]:123"),
            ("[::1]:1123", "udp:[::1]:1123"),
        ] {
            assert_eq!(address(host).unwrap().bare_word(), word);
        }
        for wrong in ["", "a b", "host:99999", ":123"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_a_server_said_counts_until_it_is_silent_for_long_or_says_something_else() {
        let said = Arc::new(Mutex::new(None));
        let mut ctx = Ctx::default();
        let mut events = ctx.events.subscribe(9, Wants::Trouble);
        let address = address("127.0.0.1").unwrap();
        let mut asking = Asking {
            server: "it".into(),
            address,
            ctx,
            conn: None,
            said: said.clone(),
            interval: NEAR,
            misses: MISSES,
            is_trusted: None,
        };
        let answers = |stratum, reference_id: &[u8; 4]| Exchange {
            asked: SystemTime::UNIX_EPOCH,
            answer: Packet {
                mode: Mode::Server,
                stratum,
                reference_id: ReferenceId(*reference_id),
                ..Packet::request(Timestamp::UNKNOWN)
            },
            came: SystemTime::UNIX_EPOCH,
        };
        let stratum = || said.lock().unwrap().map(|status: Status| status.stratum);
        asking.miss(None);
        assert!(matches!(events.try_recv(), Ok(Event::ClockDoubted { why: Doubt::Silent(None), .. })));
        asking.hear(&answers(2, b"\x7f\0\0\x01"));
        assert!(matches!(events.try_recv(), Ok(Event::ClockTrusted { .. })));
        // It is asked less often, and what it said still counts, also while it misses a few.
        asking.hear(&answers(0, b"RATE"));
        (2..MISSES).for_each(|_| asking.miss(None));
        assert_eq!((stratum(), asking.interval), (Some(2), 2 * NEAR));
        assert!(events.try_recv().is_err());
        asking.miss(None);
        assert_eq!(stratum(), None);
        assert!(matches!(events.try_recv(), Ok(Event::ClockDoubted { .. })));
        asking.hear(&answers(2, b"\x7f\0\0\x01"));
        asking.hear(&answers(16, b"\0\0\0\0"));
        assert_eq!(stratum(), None);
        assert!(matches!(events.try_recv(), Ok(Event::ClockTrusted { .. })));
        assert!(matches!(events.try_recv(), Ok(Event::ClockDoubted { why: Doubt::Unsynchronised, .. })));
        asking.hear(&answers(0, b"DENY"));
        assert_eq!((stratum(), asking.interval), (None, RAREST));
        assert!(events.try_recv().is_err(), "it was doubted before");
        asking.hear(&answers(2, b"\x7f\0\0\x01"));
        (0..MISSES).for_each(|_| asking.hear(&answers(0, b"INIT")));
        assert_eq!(stratum(), None, "one that only says that it cannot tell");
    }

    #[test]
    fn what_our_clock_is_off_makes_it_worse() {
        let at = |micros: u64| SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_000 + micros);
        let answer = Packet {
            leap: Leap::Insert,
            stratum: 2,
            root_dispersion: Short::of(Duration::from_secs(1)),
            reference_id: ReferenceId([192, 0, 2, 1]),
            receive: Timestamp::of(at(1000)),
            transmit: Timestamp::of(at(1200)),
            ..Packet::request(Timestamp::UNKNOWN)
        };
        // 1,000 µs there and 400 back: theirs is 300 ahead of ours, and both ways last 700 each.
        let status = Exchange { asked: at(0), answer, came: at(1600) }.status();
        assert_eq!(
            (status.leap, status.stratum, status.reference_id),
            (Leap::Insert, 2, answer.reference_id)
        );
        let more = status.root_dispersion.duration() - Duration::from_secs(1);
        assert!(more.abs_diff(Duration::from_micros(1000)) < Duration::from_micros(32), "{more:?}");
        // A server that says anything makes nothing overflow.
        for bits in [0, 1 << 63, u64::MAX] {
            let answer = Packet {
                receive: Timestamp::from_bits(bits),
                transmit: Timestamp::from_bits(!bits),
                ..answer
            };
            Exchange { asked: at(0), answer, came: at(0) }.status();
        }
    }
}
