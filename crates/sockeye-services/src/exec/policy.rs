//! What may be run: from a request to a program, or to the reason why not.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sockeye::process::{self, Program, Streams};
use sockeye::proto::exec::{Refusal, Request, What, Window};
use sockeye::proto::printable;
use sockeye::{Cause, Unstarted};

/// What clients may run, and in which surroundings.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) programs: Programs,
    /// The variables that clients may set beside those of [`is_harmless`].
    pub(crate) variables: Vec<String>,
    /// Where commands work; our own folder unless set.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) limits: process::Limits,
}

/// Which programs there are.
#[derive(Debug)]
pub(crate) enum Programs {
    /// All, and lines for the shell, in any folder, with any variables.
    All,
    /// These.
    Named(Vec<Named>),
}

/// A program that was named, and found.
#[derive(Debug)]
pub(crate) struct Named {
    /// What clients may call it, beside its path.
    name: OsString,
    /// Where it is. Looked up once, so that nobody who comes to write into a folder of `PATH` changes what is run.
    path: PathBuf,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) why: Refusal,
    /// For people.
    pub(crate) text: String,
}

impl No {
    pub(crate) fn new(why: Refusal, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }

    /// Why a program could not be started.
    pub(crate) fn unstarted(cause: &Cause) -> Self {
        let is_missing = |errno| {
            matches!(errno, Errno::NOENT | Errno::ACCESS | Errno::NOTDIR | Errno::NOEXEC | Errno::PERM)
        };
        let why = match cause {
            Cause::Unstarted(Unstarted::Program(_), error)
                if Errno::from_io_error(error).is_some_and(is_missing) =>
            {
                Refusal::Missing
            }
            _ => Refusal::Failed,
        };
        Self::new(why, cause.to_string())
    }
}

impl Named {
    /// The program of that name in `PATH`, or at that path.
    ///
    /// # Errors
    /// A sentence: it is not there, or cannot be executed.
    pub(crate) fn find(word: &str, path: &str) -> Result<Self, String> {
        let missing = || format!("--program {word}: there is no such program");
        let places: Vec<PathBuf> = if word.contains('/') {
            vec![std::path::absolute(word).map_err(|error| format!("--program {word}: {error}"))?]
        } else {
            let folders = path.split(':').filter(|folder| folder.starts_with('/'));
            folders.map(|folder| Path::new(folder).join(word)).collect()
        };
        let path = places.into_iter().find(|path| is_program(path)).ok_or_else(missing)?;
        let name = path.file_name().ok_or_else(missing)?.to_owned();
        Ok(Self { name, path })
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

impl Policy {
    /// The program that a request asks for.
    ///
    /// # Errors
    /// It may not be run, or not so.
    pub(crate) fn program(&self, request: Request) -> Result<Program, No> {
        let Request { what, variables, folder, terminal, has_input, is_joined } = request;
        let folder = self.folder(folder)?;
        let variables = variables.into_iter().map(|set| self.variable(set)).collect::<Result<_, _>>()?;
        let streams = match terminal {
            Some(Window { columns, rows }) => Streams::Terminal { columns, rows },
            None if is_joined => Streams::Merged,
            None => Streams::Pipes,
        };
        let dressed = Program {
            variables,
            clean: true,
            folder,
            streams,
            no_input: !has_input,
            limits: self.limits,
            // Who may run everything may also become somebody else, as far as this user may (sudo). Of programs that were
            // named nobody may get more out than is in them.
            no_new_privileges: matches!(self.programs, Programs::Named(_)),
            ..self.named(what)?
        };
        Ok(dressed)
    }

    fn named(&self, what: What) -> Result<Program, No> {
        match (&self.programs, what) {
            (Programs::All, What::Line(line)) => Ok(Program::shell(os(line))),
            (Programs::All, What::Words(words)) => Ok(Program::new(words.into_iter().map(os))),
            (Programs::Named(_), What::Line(_)) => Err(forbidden(
                "lines for a shell are not run here, only programs (the server has no --shell)",
            )),
            (Programs::Named(named), What::Words(words)) => {
                let mut words = words.into_iter().map(os);
                let wanted = words.next().unwrap_or_default();
                let is_it = |named: &&Named| named.name == wanted || named.path.as_os_str() == wanted;
                let Some(found) = named.iter().find(is_it) else {
                    let wanted = printable::line(wanted.as_encoded_bytes());
                    return Err(forbidden(format!(
                        "{wanted} is not run here (the server's --program does not name it)"
                    )));
                };
                Ok(Program::new([found.path.clone().into()].into_iter().chain(words)))
            }
        }
    }

    fn folder(&self, wanted: Vec<u8>) -> Result<Option<PathBuf>, No> {
        match (&self.programs, wanted.is_empty()) {
            (_, true) => Ok(self.folder.clone()),
            (Programs::All, false) => Ok(Some(os(wanted).into())),
            (Programs::Named(_), false) => {
                Err(forbidden("the server alone says where commands work (it has no --shell)"))
            }
        }
    }

    fn variable(&self, (name, value): (Vec<u8>, Vec<u8>)) -> Result<(OsString, OsString), No> {
        let is_listed = || self.variables.iter().any(|known| known.as_bytes() == name);
        if matches!(self.programs, Programs::All) || is_harmless(&name, &value) || is_listed() {
            return Ok((os(name), os(value)));
        }
        let name = printable::line(&name);
        Err(forbidden(format!("{name} may not be set here (the server's --env does not name it)")))
    }
}

/// Whether any program stands that variable: what kind of terminal there is, and which language is spoken. Values that could
/// name a file are not.
fn is_harmless(name: &[u8], value: &[u8]) -> bool {
    let is_known = matches!(name, b"TERM" | b"LANG" | b"LANGUAGE" | b"TZ") || name.starts_with(b"LC_");
    is_known && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.@:+-".contains(byte))
}

fn forbidden(text: impl Into<String>) -> No {
    No::new(Refusal::NotPermitted, text)
}

fn os(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(programs: Programs) -> Policy {
        let limits = process::Limits::default();
        Policy { programs, variables: vec!["COLOUR".to_owned()], folder: Some("/srv".into()), limits }
    }

    fn named() -> Policy {
        policy(Programs::Named(vec![
            Named::find("sh", "/nowhere:bin:/bin").unwrap(),
            Named::find("/bin/cat", "").unwrap(),
        ]))
    }

    fn words(words: &[&str]) -> Request {
        Request::of(What::Words(words.iter().map(|word| word.as_bytes().to_vec()).collect()))
    }

    fn with(request: Request, name: &str, value: &str) -> Request {
        Request { variables: vec![(name.into(), value.into())], ..request }
    }

    #[test]
    fn only_what_was_named_is_run_and_always_the_file_that_was_found() {
        for (asked, run) in [
            (&["sh", "-c", "id"][..], Some(&["/bin/sh", "-c", "id"][..])),
            (&["/bin/sh"], Some(&["/bin/sh"])),
            (&["cat", ""], Some(&["/bin/cat", ""])),
            (&["/bin/cat"], Some(&["/bin/cat"])),
            (&["/usr/bin/env"], None),
            (&["./sh"], None),
            (&["/tmp/../bin/sh"], None),
            (&["sh "], None),
        ] {
            let program = named().program(words(asked));
            let run = run.map(|words| words.iter().map(OsString::from).collect::<Vec<_>>());
            assert_eq!(program.as_ref().ok().map(|program| program.words.clone()), run, "{asked:?}");
            if let Ok(program) = program {
                assert!(program.clean && program.no_new_privileges && program.folder == Some("/srv".into()));
            }
        }
        let line = Request::of(What::Line(b"id".to_vec()));
        assert_eq!(named().program(line.clone()).unwrap_err().why, Refusal::NotPermitted);
        let program = policy(Programs::All).program(line).unwrap();
        assert_eq!(program.words, ["/bin/sh", "-c", "id"]);
        assert!(program.clean && !program.no_new_privileges);
    }

    #[test]
    fn variables_and_folders_are_the_servers_choice_unless_everything_may_be_run() {
        for (name, value, is_taken) in [
            ("COLOUR", "/etc/passwd", true),
            ("TERM", "xterm-256color", true),
            ("LC_ALL", "de_DE.UTF-8@euro", true),
            ("TERM", "../../evil", false),
            ("TZ", "/etc/shadow", false),
            ("LD_PRELOAD", "x", false),
            ("PATH", "x", false),
            ("COLOURS", "x", false),
        ] {
            let request = with(words(&["sh"]), name, value);
            assert_eq!(named().program(request.clone()).is_ok(), is_taken, "{name}={value}");
            let program = policy(Programs::All).program(request).unwrap();
            assert_eq!(program.variables, [(OsString::from(name), OsString::from(value))]);
        }
        let elsewhere = Request { folder: b"/tmp".to_vec(), ..words(&["sh"]) };
        assert!(named().program(elsewhere.clone()).unwrap_err().text.contains("where commands work"));
        assert_eq!(policy(Programs::All).program(elsewhere).unwrap().folder, Some("/tmp".into()));
    }

    #[test]
    fn streams_are_what_the_client_asks_for() {
        let window = Some(Window { columns: 80, rows: 24 });
        for (terminal, is_joined, streams) in [
            (None, false, Streams::Pipes),
            (None, true, Streams::Merged),
            (window, false, Streams::Terminal { columns: 80, rows: 24 }),
            (window, true, Streams::Terminal { columns: 80, rows: 24 }),
        ] {
            let request = Request { terminal, is_joined, has_input: false, ..words(&["sh"]) };
            let program = named().program(request).unwrap();
            assert_eq!((program.streams, program.no_input), (streams, true));
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_at_once() {
        for (word, path) in
            [("sh", "/nowhere"), ("sh", "bin"), ("/etc/passwd", ""), ("/bin", ""), ("", "/bin")]
        {
            let told = Named::find(word, path).unwrap_err();
            assert_eq!(told, format!("--program {word}: there is no such program"));
        }
    }
}
