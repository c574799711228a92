//! What a server answers, and whom.

use super::{Leap, Mode, Packet, ReferenceId, Short, Timestamp, UNSYNCHRONISED};

/// How the clock of a server is doing: what all its answers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    /// As in [`Packet::leap`].
    pub leap: Leap,
    /// As in [`Packet::stratum`].
    pub stratum: u8,
    /// As in [`Packet::precision`].
    pub precision: i8,
    /// As in [`Packet::root_delay`].
    pub root_delay: Short,
    /// As in [`Packet::root_dispersion`].
    pub root_dispersion: Short,
    /// As in [`Packet::reference_id`].
    pub reference_id: ReferenceId,
    /// As in [`Packet::reference`].
    pub reference: Timestamp,
}

impl Status {
    /// That of a clock which nobody sets: clients must not set theirs by it.
    pub fn unsynchronised(precision: i8) -> Self {
        Self {
            leap: Leap::Unsynchronised,
            stratum: UNSYNCHRONISED,
            precision,
            root_delay: Short::ZERO,
            root_dispersion: Short::ZERO,
            reference_id: ReferenceId([0; 4]),
            reference: Timestamp::UNKNOWN,
        }
    }

    /// Whether a client may set its clock by such a server (RFC 5905, appendix A.5.1.1: LI and stratum).
    pub fn is_synchronised(&self) -> bool {
        self.leap != Leap::Unsynchronised && (1..UNSYNCHRONISED).contains(&self.stratum)
    }

    /// The answer to a request that came at `received` and is answered at `now`, in the version of who asked; `None`
    /// where it is not one that a server answers.
    ///
    /// Answers are never answered, in whichever version, so that two servers cannot keep each other busy.
    pub fn answer(&self, request: &Packet, received: Timestamp, now: Timestamp) -> Option<Packet> {
        let mode = match (request.version, request.mode) {
            (1..=4, Mode::Client) => Mode::Server,
            // Such as Windows asks; there is nothing that would have to be kept for it.
            (1..=4, Mode::SymmetricActive) => Mode::SymmetricPassive,
            // Version 1 had no modes (RFC 1059, appendix B).
            (1, Mode::Reserved) => Mode::Server,
            _ => return None,
        };
        Some(Packet {
            leap: self.leap,
            version: request.version,
            mode,
            stratum: self.stratum,
            poll: request.poll,
            precision: self.precision,
            root_delay: self.root_delay,
            root_dispersion: self.root_dispersion,
            reference_id: self.reference_id,
            reference: self.reference,
            origin: request.transmit,
            receive: received,
            transmit: now,
        })
    }
}

impl Packet {
    /// This answer as a kiss instead, which asks for fewer requests (section 7.4). It has no time that could be taken for
    /// one.
    pub fn into_rate_kiss(self) -> Self {
        Self {
            leap: Leap::Unsynchronised,
            stratum: 0,
            reference_id: ReferenceId(*b"RATE"),
            reference: Timestamp::UNKNOWN,
            receive: self.origin,
            transmit: self.origin,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kiss;
    use super::*;
    use proptest::prelude::*;

    const ASKED: Timestamp = Timestamp::from_bits(0x0102_0304_0506_0708);
    const CAME: Timestamp = Timestamp::from_bits(0xe000_0000_0000_0001);
    const NOW: Timestamp = Timestamp::from_bits(0xe000_0000_0000_0002);

    fn status() -> Status {
        Status {
            leap: Leap::None,
            stratum: 3,
            reference_id: ReferenceId([10, 0, 0, 1]),
            ..Status::unsynchronised(-20)
        }
    }

    #[test]
    fn who_asks_is_answered_in_its_own_version_and_knows_the_answer_by_its_own_words() {
        for version in 1..=4 {
            let request = Packet { version, poll: 6, ..Packet::request(ASKED) };
            let answer = status().answer(&request, CAME, NOW).unwrap();
            assert_eq!((answer.version, answer.mode, answer.poll), (version, Mode::Server, 6));
            assert_eq!((answer.origin, answer.receive, answer.transmit), (ASKED, CAME, NOW));
            assert_eq!((answer.leap, answer.stratum, answer.precision), (Leap::None, 3, -20));
            let peer = Packet { mode: Mode::SymmetricActive, ..request };
            assert_eq!(status().answer(&peer, CAME, NOW).unwrap().mode, Mode::SymmetricPassive);
        }
        let first = Packet { version: 1, mode: Mode::Reserved, ..Packet::request(ASKED) };
        assert_eq!(status().answer(&first, CAME, NOW).unwrap().mode, Mode::Server);
    }

    #[test]
    fn a_kiss_tells_no_time() {
        let answer = status().answer(&Packet::request(ASKED), CAME, NOW).unwrap().into_rate_kiss();
        assert_eq!((answer.kiss(), answer.leap, answer.stratum), (Some(Kiss::Rate), Leap::Unsynchronised, 0));
        assert_eq!((answer.origin, answer.receive, answer.transmit), (ASKED, ASKED, ASKED));
    }

    #[test]
    fn who_may_be_followed_is_known_by_leap_and_stratum() {
        for (leap, stratum, is_good) in [
            (Leap::None, 1, true),
            (Leap::Insert, 15, true),
            (Leap::None, 0, false),
            (Leap::None, 16, false),
            (Leap::Unsynchronised, 3, false),
        ] {
            assert_eq!(Status { leap, stratum, ..status() }.is_synchronised(), is_good, "{leap:?} {stratum}");
        }
        assert!(!Status::unsynchronised(-20).is_synchronised());
    }

    proptest! {
        #[test]
        fn an_answer_is_never_answered(bytes in prop::collection::vec(any::<u8>(), super::super::SIZE)) {
            let request = Packet::read(&bytes).unwrap();
            let answer = status().answer(&request, CAME, NOW);
            let is_asking = [Mode::Client, Mode::SymmetricActive].contains(&request.mode)
                || (request.version, request.mode) == (1, Mode::Reserved);
            prop_assert_eq!(answer.is_some(), is_asking && (1..=4).contains(&request.version));
            if let Some(answer) = answer {
                prop_assert_eq!(status().answer(&answer, CAME, NOW), None);
                prop_assert_eq!(status().answer(&answer.into_rate_kiss(), CAME, NOW), None);
            }
        }
    }
}
