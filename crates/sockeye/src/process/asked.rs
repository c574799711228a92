//! What an address asks for: its program and how that runs; and whether the program is there.

use std::ffi::{CString, OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sockeye_proto::address::{Address, Form, Target, Value};
use sockeye_proto::words;

use super::environment;
use super::program::{Limits, Program, SHELL};
use crate::error::{Cause, Error, Op, Result, Unstarted};

impl Program {
    /// What `exec:`, `sh:` and `pty:` ask for, but for the streams. Limits are ours: who wrote the address is who started
    /// us.
    pub(crate) fn of(address: &Address) -> Self {
        let text = |name| match address.options().value(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        Self {
            words: words(address).into_iter().map(OsString::from).collect(),
            variables: variables(address),
            folder: text("cwd").map(PathBuf::from),
            user: text("user"),
            group: text("group"),
            in_our_session: address.options().value("setsid") == Some(&Value::Switch(false)),
            limits: Limits { core: None, ..Limits::default() },
            ..Self::default()
        }
    }
}

/// The program that an address names, and its arguments; nothing where it names none, which parsing keeps from happening.
fn words(address: &Address) -> Vec<String> {
    match address.target() {
        Target::Word(text) if address.scheme().target == Form::Words => {
            words::split(text).unwrap_or_default()
        }
        Target::Word(line) => vec![SHELL.to_owned(), "-c".to_owned(), line.clone()],
        _ => Vec::new(),
    }
}

/// What `env=` sets.
fn variables(address: &Address) -> Vec<(OsString, OsString)> {
    let set = address.options().values("env").filter_map(|value| match value {
        Value::Variable(name, value) => Some((name.into(), value.into())),
        _ => None,
    });
    set.collect()
}

/// Whether a command could be started, for who will start it only when a peer comes: that its program or its folder is not
/// there, or that nobody may execute the program, is better told before. What only the start itself can show is not looked
/// at. Addresses that run nothing are fine.
///
/// It blocks for as long as it takes to look at a few files.
///
/// # Errors
/// What [`crate::dial`] would say.
pub fn check_program(address: &Address) -> Result<()> {
    let asked = Program::of(address);
    let Some(program) = asked.words.first() else { return Ok(()) };
    let folder = asked.folder.unwrap_or_default();
    let no_folder =
        if folder.as_os_str().is_empty() { None } else { missing(&folder, Metadata::is_dir, Errno::NOTDIR) };
    let unstarted = match no_folder {
        Some(errno) => Some((Unstarted::Folder(folder.to_string_lossy().into_owned()), errno)),
        None => {
            let paths = environment::of(None, None, &asked.variables, asked.clean).paths_of(program);
            let what = || Unstarted::Program(program.to_string_lossy().into_owned());
            refused(&folder, &paths).map(|errno| (what(), errno))
        }
    };
    let Some((what, errno)) = unstarted else { return Ok(()) };
    Err(Error::new(Op::Dial, Cause::Unstarted(what, errno.into())).on(address.bare_word()))
}

/// Why none of these programs can be executed, as the kernel would say it; `None` where one may be.
fn refused(folder: &Path, programs: &[CString]) -> Option<Errno> {
    let is_executable = |file: &Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    programs.iter().try_fold(Errno::NOENT, |refused, program| {
        let path = folder.join(OsStr::from_bytes(program.as_bytes()));
        let is_there = missing(&path, is_executable, Errno::ACCESS)? == Errno::ACCESS;
        Some(if is_there { Errno::ACCESS } else { refused })
    })
}

/// Why what is wanted is certainly not there; `otherwise` where something else is. What we may not see, the command may.
fn missing(path: &Path, is_wanted: impl Fn(&Metadata) -> bool, otherwise: Errno) -> Option<Errno> {
    match path.metadata() {
        Ok(found) => (!is_wanted(&found)).then_some(otherwise),
        Err(error) => {
            Errno::from_io_error(&error).filter(|errno| matches!(*errno, Errno::NOENT | Errno::NOTDIR))
        }
    }
}
