//! From a process of the guard's to the command.

use std::convert::Infallible;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, chdir, getppid, ioctl_tiocsctty, set_parent_process_death_signal, setrlimit, setsid,
};
use rustix::thread::{
    clear_ambient_capability_set, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::report::{Report, Step};
use super::{Identity, Prepared};

/// What becomes the command.
pub(super) struct Becoming<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) guard: Pid,
    /// Tells why it cannot be the command; executing that closes it.
    pub(super) failure: RawFd,
}

/// Becomes the command that a [`Becoming`] says, whose standard streams are in place; else tells why.
pub(super) extern "C" fn run(becoming: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it is what the guard has given, and stays for as long as there is a guard.
    let becoming = unsafe { &*becoming.cast::<Becoming<'_>>() };
    // SAFETY: it is open here too, and is nobody else's here.
    let failure = unsafe { OwnedFd::from_raw_fd(becoming.failure) };
    let Err((step, errno)) = execute(becoming);
    let report = Report::Failed(step, errno.raw_os_error());
    let (Ok(_) | Err(_)) = rustix::io::write(&failure, &report.to_bytes());
    exit()
}

/// Ends this process without a word to anything that the one has set up whose memory it is in.
pub(super) fn exit() -> ! {
    // SAFETY: no handler runs, nothing is flushed.
    unsafe { libc::_exit(127) }
}

fn execute(becoming: &Becoming<'_>) -> Result<Infallible, (Step, Errno)> {
    let command = &becoming.prepared.command;
    if command.session {
        setsid().map_err(|errno| (Step::Process, errno))?;
    }
    if command.terminal {
        ioctl_tiocsctty(rustix::stdio::stdin()).map_err(|errno| (Step::Terminal, errno))?;
    }
    for (resource, limit) in &command.limits {
        setrlimit(*resource, *limit).map_err(|errno| (Step::Limits, errno))?;
    }
    if let Some(identity) = &command.identity {
        become_other(identity).map_err(|errno| (Step::Identity, errno))?;
    }
    if let Some(folder) = &command.folder {
        chdir(folder.as_c_str()).map_err(|errno| (Step::Folder, errno))?;
    }
    if command.no_new_privileges {
        set_no_new_privs(true).map_err(|errno| (Step::Identity, errno))?;
    }
    // After the change of user, which would undo it. A guard that was killed takes the command with it.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| (Step::Process, errno))?;
    if getppid() != Some(becoming.guard) {
        exit();
    }
    unblock_signals();
    Err((Step::Program, try_programs(becoming.prepared)))
}

/// The groups first, while there is the right to; then the user, who has that right no more: if it was not root's, but a
/// capability that executing keeps, it has to be given up.
fn become_other(identity: &Identity) -> Result<(), Errno> {
    set_thread_groups(&identity.groups)?;
    set_thread_res_gid(identity.group, identity.group, identity.group)?;
    match identity.user {
        Some(user) => {
            set_thread_res_uid(user, user, user)?;
            clear_ambient_capability_set()
        }
        None => Ok(()),
    }
}

/// All of them, for whoever is executed.
fn unblock_signals() {
    // SAFETY: the set is plain data that the first call fills in.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Returns only where no program can be executed, and why. One that is there but may not be executed is told before
/// those that are not there (execvp(3)).
fn try_programs(prepared: &Prepared) -> Errno {
    let mut refused = Errno::NOENT;
    for program in &prepared.command.programs {
        // SAFETY: all are strings that end in zero, and lists of such that end in a null pointer; they stay.

        unsafe {
            libc::execve(program.as_ptr(), prepared.arguments.as_ptr(), prepared.environment.as_ptr());
        }
        match std::io::Error::last_os_error().raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT | Errno::NOTDIR) => {}
            Some(Errno::ACCESS) => refused = Errno::ACCESS,
            errno => return errno.unwrap_or(Errno::NOEXEC),
        }
    }
    refused
}
