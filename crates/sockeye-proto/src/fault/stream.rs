//! One way of a connection of bytes.

use std::collections::VecDeque;
use std::time::Duration;

use super::deeds::Deeds;
use super::gate::{Gate, Leave, Step};
use super::random::{Dice, Random};
use super::{Cut, Fault, HELD, What};
use crate::way::Way;

/// The most that is held where nothing is to come later: as much as one reads at once.
const PASSING: usize = 64 << 10;

/// What an empty queue keeps of its room.
const KEPT: usize = 4 << 10;

/// The bytes that are under way one way, in their order. All times are since the connection began.
#[derive(Debug)]
pub struct Stream {
    gate: Gate,
    glue: Option<Duration>,
    delay: Option<Delay>,
    corrupt: Option<Dice>,
    bytes: VecDeque<u8>,
    /// How many of the bytes are due when, in the order of both.
    due: VecDeque<(Duration, usize)>,
    /// What comes until then is glued to what came before.
    glued_until: Duration,
    /// When the end of file is due.
    end: Option<Duration>,
    over: Option<Cut>,
    room: usize,
    is_plain: bool,
    deeds: Deeds,
}

/// How much later something comes.
#[derive(Debug)]
pub(super) struct Delay {
    pub(super) by: Duration,
    pub(super) jitter: Duration,
    pub(super) random: Random,
}

impl Delay {
    /// When what comes now is due.
    pub(super) fn due(&mut self, now: Duration) -> Duration {
        let spread = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX).saturating_mul(2);
        let more = Duration::from_nanos(self.random.below(spread.saturating_add(1)));
        now.saturating_add(self.by.saturating_add(more).saturating_sub(self.jitter))
    }
}

impl Stream {
    /// That way of the connection of that number, with those of `faults` that are on it.
    pub fn new(faults: &[Fault], way: Way, seed: u64, number: u64) -> Self {
        let (mut glue, mut delay, mut corrupt) = (None, None, None);
        let concerned = faults.iter().filter(|fault| fault.concerns(way));
        for fault in concerned.clone() {
            let random = fault.random(way, seed, number);
            match fault.what {
                What::Corrupt(chance) => corrupt = Some(Dice::new(chance, random)),
                What::Delay { by, jitter } => delay = Some(Delay { by, jitter, random }),
                What::Glue(time) => glue = Some(time),
                _ => {}
            }
        }
        Self {
            gate: Gate::new(faults, way),
            room: if delay.is_some() || glue.is_some() { HELD } else { PASSING },
            glue,
            delay,
            corrupt,
            bytes: VecDeque::new(),
            due: VecDeque::new(),
            glued_until: Duration::ZERO,
            end: None,
            over: None,
            is_plain: concerned.count() == 0,
            deeds: Deeds::default(),
        }
    }

    /// Whether there is no fault on it, so that nothing has to pass through here.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// How many bytes may come now.
    pub fn room(&mut self, now: Duration) -> usize {
        if self.over.is_none() && self.gate.is_shut(now) {
            return 0;
        }
        self.room.saturating_sub(self.bytes.len())
    }

    /// Takes bytes that come now: at most as many as there is [room](Self::room) for.
    pub fn push(&mut self, bytes: &[u8], now: Duration) {
        if self.over.is_some() {
            return self.deeds.swallow(bytes.len());
        }
        let before = self.bytes.len();
        self.bytes.extend(bytes);
        if let Some(dice) = &mut self.corrupt {
            self.deeds.turned += dice.corrupt(self.bytes.range_mut(before..));
        }
        let due = self.due(now);
        match self.due.back_mut() {
            Some((last, count)) if *last == due => *count += bytes.len(),
            _ => self.due.push_back((due, bytes.len())),
        }
    }

    /// No more will come: an end of file, which is as late as bytes are, and behind them.
    pub fn end(&mut self, now: Duration) {
        if self.end.is_none() {
            // What was glued waits no longer.
            self.glued_until = now;
            self.end = Some(self.due(now));
        }
    }

    /// When what comes now is due. What came earlier and is due later goes before it all the same.
    fn due(&mut self, now: Duration) -> Duration {
        let mut at = now;
        if let Some(time) = self.glue {
            if now > self.glued_until || self.glued_until.is_zero() {
                self.glued_until = now.saturating_add(time);
            }
            at = self.glued_until;
        }
        self.delay.as_mut().map_or(at, |delay| delay.due(at))
    }

    /// What happens next.
    pub fn step(&mut self, now: Duration) -> Step {
        let most = match (self.over, self.gate.leave(now)) {
            (None, Leave::Most(most)) => most,
            (None, Leave::Wait(until)) => return Step::Wait(until),
            (Some(cut), _) => return cut.step(),
            (None, Leave::Cut(cut)) => {
                self.over = Some(cut);
                self.deeds.cut = 1;
                self.deeds.swallow(self.bytes.len());
                (self.bytes, self.due) = (VecDeque::new(), VecDeque::new());
                return cut.step();
            }
        };
        let due: usize = self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, count)| count).sum();
        match (due, self.due.front(), self.end) {
            (1.., ..) => Step::Pass(due.min(most)),
            (_, Some((due, _)), _) => Step::Wait(self.gate.or_cut(Some(*due))),
            (_, None, Some(end)) if end <= now => Step::End,
            (_, None, end) => Step::Wait(self.gate.or_cut(end)),
        }
    }

    /// The first bytes that are under way, `most` or fewer, and at least one if there are any.
    pub fn first(&self, most: usize) -> &[u8] {
        let (first, _) = self.bytes.as_slices();
        first.get(..most).unwrap_or(first)
    }

    /// So many of the [first](Self::first) bytes went on now.
    pub fn passed(&mut self, bytes: usize, now: Duration) {
        self.bytes.drain(..bytes.min(self.bytes.len()));
        let mut left = bytes;
        while let Some((_, count)) = self.due.front_mut().filter(|_| left > 0) {
            let gone = left.min(*count);
            (*count, left) = (*count - gone, left - gone);
            if *count == 0 {
                self.due.pop_front();
            }
        }
        self.gate.passed(bytes, now);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = VecDeque::new();
        }
    }

    /// What was done so far.
    pub fn deeds(&self) -> Deeds {
        Deeds { stalled: self.gate.stalled(), ..self.deeds }
    }
}

impl Cut {
    /// What happens from then on.
    pub(super) fn step(self) -> Step {
        match self {
            Self::Fin => Step::End,
            Self::Rst => Step::Reset,
            Self::Silence => Step::Silence,
        }
    }
}

impl Fault {
    /// The numbers that decide about it.
    pub(super) fn random(&self, way: Way, seed: u64, number: u64) -> Random {
        let way = match way {
            Way::In => 1,
            Way::Out => 2,
        };
        // Names do not move when a row is added.
        let name =
            self.what.name().bytes().fold(0, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        Random::new(seed, [number, way, name])
    }
}
