//! Messages that end with a delimiter.

use memchr::{memchr, memchr_iter};

use super::error::FrameError;

/// What ends each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delimiter {
    /// CR LF. A bare LF, or a bare CR, is part of the message.
    CrLf,
    /// LF. A CR right before it belongs to the delimiter.
    Line,
    /// A zero byte.
    Nul,
}

/// Where a delimiter was found.
pub(super) struct Found {
    /// Up to its end, in the input.
    pub(super) end: usize,
    /// Its bytes, some of which may have come before the input.
    pub(super) length: usize,
}

impl Delimiter {
    /// The first delimiter that ends in `input`, where `before` is the byte before it.
    pub(super) fn find(self, before: Option<u8>, input: &[u8]) -> Option<Found> {
        let byte_before = |at: usize| at.checked_sub(1).map_or(before, |at| input.get(at).copied());
        let at = match self {
            Self::CrLf => memchr_iter(LF, input).find(|at| byte_before(*at) == Some(CR)),
            Self::Line => memchr(LF, input),
            Self::Nul => memchr(0, input),
        }?;
        let has_cr = self != Self::Nul && byte_before(at) == Some(CR);
        Some(Found { end: at + 1, length: 1 + usize::from(has_cr) })
    }

    /// How many of these bytes, which hold no delimiter, belong to the message for certain.
    pub(super) fn certain(self, bytes: usize, last: Option<u8>) -> usize {
        let may_begin = match self {
            Self::CrLf | Self::Line => last == Some(CR),
            Self::Nul => false,
        };
        bytes - usize::from(may_begin)
    }

    /// How much of a message is sent as it is, and what is sent behind it.
    pub(super) fn end(self, message: &[u8]) -> Result<(usize, &'static [u8]), FrameError> {
        let (body, tail): (&[u8], &[u8]) = match (self, message) {
            (Self::CrLf, [.., CR, LF]) | (Self::Line, [.., LF]) => (message, b""),
            (Self::CrLf, [body @ .., LF]) => (body, b"\r\n"),
            (Self::CrLf, _) => (message, b"\r\n"),
            (Self::Line, _) => (message, b"\n"),
            (Self::Nul, _) => (message, b"\0"),
        };
        let is_inside = |found: Found| !tail.is_empty() || found.end < body.len();
        // A bare CR at the end would be taken off with the LF that follows it.
        let loses_cr = self == Self::Line && matches!(message, [.., CR]);
        if loses_cr || self.find(None, body).is_some_and(is_inside) {
            return Err(FrameError::DelimiterInside(self));
        }
        Ok((body.len(), tail))
    }
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';
