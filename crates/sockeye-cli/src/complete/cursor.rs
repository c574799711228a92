//! Where in a command line the cursor is.

use sockeye::proto::address::Role;
use sockeye::{ServiceFlag, ServiceRow};

use crate::flag::{self, Flag};
use crate::verb::{Takes, Verb};

/// What stands before the cursor, behind the verb.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) verb: &'static Verb,
    /// The service whose group this is.
    pub(super) service: Option<&'static ServiceRow>,
    /// How many words that are no flags and no services there are.
    pub(super) words: usize,
    /// The last of them.
    pub(super) word: Option<&'a str>,
    pub(super) next: Next,
}

/// What can stand at the cursor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    /// Flags and words.
    Any,
    /// A word of a command, which has so many before it.
    Command(usize),
    /// What a service's flag is set to.
    Text,
    /// What a flag is set to.
    Value(&'static Flag),
    /// Words alone, behind `--`.
    Words,
}

impl<'a> Cursor<'a> {
    pub(super) fn behind(verb: &'static Verb, before: &'a [String]) -> Self {
        let mut cursor = Self { verb, service: None, words: 0, word: None, next: Next::Any };
        before.iter().for_each(|word| cursor.pass(word));
        cursor
    }

    fn pass(&mut self, word: &'a str) {
        match self.next {
            Next::Text | Next::Value(_) => self.next = Next::Any,
            Next::Any if word == "--" && self.verb.takes == Takes::Command => self.next = Next::Command(0),
            Next::Any if word == "--" => self.next = Next::Words,
            Next::Command(words) => self.next = Next::Command(words + 1),
            Next::Any if word.starts_with('-') && word != "-" && !word.starts_with("-,") => {
                self.next = self.behind_flag(word);
            }
            Next::Any | Next::Words => self.take(word),
        }
    }

    fn take(&mut self, word: &'a str) {
        let is_service = self.verb.takes == Takes::Groups && word != "-" && !word.contains([':', ',']);
        if is_service {
            self.service = sockeye_services::ALL.iter().find(|row| row.name == word).copied();
        } else {
            self.words += 1;
            self.word = Some(word);
        }
    }

    /// What follows a flag, or several letters.
    fn behind_flag(&self, word: &str) -> Next {
        if let Some(long) = word.strip_prefix("--") {
            return match self.flags().find(|flag| flag.long == long) {
                Some(flag) if flag.value.is_some() => Next::Value(flag),
                None if self.service_flags().any(|flag| flag.name == long && flag.value.is_some()) => {
                    Next::Text
                }
                _ => Next::Any,
            };
        }
        let mut letters = word.chars().skip(1);
        let takes_value =
            |letter| self.flags().find(|flag| flag.short == Some(letter) && flag.value.is_some());
        match letters.find_map(takes_value) {
            Some(flag) if letters.next().is_none() => Next::Value(flag),
            _ => Next::Any,
        }
    }

    /// The flags of the verb.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.verb.flags.iter().chain(flag::COMMON).copied()
    }

    /// The flags of the service whose group this is.
    pub(super) fn service_flags(&self) -> impl Iterator<Item = &'static ServiceFlag> {
        self.service.into_iter().flat_map(|row| row.flags)
    }

    /// How an address may be written that has so many words before it; `None` where none can stand.
    pub(super) fn roles(&self, words: usize) -> Option<&'static [Role]> {
        match self.verb.takes {
            Takes::Addresses(roles) if words < *self.verb.words.end() => {
                roles.get(words).or(roles.last()).copied()
            }
            Takes::Command => Some(&[Role::Dial]),
            Takes::Groups => self.service.map(|_| [Role::Listen].as_slice()),
            Takes::Addresses(_) | Takes::Outputs => None,
        }
    }
}
