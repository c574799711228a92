//! Who may have a service run or write something: whose connection it is, or a token that was handed out.
//!
//! It decides alone. How a token comes over the wire is for each service to say; that the address is not open to
//! everybody is for [`sockeye::Newcomers`].

mod tokens;

pub use tokens::{TokenFault, Tokens};

use sockeye::Peer;

/// What is asked of a peer before a service runs or writes something for it.
#[derive(Debug, Default)]
pub struct Access {
    tokens: Option<Tokens>,
}

impl Access {
    /// Our own user and root alone.
    pub fn ours() -> Self {
        Self::default()
    }

    /// Our own user, root, and whoever has one of these tokens.
    pub fn with_tokens(tokens: Tokens) -> Self {
        Self { tokens: Some(tokens) }
    }

    /// The tokens, to read their file again.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Whether the peer, who may have sent a token, is to be served.
    ///
    /// Its user is known where the listener asks for it: [`sockeye::Newcomers::Identified`] or `Ours`. Root is let in
    /// because it may act as any user anyway.
    pub fn permits(&self, peer: &Peer, token: Option<&[u8]>) -> bool {
        let us = rustix::process::geteuid().as_raw();
        let is_ours = peer.user.is_some_and(|user| user == us || user == 0);
        let has_token = || self.tokens.as_ref().zip(token).is_some_and(|(tokens, token)| tokens.hold(token));
        is_ours || has_token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_user_and_root_need_no_token_and_others_need_a_right_one() {
        let us = rustix::process::geteuid().as_raw();
        let token = b"0123456789abcdef";
        let tokens = || Tokens::read(token).unwrap();
        let of = |user| {
            let mut peer = Peer::new("tcp");
            peer.user = user;
            peer
        };
        for (user, token, ours, with_tokens) in [
            (Some(us), None, true, true),
            (Some(0), None, true, true),
            (Some(us + 1), None, false, false),
            (None, None, false, false),
            (None, Some(&token[..]), false, true),
            (Some(us + 1), Some(&token[..]), false, true),
            (None, Some(&b"0123456789abcdeF"[..]), false, false),
        ] {
            let peer = of(user);
            let permits = |access: &Access| access.permits(&peer, token);
            assert_eq!(permits(&Access::ours()), ours, "{user:?} {token:?}");
            assert_eq!(permits(&Access::with_tokens(tokens())), with_tokens, "{user:?} {token:?}");
        }
    }
}
