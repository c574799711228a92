//! Who may come in: decided from a newcomer's address and user, before anything is exchanged with it, and from its
//! certificate, once it has shown one.
//!
//! [`Whom`] is what a rule names, as it is written; [`Rules`] decide; [`Quota`] counts how many of a peer are inside,
//! and how often it comes. Who the user is, and what becomes of the refused, is for the caller.

mod quota;
mod rate;
mod rules;
mod whom;

pub use quota::{Key, Quota};
pub use rules::{Owner, Rule, Rules};
pub(crate) use whom::EXPECTED;
pub use whom::{Network, Whom};

use std::fmt;

/// Why a newcomer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `deny=` names it.
    Denied,
    /// There is an `allow=`, and none names it.
    NotAllowed,
    /// It belongs neither to our own user, nor to root, nor to a user whom `allow=` names.
    NotOurs,
    /// As many of this peer are inside as `max-per-peer=` lets in.
    TooMany,
    /// It came more often within a second than `rate-conns=` lets in.
    TooOften,
    /// A rule asks whose it is, and the kernel does not know, or its owner has closed it already.
    UnknownOwner,
}

impl Refusal {
    /// A word for those who count.
    pub fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotAllowed => "not-allowed",
            Self::NotOurs => "not-ours",
            Self::TooMany => "too-many",
            Self::TooOften => "too-often",
            Self::UnknownOwner => "unknown-owner",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "deny= names it",
            Self::NotAllowed => "no allow= names it",
            Self::NotOurs => "it is another user's, whom no allow= names",
            Self::TooMany => "max-per-peer= of it are inside",
            Self::TooOften => "it comes more often than rate-conns=",
            Self::UnknownOwner => "whose it is cannot be told",
        })
    }
}
