//! For tests: a server at the other end of a network that holds up and loses what it carries, in a time of its own.

use std::time::{Duration, SystemTime};

use super::{Burst, Mode, Packet, Plan, Reading, Step, Timestamp};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Server {
    /// How far its clock is ahead.
    pub(super) offset_ns: i64,
    /// How long the way to it takes at least, and the way back.
    pub(super) way: [Duration; 2],
    /// By how much more at most, as chance has it.
    pub(super) jitter: Duration,
    /// How much of what goes either way is lost, in percent.
    pub(super) loss: u64,
}

impl Server {
    /// Asks it as planned; what came of it, and how long it took.
    pub(super) fn asked(&self, plan: Plan) -> (Option<Reading>, Duration) {
        let (mut burst, mut now, mut chance) = (Burst::new(plan), Duration::ZERO, Chance(1));
        let mut under_way: Vec<(Duration, [u8; super::SIZE])> = Vec::new();
        loop {
            let until = match burst.step(now) {
                Step::End => return (burst.reading(now), now),
                Step::Ask => {
                    let request = burst.ask(now, wall(now), chance.next());
                    under_way.extend(self.answered(&request, now, &mut chance));
                    continue;
                }
                Step::Wait(until) => until,
            };
            under_way.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            match under_way.pop_if(|(at, _)| *at <= until) {
                Some((at, answer)) => {
                    now = now.max(at);
                    burst.hear(&answer, wall(now), now);
                }
                None => now = until,
            }
        }
    }

    fn answered(
        &self,
        request: &[u8],
        now: Duration,
        chance: &mut Chance,
    ) -> Option<(Duration, [u8; super::SIZE])> {
        if chance.percent() < self.loss || chance.percent() < self.loss {
            return None;
        }
        let [there, back] =
            self.way.map(|way| way + self.jitter * u32::try_from(chance.percent()).unwrap() / 100);
        let its = (now + there + BEGIN).as_nanos().cast_signed() + i128::from(self.offset_ns);
        let its = SystemTime::UNIX_EPOCH + Duration::from_nanos(its.try_into().unwrap());
        let request = Packet::read(request).unwrap();
        let time = Timestamp::of(its);
        let answer = Packet {
            mode: Mode::Server,
            stratum: 2,
            precision: -25,
            origin: request.transmit,
            receive: time,
            transmit: time,
            ..request
        };
        Some((now + there + back, answer.bytes()))
    }
}

/// When it began, by our clock.
const BEGIN: Duration = Duration::from_secs(1_800_000_000);

fn wall(now: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + BEGIN + now
}

/// Numbers that repeat in each run (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn percent(&mut self) -> u64 {
        self.next() % 100
    }
}
