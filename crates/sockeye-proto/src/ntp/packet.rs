//! The packet: the 48 bytes that every mode but control and private begins with (RFC 5905, section 7.3).

use super::{Kiss, ReferenceId, Short, Status, Timestamp};

/// How long a packet is, in bytes, without extension fields and without a message authentication code behind it.
pub const SIZE: usize = 48;

/// A packet. Any 48 bytes are one, and writing what was read gives the same bytes: whether it makes sense is for whoever
/// has it to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packet {
    /// What becomes of the last minute of this day, or that the sender's clock is not synchronised.
    pub leap: Leap,
    /// The version of the protocol, 0 to 7; the highest three bits of a larger number are lost.
    pub version: u8,
    /// What the sender wants to be to the other.
    pub mode: Mode,
    /// How many servers there are from the sender to a clock: 1 has one itself, 0 says nothing or is a kiss
    /// ([`Packet::kiss`]), [`super::UNSYNCHRONISED`] and above have no time.
    pub stratum: u8,
    /// How long the sender waits between its requests, in seconds, as a power of two.
    pub poll: i8,
    /// How exactly the sender's clock can be read, in seconds, as a power of two.
    pub precision: i8,
    /// How long a request takes from the sender to the clock and back.
    pub root_delay: Short,
    /// How far the sender's clock may be off, beside half of that delay.
    pub root_dispersion: Short,
    /// By what or by whom the sender's clock is set.
    pub reference_id: ReferenceId,
    /// When the sender's clock was last set.
    pub reference: Timestamp,
    /// When the request left, as the client has said it: what an answer is known by.
    pub origin: Timestamp,
    /// When the request came.
    pub receive: Timestamp,
    /// When this packet left.
    pub transmit: Timestamp,
}

impl Packet {
    /// A request of a client in version 4. All that it says is `transmit`, which the answer has as its
    /// [`Packet::origin`]: a number that nobody can guess does better than the time, which somebody can.
    pub fn request(transmit: Timestamp) -> Self {
        Self {
            leap: Leap::None,
            version: 4,
            mode: Mode::Client,
            stratum: 0,
            poll: 0,
            precision: 0,
            root_delay: Short::ZERO,
            root_dispersion: Short::ZERO,
            reference_id: ReferenceId([0; 4]),
            reference: Timestamp::UNKNOWN,
            origin: Timestamp::UNKNOWN,
            receive: Timestamp::UNKNOWN,
            transmit,
        }
    }

    /// Reads the packet at the front of a datagram; `None` where that is shorter than [`SIZE`]. What stands behind is
    /// not looked at.
    pub fn read(datagram: &[u8]) -> Option<Self> {
        let (&[first, stratum, poll, precision], rest) = datagram.split_first_chunk()?;
        let (&root_delay, rest) = rest.split_first_chunk()?;
        let (&root_dispersion, rest) = rest.split_first_chunk()?;
        let (&reference_id, rest) = rest.split_first_chunk()?;
        let (&reference, rest) = rest.split_first_chunk()?;
        let (&origin, rest) = rest.split_first_chunk()?;
        let (&receive, rest) = rest.split_first_chunk()?;
        let (&transmit, _) = rest.split_first_chunk()?;
        Some(Self {
            leap: Leap::of(first >> 6),
            version: first >> 3 & 7,
            mode: Mode::of(first),
            stratum,
            poll: poll.cast_signed(),
            precision: precision.cast_signed(),
            root_delay: Short::from_bits(u32::from_be_bytes(root_delay)),
            root_dispersion: Short::from_bits(u32::from_be_bytes(root_dispersion)),
            reference_id: ReferenceId(reference_id),
            reference: Timestamp::from_bits(u64::from_be_bytes(reference)),
            origin: Timestamp::from_bits(u64::from_be_bytes(origin)),
            receive: Timestamp::from_bits(u64::from_be_bytes(receive)),
            transmit: Timestamp::from_bits(u64::from_be_bytes(transmit)),
        })
    }

    /// The packet as it is sent.
    pub fn bytes(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let first = self.leap.number() << 6 | (self.version & 7) << 3 | self.mode.number();
        let head = [first, self.stratum, self.poll.cast_unsigned(), self.precision.cast_unsigned()];
        let words = [head, self.root_delay.bytes(), self.root_dispersion.bytes(), self.reference_id.0];
        let times = [self.reference, self.origin, self.receive, self.transmit];
        let (first, second) = bytes.split_at_mut(16);
        first.as_chunks_mut().0.copy_from_slice(&words);
        second.as_chunks_mut().0.copy_from_slice(&times.map(|time| time.bits().to_be_bytes()));
        bytes
    }

    /// What it says of the sender's clock.
    pub fn status(&self) -> Status {
        let Self { leap, stratum, precision, root_delay, root_dispersion, reference_id, reference, .. } =
            *self;
        Status { leap, stratum, precision, root_delay, root_dispersion, reference_id, reference }
    }

    /// What the server asks for instead of telling the time (section 7.4): then nothing else in the packet but
    /// [`Packet::origin`] means anything.
    pub fn kiss(&self) -> Option<Kiss> {
        (self.stratum == 0 && self.mode == Mode::Server).then(|| Kiss::of(self.reference_id))
    }
}

/// What becomes of the last minute of this day, or that the clock is not synchronised (figure 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leap {
    /// It has 59 seconds.
    Delete,
    /// It has 61 seconds.
    Insert,
    /// It has 60 seconds.
    None,
    /// The clock is not synchronised, and its time means nothing.
    Unsynchronised,
}

impl Leap {
    fn of(number: u8) -> Self {
        match number & 3 {
            0 => Self::None,
            1 => Self::Insert,
            2 => Self::Delete,
            _ => Self::Unsynchronised,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Insert => 1,
            Self::Delete => 2,
            Self::Unsynchronised => 3,
        }
    }
}

/// What the sender wants to be to the other (figure 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It tells the time to many, unasked.
    Broadcast,
    /// It asks.
    Client,
    /// It asks or answers how the other is doing (RFC 9327).
    Control,
    /// It wants something that each program has for itself.
    Private,
    /// Nothing; some clients of version 1 send it where they ask.
    Reserved,
    /// It answers.
    Server,
    /// It asks as one who could as well be asked.
    SymmetricActive,
    /// It answers as one who could as well ask.
    SymmetricPassive,
}

impl Mode {
    fn of(number: u8) -> Self {
        match number & 7 {
            0 => Self::Reserved,
            1 => Self::SymmetricActive,
            2 => Self::SymmetricPassive,
            3 => Self::Client,
            4 => Self::Server,
            5 => Self::Broadcast,
            6 => Self::Control,
            _ => Self::Private,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Reserved => 0,
            Self::SymmetricActive => 1,
            Self::SymmetricPassive => 2,
            Self::Client => 3,
            Self::Server => 4,
            Self::Broadcast => 5,
            Self::Control => 6,
            Self::Private => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn an_answer_is_read_as_the_rfc_draws_it() {
        let mut bytes = vec![0b10_011_100, 2, 6, 0xe9];
        bytes.extend([0, 1, 0x80, 0, 0, 0, 0x40, 0, 192, 0, 2, 7]);
        bytes.extend((1..=32).collect::<Vec<u8>>());
        bytes.extend(b"and what stands behind");
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!((packet.leap, packet.version, packet.mode), (Leap::Delete, 3, Mode::Server));
        assert_eq!((packet.stratum, packet.poll, packet.precision), (2, 6, -23));
        assert_eq!(packet.root_delay.duration(), Duration::from_millis(1500));
        assert_eq!(packet.root_dispersion.duration(), Duration::from_millis(250));
        assert_eq!(packet.reference_id, ReferenceId([192, 0, 2, 7]));
        assert_eq!(packet.reference.bits(), 0x0102_0304_0506_0708);
        assert_eq!(packet.transmit.bits(), 0x191a_1b1c_1d1e_1f20);
        assert_eq!(packet.bytes(), bytes[..SIZE]);
        assert_eq!(Packet::read(&bytes[..SIZE - 1]), None);
    }

    #[test]
    fn a_kiss_comes_from_a_server_alone() {
        let told = Packet { reference_id: ReferenceId(*b"RATE"), ..Packet::request(Timestamp::UNKNOWN) };
        assert_eq!(told.kiss(), None);
        assert_eq!(Packet { mode: Mode::Server, ..told }.kiss(), Some(Kiss::Rate));
        assert_eq!(Packet { mode: Mode::Server, stratum: 1, ..told }.kiss(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_as_they_went_in(bytes in prop::collection::vec(any::<u8>(), SIZE)) {
            let packet = Packet::read(&bytes).unwrap();
            prop_assert_eq!(&packet.bytes()[..], &bytes);
            prop_assert_eq!(Packet::read(&packet.bytes()), Some(packet));
        }
    }
}
