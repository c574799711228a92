//! What is said of the clock: what the kernel knows, or what a server says.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sockeye::proto::ntp::{Leap, ReferenceId, Short, Status, Timestamp};
use sockeye::{Ctx, Doubt, Event, Keeping, LeapSecond, Wants};

use super::mirror::Mirror;

/// How exactly we tell the time, as a power of two: about a microsecond passes between reading the clock and sending.
pub(super) const PRECISION: i8 = -20;
/// The stratum of a clock that is kept here, unless it is set. The kernel does not know whose time it is: most who keep a
/// clock have it from a server of stratum 2.
const KEPT: u8 = 3;

/// Who knows how the clock is doing.
pub(super) struct Keeper {
    source: Source,
    /// The stratum of a clock that nobody keeps, where that is to be believed all the same.
    local: Option<u8>,
    last: Mutex<Last>,
}

enum Source {
    /// With the stratum of a clock that is synchronised.
    Kernel(u8),
    Mirror(Mirror),
}

/// What was found out last.
struct Last {
    /// In which second. It is asked again in the next, and at once where somebody turns the clock.
    second: u32,
    status: Status,
    /// Whether the kernel said that the clock is kept.
    is_kept: bool,
}

impl Keeper {
    /// The kernel, with the stratum of a clock that is synchronised.
    pub(super) fn kernel(stratum: Option<u8>, local: Option<u8>) -> Self {
        Self::new(Source::Kernel(stratum.unwrap_or(KEPT)), local)
    }

    pub(super) fn mirror(mirror: Mirror, local: Option<u8>) -> Self {
        Self::new(Source::Mirror(mirror), local)
    }

    fn new(source: Source, local: Option<u8>) -> Self {
        let status = Status::unsynchronised(PRECISION);
        // No doubt is told of before there is one.
        Self { source, local, last: Mutex::new(Last { second: 0, status, is_kept: true }) }
    }

    /// How the clock is doing at `now`; at most a second old.
    pub(super) fn status(&self, now: Timestamp, ctx: &Ctx) -> Status {
        let mut last = self.last();
        if last.second != now.seconds() {
            last.second = now.seconds();
            let known = match &self.source {
                Source::Kernel(stratum) => {
                    let known = ctx.clock.keeping().and_then(|keeping| kept(keeping, *stratum, now));
                    self.tell(&mut last, known.is_some(), ctx);
                    known
                }
                Source::Mirror(mirror) => mirror.said(),
            };
            let local = || self.local.map(|stratum| by_itself(stratum, now));
            last.status = known.or_else(local).unwrap_or_else(|| Status::unsynchronised(PRECISION));
        }
        last.status
    }

    /// Who has the clock believed all the same knows that nobody keeps it.
    fn tell(&self, last: &mut Last, is_kept: bool, ctx: &Ctx) {
        if std::mem::replace(&mut last.is_kept, is_kept) != is_kept && self.local.is_none() {
            ctx.events.tell(Wants::Trouble, || match is_kept {
                true => Event::ClockTrusted { keeper: None },
                false => Event::ClockDoubted { keeper: None, why: Doubt::Unsynchronised },
            });
        }
    }

    /// Nothing in here can be half done.
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That of a clock which the kernel says is kept, if it does. It does not say by whom, nor since when.
fn kept(keeping: Keeping, stratum: u8, now: Timestamp) -> Option<Status> {
    let leap = match keeping.leap {
        LeapSecond::Delete => Leap::Delete,
        LeapSecond::Insert => Leap::Insert,
        LeapSecond::None => Leap::None,
    };
    keeping.is_synchronised.then(|| Status {
        leap,
        stratum,
        precision: PRECISION,
        // The bound of the error has half of the delay in it.
        root_delay: Short::ZERO,
        root_dispersion: Short::of(keeping.max_error),
        reference_id: ReferenceId(UNKNOWN),
        reference: now,
    })
}

/// That of a clock which is right because everybody here goes by it.
fn by_itself(stratum: u8, now: Timestamp) -> Status {
    Status {
        leap: Leap::None,
        stratum,
        reference_id: ReferenceId(if stratum == 1 { *b"LOCL" } else { LOCAL }),
        reference: now,
        ..Status::unsynchronised(PRECISION)
    }
}

/// Addresses that no server has stand for clocks: other programs say this of a clock by itself, too.
const LOCAL: [u8; 4] = [127, 127, 1, 1];
/// And this is for one whose keeper is not known. Not 0: some take that for a server that has just begun.
const UNKNOWN: [u8; 4] = [127, 127, 0, 1];

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_bits(0xe000_0000_1234_5678);

    #[test]
    fn a_clock_that_is_kept_is_as_good_as_the_kernel_says() {
        let keeping = Keeping {
            is_synchronised: true,
            leap: LeapSecond::Insert,
            max_error: Duration::from_millis(250),
        };
        let status = kept(keeping, 2, NOW).unwrap();
        assert_eq!((status.leap, status.stratum, status.reference), (Leap::Insert, 2, NOW));
        assert_eq!(status.root_dispersion.duration(), Duration::from_millis(250));
        assert!(status.is_synchronised());
        assert_eq!(kept(Keeping { is_synchronised: false, ..keeping }, 2, NOW), None);
    }

    #[test]
    fn a_clock_by_itself_says_so() {
        let status = by_itself(10, NOW);
        assert_eq!((status.leap, status.stratum), (Leap::None, 10));
        assert_eq!(status.reference_id.text(10), "127.127.1.1");
        assert_eq!(by_itself(1, NOW).reference_id.text(1), "LOCL");
        assert!(status.is_synchronised());
    }
}
