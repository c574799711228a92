//! Messages made of bytes: where each begins and ends in a stream.
//!
//! A stream has no borders, so both ends agree on a [`Framing`]. [`Framing::encode`] puts the borders around a message,
//! and a [`Decoder`] finds them again, however the stream is cut into reads. What each framing is called stands in
//! [`FRAMINGS`].

mod decode;
mod delimiter;
mod encode;
mod error;
mod prefix;
#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

pub use decode::Decoder;
pub use delimiter::Delimiter;
pub use encode::Encoded;
pub use error::FrameError;
pub use prefix::Prefix;

/// The most bytes of one message where nobody sets another limit: 16 MiB.
pub const MAX_MESSAGE: usize = 16 << 20;

/// How messages are told apart in a stream of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// What comes together is a message: what one read brings, or all that comes until nothing came for `silence`
    /// (1 ms to 60 s). The stream keeps no borders, so messages that come close together become one.
    Burst {
        /// How long nothing comes after a message; `None` where each read is one.
        silence: Option<Duration>,
    },
    /// Each message ends with a delimiter.
    Delimited(Delimiter),
    /// Each message has so many bytes, 1 to 16,777,216.
    Fixed(NonZeroU32),
    /// The length of each message stands before it.
    Prefixed(Prefix),
}

/// A framing as it is written, and what it is for.
#[derive(Debug)]
pub struct FramingRow {
    /// Its name, lower case.
    pub name: &'static str,
    /// What a message is by it, in one line of at most 52 columns.
    pub help: &'static str,
    made: Made,
}

#[derive(Debug)]
enum Made {
    As(Framing),
    /// Of a number from 1 to `most`, which stands behind `NAME=` and is called `unit` in help.
    Of {
        unit: &'static str,
        most: u32,
        make: fn(NonZeroU32) -> Framing,
    },
}

/// Every framing, the common ones first.
pub static FRAMINGS: &[FramingRow] = &[
    row("line", "ends with LF or CR LF", Made::As(Framing::Delimited(Delimiter::Line))),
    row("crlf", "ends with CR LF", Made::As(Framing::Delimited(Delimiter::CrLf))),
    row("nul", "ends with a zero byte", Made::As(Framing::Delimited(Delimiter::Nul))),
    row("len8", "comes after its length in 1 byte", Made::As(Framing::Prefixed(Prefix::Len8))),
    row("len16", "comes after its length in 2 bytes, big-endian", Made::As(Framing::Prefixed(Prefix::Len16))),
    row("len32", "comes after its length in 4 bytes, big-endian", Made::As(Framing::Prefixed(Prefix::Len32))),
    row(
        "len16le",
        "comes after its length in 2 bytes, little-endian",
        Made::As(Framing::Prefixed(Prefix::Len16Le)),
    ),
    row(
        "len32le",
        "comes after its length in 4 bytes, little-endian",
        Made::As(Framing::Prefixed(Prefix::Len32Le)),
    ),
    row(
        "varint",
        "comes after its length as a varint of protobuf",
        Made::As(Framing::Prefixed(Prefix::Varint)),
    ),
    row("netstring", "is written 5:hello,", Made::As(Framing::Prefixed(Prefix::Netstring))),
    row("fixed", "has N bytes, 1 to 16777216", Made::Of { unit: "N", most: 16 << 20, make: Framing::Fixed }),
    row("burst", "is what one read brings", Made::As(Framing::Burst { silence: None })),
    row(
        "burst",
        "is what comes until MS ms of silence, 1 to 60000",
        Made::Of {
            unit: "MS",
            most: 60_000,
            make: |ms| Framing::Burst { silence: Some(Duration::from_millis(ms.get().into())) },
        },
    ),
];

const fn row(name: &'static str, help: &'static str, made: Made) -> FramingRow {
    FramingRow { name, help, made }
}

impl FramingRow {
    /// How it is written: `line`, `fixed=N`.
    pub fn usage(&self) -> String {
        match self.made {
            Made::As(_) => self.name.to_owned(),
            Made::Of { unit, .. } => format!("{}={unit}", self.name),
        }
    }

    /// The framing, by what stands behind `NAME=`.
    fn read(&self, number: Option<&str>) -> Option<Framing> {
        match (&self.made, number) {
            (Made::As(framing), None) => Some(*framing),
            (Made::Of { most, make, .. }, Some(number)) => {
                let digits = number.bytes().all(|b| b.is_ascii_digit());
                let number: NonZeroU32 = number.parse().ok().filter(|n: &NonZeroU32| n.get() <= *most)?;
                digits.then(|| make(number))
            }
            (Made::As(_), Some(_)) | (Made::Of { .. }, None) => None,
        }
    }
}

impl Framing {
    /// Reads a framing as it is printed: `line`, `fixed=512`. `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let (name, number) = text.split_once('=').map_or((text, None), |(name, n)| (name, Some(n)));
        FRAMINGS.iter().filter(|row| row.name == name).find_map(|row| row.read(number))
    }

    /// The largest message in bytes that can be sent where no more than `most` are wanted.
    pub fn max_message(self, most: usize) -> usize {
        match self {
            Self::Burst { .. } | Self::Delimited(_) => most,
            Self::Fixed(size) => most.min(length(size)),
            Self::Prefixed(prefix) => most.min(prefix.most()),
        }
    }
}

fn length(size: NonZeroU32) -> usize {
    usize::try_from(size.get()).unwrap_or(usize::MAX)
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst { silence: Some(silence) } => write!(f, "burst={}", silence.as_millis()),
            Self::Fixed(size) => write!(f, "fixed={size}"),
            Self::Burst { silence: None } | Self::Delimited(_) | Self::Prefixed(_) => {
                let row = FRAMINGS.iter().find(|row| matches!(&row.made, Made::As(made) if made == self));
                f.write_str(row.map_or("", |row| row.name))
            }
        }
    }
}
