//! A question that may be lost on its way, or its answer: when to ask again, and when to give up.

use std::time::Duration;

/// How long each try waits for an answer before the next one.
pub const WAITS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(2000)];

/// The tries of one question. Time counts from a moment of the caller's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    made: usize,
    /// Until when the last one waits.
    until: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Ask, and say so by [`Tries::ask`].
    Ask,
    /// Nobody has answered the last try in time.
    GiveUp,
    /// Wait until then, or for an answer.
    Wait(Duration),
}

impl Tries {
    /// What is to be done now.
    pub fn next(&self, now: Duration) -> Next {
        if self.made > 0 && now < self.until {
            Next::Wait(self.until)
        } else if self.made < WAITS.len() {
            Next::Ask
        } else {
            Next::GiveUp
        }
    }

    /// It is asked now.
    pub fn ask(&mut self, now: Duration) {
        let wait = WAITS.get(self.made).copied().unwrap_or_default();
        (self.made, self.until) = (self.made + 1, now.saturating_add(wait));
    }

    /// How often it was asked.
    pub fn made(&self) -> usize {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_asked_three_times_with_waits_that_grow() {
        let (mut tries, mut now, mut asked) = (Tries::default(), Duration::from_secs(9), Vec::new());
        loop {
            match tries.next(now) {
                Next::Ask => {
                    asked.push(now.as_millis());
                    tries.ask(now);
                }
                Next::Wait(until) => now = until,
                Next::GiveUp => break,
            }
        }
        assert_eq!((asked, now.as_millis()), (vec![9_000, 9_500, 10_500], 12_500));
    }
}
