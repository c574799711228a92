//! From a program and its standard streams to a command that runs.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit};
use sockeye_sys::guard::{self, Guard, Identity, Report, Step};
use tokio::sync::oneshot;

use super::account::{self, Account};
use super::environment;
use super::handle::Handle;
use super::keeper::{self, Kept, Told};
use super::program::Program;
use crate::aside::aside;
use crate::ctx::Ctx;
use crate::error::{Cause, Unstarted};
use crate::peer::Peer;

/// A program with its standard streams.
pub(crate) struct Job {
    program: Program,
    stdio: [OwnedFd; 3],
    /// Whether these are a terminal, which is to control its session.
    terminal: bool,
}

impl Job {
    pub(crate) fn new(program: Program, stdio: [OwnedFd; 3], terminal: bool) -> Self {
        Self { program, stdio, terminal }
    }

    /// Starts it; errors and events call it by `name`. Cancel safe: what was started is ended.
    ///
    /// # Errors
    /// Which step failed: there is no such program, user or folder, or we may not.
    pub(crate) async fn start(mut self, name: Arc<str>, ctx: &Ctx) -> Result<Handle, Cause> {
        let limits = &mut self.program.limits;
        limits.open_files = limits.open_files.or(ctx.limits.open_files);
        let account = self.account().await?;
        let caller = ctx.caller.clone();
        let (kept, starting, memory) = Kept::new(self.run(account, caller.as_deref())?)?;
        let Self { program, stdio, .. } = self;
        // The guard has its own, and their end would not be seen otherwise.
        drop(stdio);
        let (kept, (ended, coming), (runs, is_running)) =
            (Arc::new(kept), oneshot::channel(), oneshot::channel());
        let told = Told { name, caller, events: ctx.events.clone(), runs: is_running, ended };
        ctx.tasks.spawn(keeper::keep(kept.clone(), memory, told));
        let handle = Handle::new(kept.clone(), coming);
        match keeper::begun(&starting, &kept).await {
            Some(Report::Failed(step, errno)) => {
                Err(program.unstarted(step, io::Error::from_raw_os_error(errno)))
            }
            Some(Report::Exited(_) | Report::Killed(_) | Report::Crowded) | None => {
                let (Ok(()) | Err(())) = runs.send(());
                Ok(handle)
            }
        }
    }

    /// Looks up whom it runs as, in a thread of its own: that may ask a server.
    async fn account(&self) -> Result<Option<Account>, Cause> {
        let Program { user, group, .. } = &self.program;
        if user.is_none() && group.is_none() {
            return Ok(None);
        }
        let (user, group) = (user.clone(), group.clone());
        let found = aside(move || account::find(user.as_deref(), group.as_deref())).await;
        found.map_err(|error| self.program.unstarted(Step::Process, error))?
    }

    /// Starts the guard.
    fn run(&self, account: Option<Account>, caller: Option<&Peer>) -> Result<Guard, Cause> {
        let Self { program, stdio, .. } = self;
        let unstarted = |error| program.unstarted(Step::Program, error);
        let nameless = || unstarted(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
        let called = program.words.first().ok_or_else(nameless)?;
        let environment = environment::of(caller, account.as_ref(), &program.variables, program.clean);
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
            folder: folder.transpose().map_err(|error| program.unstarted(Step::Folder, error))?,
            identity: account.map(Identity::from),
            session: self.terminal || !program.in_our_session,
            terminal: self.terminal,
            limits: self.limits(),
            processes: program.limits.processes.map(|most| most.try_into().unwrap_or(usize::MAX)),
            no_new_privileges: program.no_new_privileges,
        };
        guard::start(command, stdio).map_err(|error| program.unstarted(Step::Process, error))
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
}

impl Program {
    /// What of it could not be done, by the step at which the guard or the command stopped.
    fn unstarted(&self, step: Step, error: io::Error) -> Cause {
        let text = |text: Option<&OsStr>| text.unwrap_or_default().to_string_lossy().into_owned();
        let what = match step {
            Step::Folder => Unstarted::Folder(text(self.folder.as_ref().map(|folder| folder.as_os_str()))),
            Step::Identity => Unstarted::Identity,
            Step::Program => Unstarted::Program(text(self.words.first().map(OsString::as_os_str))),
            Step::Limits | Step::Process | Step::Terminal => Unstarted::Process,
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
