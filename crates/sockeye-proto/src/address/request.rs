//! What options say of a request of HTTP.

use crate::websocket::handshake::{is_field, is_token, is_visible};

/// A part of a request. None can hold what would begin another line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A field: `NAME:VALUE`. May be set several times.
    Field,
    /// A host, with or without a port.
    Host,
    /// The page that asks, `https://host`. May be set several times.
    Origin,
    /// The path, with or without a query, percent-encoded.
    Path,
    /// Where a secret is kept: `file:PATH` or `env:NAME`. It never stands in an address, which any user can see.
    Secret,
    /// The name of a subprotocol. May be set several times.
    Subprotocol,
}

impl Part {
    pub(super) fn repeats(self) -> bool {
        matches!(self, Self::Field | Self::Origin | Self::Subprotocol)
    }

    pub(super) fn takes(self, text: &str) -> bool {
        match self {
            Self::Field => is_field(text),
            Self::Host => is_visible(text) && !text.contains(['/', '@']),
            Self::Origin => {
                let host = text.split_once("://").map(|(_, host)| host);
                is_visible(text) && host.map_or(text == "any", |host| !host.is_empty() && !host.contains('/'))
            }
            Self::Path => is_visible(text) && text.starts_with('/') && !text.contains('#'),
            Self::Secret => {
                let place = text.strip_prefix("file:").or_else(|| text.strip_prefix("env:"));
                place.is_some_and(|place| !place.is_empty() && !place.contains('\0'))
            }
            Self::Subprotocol => is_token(text),
        }
    }

    pub(super) fn expects(self) -> &'static str {
        match self {
            Self::Field => "a field such as X-Name:value, and none that the handshake sets itself",
            Self::Host => "a host such as example.com or localhost:8080",
            Self::Origin => "an origin such as https://example.com, or any",
            Self::Path => "a path such as /chat, with %20 for a space",
            Self::Secret => "file:PATH or env:NAME, where user:password or a token is kept",
            Self::Subprotocol => "the name of a subprotocol, without spaces",
        }
    }

    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Field => "X-Name:value",
            Self::Host => "example.com",
            Self::Origin => "https://example.com",
            Self::Path => "/chat",
            Self::Secret => "env:NAME",
            Self::Subprotocol => "chat",
        }
    }

    pub(super) fn placeholder(self) -> &'static str {
        match self {
            Self::Field => "NAME:VALUE",
            Self::Host => "HOST[:PORT]",
            Self::Origin => "ORIGIN",
            Self::Path => "PATH",
            Self::Secret => "file:PATH|env:NAME",
            Self::Subprotocol => "NAME",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_request_can_begin_another_line() {
        let parts = [Part::Field, Part::Host, Part::Origin, Part::Path, Part::Secret, Part::Subprotocol];
        for part in parts {
            let good = part.example();
            assert!(part.takes(good), "{good}");
            assert!(!part.takes(""));
            if part != Part::Secret {
                assert!(!part.takes(&format!("{good}\r\nX: y")), "{good}");
                assert!(!part.takes(&format!("{good}\n")), "{good}");
            }
        }
        for (part, text, is_taken) in [
            (Part::Host, "[::1]:80", true),
            (Part::Host, "a b", false),
            (Part::Host, "user@host", false),
            (Part::Origin, "any", true),
            (Part::Origin, "null", false),
            (Part::Origin, "https://", false),
            (Part::Origin, "https://a/b", false),
            (Part::Path, "chat", false),
            (Part::Path, "/a b", false),
            (Part::Path, "/a#b", false),
            (Part::Path, "/a?b=c", true),
            (Part::Secret, "user:password", false),
            (Part::Secret, "env:", false),
        ] {
            assert_eq!(part.takes(text), is_taken, "{text}");
        }
    }
}
