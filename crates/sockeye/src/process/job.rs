//! A command on its way into a thread that may block: looking up accounts takes time, and so does a fork.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit};
use sockeye_sys::guard::{self, Guard, Identity};
use tokio::sync::oneshot;

use super::handle::Handle;
use super::program::Program;
use super::{account, environment, keeper};
use crate::ctx::Ctx;
use crate::error::{Cause, Unstarted};
use crate::peer::Peer;

/// A program with its standard streams.
pub(crate) struct Job {
    program: Program,
    stdio: [OwnedFd; 3],
    /// Whether these are a terminal, which is to control its session.
    terminal: bool,
    pub(super) caller: Option<Arc<Peer>>,
}

impl Job {
    pub(crate) fn new(program: Program, stdio: [OwnedFd; 3], terminal: bool) -> Self {
        Self { program, stdio, terminal, caller: None }
    }

    /// Starts it; errors and events call it by `name`. Cancel safe: what was started is ended.
    ///
    /// # Errors
    /// Which step failed: there is no such program, user or folder, or we may not.
    pub(crate) async fn start(mut self, name: Arc<str>, ctx: &Ctx) -> Result<Handle, Cause> {
        self.caller.clone_from(&ctx.caller);
        let limits = &mut self.program.limits;
        limits.open_files = limits.open_files.or(ctx.limits.open_files);
        let (ready, started) = oneshot::channel();
        ctx.tasks.spawn(keeper::keep(self, name, ready, ctx.events.clone()));
        let stopped = || Err(io::Error::other("the runtime is shutting down").into());
        started.await.unwrap_or_else(|_| stopped())
    }

    /// Starts the guard. Blocks.
    pub(super) fn run(&self) -> Result<Guard, Cause> {
        let Self { program, stdio, .. } = self;
        let unstarted = |error| self.because(guard::Step::Program, error);
        let nameless = || unstarted(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
        let called = program.words.first().ok_or_else(nameless)?;
        let account = account::find(program.user.as_deref(), program.group.as_deref())?;
        let environment =
            environment::of(self.caller.as_deref(), account.as_ref(), &program.variables, program.clean);
        if let Some(user) = account.as_ref().and_then(|account| account.user) {
            let [input, output, _] = stdio;
            for stream in [input, output] {
                // A program that opens its terminal or /dev/stdout anew must be allowed to; most do not.
                let (Ok(()) | Err(_)) = rustix::fs::fchown(stream, Some(user), None);
            }
        }
        let folder = program.folder.as_ref().map(|folder| c_string(folder.as_os_str()));
        let command = guard::Command {
            programs: environment.paths_of(called),
            arguments: program
                .words
                .iter()
                .map(|word| c_string(word))
                .collect::<Result<_, _>>()
                .map_err(unstarted)?,
            environment: environment.into_variables().map_err(unstarted)?,
            folder: folder.transpose().map_err(|error| self.because(guard::Step::Folder, error))?,
            identity: account.map(Identity::from),
            session: self.terminal || !program.in_our_session,
            terminal: self.terminal,
            limits: self.limits(),
            no_new_privileges: program.no_new_privileges,
        };
        guard::start(command, stdio).map_err(|error| self.because(guard::Step::Process, error))
    }

    /// The limits in which it differs from us. That of files keeps our hard limit: a command may raise its own again.
    fn limits(&self) -> Vec<(Resource, Rlimit)> {
        let limits = &self.program.limits;
        let no_more = |resource, most: u64| {
            let ours = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            (resource, Rlimit { current: Some(most.min(ours)), maximum: Some(most.min(ours)) })
        };
        let open_files = limits.open_files.map(|most| {
            let maximum = getrlimit(Resource::Nofile).maximum;
            (Resource::Nofile, Rlimit { current: Some(most.min(maximum.unwrap_or(u64::MAX))), maximum })
        });
        let memory = limits.memory.map(|most| no_more(Resource::Data, most));
        let core = limits.core.map(|most| no_more(Resource::Core, most));
        [open_files, memory, core].into_iter().flatten().collect()
    }

    /// What could not be done, by the step at which the guard or the command stopped.
    pub(super) fn unstarted(&self, step: guard::Step, errno: i32) -> Cause {
        self.because(step, io::Error::from_raw_os_error(errno))
    }

    fn because(&self, step: guard::Step, error: io::Error) -> Cause {
        let lossy = |text: Option<&OsStr>| text.unwrap_or_default().to_string_lossy().into_owned();
        let what = match step {
            guard::Step::Folder => {
                Unstarted::Folder(lossy(self.program.folder.as_ref().map(|folder| folder.as_os_str())))
            }
            guard::Step::Identity => Unstarted::Identity,
            guard::Step::Program => {
                Unstarted::Program(lossy(self.program.words.first().map(OsString::as_os_str)))
            }
            guard::Step::Limits | guard::Step::Process | guard::Step::Terminal => Unstarted::Process,
        };
        Cause::Unstarted(what, error)
    }
}

/// # Errors
/// There is a zero byte in it, which ends such a string: the rest would be lost.
fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "there is a zero byte in what it is given"))
}
