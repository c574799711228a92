//! What was typed: flags and words, checked against the verb's rows, and nothing decided yet.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use lexopt::Arg;
use sockeye::proto::printable;
use sockeye::proto::suggest::nearest;
use sockeye::proto::unit;
use sockeye::{Family, Names, Resolver, ServiceFlag};

use crate::failure::Failure;
use crate::flag::{self, Flag};
use crate::parent::Parent;
use crate::verb::{Takes, Verb};

/// An address as it was typed, and the options that stood behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) beside: Vec<String>,
}

/// Words and flags that belong together: all of them, or on the line of `serve` those behind one service's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) service: Option<String>,
    pub(crate) words: Vec<Word>,
    flags: Vec<(&'static str, Option<String>)>,
}

/// Everything behind the verb.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The first has no service.
    pub(crate) groups: Vec<Group>,
    /// The words of a command that is not ours, any bytes; `None` where there was no place for one.
    pub(crate) command: Option<Vec<OsString>>,
    /// What was handed to us beside them.
    pub(crate) parent: Arc<Parent>,
}

/// A word as text.
pub(crate) fn text(word: OsString) -> Result<String, Failure> {
    word.into_string().map_err(|word| {
        let shown = printable::line(word.as_encoded_bytes());
        Failure::usage(format!("{shown}: not UTF-8"), "name it in another way, such as a link to it")
    })
}

/// Reads what stands behind a verb.
pub(crate) fn read(verb: &'static Verb, words: impl Iterator<Item = OsString>) -> Result<Request, Failure> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut request = Request { groups: vec![Group::default()], command: None, parent: Arc::default() };
    loop {
        // Standard input and output with options begins like a flag, and is none.
        let is_address = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-,");
        if let Some(word) = parser.try_raw_args().and_then(|mut raw| raw.next_if(is_address)) {
            request.take_word(verb, text(word)?);
            continue;
        }
        if verb.takes == Takes::Command
            && let Some(mut raw) = parser.try_raw_args()
            && raw.next_if(|word| word == "--").is_some()
        {
            request.command = Some(raw.collect());
            break;
        }
        let wrong = |error: lexopt::Error| Failure::usage(error.to_string(), see(verb));
        let Some(arg) = parser.next().map_err(wrong)? else { break };
        let group = request.last();
        let (name, takes_value) = match arg {
            Arg::Value(word) => {
                request.take_word(verb, text(word)?);
                continue;
            }
            Arg::Long(name) => known(verb, group, |long, _| long == name)
                .ok_or_else(|| unknown(verb, group, &format!("--{name}")))?,
            Arg::Short(letter) => known(verb, group, |_, short| short == Some(letter))
                .ok_or_else(|| unknown(verb, group, &format!("-{letter}")))?,
        };
        let value = if takes_value { Some(parser.value().map_err(wrong).and_then(text)?) } else { None };
        if name == flag::OPTION.long {
            let Some(word) = group.words.last_mut() else {
                return Err(Failure::usage("-o stands behind the address that it is for", see(verb)));
            };
            word.beside.extend(value);
        } else {
            group.flags.push((name, value));
        }
        // A program that calls us as its remote shell goes on with words of its own.
        if name == flag::RSH.long {
            request.command = Some(parser.raw_args().map_err(wrong)?.collect());
            break;
        }
    }
    request.check_number_of_words(verb)?;
    Ok(request)
}

/// The flag of the verb, or of the group's service, for which `is` holds: its name, and whether it takes a value.
fn known(
    verb: &Verb,
    group: &Group,
    is: impl Fn(&str, Option<char>) -> bool,
) -> Option<(&'static str, bool)> {
    let all = flag::COMMON.iter().chain(verb.flags);
    let of_verb = all.map(|flag: &&Flag| (flag.long, flag.short, flag.value.is_some()));
    let of_service = service_flags(group).map(|flag| (flag.name, None, flag.value.is_some()));
    let mut all = of_verb.chain(of_service);
    all.find(|(long, short, _)| is(long, *short)).map(|(long, _, takes_value)| (long, takes_value))
}

fn service_flags(group: &Group) -> impl Iterator<Item = &'static ServiceFlag> {
    let service = sockeye_services::ALL.iter().find(|row| Some(row.name) == group.service.as_deref());
    service.into_iter().flat_map(|row| row.flags)
}

fn unknown(verb: &Verb, group: &Group, typed: &str) -> Failure {
    let name = typed.trim_start_matches('-');
    let of_verb = flag::COMMON.iter().chain(verb.flags).map(|flag| flag.long);
    let names = of_verb.chain(service_flags(group).map(|flag| flag.name));
    let of_another = sockeye_services::ALL.iter().find(|row| row.flags.iter().any(|flag| flag.name == name));
    let hint = match (of_another.filter(|_| verb.takes == Takes::Groups), nearest(name, names)) {
        (Some(row), _) => format!("--{name} is a flag of {}, and stands behind that word", row.name),
        (None, Some(near)) => format!("did you mean --{near}?"),
        (None, None) => see(verb),
    };
    Failure::usage(format!("there is no flag {typed}"), hint)
}

/// Where to read more.
fn see(verb: &Verb) -> String {
    format!("see sockeye {} --help", verb.name)
}

impl Request {
    /// The group that what comes next belongs to.
    fn last(&mut self) -> &mut Group {
        #[expect(clippy::expect_used, reason = "a request begins with one group, and none is ever removed")]
        self.groups.last_mut().expect("at least one group")
    }

    fn take_word(&mut self, verb: &Verb, text: String) {
        if verb.takes == Takes::Groups && !text.starts_with("-,") && text != "-" && !text.contains(':') {
            self.groups.push(Group { service: Some(text), ..Group::default() });
        } else {
            self.last().words.push(Word { text, beside: Vec::new() });
        }
    }

    fn check_number_of_words(&self, verb: &Verb) -> Result<(), Failure> {
        let count = self.groups.iter().map(|group| group.words.len()).sum::<usize>();
        if self.has(&flag::HELP) || verb.words.contains(&count) {
            return Ok(());
        }
        Err(Failure::usage(format!("{}: {}", verb.name, verb.expects), format!("usage: {}", verb.usage)))
    }

    /// The same, with `flags` beneath: where one was typed too, what was typed counts.
    pub(crate) fn above(&self, mut flags: Vec<(&'static str, Option<String>)>) -> Self {
        let mut request = self.clone();
        if let Some(group) = request.groups.first_mut() {
            flags.append(&mut group.flags);
            group.flags = flags;
        }
        request
    }

    /// Whether a flag was given.
    pub(crate) fn has(&self, flag: &Flag) -> bool {
        self.groups.iter().any(|group| group.has(flag))
    }

    /// The value of a flag; the last, where it was given more than once.
    pub(crate) fn value(&self, flag: &Flag) -> Option<&str> {
        self.groups.iter().rev().find_map(|group| group.value(flag.long))
    }

    /// Every value of a flag, as often as it was given.
    pub(crate) fn values(&self, flag: &Flag) -> impl Iterator<Item = &str> {
        let all = self.groups.iter().flat_map(|group| &group.flags);
        all.filter(|(name, _)| *name == flag.long).filter_map(|(_, value)| value.as_deref())
    }

    /// The value of a flag that is a number.
    pub(crate) fn number(&self, flag: &Flag, range: RangeInclusive<usize>) -> Result<Option<usize>, Failure> {
        let Some(text) = self.value(flag) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let wrong = || {
            let hint = format!("write {} to {}", range.start(), range.end());
            Failure::usage(format!("--{} {text}: not such a number", flag.long), hint)
        };
        number.map(Some).ok_or_else(wrong)
    }

    /// The value of a flag that is a length of time.
    pub(crate) fn time(&self, flag: &Flag) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.value(flag) else { return Ok(None) };
        let time = unit::duration(text);
        let wrong =
            || Failure::usage(format!("--{} {text}: not a time", flag.long), "write 1.5s, 250ms or 2m");
        time.map(Some).ok_or_else(wrong)
    }

    /// The words that belong to no service.
    pub(crate) fn words(&self) -> &[Word] {
        self.groups.first().map_or(&[], |group| &group.words)
    }

    /// How names are to be looked up.
    pub(crate) fn resolver(&self) -> Result<Resolver, Failure> {
        let family = match (self.has(&flag::V4), self.has(&flag::V6)) {
            (true, true) => {
                return Err(Failure::usage("-4 and -6 exclude each other", "leave both out for both"));
            }
            (true, false) => Family::V4,
            (false, true) => Family::V6,
            (false, false) => Family::Any,
        };
        let names = if self.has(&flag::NUMERIC) { Names::NumbersOnly } else { Names::LookedUp };
        Ok(Resolver { family, names, ..Resolver::default() })
    }
}

impl Group {
    /// Whether a flag was given in this group.
    pub(crate) fn has(&self, flag: &Flag) -> bool {
        self.flags.iter().any(|(name, _)| *name == flag.long)
    }

    /// The value of a flag in this group.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(given, _)| *given == name).and_then(|(_, value)| value.as_deref())
    }

    /// What a flag of this group's service was set to, each time it was given: nothing where it takes no value.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.flags.iter().filter(move |(given, _)| *given == name);
        given.map(|(_, value)| value.as_deref().unwrap_or_default())
    }
}
