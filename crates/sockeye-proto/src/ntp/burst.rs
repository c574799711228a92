//! Several questions to one server, one after another: when to ask, and which answers are believed.

use std::time::{Duration, SystemTime};

use super::{Kiss, Mode, Packet, Reading, SIZE, Sample, Status, Timestamp};
use crate::tries::{Next, Tries};

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many answers are wanted; at least 1.
    pub samples: usize,
    /// From one question to the next.
    pub spacing: Duration,
    /// All is over after so long, with what came until then; where somebody answers, the spacing comes on top.
    pub limit: Duration,
}

/// The questions to one server. Time counts from its begin.
///
/// Each is a number that cannot be guessed, so that only who has seen the question can answer it. A question that is lost is
/// asked again ([`Tries`]), and an answer to any try of it counts. A server that never answers is not asked anything else,
/// and one that sends a kiss is not asked again.
#[derive(Debug)]
pub struct Burst {
    plan: Plan,
    tries: Tries,
    /// What each try of the question in hand has said, and when it left.
    under_way: Vec<(Timestamp, SystemTime)>,
    /// When the next question may be asked.
    due: Duration,
    heard: Vec<Sample>,
    lost: usize,
    doubts: usize,
    /// What the server last said of itself.
    status: Option<Status>,
    kiss: Option<Kiss>,
    is_given_up: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask, by [`Burst::ask`].
    Ask,
    /// Nothing: it is over.
    End,
    /// Wait until then, or for a datagram.
    Wait(Duration),
}

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An answer.
    Answer(Sample),
    /// No answer to what was asked: it is not believed, and the wait goes on.
    Doubt(Doubt),
    /// The server does not want to be asked (so often).
    Kiss(Kiss),
}

/// Why a datagram is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is no answer of a server.
    NoAnswer,
    /// It tells no time.
    NoTime,
    /// It answers another question, or this one for the second time.
    OtherQuestion,
    /// It is shorter than a packet.
    Short,
}

impl Burst {
    /// Begins.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            tries: Tries::default(),
            under_way: Vec::new(),
            due: Duration::ZERO,
            heard: Vec::new(),
            lost: 0,
            doubts: 0,
            status: None,
            kiss: None,
            is_given_up: false,
        }
    }

    /// What is to be done now.
    pub fn step(&mut self, now: Duration) -> Step {
        let limit = self.limit();
        if self.is_given_up || self.kiss.is_some() || now >= limit {
            return Step::End;
        }
        if self.tries.next(now) == Next::GiveUp {
            self.lost += 1;
            self.is_given_up = self.status.is_none();
            self.turn();
        }
        let is_over = self.is_given_up || self.heard.len() + self.lost >= self.plan.samples;
        match self.tries.next(now) {
            _ if is_over => Step::End,
            Next::Ask if self.tries.made() == 0 && now < self.due => Step::Wait(self.due.min(limit)),
            Next::Wait(until) => Step::Wait(until.min(limit)),
            Next::Ask | Next::GiveUp => Step::Ask,
        }
    }

    /// When all is over.
    fn limit(&self) -> Duration {
        let questions = if self.status.is_some() { self.plan.samples } else { 0 };
        let between = self.plan.spacing.saturating_mul(u32::try_from(questions).unwrap_or(u32::MAX));
        self.plan.limit.saturating_add(between)
    }

    /// The request to be sent at `sent`, which is now by the clock that is compared. `chance` is any number, each as likely,
    /// and from where nobody else can know it.
    pub fn ask(&mut self, now: Duration, sent: SystemTime, chance: u64) -> [u8; SIZE] {
        if self.tries.made() == 0 {
            self.due = now.saturating_add(self.plan.spacing);
        }
        self.tries.ask(now);
        let question = Timestamp::from_bits(chance.max(1));
        self.under_way.push((question, sent));
        Packet::request(question).bytes()
    }

    /// A datagram that came from the server at `came`, by the clock that is compared.
    pub fn hear(&mut self, datagram: &[u8], came: SystemTime, now: Duration) -> Heard {
        match self.judge(datagram, came, now) {
            Ok(heard) => heard,
            Err(doubt) => {
                self.doubts += 1;
                Heard::Doubt(doubt)
            }
        }
    }

    fn judge(&mut self, datagram: &[u8], came: SystemTime, now: Duration) -> Result<Heard, Doubt> {
        let packet = Packet::read(datagram).ok_or(Doubt::Short)?;
        if packet.mode != Mode::Server || !(1..=4).contains(&packet.version) {
            return Err(Doubt::NoAnswer);
        }
        let asked = self.under_way.iter().find(|(question, _)| *question == packet.origin);
        let (_, sent) = *asked.ok_or(Doubt::OtherQuestion)?;
        if let Some(kiss) = packet.kiss() {
            self.turn();
            self.kiss = Some(kiss);
            return Ok(Heard::Kiss(kiss));
        }
        if packet.receive == Timestamp::UNKNOWN || packet.transmit == Timestamp::UNKNOWN {
            return Err(Doubt::NoTime);
        }
        let sample = Sample::of(&packet, sent, came, now);
        self.turn();
        self.heard.push(sample);
        self.status = Some(packet.status());
        Ok(Heard::Answer(sample))
    }

    /// The question in hand is over.
    fn turn(&mut self) {
        self.tries = Tries::default();
        self.under_way.clear();
    }

    /// What came of it, by its end at `now`; `None` where nobody has answered.
    pub fn reading(&self, now: Duration) -> Option<Reading> {
        let reading = Reading::of(&self.heard, self.status.as_ref()?, now)?;
        Some(Reading { lost: self.lost, doubts: self.doubts, kiss: self.kiss, ..reading })
    }

    /// How many datagrams were not believed.
    pub fn doubts(&self) -> usize {
        self.doubts
    }

    /// What the server asked for instead of telling the time.
    pub fn kiss(&self) -> Option<Kiss> {
        self.kiss
    }
}

#[cfg(test)]
mod tests {
    use super::super::{agreement, simulated::Server};
    use super::*;

    const PLAN: Plan =
        Plan { samples: 8, spacing: Duration::from_millis(200), limit: Duration::from_secs(60) };

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn answer(burst: &Burst) -> Packet {
        let now = Timestamp::of(SystemTime::UNIX_EPOCH);
        Packet {
            mode: Mode::Server,
            stratum: 1,
            origin: burst.under_way.last().unwrap().0,
            receive: now,
            transmit: now,
            ..Packet::request(now)
        }
    }

    #[test]
    fn the_offset_is_found_through_jitter_by_the_answers_that_came_quickest() {
        for offset_ns in [0, 1_500_000, -2_000_000_000, 90_000_000_000] {
            let server =
                Server { offset_ns, way: [millis(4), millis(6)], jitter: millis(30), ..Server::default() };
            let (reading, took) = server.asked(PLAN);
            let reading = reading.unwrap();
            assert!((reading.offset_ns - offset_ns).abs() < 6_000_000, "{reading:?}");
            assert!(reading.delay_ns >= 10_000_000 && reading.samples == 8 && reading.lost == 0);
            assert!(reading.jitter > Duration::ZERO && took < Duration::from_secs(2), "{took:?}");
        }
    }

    #[test]
    fn what_is_lost_is_asked_again_and_the_offset_is_found_all_the_same() {
        let server = Server { offset_ns: 7_000_000, way: [millis(1); 2], loss: 20, ..Server::default() };
        let (reading, _) = server.asked(PLAN);
        let reading = reading.unwrap();
        assert!((6_999_999..=7_000_001).contains(&reading.offset_ns), "{reading:?}");
        assert!(reading.samples >= 6 && reading.samples + reading.lost == 8, "{reading:?}");
    }

    #[test]
    fn who_never_answers_is_asked_three_times_and_no_more() {
        let dead = Server { loss: 100, ..Server::default() };
        let (reading, took) = dead.asked(PLAN);
        assert_eq!((reading, took), (None, millis(3500)));
        let (reading, took) = dead.asked(Plan { limit: millis(800), ..PLAN });
        assert_eq!((reading, took), (None, millis(800)));
        let lame = Server { way: [millis(150); 2], ..Server::default() };
        let (reading, took) = lame.asked(Plan { limit: millis(400), ..PLAN });
        assert_eq!((reading.unwrap().samples, took), (6, millis(2000)));
    }

    #[test]
    fn answers_that_come_after_the_next_try_count_for_the_one_that_they_answer() {
        let far = Server { way: [millis(350), millis(350)], ..Server::default() };
        let (reading, _) = far.asked(Plan { samples: 3, ..PLAN });
        let reading = reading.unwrap();
        assert!((-1..=1).contains(&reading.offset_ns), "{reading:?}");
        assert_eq!((reading.delay_ns / 10, reading.samples, reading.lost), (69_999_999, 3, 0));
    }

    #[test]
    fn of_five_servers_the_one_that_tells_another_time_is_found() {
        let offsets = [1_000_000, 1_200_000, 500_000_000, 900_000, 1_100_000];
        let readings = offsets.map(|offset_ns| {
            let server =
                Server { offset_ns, way: [millis(5), millis(8)], jitter: millis(3), ..Server::default() };
            server.asked(PLAN).0.unwrap()
        });
        let ranges: Vec<_> = readings.iter().map(|reading| (reading.offset_ns, reading.distance)).collect();
        let agreement = agreement(&ranges).unwrap();
        assert_eq!(agreement.agrees, [true, true, false, true, true]);
        assert!((agreement.offset_ns - 1_050_000).abs() < 3_000_000, "{agreement:?}");
    }

    #[test]
    fn only_an_answer_to_this_question_is_believed_and_only_once() {
        let (mut burst, now, at) = (Burst::new(PLAN), Duration::ZERO, SystemTime::UNIX_EPOCH);
        let asked = burst.ask(now, at, 7);
        let right = answer(&burst);
        for (wrong, doubt) in [
            (asked.to_vec(), Doubt::NoAnswer),
            (right.bytes()[..47].to_vec(), Doubt::Short),
            (Packet { origin: Timestamp::from_bits(8), ..right }.bytes().to_vec(), Doubt::OtherQuestion),
            (Packet { origin: Timestamp::UNKNOWN, ..right }.bytes().to_vec(), Doubt::OtherQuestion),
            (Packet { transmit: Timestamp::UNKNOWN, ..right }.bytes().to_vec(), Doubt::NoTime),
            (Packet { mode: Mode::Broadcast, ..right }.bytes().to_vec(), Doubt::NoAnswer),
            (Packet { version: 7, ..right }.bytes().to_vec(), Doubt::NoAnswer),
        ] {
            assert_eq!(burst.hear(&wrong, at, now), Heard::Doubt(doubt));
        }
        assert!(matches!(burst.hear(&right.bytes(), at, now), Heard::Answer(_)));
        assert_eq!(burst.hear(&right.bytes(), at, now), Heard::Doubt(Doubt::OtherQuestion));
        let reading = burst.reading(now).unwrap();
        assert_eq!((reading.samples, reading.doubts), (1, 8));
    }

    #[test]
    fn a_kiss_ends_it_and_a_forged_one_does_not() {
        let (mut burst, now, at) = (Burst::new(PLAN), Duration::ZERO, SystemTime::UNIX_EPOCH);
        burst.ask(now, at, 7);
        let reference_id = super::super::ReferenceId(*b"RATE");
        let kiss = Packet { stratum: 0, reference_id, ..answer(&burst) };
        let forged = Packet { origin: Timestamp::from_bits(1), ..kiss };
        assert_eq!(burst.hear(&forged.bytes(), at, now), Heard::Doubt(Doubt::OtherQuestion));
        assert_eq!(burst.hear(&kiss.bytes(), at, now), Heard::Kiss(Kiss::Rate));
        assert_eq!((burst.step(millis(9)), burst.kiss()), (Step::End, Some(Kiss::Rate)));
    }
}
