//! The head of a request or an answer: a first line, and fields (RFC 9112, sections 2 and 5).

use memchr::memmem;

use super::LONGEST_HEAD;
use crate::websocket::WebSocketError;

/// A head that has come whole.
pub(super) struct Head<'a> {
    pub(super) line: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    /// How many bytes it took.
    pub(super) length: usize,
}

impl<'a> Head<'a> {
    /// Reads one at the front of `bytes`; `None` where it has not ended. Each line ends in CR LF: what takes less is what
    /// requests are smuggled through.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<Self>, WebSocketError> {
        let within = bytes.get(..LONGEST_HEAD).unwrap_or(bytes);
        let Some(end) = memmem::find(within, b"\r\n\r\n") else {
            // Who speaks something else, such as TLS, may be waiting for our answer.
            if within.iter().any(|byte| byte.is_ascii_control() && !b"\t\r\n".contains(byte)) {
                return Err(WebSocketError::NotHttp);
            }
            return if bytes.len() < LONGEST_HEAD { Ok(None) } else { Err(WebSocketError::HeadTooLong) };
        };
        let text = str::from_utf8(within.get(..end).unwrap_or_default());
        let mut lines = text.map_err(|_| WebSocketError::NotHttp)?.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':')?;
            let value = value.trim_matches([' ', '\t']);
            (is_token(name) && is_value(value)).then_some((name, value))
        });
        let fields = fields.collect::<Option<Vec<_>>>().filter(|_| is_value(line));
        let fields = fields.ok_or(WebSocketError::NotHttp)?;
        Ok(Some(Self { line, fields, length: end + 4 }))
    }

    /// What every field of that name says.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// What the one field of that name says; `None` where there is none, or more.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The elements of a list, which may be spread over several fields.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let elements = self.values(name).flat_map(|value| value.split(','));
        elements.map(|element| element.trim_matches([' ', '\t'])).filter(|element| !element.is_empty())
    }

    /// Whether a list names that, in any case.
    pub(super) fn lists(&self, name: &str, element: &str) -> bool {
        self.list(name).any(|known| known.eq_ignore_ascii_case(element))
    }
}

/// Whether it is a name in HTTP: of a field, or of a subprotocol (RFC 9110, section 5.6.2).
pub fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

/// Whether it can stand in the first line, or as a host: something, and no space.
pub fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether it is a field, `NAME: VALUE`, of one line, and none that the handshake needs itself.
pub fn is_field(text: &str) -> bool {
    let Some((name, value)) = text.split_once(':') else { return false };
    let lower = name.to_ascii_lowercase();
    let is_ours = lower.starts_with("sec-websocket-")
        || ["connection", "content-length", "host", "origin", "transfer-encoding", "upgrade"]
            .contains(&&*lower);
    is_token(name) && is_value(value) && !is_ours
}

/// Whether it can stand behind a colon: no control character, which could begin a line of its own.
fn is_value(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || c == '\t')
}
