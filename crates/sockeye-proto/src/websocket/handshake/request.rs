//! The request of a client, and what a server answers.

use std::fmt::Write as _;

use super::accept;
use super::head::{Head, is_token, is_visible};
use crate::websocket::WebSocketError;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// The path and the query: [`is_visible`], and a slash first.
    pub path: String,
    /// The host, with a port unless it is the scheme's own: [`is_visible`].
    pub host: String,
    /// The page that asks, as browsers say it: [`is_visible`].
    pub origin: Option<String>,
    /// The subprotocols that are spoken, the best first: each [`is_token`](super::is_token).
    pub subprotocols: Vec<String>,
    /// Fields beside those, each [`is_field`](super::is_field).
    pub fields: Vec<String>,
}

impl Ask {
    /// The request. `key` is a [new one](super::key).
    pub fn write(&self, key: &str) -> Vec<u8> {
        let Self { path, host, .. } = self;
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        );
        let origin = self.origin.iter().map(|origin| format!("Origin: {origin}"));
        let subprotocols = (!self.subprotocols.is_empty())
            .then(|| format!("Sec-WebSocket-Protocol: {}", self.subprotocols.join(", ")));
        for field in origin.chain(subprotocols).chain(self.fields.iter().cloned()) {
            text.push_str(&field);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// What a client has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The path and the query.
    pub target: &'a str,
    /// The host, as the client calls us.
    pub host: &'a str,
    /// The page that asks, where a browser does.
    pub origin: Option<&'a str>,
    /// The subprotocols that it speaks, the best first.
    pub subprotocols: Vec<&'a str>,
    /// How many bytes the request took; frames may follow at once.
    pub length: usize,
    key: &'a str,
}

impl<'a> Request<'a> {
    /// Reads one at the front of `bytes`; `None` where it has not ended.
    ///
    /// # Errors
    /// It is no handshake of WebSocket, or longer than [`LONGEST_HEAD`](super::LONGEST_HEAD); [`refusal`] says so.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, WebSocketError> {
        let Some(head) = Head::read(bytes)? else { return Ok(None) };
        let mut words = head.line.split(' ');
        let target = match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1"), None)
                if is_token(method) && is_visible(target) =>
            {
                if method != "GET" || !head.line.ends_with("HTTP/1.1") {
                    return Err(WebSocketError::NoUpgrade);
                }
                path(target).ok_or(WebSocketError::NotHttp)?
            }
            _ => return Err(WebSocketError::NotHttp),
        };
        let is_asked = head.lists("Upgrade", "websocket") && head.lists("Connection", "upgrade");
        if !is_asked || head.value("Sec-WebSocket-Version") != Some("13") {
            return Err(WebSocketError::NoUpgrade);
        }
        let key = head.value("Sec-WebSocket-Key").filter(|key| is_key(key));
        let key = key.ok_or(WebSocketError::Field("Sec-WebSocket-Key"))?;
        let host = head.value("Host").ok_or(WebSocketError::Field("Host"))?;
        let origin = match (head.value("Origin"), head.values("Origin").next()) {
            (None, Some(_)) => return Err(WebSocketError::Field("Origin")),
            (origin, _) => origin,
        };
        let subprotocols: Vec<&str> = head.list("Sec-WebSocket-Protocol").collect();
        if !subprotocols.iter().all(|name| is_token(name)) {
            return Err(WebSocketError::Field("Sec-WebSocket-Protocol"));
        }
        Ok(Some(Self { target, host, origin, subprotocols, length: head.length, key }))
    }

    /// The path, without the query.
    pub fn path(&self) -> &'a str {
        self.target.split('?').next().unwrap_or(self.target)
    }

    /// Whether a page of the very host asks, if any page does: `http://localhost:80` of `localhost`.
    pub fn is_of_same_origin(&self) -> bool {
        let Some(origin) = self.origin else { return true };
        let Some((scheme, host)) = origin.split_once("://") else { return false };
        let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        let bare = |host: &'a str| host.strip_suffix(port).unwrap_or(host);
        bare(host).eq_ignore_ascii_case(bare(self.host))
    }

    /// Whether the client calls us by what no name server can be made to say: an IP address, or `localhost`.
    pub fn is_host_fixed(&self) -> bool {
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => self.host,
        };
        let ip = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        name.eq_ignore_ascii_case("localhost") || ip.parse::<std::net::IpAddr>().is_ok()
    }

    /// The answer that begins the WebSocket, with a subprotocol out of those that the client speaks.
    pub fn accept(&self, subprotocol: Option<&str>) -> Vec<u8> {
        let mut text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            accept(self.key)
        );
        if let Some(name) = subprotocol {
            #[expect(clippy::let_underscore_must_use, reason = "a string takes everything")]
            let _ = write!(text, "Sec-WebSocket-Protocol: {name}\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// What a server answers to a request that it refuses for that reason. The connection is closed behind it.
pub fn refusal(error: &WebSocketError) -> Vec<u8> {
    let (status, upgrade) = match error {
        WebSocketError::NoUpgrade => {
            ("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
        }
        WebSocketError::Path(_) => ("404 Not Found", ""),
        WebSocketError::Origin(_) => ("403 Forbidden", ""),
        WebSocketError::HeadTooLong => ("431 Request Header Fields Too Large", ""),
        _ => ("400 Bad Request", ""),
    };
    let connection = if upgrade.is_empty() { "close" } else { "Upgrade, close" };
    let text = match error {
        WebSocketError::NoUpgrade => "This is a WebSocket: open it with a client for those.\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status}\r\n{upgrade}Connection: {connection}\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}

/// The path and the query, without the host that a proxy puts before them.
fn path(target: &str) -> Option<&str> {
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    let target = match rest {
        Some(rest) => rest.get(rest.find('/')?..)?,
        None => target,
    };
    target.starts_with('/').then_some(target)
}

/// Whether it stands for 16 bytes (RFC 6455, section 4.2.1), which is all that is asked of it.
fn is_key(key: &str) -> bool {
    let letters = key.strip_suffix("==").unwrap_or_default();
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    letters.len() == 22 && letters.bytes().all(is_letter)
}
