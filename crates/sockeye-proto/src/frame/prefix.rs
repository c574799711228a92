//! Messages with their length before them.

use super::error::FrameError;

/// How the length of a message is written before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// In 2 bytes, the high one first.
    Len16,
    /// In 2 bytes, the low one first.
    Len16Le,
    /// In 4 bytes, the highest first.
    Len32,
    /// In 4 bytes, the lowest first.
    Len32Le,
    /// In 1 byte.
    Len8,
    /// In decimal digits and a colon; a comma stands behind the message.
    /// <https://cr.yp.to/proto/netstrings.txt>
    Netstring,
    /// Unsigned LEB128, as protobuf delimits messages: 7 bits a byte, the lowest first.
    Varint,
}

/// A prefix that is written out: at most 20 digits and a colon.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    bytes: [u8; 21],
    length: usize,
}

impl Head {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Extend<u8> for Head {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        let room = self.bytes.iter_mut().skip(self.length);
        self.length += room.zip(bytes).map(|(place, byte)| *place = byte).count();
    }
}

impl Prefix {
    /// The largest length that can be written.
    pub(super) fn most(self) -> usize {
        match self {
            Self::Len8 => 0xff,
            Self::Len16 | Self::Len16Le => 0xffff,
            Self::Len32 | Self::Len32Le => 0xffff_ffff,
            Self::Netstring | Self::Varint => usize::MAX,
        }
    }

    /// What stands behind a message.
    pub(super) fn tail(self) -> &'static [u8] {
        match self {
            Self::Netstring => b",",
            Self::Len16 | Self::Len16Le | Self::Len32 | Self::Len32Le | Self::Len8 | Self::Varint => b"",
        }
    }

    /// The prefix of a message of `size` bytes, no more than [`Prefix::most`].
    pub(super) fn head(self, size: usize) -> Head {
        let mut head = Head::default();
        let low = |bits: usize| u8::try_from(bits & 0xff).unwrap_or_default();
        match self {
            Self::Len8 => head.extend([low(size)]),
            Self::Len16 => head.extend([low(size >> 8), low(size)]),
            Self::Len16Le => head.extend([low(size), low(size >> 8)]),
            Self::Len32 => head.extend([24, 16, 8, 0].map(|shift| low(size >> shift))),
            Self::Len32Le => head.extend([0, 8, 16, 24].map(|shift| low(size >> shift))),
            Self::Netstring => {
                let digits = (0..=size.checked_ilog10().unwrap_or(0)).rev();
                head.extend(digits.map(|place| b'0' + low(size / 10_usize.pow(place) % 10)));
                head.extend([b':']);
            }
            Self::Varint => {
                let mut rest = size;
                while rest > 0x7f {
                    head.extend([low(rest) | 0x80]);
                    rest >>= 7;
                }
                head.extend([low(rest)]);
            }
        }
        head
    }
}

/// A prefix as far as it has come. It needs no buffer, and what it says makes none.
#[derive(Debug, Default)]
pub(super) struct Reading {
    value: u64,
    bytes: u32,
}

impl Reading {
    /// Whether nothing of it has come.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Takes its next byte. The length, once it is all there; one of more than `most` is refused as soon as it shows.
    pub(super) fn push(
        &mut self,
        prefix: Prefix,
        byte: u8,
        most: usize,
    ) -> Result<Option<usize>, FrameError> {
        let high_first = || self.value << 8 | u64::from(byte);
        let low_first = || self.value | u64::from(byte) << (8 * self.bytes);
        let is_last = |width| self.bytes + 1 == width;
        let too_long = FrameError::TooLong { most };
        let (value, is_whole) = match prefix {
            Prefix::Len8 => (high_first(), is_last(1)),
            Prefix::Len16 => (high_first(), is_last(2)),
            Prefix::Len16Le => (low_first(), is_last(2)),
            Prefix::Len32 => (high_first(), is_last(4)),
            Prefix::Len32Le => (low_first(), is_last(4)),
            Prefix::Netstring if byte == b':' && !self.is_empty() => (self.value, true),
            Prefix::Netstring => (self.with_digit(byte)?.ok_or(too_long)?, false),
            Prefix::Varint => (self.with_septet(byte)?, byte < 0x80),
        };
        let size = usize::try_from(value).ok().filter(|size| *size <= most).ok_or(too_long)?;
        *self = Self { value, bytes: self.bytes + 1 };
        Ok(is_whole.then_some(size))
    }

    /// `None` for what 64 bits do not hold.
    fn with_digit(&self, byte: u8) -> Result<Option<u64>, FrameError> {
        let is_zero = self.value == 0 && !self.is_empty();
        if !byte.is_ascii_digit() || is_zero {
            let expected = match (is_zero, self.is_empty()) {
                (true, _) => "a colon",
                (false, true) => "a digit",
                (false, false) => "a digit or a colon",
            };
            return Err(FrameError::Netstring { expected });
        }
        Ok(self.value.checked_mul(10).and_then(|tens| tens.checked_add((byte - b'0').into())))
    }

    /// A length that is padded with zeros is taken, as protobuf takes it.
    fn with_septet(&self, byte: u8) -> Result<u64, FrameError> {
        const LAST: u32 = 9;
        if self.bytes == LAST && byte > 1 {
            return Err(FrameError::Varint);
        }
        Ok(self.value | u64::from(byte & 0x7f) << (7 * self.bytes))
    }
}
