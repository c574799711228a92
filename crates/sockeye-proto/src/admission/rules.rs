//! The rules of a listener: whom it denies, whom it allows, and whether it is for our own user alone.

use std::net::IpAddr;

use super::{Network, Refusal};

/// Whose a socket is, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Nobody's any more: its process has closed it. The kernel then says user 0, which is not root.
    Gone,
    /// It cannot be told.
    Unknown,
    /// This user's.
    User(u32),
}

/// A rule whose user is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Names who comes from these addresses.
    Network(Network),
    /// Names what belongs to this user.
    User(u32),
}

/// Whoever a deny names is refused; where there is any allow, only whom one names comes in.
///
/// With `ours`, only what belongs to that user or to root comes in, and to whom a user's allow names; an allow of
/// addresses then narrows and never widens. Root is let in because it may act as any user anyway: keeping it out would
/// protect nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who comes in.
    pub allow: Vec<Rule>,
    /// Who does not.
    pub deny: Vec<Rule>,
    /// The user that alone comes in.
    pub ours: Option<u32>,
}

impl Rules {
    /// Whether they depend on whose a peer is.
    pub fn ask_for_owner(&self) -> bool {
        let names_a_user = |rule: &Rule| matches!(rule, Rule::User(_));
        self.ours.is_some() || self.allow.iter().chain(&self.deny).any(names_a_user)
    }

    /// Decides on a newcomer: its address, if it has one, and whose it is, where this was asked: of peers on Unix sockets
    /// and on loopback. Others are no user's.
    ///
    /// # Errors
    /// Why it is refused. One of whom it was asked and not learnt whose it is, always is where a rule depends on it.
    pub fn decide(&self, ip: Option<IpAddr>, owner: Option<Owner>) -> Result<(), Refusal> {
        let names = |rule: &Rule| match rule {
            Rule::Network(network) => ip.is_some_and(|ip| network.contains(ip)),
            Rule::User(user) => owner == Some(Owner::User(*user)),
        };
        if self.deny.iter().any(names) {
            return Err(Refusal::Denied);
        }
        if matches!(owner, Some(Owner::Gone | Owner::Unknown)) && self.ask_for_owner() {
            return Err(Refusal::UnknownOwner);
        }
        let is_user = |rule: &&Rule| matches!(rule, Rule::User(_));
        let mut narrowing = self.allow.iter().filter(|rule| self.ours.is_none() || !is_user(rule)).peekable();
        if let Some(us) = self.ours {
            let is_ours = [us, ROOT].map(Owner::User).map(Some).contains(&owner);
            if !is_ours && !self.allow.iter().filter(is_user).any(names) {
                return Err(Refusal::NotOurs);
            }
        }
        if narrowing.peek().is_none() || narrowing.any(names) { Ok(()) } else { Err(Refusal::NotAllowed) }
    }
}

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::super::Whom;
    use super::*;
    use proptest::prelude::*;

    fn rules(allow: &[&str], deny: &[&str], ours: Option<u32>) -> Rules {
        let rule = |text: &&str| match Whom::read(text) {
            Ok(Whom::Network(network)) => Rule::Network(network),
            Ok(Whom::Uid(uid)) => Rule::User(uid),
            other => panic!("{text}: {other:?}"),
        };
        Rules { allow: allow.iter().map(rule).collect(), deny: deny.iter().map(rule).collect(), ours }
    }

    #[test]
    fn whoever_a_deny_names_is_refused_and_where_there_is_any_allow_only_whom_one_names_comes_in() {
        let loopback = (Some("127.0.0.1"), Some(Owner::User(1000)));
        let far = (Some("10.0.0.1"), None);
        let unix = (None, Some(Owner::User(1000)));
        let gone = (Some("127.0.0.1"), Some(Owner::Gone));
        type Case<'a> = (&'a [&'a str], &'a [&'a str], (Option<&'a str>, Option<Owner>), Option<Refusal>);
        let table: &[Case<'_>] = &[
            (&[], &[], far, None),
            (&["10.0.0.0/8"], &[], far, None),
            (&["10.0.0.0/8"], &["10.0.0.1"], far, Some(Refusal::Denied)),
            (&["127.0.0.1", "::1"], &[], far, Some(Refusal::NotAllowed)),
            (&["127.0.0.1", "::1"], &[], (Some("::ffff:127.0.0.1"), None), None),
            (&["uid:1000"], &[], loopback, None),
            (&["uid:1001"], &[], loopback, Some(Refusal::NotAllowed)),
            (&["uid:1000"], &[], far, Some(Refusal::NotAllowed)),
            (&["uid:1000"], &[], unix, None),
            (&[], &["uid:1000"], unix, Some(Refusal::Denied)),
            (&[], &["uid:1001"], unix, None),
            (&["127.0.0.1"], &["uid:1000"], loopback, Some(Refusal::Denied)),
            (&["127.0.0.1", "uid:0"], &[], gone, Some(Refusal::UnknownOwner)),
            (&[], &["uid:1001"], gone, Some(Refusal::UnknownOwner)),
            (&["127.0.0.1"], &[], gone, None),
            (&["0.0.0.0/0"], &[], (Some("::1"), None), Some(Refusal::NotAllowed)),
        ];
        for (allow, deny, (ip, owner), want) in table {
            let ip = ip.map(|ip| ip.parse().unwrap());
            let decided = rules(allow, deny, None).decide(ip, *owner).err();
            assert_eq!(decided, *want, "allow {allow:?}, deny {deny:?}, from {ip:?} of {owner:?}");
        }
    }

    #[test]
    fn what_is_ours_alone_takes_our_user_root_and_whom_an_allow_names_and_nobody_by_an_address() {
        let ip = Some("127.0.0.1".parse().unwrap());
        let decide = |allow: &[&str], deny: &[&str], owner| {
            rules(allow, deny, Some(1000)).decide(ip, Some(owner)).err()
        };
        let (we, root, other) = (Owner::User(1000), Owner::User(0), Owner::User(1001));
        for owner in [we, root] {
            assert_eq!(decide(&[], &[], owner), None, "{owner:?}");
            assert_eq!(decide(&["uid:1001"], &[], owner), None, "{owner:?}");
        }
        assert_eq!(decide(&[], &[], other), Some(Refusal::NotOurs));
        assert_eq!(decide(&["127.0.0.1"], &[], other), Some(Refusal::NotOurs));
        assert_eq!(decide(&["uid:1001"], &[], other), None);
        assert_eq!(decide(&["127.0.0.2"], &[], we), Some(Refusal::NotAllowed));
        assert_eq!(decide(&[], &["uid:0"], root), Some(Refusal::Denied));
        for owner in [Owner::Gone, Owner::Unknown] {
            assert_eq!(decide(&["uid:0"], &[], owner), Some(Refusal::UnknownOwner));
        }
        assert_eq!(rules(&[], &[], Some(1000)).decide(ip, None), Err(Refusal::NotOurs));
    }

    proptest! {
        /// Nobody whose owner is not learnt passes a rule that asks for it, and nobody passes a deny.
        #[test]
        fn no_order_or_number_of_rules_opens_a_door(
            users in prop::collection::vec(0_u32..4, 0..4), denied in prop::collection::vec(0_u32..4, 0..4),
            owner in 0_u32..4, ours in prop::option::of(0_u32..4),
        ) {
            let named = |users: &[u32]| users.iter().map(|user| Rule::User(*user)).collect::<Vec<_>>();
            let rules = Rules { allow: named(&users), deny: named(&denied), ours };
            let decided = rules.decide(None, Some(Owner::User(owner)));
            let is_allowed = match ours {
                None => users.is_empty() || users.contains(&owner),
                Some(us) => owner == us || owner == 0 || users.contains(&owner),
            };
            prop_assert_eq!(decided.is_ok(), is_allowed && !denied.contains(&owner));
            for unknown in [Owner::Gone, Owner::Unknown] {
                prop_assert_eq!(rules.decide(None, Some(unknown)).is_err(), rules.ask_for_owner());
            }
        }
    }
}
