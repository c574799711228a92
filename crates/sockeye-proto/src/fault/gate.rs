//! Where what is under way leaves: the faults that act on all of it together.

use std::time::Duration;

use super::{After, Cut, Fault, What};
use crate::pace::Pace;
use crate::way::Way;

/// What happens next to what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many bytes may go on at once, at least one; or a message of that size.
    Pass(usize),
    /// Nothing until then, or until something comes; `None` where only that will help.
    Wait(Option<Duration>),
    /// That way has ended: an orderly end of file.
    End,
    /// Both ends are reset.
    Reset,
    /// From here on all goes nowhere, and nobody is told.
    Silence,
}

/// What may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// At most so many bytes at once.
    Most(usize),
    /// Nothing until then; `None` is for ever.
    Wait(Option<Duration>),
    /// Nothing more.
    Cut(Cut),
}

/// The faults on one way that hold up or end all of it.
#[derive(Debug)]
pub(super) struct Gate {
    pace: Option<Pace>,
    slice: Option<(usize, Duration)>,
    stalls: Vec<Stall>,
    no_read: Option<After>,
    cut: Option<(Cut, After)>,
    /// How many bytes have passed.
    passed: u64,
    /// When the next may, by rate and pieces.
    not_before: Duration,
}

#[derive(Debug)]
struct Stall {
    after: After,
    lasts: Duration,
    /// When it began, once it is so far.
    began: Option<Duration>,
}

impl Stall {
    fn ends(&self) -> Option<Duration> {
        self.began.map(|began| began.saturating_add(self.lasts))
    }
}

impl Gate {
    pub(super) fn new(faults: &[Fault], way: Way) -> Self {
        let mut gate = Self {
            pace: None,
            slice: None,
            stalls: Vec::new(),
            no_read: None,
            cut: None,
            passed: 0,
            not_before: Duration::ZERO,
        };
        for fault in faults.iter().filter(|fault| fault.concerns(way)) {
            match fault.what {
                What::Cut(how, after) => gate.cut = Some((how, after)),
                What::NoRead(after) => gate.no_read = Some(after),
                What::Rate(rate) => gate.pace = Some(Pace::new(rate.get())),
                What::Slice { most, pause } => gate.slice = Some((most.get(), pause)),
                What::Stall { after, lasts } => gate.stalls.push(Stall { after, lasts, began: None }),
                What::BurstLoss { .. }
                | What::Corrupt(_)
                | What::Delay { .. }
                | What::Duplicate(_)
                | What::Glue(_)
                | What::Loss(_)
                | What::Mtu(_)
                | What::Reorder { .. }
                | What::Truncate(_) => {}
            }
        }
        gate.begin_stalls(Duration::ZERO);
        gate
    }

    /// What may leave now.
    pub(super) fn leave(&mut self, now: Duration) -> Leave {
        if let Some((how, after)) = self.cut
            && after.is_reached(self.passed, now)
        {
            return Leave::Cut(how);
        }
        if self.no_read.is_some_and(|after| after.is_reached(self.passed, now)) {
            return Leave::Wait(self.or_cut(None));
        }
        self.begin_stalls(now);
        let stalled = self.stalls.iter().filter_map(Stall::ends).filter(|end| *end > now).max();
        let until = stalled.unwrap_or_default().max(self.not_before);
        if until > now {
            return Leave::Wait(self.or_cut(Some(until)));
        }
        let amounts = self.stalls.iter().filter(|stall| stall.began.is_none()).map(|stall| stall.after);
        let amounts = amounts.chain(self.cut.map(|(_, after)| after)).chain(self.no_read);
        let left = amounts.map(|after| after.left(self.passed)).min().unwrap_or(u64::MAX);
        let piece = self.slice.map_or(usize::MAX, |(most, _)| most);
        let piece = piece.min(self.pace.as_ref().map_or(usize::MAX, Pace::piece));
        Leave::Most(piece.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    /// So many bytes have left.
    pub(super) fn passed(&mut self, bytes: usize, now: Duration) {
        self.passed = self.passed.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(pace) = &mut self.pace {
            self.not_before = pace.take(bytes, now);
        }
        if let Some((_, pause)) = self.slice {
            self.not_before = self.not_before.max(now.saturating_add(pause));
        }
        self.begin_stalls(now);
    }

    /// That time, or an earlier one at which it is cut.
    pub(super) fn or_cut(&self, at: Option<Duration>) -> Option<Duration> {
        let cut = self.cut.and_then(|(_, after)| match after {
            After::Time(time) => Some(time),
            After::Bytes(_) => None,
        });
        at.into_iter().chain(cut).min()
    }

    /// Whether nothing more is to be taken in: what a peer sends then fills its own window.
    pub(super) fn is_shut(&mut self, now: Duration) -> bool {
        self.begin_stalls(now);
        self.no_read.is_some_and(|after| after.is_reached(self.passed, now))
            || self.stalls.iter().filter_map(Stall::ends).any(|end| end > now)
    }

    /// How often nothing moved for a while.
    pub(super) fn stalled(&self) -> u64 {
        self.stalls.iter().filter(|stall| stall.began.is_some()).fold(0, |count, _| count + 1)
    }

    /// Begins those that are so far: of a time at that time, of an amount now.
    fn begin_stalls(&mut self, now: Duration) {
        for stall in self.stalls.iter_mut().filter(|stall| stall.began.is_none()) {
            if stall.after.is_reached(self.passed, now) {
                stall.began = Some(match stall.after {
                    After::Time(time) => time,
                    After::Bytes(_) => now,
                });
            }
        }
    }
}
