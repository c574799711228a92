//! What a word of a command line may become, from the rows of verbs, flags, services, schemes and options.
//!
//! The scripts of the shells ask for it, so that all of them know the same.

mod address;
mod cursor;

use sockeye::proto::address::{Kind, Role};

use crate::flag::{Flag, OPTION};
use crate::help;
use crate::verb::{self, Takes, Verb, r#gen};
use cursor::{Cursor, Next};

/// Something that may stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// The whole word, and what it means. It goes on where it ends with `:` or `=`.
    Word(String, String),
    /// Behind that many characters of the word, something that the shell knows.
    Known(Known, usize),
}

/// What the shell knows better than we do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Commands,
    Files,
    Hosts,
    Users,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word, meaning) => write!(f, "word\t{word}\t{meaning}"),
            Self::Known(Known::Commands, behind) => write!(f, "commands\t{behind}"),
            Self::Known(Known::Files, behind) => write!(f, "files\t{behind}"),
            Self::Known(Known::Hosts, behind) => write!(f, "hosts\t{behind}"),
            Self::Known(Known::Users, behind) => write!(f, "users\t{behind}"),
        }
    }
}

/// What the last of `words` may become; they begin with the verb, and the last ends at the cursor.
pub(crate) fn complete(words: &[String]) -> Vec<Candidate> {
    let Some((current, before)) = words.split_last() else { return Vec::new() };
    let all = match before.split_first() {
        None => verbs(),
        Some((first, [])) if first == "help" => pages(),
        Some((first, rest)) => match verb::ALL.iter().find(|verb| verb.name == first) {
            Some(verb) => of_verb(verb, rest, current),
            None => Vec::new(),
        },
    };
    all.into_iter().filter(|candidate| candidate.continues(current)).collect()
}

impl Candidate {
    fn word(word: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::Word(word.into(), meaning.into())
    }

    /// The same further on in the word, behind `lead`.
    fn behind(self, lead: &str) -> Self {
        match self {
            Self::Word(word, meaning) => Self::Word(format!("{lead}{word}"), meaning),
            Self::Known(known, behind) => Self::Known(known, lead.chars().count() + behind),
        }
    }

    fn continues(&self, current: &str) -> bool {
        match self {
            Self::Word(word, _) => word.starts_with(current),
            Self::Known(..) => true,
        }
    }
}

fn verbs() -> Vec<Candidate> {
    let verbs = verb::ALL.iter().map(|verb| Candidate::word(verb.name, verb.summary));
    verbs
        .chain([Candidate::word("help", "a page of help"), Candidate::word("--version", "the version")])
        .collect()
}

fn pages() -> Vec<Candidate> {
    help::pages().iter().map(|page| Candidate::word(page.topic(), page.summary)).collect()
}

/// What `current` may become behind a verb and what stands before it.
fn of_verb(verb: &'static Verb, before: &[String], current: &str) -> Vec<Candidate> {
    let cursor = Cursor::behind(verb, before);
    match cursor.next {
        Next::Text => Vec::new(),
        Next::Value(flag) => value(flag, &cursor, current),
        Next::Any if current.starts_with('-') && !current.starts_with("-,") => flags(&cursor, current),
        Next::Any | Next::Words => word(&cursor, current),
        Next::Command(0) => vec![Candidate::Known(Known::Commands, 0)],
        Next::Command(_) => vec![Candidate::Known(Known::Files, 0)],
    }
}

fn flags(cursor: &Cursor<'_>, current: &str) -> Vec<Candidate> {
    if let Some((name, text)) = current.strip_prefix("--").and_then(|rest| rest.split_once('=')) {
        let flag = cursor.flags().find(|flag| flag.long == name);
        let values = flag.map_or_else(Vec::new, |flag| value(flag, cursor, text));
        return values.into_iter().map(|value| value.behind(&format!("--{name}="))).collect();
    }
    let of_verb = cursor.flags().map(|flag| (flag.long, flag.help));
    let all = of_verb.chain(cursor.service_flags().map(|flag| (flag.name, flag.help)));
    all.map(|(name, help)| Candidate::word(format!("--{name}"), help)).collect()
}

/// What a flag may be set to.
fn value(flag: &Flag, cursor: &Cursor<'_>, current: &str) -> Vec<Candidate> {
    if flag.long == OPTION.long {
        let roles = cursor.roles(cursor.words.saturating_sub(1));
        return match (cursor.word, roles) {
            (Some(word), Some(roles)) => address::beside(word, roles, current),
            _ => Vec::new(),
        };
    }
    match flag.value {
        Some("ADDR") => address::word(current, &[Role::Listen]),
        Some("SERVER") => address::word(current, &[Role::Dial]),
        Some("FILE" | "DIR") => vec![Candidate::Known(Known::Files, 0)],
        Some("COMMAND" | "LINE") => vec![Candidate::Known(Known::Commands, 0)],
        Some("FRAME") => address::values(&Kind::Frame),
        _ => {
            match flag.choices.iter().find(|choice| choice.ends_with(':') && current.starts_with(**choice)) {
                Some(begun) => vec![Candidate::Known(Known::Files, begun.chars().count())],
                None => flag.choices.iter().map(|choice| Candidate::word(*choice, "")).collect(),
            }
        }
    }
}

fn word(cursor: &Cursor<'_>, current: &str) -> Vec<Candidate> {
    let mut all = match (cursor.verb.takes, cursor.word) {
        (Takes::Groups, _) => {
            sockeye_services::ALL.iter().map(|row| Candidate::word(row.name, row.help)).collect()
        }
        (Takes::Outputs, None) => r#gen::ALL.iter().map(|row| Candidate::word(row.name, row.help)).collect(),
        (Takes::Outputs, Some(output)) => {
            let row = r#gen::ALL.iter().find(|row| row.name == output && cursor.words == 1);
            let choices = row.map_or_else(Vec::new, |row| (row.choices)());
            choices.into_iter().map(|choice| Candidate::word(choice, "")).collect()
        }
        (Takes::Addresses(_) | Takes::Command, _) => Vec::new(),
    };
    if let Some(roles) = cursor.roles(cursor.words) {
        all.extend(address::word(current, roles));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the last word of a line may become, without what it means.
    fn of(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let word = |candidate: &Candidate| match candidate {
            Candidate::Word(word, _) => word.clone(),
            Candidate::Known(..) => candidate.to_string().replace('\t', " "),
        };
        complete(&words).iter().map(word).collect()
    }

    #[track_caller]
    fn assert_all(table: &[(&str, &[&str])]) {
        for (line, wanted) in table {
            assert_eq!(of(line), *wanted, "{line:?}");
        }
    }

    #[test]
    fn a_line_begins_with_a_verb_and_help_goes_on_with_a_page() {
        assert_all(&[
            ("d", &["dial"]),
            ("--v", &["--version"]),
            ("help addr", &["address"]),
            ("help li", &["listen"]),
            ("nonsense ", &[]),
            ("help dial ", &[]),
        ]);
        assert_eq!(of("").len(), verb::ALL.len() + 2);
        assert_eq!(complete(&[]), []);
    }

    #[test]
    fn schemes_are_those_that_the_verb_can_use_there() {
        assert_all(&[
            ("dial un", &["unix:", "unix-dgram:", "unix-seq:"]),
            ("listen tc", &["tcp:"]),
            ("listen tcp-", &["tcp-l:"]),
            ("listen fi", &[]),
            ("relay tc", &["tcp:", "tcp-l:"]),
            ("relay tcp-l:1 tc", &["tcp:"]),
            ("relay tcp-l:1 tcp:h:2 tc", &[]),
            ("check a: b: c: tc", &["tcp:"]),
            ("dial -- tc", &["tcp:"]),
            ("dial -4n --wait 1s tc", &["tcp:"]),
            ("run tcp:h:1 tc", &["tcp:"]),
        ]);
        assert!(of("dial ").contains(&"-".to_owned()));
    }

    #[test]
    fn behind_the_colon_comes_what_the_shell_knows() {
        assert_all(&[
            ("dial tcp:", &["tcp:localhost:", "hosts 4"]),
            ("dial tcp:x", &["hosts 4"]),
            ("dial tcp:host:", &[]),
            ("listen tcp:", &["tcp:any:"]),
            ("relay tcp-l:a", &["tcp-l:any:"]),
            ("dial vsock:", &["vsock:host:", "vsock:local:"]),
            ("listen vsock:a", &["vsock:any:"]),
            ("dial vsock:2:", &[]),
            ("dial raw:", &["raw:icmp:", "raw:icmpv6:"]),
            ("dial raw:icmp:", &[]),
            ("dial unix:/run/", &["files 5"]),
            ("dial unix:@na", &[]),
            ("dial file:", &["files 5"]),
            ("dial tcp-l:", &[]),
            ("listen file:", &[]),
            ("dial exec:gr", &["commands 5"]),
            ("dial sh:a b", &[]),
            ("dial nonsense:", &[]),
        ]);
    }

    #[test]
    fn options_are_those_of_the_scheme_on_that_side_and_none_twice() {
        assert_all(&[
            ("listen tcp:1,max-c", &["tcp:1,max-conns="]),
            ("dial tcp:h:1,max-c", &[]),
            ("dial unix:/x,user-tim", &[]),
            ("dial tcp:h:1,nonsense", &[]),
            ("dial tcp:h:1,user-tim", &["tcp:h:1,user-timeout="]),
            ("dial tcp:h:1,user-timeout=1s,user-tim", &[]),
            ("dial tcp:h:1,tcp-nodelay,nodel", &[]),
            ("relay tcp-l:1,onc", &["tcp-l:1,once"]),
            ("dial udp:h:1,fram", &[]),
            ("dial tcp:h:1,fram", &["tcp:h:1,frame="]),
            ("dial tcp:h:1,frame=line,max-me", &["tcp:h:1,frame=line,max-message="]),
            ("dial tcp:h:1,frame=line,fram", &[]),
            ("dial -,inpu", &["-,input"]),
            ("listen tcp:1,allow=root,allo", &["tcp:1,allow=root,allow="]),
        ]);
    }

    #[test]
    fn values_are_those_that_an_option_takes() {
        assert_all(&[
            ("dial tcp:h:1,eof=", &["tcp:h:1,eof=half", "tcp:h:1,eof=close", "tcp:h:1,eof=ignore"]),
            ("dial tcp:h:1,nodelay=n", &["tcp:h:1,nodelay=no"]),
            ("dial tcp:h:1,connect=", &["tcp:h:1,connect=off"]),
            ("dial tcp:h:1,frame=fi", &["tcp:h:1,frame=fixed="]),
            ("dial unix-dgram:/x,bind=/t", &["files 19"]),
            ("dial unix-dgram:ä,bind=/t", &["files 18"]),
            ("listen tcp:1,allow=", &["users 12"]),
            ("dial tcp:h:1,rcvbuf=", &[]),
            ("dial tcp:h:1,nonsense=", &[]),
        ]);
    }

    #[test]
    fn an_option_beside_is_one_of_the_address_before_it() {
        assert_all(&[
            ("dial tcp:h:1 -o nodel", &["nodelay"]),
            ("dial tcp:h:1,nodelay -o nodel", &[]),
            ("dial tcp:h:1 --option=eof=h", &["--option=eof=half"]),
            ("serve echo tcp:1 -o max-c", &["max-conns="]),
            ("relay tcp-l:1 -o onc", &["once"]),
            ("relay tcp-l:1 tcp:h:1 -o onc", &[]),
            ("dial - -o inpu", &["input"]),
            ("dial exec:a,cwd=x -o cw", &["cwd="]),
            ("dial exec:a -o cwd=", &["files 4"]),
            ("dial exec:a -o user=", &["users 5"]),
            ("dial -o nodel", &[]),
        ]);
    }

    #[test]
    fn flags_are_those_of_the_verb_and_of_the_service() {
        assert_all(&[
            ("listen --br", &["--broker"]),
            ("dial --br", &[]),
            ("listen --slow ", &["drop", "oldest"]),
            ("listen --slow=o", &["--slow=oldest"]),
            ("dial --log j", &["json", "json:"]),
            ("dial --log file:some", &["files 5"]),
            ("dial --log=json:", &["files 11"]),
            ("serve --metrics tc", &["tcp:"]),
            ("serve --metrics=unix:/run", &["files 15"]),
            ("serve --metrics tcp:9100,max-co", &["tcp:9100,max-conns="]),
            ("listen --exec ca", &["commands 0"]),
            ("listen --frame=nets", &["--frame=netstring"]),
            ("serve reply --te", &["--text"]),
            ("serve echo --te", &[]),
            ("serve reply --text ", &[]),
            ("serve reply --text x ec", &["echo"]),
            ("gen man --dir ", &["files 0"]),
            ("gen man --dir=x", &["files 6"]),
            ("dial --nonsense=", &[]),
            ("dial -- --br", &[]),
            ("run --sh=l", &["commands 5"]),
            ("run --hosts ", &["files 0"]),
            ("run --rsh tc", &["tcp:"]),
            ("run tcp:h:1 -- l", &["commands 0"]),
            ("run tcp:h:1 -- ls -", &["files 0"]),
        ]);
    }

    #[test]
    fn serve_takes_services_and_behind_one_addresses() {
        assert_all(&[
            ("serve he", &["hello"]),
            ("serve tc", &[]),
            ("serve echo tc", &["tcp:"]),
            ("serve echo tcp:1 up", &["upper"]),
            ("gen comp", &["completions"]),
            ("gen completions z", &["zsh"]),
            ("gen --dir x man dia", &["dial"]),
            ("gen man dial ", &[]),
            ("gen config ", &[]),
        ]);
    }
}
