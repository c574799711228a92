//! The answer of a server, as a client reads it.

use super::head::Head;
use super::{Ask, accept};
use crate::websocket::WebSocketError;

/// A server has agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The subprotocol that it has chosen, out of those that were offered.
    pub subprotocol: Option<&'a str>,
    /// How many bytes the answer took; frames may follow at once.
    pub length: usize,
}

impl<'a> Answer<'a> {
    /// Reads the answer to that at the front of `bytes`; `None` where it has not ended.
    ///
    /// # Errors
    /// The server refuses, is none of WebSocket, or has chosen what was not offered.
    pub fn read(bytes: &'a [u8], ask: &Ask, key: &str) -> Result<Option<Self>, WebSocketError> {
        // Who speaks first and says something else is not waited for.
        if !bytes.iter().zip(b"HTTP/1.").all(|(byte, want)| byte == want) {
            return Err(WebSocketError::NotHttp);
        }
        let Some(head) = Head::read(bytes)? else { return Ok(None) };
        let status = head.line.split(' ').nth(1).filter(|digits| digits.len() == 3);
        let status = status.and_then(|digits| digits.parse().ok()).ok_or(WebSocketError::NotHttp)?;
        if status != 101 {
            let location = head.value("Location").map(str::to_owned);
            return Err(WebSocketError::Answered { status, location });
        }
        for (name, element) in [("Upgrade", "websocket"), ("Connection", "upgrade")] {
            if !head.lists(name, element) {
                return Err(WebSocketError::Field(name));
            }
        }
        if head.value("Sec-WebSocket-Accept") != Some(&accept(key)) {
            return Err(WebSocketError::Field("Sec-WebSocket-Accept"));
        }
        if head.list("Sec-WebSocket-Extensions").next().is_some() {
            return Err(WebSocketError::Field("Sec-WebSocket-Extensions"));
        }
        let mut chosen = head.list("Sec-WebSocket-Protocol");
        let subprotocol = chosen.next();
        let is_offered = subprotocol.is_none_or(|name| ask.subprotocols.iter().any(|offer| offer == name));
        match (subprotocol, chosen.next()) {
            (Some(name), _) if !is_offered => Err(WebSocketError::Subprotocol(name.to_owned())),
            (_, Some(_)) => Err(WebSocketError::Field("Sec-WebSocket-Protocol")),
            // Who names some wants one of them.
            (None, None) if !ask.subprotocols.is_empty() => {
                Err(WebSocketError::Subprotocol(ask.subprotocols.join(", ")))
            }
            (subprotocol, None) => Ok(Some(Self { subprotocol, length: head.length })),
        }
    }
}
