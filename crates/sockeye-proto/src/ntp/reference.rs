//! The reference identifier: by what or by whom a clock is set, or a kiss (RFC 5905, sections 7.3 and 7.4).

use std::net::Ipv4Addr;

/// Four bytes that mean something else at each stratum: see [`ReferenceId::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReferenceId(pub [u8; 4]);

impl ReferenceId {
    /// As people read it. At stratum 0 and 1 it is a name, such as `GPS`, whose bytes that are no printable ASCII are
    /// shown as `.`; above it is the IPv4 address of the server that was asked, or four bytes of a hash of its IPv6
    /// address, which look like one.
    pub fn text(self, stratum: u8) -> String {
        if stratum > 1 {
            return Ipv4Addr::from(self.0).to_string();
        }
        let name = self.0.map(|byte| if byte.is_ascii_graphic() || byte == b' ' { byte.into() } else { '.' });
        let end = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        name.iter().take(end).collect::<String>().trim_end().to_owned()
    }
}

/// What a server asks of a client instead of telling it the time: a kiss of death (section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kiss {
    /// Not to ask any more: the server does not want to serve it (`DENY`, `RSTR`).
    Deny,
    /// Nothing that a client has to follow.
    Other(ReferenceId),
    /// To ask less often (`RATE`).
    Rate,
}

impl Kiss {
    pub(super) fn of(id: ReferenceId) -> Self {
        match &id.0 {
            b"DENY" | b"RSTR" => Self::Deny,
            b"RATE" => Self::Rate,
            _ => Self::Other(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_name_or_an_address_and_never_what_acts_on_a_terminal() {
        let text = |bytes: &[u8; 4], stratum| ReferenceId(*bytes).text(stratum);
        assert_eq!(
            (text(b"GPS\0", 1), text(b"PPS ", 1), text(b"RATE", 0)),
            ("GPS".into(), "PPS".into(), "RATE".into())
        );
        assert_eq!((text(b"\0\0\0\0", 0), text(b"a\0b\x1b", 1)), (String::new(), "a.b.".into()));
        assert_eq!(text(&[192, 0, 2, 1], 2), "192.0.2.1");
    }

    #[test]
    fn kisses_are_known_by_their_code() {
        let kiss = |code: &[u8; 4]| Kiss::of(ReferenceId(*code));
        assert_eq!((kiss(b"DENY"), kiss(b"RSTR"), kiss(b"RATE")), (Kiss::Deny, Kiss::Deny, Kiss::Rate));
        assert_eq!(kiss(b"INIT"), Kiss::Other(ReferenceId(*b"INIT")));
    }
}
