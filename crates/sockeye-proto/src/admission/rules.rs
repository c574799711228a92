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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Names who has shown a certificate for this name. Letters of either case are the same, as in DNS (RFC 4343).
    Certificate(String),
    /// Names who comes from these addresses.
    Network(Network),
    /// Names what belongs to this user.
    User(u32),
}

/// Whoever a deny names is refused; where there is any allow, only whom one names comes in.
///
/// With `ours`, only what belongs to that user or to root comes in, and whom an allow of users or certificates names; an
/// allow of addresses then narrows and never widens. Root is let in because it may act as any user anyway: keeping it out
/// would protect nothing.
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

    /// Whether they depend on what a peer's certificate is for.
    pub fn ask_for_certificate(&self) -> bool {
        let names_a_certificate = |rule: &Rule| matches!(rule, Rule::Certificate(_));
        self.allow.iter().chain(&self.deny).any(names_a_certificate)
    }

    /// Decides on a newcomer: its address, if it has one; whose it is, where this was asked: of peers on Unix sockets and
    /// on loopback, and others are no user's; and the names that its certificate is for, which was verified. Before it has
    /// shown one that is `None`: whom a certificate could let in is then not refused, and is to be decided on again.
    ///
    /// # Errors
    /// Why it is refused. One of whom it was asked and not learnt whose it is, always is where a rule depends on it.
    pub fn decide(
        &self,
        ip: Option<IpAddr>,
        owner: Option<Owner>,
        certified: Option<&[String]>,
    ) -> Result<(), Refusal> {
        let has = |name: &str| certified.map(|names| names.iter().any(|own| own.eq_ignore_ascii_case(name)));
        let names = |rule: &Rule, unless_shown: bool| match rule {
            Rule::Certificate(name) => has(name).unwrap_or(unless_shown),
            Rule::Network(network) => ip.is_some_and(|ip| network.contains(ip)),
            Rule::User(user) => owner == Some(Owner::User(*user)),
        };
        let allows = |rule: &Rule| names(rule, true);
        if self.deny.iter().any(|rule| names(rule, false)) {
            return Err(Refusal::Denied);
        }
        if matches!(owner, Some(Owner::Gone | Owner::Unknown)) && self.ask_for_owner() {
            return Err(Refusal::UnknownOwner);
        }
        let is_network = |rule: &&Rule| matches!(rule, Rule::Network(_));
        let mut narrowing =
            self.allow.iter().filter(|rule| self.ours.is_none() || is_network(rule)).peekable();
        if let Some(us) = self.ours {
            let is_ours = [us, ROOT].map(Owner::User).map(Some).contains(&owner);
            if !is_ours && !self.allow.iter().filter(|rule| !is_network(rule)).any(allows) {
                return Err(Refusal::NotOurs);
            }
        }
        if narrowing.peek().is_none() || narrowing.any(allows) { Ok(()) } else { Err(Refusal::NotAllowed) }
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
            Ok(Whom::Certificate(name)) => Rule::Certificate(name),
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
            let decided = rules(allow, deny, None).decide(ip, *owner, None).err();
            assert_eq!(decided, *want, "allow {allow:?}, deny {deny:?}, from {ip:?} of {owner:?}");
        }
    }

    #[test]
    fn what_is_ours_alone_takes_our_user_root_and_whom_an_allow_names_and_nobody_by_an_address() {
        let ip = Some("127.0.0.1".parse().unwrap());
        let decide = |allow: &[&str], deny: &[&str], owner| {
            rules(allow, deny, Some(1000)).decide(ip, Some(owner), None).err()
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
        assert_eq!(rules(&[], &[], Some(1000)).decide(ip, None, None), Err(Refusal::NotOurs));
    }

    #[test]
    fn whom_only_a_certificate_could_let_in_is_decided_on_once_it_has_shown_one() {
        let near: Option<IpAddr> = Some("10.0.0.1".parse().unwrap());
        let far = Some("192.0.2.1".parse().unwrap());
        let alice: &[&str] = &["cert:alice"];
        type Case<'a> = (&'a [&'a str], &'a [&'a str], Option<u32>, Option<IpAddr>, &'a [&'a str], [bool; 2]);
        // Who is let in before it has shown its certificate, and then.
        let table: &[Case<'_>] = &[
            (alice, &[], None, far, &["alice"], [true, true]),
            (alice, &[], None, far, &["host", "ALICE"], [true, true]),
            (alice, &[], None, far, &["alice.example.org"], [true, false]),
            (alice, &[], None, far, &[], [true, false]),
            (&["cert:alice", "10.0.0.0/8"], &[], None, near, &["bob"], [true, true]),
            (&["cert:alice", "10.0.0.0/8"], &[], None, far, &["bob"], [true, false]),
            (&["cert:alice", "cert:bob"], &["cert:bob"], None, far, &["bob"], [true, false]),
            (&["10.0.0.0/8"], &["cert:bob"], None, far, &["alice"], [false, false]),
            (&[], &["cert:bob"], None, far, &["alice", "Bob"], [true, false]),
            (&[], &["cert:bob"], None, far, &["alice"], [true, true]),
            (alice, &["192.0.2.1"], None, far, &["alice"], [false, false]),
            (alice, &[], Some(1000), far, &["alice"], [true, true]),
            (alice, &[], Some(1000), far, &["bob"], [true, false]),
            (&["cert:alice", "10.0.0.0/8"], &[], Some(1000), far, &["alice"], [false, false]),
            (&["cert:alice", "10.0.0.0/8"], &[], Some(1000), near, &["alice"], [true, true]),
            (&["cert:alice", "10.0.0.0/8"], &[], Some(1000), near, &["bob"], [true, false]),
            (&[], &[], Some(1000), far, &["alice"], [false, false]),
        ];
        for (allow, deny, ours, ip, names, want) in table {
            let rules = rules(allow, deny, *ours);
            let shown: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let decided =
                [None, Some(&shown[..])].map(|certified| rules.decide(*ip, None, certified).is_ok());
            assert_eq!(
                decided, *want,
                "allow {allow:?}, deny {deny:?}, ours {ours:?}, from {ip:?} as {names:?}"
            );
        }
    }

    fn rule() -> impl Strategy<Value = Rule> {
        prop_oneof![
            "[ab]".prop_map(Rule::Certificate),
            (0_u8..3).prop_map(|last| match Whom::read(&format!("10.0.0.{last}")) {
                Ok(Whom::Network(network)) => Rule::Network(network),
                other => panic!("{other:?}"),
            }),
            (0_u32..3).prop_map(Rule::User),
        ]
    }

    proptest! {
        /// Whoever is let in with a certificate was let in before it had shown it: nobody is refused too early.
        #[test]
        fn a_certificate_opens_no_door_that_was_shut_before_it_was_shown(
            allow in prop::collection::vec(rule(), 0..4), deny in prop::collection::vec(rule(), 0..4),
            ours in prop::option::of(0_u32..3), ip in 0_u8..3, owner in prop::option::of(0_u32..3),
            shown in prop::collection::vec("[ab]", 0..3),
        ) {
            let rules = Rules { allow, deny, ours };
            let (ip, owner) = (Some([10, 0, 0, ip].into()), owner.map(Owner::User));
            let before = rules.decide(ip, owner, None);
            let after = rules.decide(ip, owner, Some(&shown));
            prop_assert!(before.is_ok() || after.is_err());
            if !rules.ask_for_certificate() {
                prop_assert_eq!(before, after);
            }
        }

        /// Nobody whose owner is not learnt passes a rule that asks for it, and nobody passes a deny.
        #[test]
        fn no_order_or_number_of_rules_opens_a_door(
            users in prop::collection::vec(0_u32..4, 0..4), denied in prop::collection::vec(0_u32..4, 0..4),
            owner in 0_u32..4, ours in prop::option::of(0_u32..4),
        ) {
            let named = |users: &[u32]| users.iter().map(|user| Rule::User(*user)).collect::<Vec<_>>();
            let rules = Rules { allow: named(&users), deny: named(&denied), ours };
            let decided = rules.decide(None, Some(Owner::User(owner)), None);
            let is_allowed = match ours {
                None => users.is_empty() || users.contains(&owner),
                Some(us) => owner == us || owner == 0 || users.contains(&owner),
            };
            prop_assert_eq!(decided.is_ok(), is_allowed && !denied.contains(&owner));
            for unknown in [Owner::Gone, Owner::Unknown] {
                prop_assert_eq!(rules.decide(None, Some(unknown), None).is_err(), rules.ask_for_owner());
            }
        }
    }
}
