//! The peers of a datagram listener: who is inside, and who makes room for a newcomer.
//!
//! Anybody can send from any address that they make up, so a newcomer is believed little: who was heard once only makes
//! room for the next, the oldest first. Who was heard twice stays until they leave, and where all inside are of that
//! kind, newcomers are refused. So a flood of made-up senders, each seen once, cannot push out those who talk, and
//! whoever is inside is known after one look into a table.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Who is inside: a name, and what is kept for it.
#[derive(Debug)]
pub struct Crowd<K, V> {
    most: usize,
    policy: Strangers,
    inside: HashMap<K, Guest<V>>,
    /// Those who were heard once, oldest first, by name and number; some have left, or were heard again since.
    strangers: VecDeque<(K, u64)>,
    /// How many were ever let in, so that two visits of one name are told apart.
    admitted: u64,
}

#[derive(Debug)]
struct Guest<V> {
    value: V,
    number: u64,
    heard_again: bool,
}

/// What those who were heard once do in a full house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strangers {
    /// The oldest of them makes room for a newcomer.
    MakeRoom,
    /// They stay, and newcomers are refused.
    Stay,
}

/// What becomes of a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<V> {
    /// It is inside.
    Admitted,
    /// It is inside, and this one, who was heard only once, is not any more.
    InsteadOf(V),
    /// There is no room.
    Refused,
}

impl<K: Copy + Eq + Hash, V> Crowd<K, V> {
    /// An empty house for at most `most`, at least one.
    pub fn new(most: usize, policy: Strangers) -> Self {
        Self { most: most.max(1), policy, inside: HashMap::new(), strangers: VecDeque::new(), admitted: 0 }
    }

    /// From now on there is room for `most`, at least one. Nobody has to leave; where more are inside, each who is let in
    /// takes the place of another.
    pub fn resize(&mut self, most: usize, policy: Strangers) {
        (self.most, self.policy) = (most.max(1), policy);
    }

    /// Who is heard now, if inside: they are no strangers from here on.
    pub fn hear(&mut self, name: &K) -> Option<&V> {
        let guest = self.inside.get_mut(name)?;
        guest.heard_again = true;
        Some(&guest.value)
    }

    /// Lets somebody in who is not inside, and was just heard for the first time.
    pub fn admit(&mut self, name: K, value: V) -> Verdict<V> {
        let mut verdict = Verdict::Admitted;
        if self.inside.len() >= self.most {
            let evicted = if self.policy == Strangers::MakeRoom { self.evict() } else { None };
            let Some(evicted) = evicted else { return Verdict::Refused };
            verdict = Verdict::InsteadOf(evicted);
        }
        self.admitted += 1;
        let number = self.admitted;
        self.inside.insert(name, Guest { value, number, heard_again: false });
        self.strangers.push_back((name, number));
        self.forget_those_known();
        verdict
    }

    /// Takes out whom `is` means of that name, if inside: the name may belong to a later visit by now.
    pub fn leave(&mut self, name: &K, is: impl FnOnce(&V) -> bool) -> Option<V> {
        if !self.inside.get(name).is_some_and(|guest| is(&guest.value)) {
            return None;
        }
        self.inside.remove(name).map(|guest| guest.value)
    }

    /// Everybody inside, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &V> {
        self.inside.values().map(|guest| &guest.value)
    }

    /// Whether nobody is inside.
    pub fn is_empty(&self) -> bool {
        self.inside.is_empty()
    }

    /// Takes out the oldest who was heard only once.
    fn evict(&mut self) -> Option<V> {
        while let Some((name, number)) = self.strangers.pop_front() {
            if self.is_stranger(&name, number) {
                return self.inside.remove(&name).map(|guest| guest.value);
            }
        }
        None
    }

    fn is_stranger(&self, name: &K, number: u64) -> bool {
        self.inside.get(name).is_some_and(|guest| guest.number == number && !guest.heard_again)
    }

    /// Keeps the list of strangers from growing with those who have left or are known: it is looked through once it is
    /// twice as long as the house is full, which costs each arrival a constant share.
    fn forget_those_known(&mut self) {
        if self.strangers.len() > 2 * self.inside.len() + 16 {
            let mut strangers = std::mem::take(&mut self.strangers);
            strangers.retain(|(name, number)| self.is_stranger(name, *number));
            self.strangers = strangers;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn who_was_heard_once_makes_room_and_who_was_heard_twice_stays() {
        let mut crowd = Crowd::new(2, Strangers::MakeRoom);
        assert_eq!(crowd.admit('a', 1), Verdict::Admitted);
        assert_eq!(crowd.hear(&'a'), Some(&1));
        assert_eq!(crowd.admit('b', 2), Verdict::Admitted);
        assert_eq!(crowd.admit('c', 3), Verdict::InsteadOf(2));
        assert_eq!(crowd.hear(&'b'), None);
        assert_eq!(crowd.hear(&'c'), Some(&3));
        assert_eq!(crowd.admit('d', 4), Verdict::Refused);
        assert_eq!(crowd.leave(&'a', |value| *value == 9), None);
        assert_eq!(crowd.leave(&'a', |value| *value == 1), Some(1));
        assert_eq!(crowd.admit('d', 4), Verdict::Admitted);
        assert_eq!(crowd.iter().copied().collect::<std::collections::BTreeSet<_>>(), [3, 4].into());
    }

    #[test]
    fn who_left_and_came_back_is_as_new_as_anybody() {
        let mut crowd = Crowd::new(2, Strangers::MakeRoom);
        crowd.admit('a', 1);
        crowd.leave(&'a', |_| true);
        crowd.admit('b', 2);
        crowd.admit('a', 3);
        assert_eq!(crowd.admit('c', 4), Verdict::InsteadOf(2));
    }

    #[test]
    fn where_strangers_stay_the_first_is_not_pushed_out() {
        let mut crowd = Crowd::new(1, Strangers::Stay);
        assert_eq!(crowd.admit('a', 1), Verdict::Admitted);
        assert_eq!(crowd.admit('b', 2), Verdict::Refused);
        assert_eq!(crowd.hear(&'a'), Some(&1));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Heard(u8),
        Left(u8),
    }

    proptest! {
        /// Against a plain model: a list in order of arrival.
        #[test]
        fn it_agrees_with_a_plain_list(
            most in 1_usize..6,
            steps in prop::collection::vec(prop_oneof![4 => (0_u8..9).prop_map(Step::Heard), 1 => (0_u8..9).prop_map(Step::Left)], 0..400),
        ) {
            let mut crowd = Crowd::new(most, Strangers::MakeRoom);
            let mut list: Vec<(u8, bool)> = Vec::new();
            for step in steps {
                match step {
                    Step::Heard(name) => match list.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, heard_again)) => {
                            prop_assert_eq!(crowd.hear(&name), Some(&name));
                            *heard_again = true;
                        }
                        None => {
                            prop_assert_eq!(crowd.hear(&name), None);
                            let stranger = list.iter().position(|(_, heard_again)| !heard_again);
                            let want = match stranger {
                                _ if list.len() < most => Verdict::Admitted,
                                Some(at) => Verdict::InsteadOf(list.remove(at).0),
                                None => Verdict::Refused,
                            };
                            if want != Verdict::Refused {
                                list.push((name, false));
                            }
                            prop_assert_eq!(crowd.admit(name, name), want);
                        }
                    },
                    Step::Left(name) => {
                        let was_inside = list.iter().any(|(known, _)| *known == name);
                        list.retain(|(known, _)| *known != name);
                        prop_assert_eq!(crowd.leave(&name, |_| true).is_some(), was_inside);
                    }
                }
                prop_assert_eq!(crowd.is_empty(), list.is_empty());
                prop_assert!(crowd.inside.len() <= most && crowd.strangers.len() <= 2 * most + 17);
            }
        }
    }
}
