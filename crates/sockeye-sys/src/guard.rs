//! Commands, each under a *guard*: a small process of ours between us and it, which ends everything that the command
//! started once the command is over, once we let go of it, and also where we are killed without a chance to clean up.
//!
//! The guard executes nothing: it goes on in the memory of this process, in a room of its own there. Since this process has
//! threads, it may only do what needs no lock and no memory of the heap (signal-safety(7)): all that the guard and the
//! command need is made before, and rustix's calls, which go to the kernel without the C library's state, are all that
//! they make.

mod command;
mod descendants;
mod report;
mod request;
mod room;
mod watch;

use std::ffi::{CString, c_char};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::ptr;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Resource, Rlimit, Uid};

pub use self::report::{Report, Step};
pub use self::request::Request;
use self::room::Room;

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
    /// How many processes it may have at once, itself among them. They are counted 20 times a second: one that forks quickly
    /// has more until then. With one too many, all are killed.
    pub processes: Option<usize>,
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
    /// What the guard uses of our memory.
    pub memory: Memory,
}

/// What a guard uses of our memory, and so must stay while there is one. [`reap`] frees it. It stays allocated where it is
/// dropped before, or where somebody has killed the guard: then the command may still be on its way.
#[derive(Debug)]
pub struct Memory(ManuallyDrop<Box<Prepared>>);

/// Starts a command with these three as its standard streams; nothing else of what is open here is open there.
///
/// It takes some 0.1 ms, but for a command with another [`Identity`], which is not given our memory: then the guard copies
/// the page tables of this process, which for each 100 MiB in use here takes some 10 ms more.
///
/// # Errors
/// No more processes, memory or descriptors; whether the command itself could be run is told by [`Guard::starting`].
pub fn start(command: Command, streams: &[OwnedFd; 3]) -> io::Result<Guard> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (starting, failure) = pipe_with(PipeFlags::CLOEXEC)?;
    for end in [&ours, &starting] {
        fcntl_setfl(end, OFlags::NONBLOCK)?;
    }
    let prepared = Box::new(Prepared {
        arguments: pointers(&command.arguments),
        environment: pointers(&command.environment),
        command,
        streams: streams.each_ref().map(|stream| stream.as_raw_fd()),
        channel: theirs.as_raw_fd(),
        failure: failure.as_raw_fd(),
        rooms: [Room::new()?, Room::new()?],
    });
    let [room, _] = &prepared.rooms;
    let blocked = BlockedSignals::new();
    // Without a signal of its own: who waits for any child of this process neither hears of the guard nor reaps it.
    // SAFETY: `watch::run` keeps to what a process in our memory may do and never returns. What it is given stays: it is
    // freed when the guard has been reaped, or not at all.
    let started = unsafe { room.start(watch::run, &*prepared, room::SHARED | libc::CLONE_PIDFD) };
    drop(blocked);
    let (_, process) = started?;
    let memory = Memory(ManuallyDrop::new(prepared));
    // A kernel before 5.2 knows no such descriptor: the guard ends when its channel is closed, which is now.
    let process = process.ok_or(io::ErrorKind::Unsupported)?;
    Ok(Guard { starting, channel: ours, process, memory })
}

/// Takes what is left of a guard that has ended, which its descriptor being readable tells; `false` where it has not.
///
/// # Errors
/// Somebody else has taken it.
pub fn reap(process: &impl AsFd, memory: &mut Option<Memory>) -> io::Result<bool> {
    // SAFETY: `siginfo_t` is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let number = u32::try_from(process.as_fd().as_raw_fd()).unwrap_or(u32::MAX);
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
    // SAFETY: `info` is one such structure and outlives the call; a descriptor that is none is refused.
    if unsafe { libc::waitid(libc::P_PIDFD, number, &raw mut info, options) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it in, or left the zeroes.
    let has_ended = unsafe { info.si_pid() } != 0;
    if has_ended
        && info.si_code == libc::CLD_EXITED
        && let Some(Memory(prepared)) = memory.take()
    {
        drop(ManuallyDrop::into_inner(prepared));
    }
    Ok(has_ended)
}

/// What the guard and the command need, made before they are.
#[derive(Debug)]
struct Prepared {
    command: Command,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// As the guard has them too, from its first moment on, whatever is closed here.
    streams: [RawFd; 3],
    channel: RawFd,
    /// Tells why the command is not executed, by whoever finds out; executing it closes the last copy.
    failure: RawFd,
    /// The guard's, and the command's until it is executed.
    rooms: [Room; 2],
}

// SAFETY: the pointers lead to strings of `command`, which stays with them and is not changed.
unsafe impl Send for Prepared {}
// SAFETY: as above.
unsafe impl Sync for Prepared {}

/// The list that execve(2) takes, which a null pointer ends.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
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
