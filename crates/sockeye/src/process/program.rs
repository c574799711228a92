//! What is to run, and what of it is in our hands.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use sockeye_sys::readiness::Watched;

use super::handle::Handle;
use super::job::Job;
use super::streams::{Input, Output};
use super::terminal::Terminal;
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Op, Result, Unstarted};

/// The shell that is given what is not split into words.
pub(super) const SHELL: &str = "/bin/sh";

/// How much of a command line is its name in errors and events.
const NAME: usize = 200;

/// What is to run, and how. All that is not set is as it is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments. Where it has no slash it is looked for in `PATH`, as its own environment has it;
    /// the working folder is not.
    pub words: Vec<OsString>,
    /// Variables that it has beside ours and those that tell of [`Ctx::caller`](crate::Ctx::caller), and that go before
    /// these.
    pub variables: Vec<(OsString, OsString)>,
    /// Of our variables it gets those alone that every login has: `HOME LANG LOGNAME PATH SHELL TZ USER`.
    pub clean: bool,
    /// Its working folder.
    pub folder: Option<PathBuf>,
    /// Whose rights it has: a user, by name or number, with that user's groups; ours unless set. Only root may ask for
    /// others.
    pub user: Option<String>,
    /// Its group, by name or number; without a user, its only group.
    pub group: Option<String>,
    /// It stays in our session (setsid(2)), and so at our terminal, and in our process group: signals reach it alone. A
    /// program at a terminal of its own has a session anyway.
    pub in_our_session: bool,
    /// What its standard streams are.
    pub streams: Streams,
    /// There is nothing to read for it. A terminal can always be read.
    pub no_input: bool,
    /// What it may use up.
    pub limits: Limits,
    /// Nothing that it executes has more rights than it (prctl(2), PR_SET_NO_NEW_PRIVS): `sudo`, `su` and whatever else
    /// is set-user-ID fail.
    pub no_new_privileges: bool,
}

/// What the standard streams of a program are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Streams {
    /// A pipe each.
    #[default]
    Pipes,
    /// As [`Streams::Pipes`], but standard error goes with standard output, in the order in which they are written.
    Merged,
    /// A terminal of its own, for all three, which makes lines, shows what is typed and controls its session.
    Terminal {
        /// Its width, in characters.
        columns: u16,
        /// Its height, in lines.
        rows: u16,
    },
}

/// What a command may use up. `None` is what we may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The memory of its own, in bytes, that each of its processes may have (RLIMIT_DATA): what is asked for beyond is
    /// refused, which most programs do not survive.
    pub memory: Option<u64>,
    /// The processes that it may have at once, itself among them. They are counted 20 times a second, so that one which
    /// forks quickly has more until then; then all of them are killed. RLIMIT_NPROC would count what else its user runs,
    /// and nothing of root.
    pub processes: Option<u32>,
    /// The files that each of its processes may have open (RLIMIT_NOFILE), at most as many as we may.
    pub open_files: Option<u64>,
    /// The largest image of memory, in bytes, that a process leaves that crashes (RLIMIT_CORE); 0 is none.
    pub core: Option<u64>,
}

/// No images of memory, which may hold secrets and fill disks; else what we may.
impl Default for Limits {
    fn default() -> Self {
        Self { memory: None, processes: None, open_files: None, core: Some(0) }
    }
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    /// What it reads; `None` where that is nothing.
    pub input: Option<Input>,
    /// What it says.
    pub output: Output,
    /// What it says on standard error, where that goes apart.
    pub errors: Option<Output>,
    /// The command itself.
    pub command: Handle,
}

impl Program {
    /// A program and its arguments.
    pub fn new(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// A line for the shell, `/bin/sh`.
    pub fn shell(line: impl Into<OsString>) -> Self {
        Self::new([SHELL.into(), "-c".into(), line.into()])
    }

    /// Starts it, for [`Ctx::caller`](crate::Ctx::caller). Its name in errors and events is its words, or the line for
    /// the shell, of which at most the first 200 bytes. Cancel safe: what was started is ended.
    ///
    /// # Errors
    /// [`Cause::Unstarted`] says what could not be done, and why: there is no such program, user or folder, or we may not,
    /// or there is no room for another process or descriptor; [`Cause::UnknownOwner`].
    pub async fn start(self, ctx: &Ctx) -> Result<Running> {
        let name: Arc<str> = self.name().into();
        let started = self.run(name.clone(), ctx).await;
        started.map_err(|cause| Error::new(Op::Dial, cause).on(name))
    }

    async fn run(self, name: Arc<str>, ctx: &Ctx) -> std::result::Result<Running, Cause> {
        let unstarted = |error: io::Error| Cause::Unstarted(Unstarted::Process, error);
        let (stdio, ours) = match self.streams {
            Streams::Terminal { columns, rows } => at_terminal(columns, rows),
            Streams::Pipes | Streams::Merged => self.pipes(),
        }
        .map_err(unstarted)?;
        let Ours { input, output, errors, terminal } = ours;
        let mut command = Job::new(self, stdio, terminal.is_some()).start(name, ctx).await?;
        if let Some(terminal) = terminal {
            command.set_terminal(terminal);
        }
        Ok(Running { input, output, errors, command })
    }

    fn pipes(&self) -> io::Result<([OwnedFd; 3], Ours)> {
        let (input, stdin) = if self.no_input {
            (None, File::open("/dev/null")?.into())
        } else {
            let (input, stdin) = Input::pipe()?;
            (Some(input), stdin)
        };
        let (output, stdout) = Output::pipe()?;
        let (errors, stderr) = if self.streams == Streams::Merged {
            (None, stdout.try_clone()?)
        } else {
            let (errors, stderr) = Output::pipe()?;
            (Some(errors), stderr)
        };
        Ok(([stdin, stdout, stderr], Ours { input, output, errors, terminal: None }))
    }

    /// What it is called in errors and events.
    fn name(&self) -> String {
        let text = match self.words.as_slice() {
            [shell, flag, line] if shell == SHELL && flag == "-c" => line.to_string_lossy(),
            words => Cow::Owned(words.join(OsStr::new(" ")).to_string_lossy().into_owned()),
        };
        let mut end = text.len().min(NAME);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.get(..end).unwrap_or_default().to_owned()
    }
}

/// Our ends of a program's streams.
struct Ours {
    input: Option<Input>,
    output: Output,
    errors: Option<Output>,
    terminal: Option<Arc<Watched>>,
}

fn at_terminal(columns: u16, rows: u16) -> io::Result<([OwnedFd; 3], Ours)> {
    let Terminal { ours, theirs, end, .. } = Terminal::open((columns, rows), false)?;
    let ours = Arc::new(Watched::new(ours).map_err(|(_, error)| error)?);
    let (input, output) = (Input::terminal(ours.clone(), end), Output::terminal(ours.clone()));
    let stdio = [theirs.try_clone()?, theirs.try_clone()?, theirs];
    Ok((stdio, Ours { input: Some(input), output, errors: None, terminal: Some(ours) }))
}
