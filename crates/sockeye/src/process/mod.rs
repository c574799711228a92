//! Commands: everything that this library runs is started here.
//!
//! Each runs under a guard ([`sockeye_sys::guard`]), which ends all that it started once it is over or let go of. A
//! task of [`Ctx::tasks`] keeps the guard: it hears how the command fares, and takes what is left in the end.

mod account;
mod environment;
mod keeper;
mod lines;
mod program;
mod terminal;

use std::ffi::CString;
use std::future::Future as _;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::process::{Resource, Rlimit, getrlimit};
use sockeye_proto::address::{Address, Value};
use sockeye_sys::guard::{self, Guard, Identity};
use tokio::sync::oneshot;

use crate::ctx::Ctx;
use crate::error::{Cause, Unstarted};
use crate::exit::Exit;
use crate::peer::Peer;

use self::keeper::Kept;
pub(crate) use self::lines::tell_lines;
pub use self::program::check_program;
pub(crate) use self::terminal::{Link, Terminal};

/// What is to be run, as an address asks for it.
pub(crate) struct Command<'a> {
    /// The address: what runs, and how (`env=`, `cwd=`, `user=`, `group=` and `setsid`).
    pub(crate) address: &'a Address,
    /// Its standard streams.
    pub(crate) streams: [OwnedFd; 3],
    /// Whether these are a terminal, which is to control its session.
    pub(crate) terminal: bool,
}

/// A running command. Dropping it ends the command, if it has not ended, and all that it started.
#[derive(Debug)]
pub(crate) struct Child {
    /// What the keeper hears.
    guard: Arc<Kept>,
    coming: oneshot::Receiver<Exit>,
    exit: Option<Exit>,
}

impl Child {
    /// Asks for the end of the command and of all that it started: SIGTERM, and a second later SIGKILL.
    pub(crate) fn end(&self) {
        self.guard.end();
    }

    /// How it ended, once it has. Who killed the guard has killed the command too.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if let Some(exit) = self.exit {
            return Poll::Ready(exit);
        }
        let exit = ready!(Pin::new(&mut self.coming).poll(cx));
        let exit = exit.unwrap_or(Exit::Signal(rustix::process::Signal::KILL.as_raw()));
        Poll::Ready(*self.exit.insert(exit))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

impl Command<'_> {
    /// Starts it. Cancel safe: what was started is ended.
    ///
    /// # Errors
    /// Which step failed: there is no such program, user or folder, or we may not.
    pub(crate) async fn start(self, ctx: &Ctx) -> Result<Child, Cause> {
        let name: Arc<str> = self.address.bare_word().into();
        let job = Job::new(self, ctx);
        let (ready, started) = oneshot::channel();
        ctx.tasks.spawn(keeper::keep(job, name, ready, ctx.events.clone()));
        let stopped = || Err(std::io::Error::other("the runtime is shutting down").into());
        started.await.unwrap_or_else(|_| stopped())
    }
}

/// A command on its way into a thread that may block: looking up accounts takes time, and so does a fork.
struct Job {
    words: Vec<String>,
    variables: Vec<(String, String)>,
    folder: Option<String>,
    user: Option<String>,
    group: Option<String>,
    session: bool,
    terminal: bool,
    streams: [OwnedFd; 3],
    open_files: Option<u64>,
    caller: Option<Arc<Peer>>,
}

impl Job {
    fn new(command: Command<'_>, ctx: &Ctx) -> Self {
        let Command { address, streams, terminal } = command;
        let text = |name| match address.options().value(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        Self {
            words: program::words(address),
            variables: program::variables(address),
            folder: program::folder(address),
            user: text("user"),
            group: text("group"),
            session: address.options().value("setsid") != Some(&Value::Switch(false)),
            terminal,
            streams,
            open_files: ctx.limits.open_files,
            caller: ctx.caller.clone(),
        }
    }

    /// Starts the guard. Blocks.
    fn start(&self) -> Result<Guard, Cause> {
        let account = account::find(self.user.as_deref(), self.group.as_deref())?;
        let environment = environment::of(self.caller.as_deref(), account.as_ref(), &self.variables);
        let Some(program) = self.words.first() else {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput).into());
        };
        if let Some(user) = account.as_ref().and_then(|account| account.user) {
            let [input, output, _] = &self.streams;
            for stream in [input, output] {
                // A program that opens its terminal or /dev/stdout anew must be allowed to; most do not.
                let (Ok(()) | Err(_)) = rustix::fs::fchown(stream, Some(user), None);
            }
        }
        let command = guard::Command {
            programs: environment.paths_of(program),
            arguments: self.words.iter().filter_map(|word| CString::new(word.as_str()).ok()).collect(),
            environment: environment.into_variables(),
            folder: self.folder.as_deref().and_then(|folder| CString::new(folder).ok()),
            identity: account.map(Identity::from),
            session: self.session,
            terminal: self.terminal,
            open_files: self.open_files.map(soft_limit),
        };
        Ok(guard::start(&command, &self.streams)?)
    }

    /// What could not be done, by the step at which the guard or the command stopped.
    fn unstarted(&self, step: guard::Step, errno: i32) -> Cause {
        let what = match step {
            guard::Step::Folder => Unstarted::Folder(self.folder.clone().unwrap_or_default()),
            guard::Step::Identity => Unstarted::Identity,
            guard::Step::Program => Unstarted::Program(self.words.first().cloned().unwrap_or_default()),
            guard::Step::OpenFiles | guard::Step::Process | guard::Step::Terminal => Unstarted::Process,
        };
        Cause::Unstarted(what, std::io::Error::from_raw_os_error(errno))
    }
}

/// The soft limit that a command gets; its hard limit is ours.
fn soft_limit(open_files: u64) -> Rlimit {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Rlimit { current: Some(open_files.min(maximum.unwrap_or(u64::MAX))), maximum }
}
