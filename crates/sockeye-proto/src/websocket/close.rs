//! Why a side has ended (RFC 6455, section 7).

use std::fmt;

use super::MAX_CONTROL;
use super::error::WebSocketError;
use crate::printable;

/// What a Close says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Close {
    /// Why, by number (section 7.4); `None` where it says nothing.
    pub code: Option<u16>,
    /// Why, in words for people; at most 123 bytes of it are sent, and none without a code.
    pub reason: String,
}

impl Close {
    /// All was said.
    pub const NORMAL: u16 = 1000;
    /// A server that stops, or a page that is left.
    pub const GOING_AWAY: u16 = 1001;

    /// With that code, and no words.
    pub fn of(code: u16) -> Self {
        Self { code: Some(code), reason: String::new() }
    }

    /// Whether it says that all went well, or nothing.
    pub fn is_orderly(&self) -> bool {
        matches!(self.code, None | Some(Self::NORMAL | Self::GOING_AWAY))
    }

    /// Reads the payload of a Close.
    pub(super) fn read(payload: &[u8]) -> Result<Self, WebSocketError> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(Self::default()) } else { Err(WebSocketError::CloseLength) };
        };
        let code = u16::from_be_bytes(*code);
        if !is_sendable(code) {
            return Err(WebSocketError::CloseCode(code));
        }
        let reason = str::from_utf8(reason).map_err(|_| WebSocketError::NotText)?;
        Ok(Self { code: Some(code), reason: reason.to_owned() })
    }

    /// The payload that says it. A code that only stands for what was never said is left out.
    pub fn payload(&self) -> Vec<u8> {
        let Some(code) = self.code.filter(|code| is_sendable(*code)) else { return Vec::new() };
        let fits = self.reason.floor_char_boundary(MAX_CONTROL - 2);
        [&code.to_be_bytes()[..], self.reason.get(..fits).unwrap_or_default().as_bytes()].concat()
    }
}

/// Whether a Close may carry it: those that are registered, but for the ones that stand for what was never said, and
/// those that are free for libraries and programs (section 7.4, and IANA's register).
fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// `1008 (a policy forbids it): the reason`.
impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = self.code else { return f.write_str("no code") };
        write!(f, "{code}")?;
        let meaning = match code {
            1000 => "all was said",
            1001 => "it goes away",
            1002 => "a protocol error",
            1003 => "data it cannot take",
            1007 => "text that is no UTF-8",
            1008 => "against its policy",
            1009 => "a message too large for it",
            1010 => "an extension is missing",
            1011 => "an internal error",
            1012 => "it restarts",
            1013 => "try again later",
            1014 => "a bad gateway",
            _ => "",
        };
        if !meaning.is_empty() {
            write!(f, " ({meaning})")?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", printable::line(self.reason.as_bytes()))?;
        }
        Ok(())
    }
}
