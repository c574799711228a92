//! One way of a connection of messages.

use std::collections::VecDeque;
use std::time::Duration;

use super::deeds::Deeds;
use super::gate::{Gate, Leave, Step};
use super::random::{Chance, Dice, Random};
use super::stream::Delay;
use super::{Cut, Fault, HELD, What};
use crate::queue::OVERHEAD;
use crate::way::Way;

/// How long one waits to be overtaken: where nothing follows by then, it goes on.
const OVERTAKING: Duration = Duration::from_millis(100);

/// The messages that are under way one way. All times are since the connection began.
#[derive(Debug)]
pub struct Traffic<T> {
    fates: Fates,
    delay: Option<Delay>,
    gate: Gate,
    /// Those that others are to overtake, the first first.
    aside: VecDeque<Aside<T>>,
    /// When each is due, the earliest first.
    queue: VecDeque<(Duration, Parcel<T>)>,
    bytes: usize,
    end: Option<Duration>,
    over: Option<Cut>,
    is_plain: bool,
    deeds: Deeds,
}

/// A message that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel<T> {
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Whether its end was cut off here.
    pub cut: bool,
    /// What else is known of it.
    pub with: T,
}

#[derive(Debug)]
struct Aside<T> {
    parcel: Parcel<T>,
    /// By how many it is still to be overtaken.
    left: u32,
    is_overtaken: bool,
    /// When it goes on anyhow.
    until: Duration,
}

impl<T> Aside<T> {
    fn be_overtaken(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.is_overtaken = true;
    }
}

/// The faults that decide about each message.
#[derive(Debug, Default)]
struct Fates {
    mtu: Option<usize>,
    loss: Option<Dice>,
    burst_loss: Option<BurstLoss>,
    truncate: Option<usize>,
    corrupt: Option<Dice>,
    duplicate: Option<Dice>,
    reorder: Option<(Dice, u32)>,
}

#[derive(Debug)]
struct BurstLoss {
    enter: Chance,
    leave: Chance,
    random: Random,
    is_bad: bool,
}

impl BurstLoss {
    fn loses(&mut self) -> bool {
        self.is_bad ^= self.random.happens(if self.is_bad { self.leave } else { self.enter });
        self.is_bad
    }
}

impl<T: Clone> Traffic<T> {
    /// That way of the connection of that number, with those of `faults` that are on it.
    pub fn new(faults: &[Fault], way: Way, seed: u64, number: u64) -> Self {
        let (mut fates, mut delay) = (Fates::default(), None);
        let concerned = faults.iter().filter(|fault| fault.concerns(way));
        for fault in concerned.clone() {
            let random = fault.random(way, seed, number);
            match fault.what {
                What::BurstLoss { enter, leave } => {
                    fates.burst_loss = Some(BurstLoss { enter, leave, random, is_bad: false });
                }
                What::Corrupt(chance) => fates.corrupt = Some(Dice::new(chance, random)),
                What::Delay { by, jitter } => delay = Some(Delay { by, jitter, random }),
                What::Duplicate(chance) => fates.duplicate = Some(Dice::new(chance, random)),
                What::Loss(chance) => fates.loss = Some(Dice::new(chance, random)),
                What::Mtu(most) => fates.mtu = Some(most.get()),
                What::Reorder { chance, depth } => fates.reorder = Some((Dice::new(chance, random), depth)),
                What::Truncate(most) => fates.truncate = Some(most),
                _ => {}
            }
        }
        Self {
            fates,
            delay,
            gate: Gate::new(faults, way),
            aside: VecDeque::new(),
            queue: VecDeque::new(),
            bytes: 0,
            end: None,
            over: None,
            is_plain: concerned.count() == 0,
            deeds: Deeds::default(),
        }
    }

    /// As [`Stream::is_plain`](super::Stream::is_plain).
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether no message is under way.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.aside.is_empty()
    }

    /// Whether a message may come now.
    pub fn has_room(&mut self, now: Duration) -> bool {
        let is_shut = self.over.is_none() && self.gate.is_shut(now);
        !is_shut && self.bytes < HELD
    }

    /// Takes a message that comes now.
    pub fn push(&mut self, payload: Vec<u8>, with: T, now: Duration) {
        if self.over.is_some() {
            return self.deeds.swallow(payload.len());
        }
        let Some(mut parcel) = self.survivor(payload, with) else { return };
        if let Some(most) = self.fates.truncate.filter(|most| parcel.payload.len() > *most) {
            parcel.payload.truncate(most);
            parcel.cut = true;
            self.deeds.truncated += 1;
        }
        if let Some(dice) = &mut self.fates.corrupt {
            self.deeds.turned += dice.corrupt(parcel.payload.iter_mut());
        }
        let copy = self.fates.duplicate.as_mut().is_some_and(Dice::throw).then(|| parcel.clone());
        self.deeds.duplicated += u64::from(copy.is_some());
        self.overtake(parcel, now);
        if let Some(copy) = copy {
            self.enqueue(copy, now);
        }
    }

    /// The message, unless it is lost. Each fault decides about each message, so that none moves another's numbers.
    fn survivor(&mut self, payload: Vec<u8>, with: T) -> Option<Parcel<T>> {
        let is_lost = self.fates.loss.as_mut().is_some_and(Dice::throw);
        let is_lost = self.fates.burst_loss.as_mut().is_some_and(BurstLoss::loses) || is_lost;
        if self.fates.mtu.is_some_and(|most| payload.len() > most) {
            self.deeds.too_large += 1;
            return None;
        }
        self.deeds.lost += u64::from(is_lost);
        (!is_lost).then_some(Parcel { payload, cut: false, with })
    }

    /// Puts a message aside for others to overtake, or lets it overtake those that are.
    fn overtake(&mut self, parcel: Parcel<T>, now: Duration) {
        if let Some((dice, depth)) = &mut self.fates.reorder {
            let (is_aside, left) = (dice.throw(), dice.up_to(*depth));
            let has_room = u32::try_from(self.aside.len()).is_ok_and(|held| held < *depth);
            if is_aside && has_room {
                self.bytes += parcel.payload.len() + OVERHEAD;
                self.aside.push_back(Aside {
                    parcel,
                    left,
                    is_overtaken: false,
                    until: now.saturating_add(OVERTAKING),
                });
                return;
            }
        }
        self.enqueue(parcel, now);
        self.aside.iter_mut().for_each(Aside::be_overtaken);
        self.come_back(now, |aside| aside.left == 0);
    }

    /// Lets those go on that have waited long enough.
    fn come_back(&mut self, now: Duration, is_done: impl Fn(&Aside<T>) -> bool) {
        while let Some(at) = self.aside.iter().position(&is_done)
            && let Some(Aside { parcel, is_overtaken, .. }) = self.aside.remove(at)
        {
            self.deeds.reordered += u64::from(is_overtaken);
            self.bytes -= parcel.payload.len() + OVERHEAD;
            self.enqueue(parcel, now);
            // It has overtaken those that have waited for longer.
            self.aside.iter_mut().take(at).for_each(Aside::be_overtaken);
        }
    }

    fn enqueue(&mut self, parcel: Parcel<T>, now: Duration) {
        self.bytes += parcel.payload.len() + OVERHEAD;
        let due = self.delay.as_mut().map_or(now, |delay| delay.due(now));
        let at = self.queue.partition_point(|(other, _)| *other <= due);
        self.queue.insert(at, (due, parcel));
    }

    /// No more will come.
    pub fn end(&mut self, now: Duration) {
        if self.end.is_none() {
            self.come_back(now, |_| true);
            let due = self.delay.as_mut().map_or(now, |delay| delay.due(now));
            self.end = Some(self.queue.back().map_or(due, |(last, _)| due.max(*last)));
        }
    }

    /// What happens next.
    pub fn step(&mut self, now: Duration) -> Step {
        self.come_back(now, |aside| aside.until <= now);
        match (self.over, self.gate.leave(now)) {
            (None, Leave::Most(_)) => {}
            (None, Leave::Wait(until)) => return Step::Wait(until),
            (Some(cut), _) => return cut.step(),
            (None, Leave::Cut(cut)) => {
                self.over = Some(cut);
                self.deeds.cut = 1;
                self.deeds.swallow(self.queue.iter().map(|(_, parcel)| parcel.payload.len()).sum());
                self.deeds.swallow(self.aside.iter().map(|aside| aside.parcel.payload.len()).sum());
                (self.queue, self.aside, self.bytes) = (VecDeque::new(), VecDeque::new(), 0);
                return cut.step();
            }
        }
        let back = self.aside.front().map(|aside| aside.until);
        match (self.queue.front(), self.end) {
            (Some((due, parcel)), _) if *due <= now => Step::Pass(parcel.payload.len()),
            (Some((due, _)), _) => Step::Wait(self.gate.or_cut(back.into_iter().chain([*due]).min())),
            (None, Some(end)) if end <= now => Step::End,
            (None, end) => Step::Wait(self.gate.or_cut(back.into_iter().chain(end).min())),
        }
    }

    /// Takes out the message that [`Step::Pass`] is about.
    pub fn pop(&mut self, now: Duration) -> Option<Parcel<T>> {
        let (_, parcel) = self.queue.pop_front()?;
        self.bytes -= parcel.payload.len() + OVERHEAD;
        self.gate.passed(parcel.payload.len(), now);
        Some(parcel)
    }

    /// What was done so far.
    pub fn deeds(&self) -> Deeds {
        Deeds { stalled: self.gate.stalled(), ..self.deeds }
    }
}
