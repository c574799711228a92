//! What client and server say before the first frame, in HTTP/1.1 (RFC 6455, section 4).
//!
//! A client's [`Ask`] is written, and the server [reads](Request::read) it; the server's [`Request::accept`] or
//! [`refusal`] is written, and the client reads an [`Answer`].

mod head;
mod request;
mod response;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};

pub use head::{is_field, is_token, is_visible};
pub use request::{Ask, Request, refusal};
pub use response::Answer;

/// The longest head that is taken, in bytes: cookies and tokens included.
pub const LONGEST_HEAD: usize = 16 << 10;

/// The key of a client (`Sec-WebSocket-Key`), of 16 bytes that nobody can foresee.
pub fn key(random: [u8; 16]) -> String {
    BASE64_STANDARD.encode(random)
}

/// `Authorization` for a user and a password with a colon between them (RFC 7617), or else for a token (RFC 6750).
pub fn authorization(secret: &str) -> String {
    if secret.contains(':') {
        format!("Basic {}", BASE64_STANDARD.encode(secret))
    } else {
        format!("Bearer {secret}")
    }
}

/// What shows that a server has read that key (`Sec-WebSocket-Accept`).
fn accept(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(digest.finalize())
}

#[cfg(test)]
mod tests;
