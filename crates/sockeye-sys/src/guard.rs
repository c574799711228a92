//! Commands, each under a *guard*: a small process of ours between us and it, which ends everything that the command
//! started once the command is over, once we let go of it, and also where we are killed without a chance to clean up.
//!
//! The guard is a copy of this process that executes nothing. Since this process has threads, a copy of it may only do
//! what needs no lock and no memory of the heap (signal-safety(7)): all that the guard and the command need is made
//! before, and rustix's calls, which go to the kernel without the C library's state, are all that they make.

mod command;
mod descendants;
mod report;
mod request;
mod watch;

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Pid, Resource, Rlimit, Uid};

pub use self::report::{Report, Step};
pub use self::request::Request;

/// What is to be run, and as whom.
#[derive(Debug)]
pub struct Command {
    /// The paths of the program, tried one after the other, as execvp(3) tries those of `PATH`.
    pub programs: Vec<CString>,
    /// The arguments, the first of which is what the program is called.
    pub arguments: Vec<CString>,
    /// The environment: `NAME=VALUE` each.
    pub environment: Vec<CString>,
    /// The working folder; ours where it is `None`.
    pub folder: Option<CString>,
    /// Whose rights it has; ours where it is `None`.
    pub identity: Option<Identity>,
    /// Whether it leads a session of its own (setsid(2)), apart from our terminal.
    pub session: bool,
    /// Whether its standard input is a terminal that is to control its session.
    pub terminal: bool,
    /// The limits in which it differs from us (getrlimit(2)).
    pub limits: Vec<(Resource, Rlimit)>,
    /// Whether nothing that it executes gives it rights that it has not (prctl(2), PR_SET_NO_NEW_PRIVS).
    pub no_new_privileges: bool,
}

/// Whose rights a command has.
#[derive(Debug)]
pub struct Identity {
    /// The user; ours where it is `None`.
    pub user: Option<Uid>,
    /// The group.
    pub group: Gid,
    /// All groups, that one among them.
    pub groups: Vec<Gid>,
}

/// A command that is about to run, or runs.
#[derive(Debug)]
pub struct Guard {
    /// A pipe that does not block: a [`Report`] comes from it where the command could not be run, and the end of file as
    /// soon as it runs. It comes from the command itself, which may stop its guard at once.
    pub starting: OwnedFd,
    /// A socket to the guard, which does not block: a [`Report`] of how the command ended comes from it, and the end of
    /// file when nothing that the command started is left. Each [`Request`] that is sent is one message; to shut it down
    /// for writing, or to close it, asks the guard to end everything: SIGTERM, and a second later SIGKILL.
    pub channel: OwnedFd,
    /// A pidfd_open(2) of the guard, which has to be reaped: see [`reap`].
    pub process: OwnedFd,
}

/// Starts a command with these three as its standard streams; nothing else of what is open here is open there.
///
/// It blocks: for less than a millisecond in a small process, but for tens of milliseconds for each 100 MiB that are in
/// use here, since the page tables are copied. What is changed here while guards live is then there twice.
///
/// # Errors
/// No more processes or descriptors; whether the command itself could be run is told by [`Guard::starting`].
pub fn start(command: &Command, streams: &[OwnedFd; 3]) -> io::Result<Guard> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (starting, failure) = pipe_with(PipeFlags::CLOEXEC)?;
    for end in [&ours, &starting] {
        fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
    }
    let prepared = Prepared {
        command,
        arguments: pointers(&command.arguments),
        environment: pointers(&command.environment),
        streams: [streams[0].as_fd(), streams[1].as_fd(), streams[2].as_fd()],
        channel: theirs.as_fd(),
        failure: failure.as_fd(),
    };
    let mut process = -1;
    let blocked = BlockedSignals::new();
    // A signal of its own: who waits for any child of this process neither hears of the guard nor reaps it.
    // SAFETY: the copy runs `watch::run` alone, which keeps to what a copy of a process with threads may do and never
    // returns. `process` outlives the call, which stores a descriptor in it.
    let pid = unsafe { copy_process(libc::CLONE_PIDFD, &raw mut process) };
    match pid {
        Ok(None) => watch::run(&prepared),
        Ok(Some(_)) => {
            drop(blocked);
            // SAFETY: the kernel has just opened it for us (CLONE_PIDFD), and nobody else knows of it.
            Ok(Guard { starting, channel: ours, process: unsafe { OwnedFd::from_raw_fd(process) } })
        }
        Err(error) => Err(error),
    }
}

/// Takes what is left of a guard that has ended, which its descriptor being readable tells; `false` where it has not.
///
/// # Errors
/// Somebody else has taken it.
pub fn reap(process: &impl AsFd) -> io::Result<bool> {
    // SAFETY: `siginfo_t` is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let number = u32::try_from(process.as_fd().as_raw_fd()).unwrap_or(u32::MAX);
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
    // SAFETY: `info` is one such structure and outlives the call; a descriptor that is none is refused.
    if unsafe { libc::waitid(libc::P_PIDFD, number, &raw mut info, options) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it in, or left the zeroes.
    Ok(unsafe { info.si_pid() } != 0)
}

/// What the guard and the command need, made before they are.
struct Prepared<'a> {
    command: &'a Command,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    streams: [BorrowedFd<'a>; 3],
    channel: BorrowedFd<'a>,
    /// Tells why the command is not executed, by whoever finds out; executing it closes the last copy.
    failure: BorrowedFd<'a>,
}

/// The list that execve(2) takes, which a null pointer ends.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Copies this process, as fork(2) does, but without the handlers that libraries may have set for that: they may take
/// locks. `None` in the copy, whose only thread is this one.
///
/// # Safety
/// The copy does only what signal-safety(7) allows, and does not return from the function that called this. With
/// `CLONE_PIDFD` in `flags` a descriptor is stored at `process`.
unsafe fn copy_process(flags: libc::c_int, process: *mut libc::c_int) -> io::Result<Option<Pid>> {
    let (flags, no_stack) = (libc::c_long::from(flags), 0 as libc::c_long);
    let (first, second) = if cfg!(target_arch = "s390x") { (no_stack, flags) } else { (flags, no_stack) };
    let none: libc::c_long = 0;
    // SAFETY: without CLONE_VM and without a stack this is fork(2): both go on here, each in memory of its own.
    let pid = unsafe { libc::syscall(libc::SYS_clone, first, second, process, none, none) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // Only the copy is told 0.
    Ok(Pid::from_raw(libc::pid_t::try_from(pid).unwrap_or(libc::pid_t::MAX)))
}

/// No signal reaches this thread, nor what is copied from it: a handler of ours must not run in the copy. As it was
/// before, once this is dropped.
struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    fn new() -> Self {
        // SAFETY: both are plain data that the calls fill in.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is one that the system has given us.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}
