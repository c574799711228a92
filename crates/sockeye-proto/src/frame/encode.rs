//! From a message to the bytes that stand for it.

use super::error::FrameError;
use super::prefix::Head;
use super::{Framing, length};

/// How a message is sent: something before it, its bytes, something behind it. It holds no buffer, so that it can be
/// kept while the bytes find no room.
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    head: Head,
    /// How many bytes of the message are sent: all, or all but a line end that `tail` replaces.
    body: usize,
    tail: &'static [u8],
}

impl Framing {
    /// How `message` is sent where no more than `most` bytes are wanted.
    ///
    /// With [`Framing::Delimited`] a line end at the very end of the message is taken for its delimiter and not
    /// doubled, and a bare LF there becomes CR LF where that is the delimiter.
    ///
    /// # Errors
    /// It is too large, or would not arrive as the one message that it is; nothing of it need be sent.
    pub fn encode(self, message: &[u8], most: usize) -> Result<Encoded, FrameError> {
        let size = message.len();
        let whole = Encoded { head: Head::default(), body: size, tail: b"" };
        match self {
            Self::Fixed(fixed) if size != length(fixed) => Err(FrameError::WrongLength { size, fixed }),
            _ if size > self.max_message(most) => {
                Err(FrameError::TooLarge { size, most: self.max_message(most) })
            }
            Self::Burst { .. } if size == 0 => Err(FrameError::Empty),
            Self::Burst { .. } | Self::Fixed(_) => Ok(whole),
            Self::Delimited(delimiter) => {
                let (body, tail) = delimiter.end(message)?;
                Ok(Encoded { body, tail, ..whole })
            }
            Self::Prefixed(prefix) => Ok(Encoded { head: prefix.head(size), tail: prefix.tail(), ..whole }),
        }
    }
}

impl Encoded {
    /// How many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        self.head.bytes().len() + self.body + self.tail.len()
    }

    /// Fills `buffer` with what stands from byte `from` on, and says how much that is. `message` is the one that was
    /// encoded.
    pub fn fill(&self, message: &[u8], from: usize, buffer: &mut [u8]) -> usize {
        let body = message.get(..self.body).unwrap_or_default();
        let (mut skipped, mut filled) = (from, 0);
        for piece in [self.head.bytes(), body, self.tail] {
            let rest = piece.get(skipped.min(piece.len())..).unwrap_or_default();
            skipped = skipped.saturating_sub(piece.len());
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let now = rest.len().min(room.len());
            if let (Some(room), Some(rest)) = (room.get_mut(..now), rest.get(..now)) {
                room.copy_from_slice(rest);
            }
            filled += now;
        }
        filled
    }
}
