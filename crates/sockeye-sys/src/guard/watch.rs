//! The guard: from its first breath to its end, which comes when nothing of the command is left.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{RecvFlags, recv};
use rustix::process::{
    Pid, Resource, Signal, WaitOptions, getpgid, getpid, getrlimit, kill_process, kill_process_group,
    set_child_subreaper, setpgid, wait,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::command::Becoming;
use super::report::{Report, Step};
use super::request::Request;
use super::{Prepared, command, descendants, room};

/// How long whatever is asked to end by SIGTERM has before SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// The pauses between two looks for those who are still there after SIGKILL: short at first, since one that forks must
/// be caught between two forks; longer once it is clear that somebody is there who cannot be killed.
const LOOKS: [(u32, Duration); 2] = [(200, Duration::from_millis(2)), (u32::MAX, Duration::from_millis(200))];

/// The pause between two counts of the processes of a command that may only have so many.
const COUNTS: Duration = Duration::from_millis(50);

/// How long it is tried to end those who cannot be: who has become another user is not ours to signal, and is left alone
/// where nobody else is left.
const TRIES: Duration = Duration::from_secs(5);

/// The life of the guard. A panic, which nothing here should cause, aborts: there is nobody to unwind to.
pub(super) extern "C" fn run(prepared: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it is what `guard::start` has given, and stays.
    let prepared = unsafe { &*prepared.cast::<Prepared>() };
    default_signals();
    match keep_only(prepared) {
        Ok([channel, failure]) => keep(prepared, channel, failure),
        // SAFETY: it is open since the beginning, and stays.
        Err(errno) => refuse(unsafe { BorrowedFd::borrow_raw(prepared.failure) }, errno),
    }
    command::exit()
}

/// Starts the command, and keeps it until nothing of it is left.
fn keep(prepared: &Prepared, channel: OwnedFd, failure: OwnedFd) {
    let becoming = Becoming { prepared, guard: getpid(), failure: failure.as_raw_fd() };
    match Watch::begin(&becoming, channel) {
        Ok(mut watch) => {
            close_range(0, 2);
            drop(failure);
            watch.run();
        }
        Err(errno) => refuse(failure, errno),
    }
}

fn refuse(failure: impl AsFd, errno: Errno) {
    tell(failure, Report::Failed(Step::Process, errno.raw_os_error()));
}

fn tell(channel: impl AsFd, report: Report) {
    // Where nobody listens any more, nobody is missing it.
    let (Ok(_) | Err(_)) = rustix::io::write(channel, &report.to_bytes());
}

struct Watch {
    channel: OwnedFd,
    /// Readable when a child has ended.
    signals: OwnedFd,
    command: Pid,
    /// The command has ended, and its number is no longer its own.
    is_over: bool,
    /// How many processes it may have.
    most: Option<usize>,
    ending: Option<Ending>,
}

/// Everything is to end.
struct Ending {
    /// When all are killed who are still there.
    killing: Instant,
    looks: u32,
    /// When somebody was last there who could be signalled.
    reached: Instant,
}

impl Watch {
    /// Starts what becomes the command, and waits until that is executed, or has ended. To wait costs less than to go on
    /// beside it: then each would wait for a turn.
    fn begin(becoming: &Becoming<'_>, channel: OwnedFd) -> Result<Self, Errno> {
        let (Ok(()) | Err(_)) = rustix::thread::set_name(c"sockeye-guard");
        set_child_subreaper(Some(getpid()))?;
        let signals = children_signals()?;
        // Who becomes another user could be reached by that user while it still has our memory.
        let shared = if becoming.prepared.command.identity.is_none() { room::SHARED } else { 0 };
        let [_, room] = &becoming.prepared.rooms;
        // SAFETY: `command::run` makes system calls alone and never returns. What it is given, and its room, stay for as
        // long as there is a guard, which it does not outlast.
        let started =
            unsafe { room.start(command::run, becoming, shared | libc::CLONE_VFORK | libc::SIGCHLD) };
        let (command, _) = started.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        // Whoever ends a whole group of processes leaves the one that cleans up. Not before the command is there, which
        // stays in the group: it may have no number here that one could go back to (pid_namespaces(7)).
        let (Ok(()) | Err(_)) = setpgid(None, None);
        Ok(Self {
            channel,
            signals,
            command,
            is_over: false,
            most: becoming.prepared.command.processes,
            ending: None,
        })
    }

    /// Returns when no process is left that the command, or what it started, has started, and that may be signalled.
    fn run(&mut self) {
        loop {
            if !self.reap() {
                return;
            }
            if let Some(ending) = &mut self.ending
                && ending.killing <= Instant::now()
            {
                ending.looks = ending.looks.saturating_add(1);
                if descendants::signal(self.command, &[Signal::KILL]) {
                    ending.reached = Instant::now();
                } else if ending.reached.elapsed() >= TRIES {
                    return;
                }
            }
            if self.ending.is_none() && self.most.is_some_and(|most| descendants::count() > most) {
                tell(&self.channel, Report::Crowded);
                self.end_within(Duration::ZERO);
                continue;
            }
            self.wait();
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self) {
        let counts = self.most.map(|_| COUNTS);
        let timeout = self.ending.as_ref().map(Ending::pause).or(counts).map(|pause| Timespec {
            tv_sec: pause.as_secs().cast_signed(),
            tv_nsec: pause.subsec_nanos().into(),
        });
        // Once everything is to end, the channel has no more to say, and would be ready for ever.
        let channel = if self.ending.is_some() { &self.signals } else { &self.channel };
        let mut asked = [&self.signals, channel].map(|file| PollFd::new(file, PollFlags::IN));
        let (Ok(_) | Err(_)) = poll(&mut asked, timeout.as_ref());
        let [signals, channel] = asked.map(|asked| !asked.revents().is_empty());
        if signals {
            // What they tell is asked of the kernel anyway: one signal may stand for several children.
            let (Ok(_) | Err(_)) = rustix::io::read(&self.signals, &mut [0; 1024]);
        }
        if channel && self.ending.is_none() {
            self.hear();
        }
    }

    /// Does what it is asked to, and ends everything where nobody is left who could ask.
    fn hear(&mut self) {
        let mut request = [0; Request::SIZE];
        match recv(&self.channel, &mut request, RecvFlags::DONTWAIT) {
            Ok((Request::SIZE, _)) => {
                if let Some(request) = Request::from_bytes(request) {
                    self.signal(request);
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(_) | Err(_) => self.end(),
        }
    }

    /// The command has not been reaped yet, and so its number is its own.
    fn signal(&self, Request { signal, group }: Request) {
        let leads = || getpgid(Some(self.command)).is_ok_and(|group| group == self.command);
        let (Ok(()) | Err(_)) = match group.filter(|group| descendants::is_in(*group)) {
            Some(group) => kill_process_group(group, signal),
            None if leads() => kill_process_group(self.command, signal),
            None => kill_process(self.command, signal),
        };
    }

    /// Asks everything to end; those who were stopped must go on to hear it.
    fn end(&mut self) {
        if self.ending.is_none() {
            self.end_within(GRACE);
            descendants::signal(self.command, &[Signal::TERM, Signal::CONT]);
        }
    }

    /// Kills everything, after so long.
    fn end_within(&mut self, grace: Duration) {
        let now = Instant::now();
        self.ending = Some(Ending { killing: now.checked_add(grace).unwrap_or(now), looks: 0, reached: now });
    }

    /// Takes every child that has ended; `false` where none is left. With the command, everything is over.
    fn reap(&mut self) -> bool {
        loop {
            let (pid, status) = match wait(WaitOptions::NOHANG) {
                Ok(Some(ended)) => ended,
                Ok(None) => {
                    if self.is_over {
                        self.end();
                    }
                    return true;
                }
                Err(Errno::INTR) => continue,
                Err(_) => return false,
            };
            if pid == self.command {
                let killed = status.terminating_signal().map(Report::Killed);
                tell(&self.channel, killed.unwrap_or(Report::Exited(status.exit_status().unwrap_or(0))));
                self.is_over = true;
            }
        }
    }
}

impl Ending {
    /// How long to wait before the next step.
    fn pause(&self) -> Duration {
        let grace = self.killing.saturating_duration_since(Instant::now());
        let look = LOOKS.iter().find(|(looks, _)| self.looks <= *looks).map_or(GRACE, |(_, pause)| *pause);
        if grace.is_zero() { look } else { grace }
    }
}

/// The command inherits what each signal does: what this process, or who started it, ignores or handles is nothing
/// to it. By the system call itself, since the C library keeps two signals to itself, which a parent may have left ignored.
fn default_signals() {
    // The default, no flags, an empty mask: zeroes, whatever the order of the fields is; more than the kernel reads.
    let action = [0_u64; 8];
    let size: libc::c_long = 8;
    for signal in 1..=64 as libc::c_long {
        // SAFETY: `action` outlives the call, which reads it; nothing is written. What cannot be set is refused.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), std::ptr::null::<u64>(), size);
        }
    }
}

/// Puts the streams of the command in their places, and closes everything else but our end of the channel and what tells
/// of a failure.
fn keep_only(prepared: &Prepared) -> Result<[OwnedFd; 2], Errno> {
    // First out of the way of each other.
    // SAFETY: all are open since the beginning, and stay until they are closed below.
    let [input, output, errors] = prepared.streams.map(|stream| unsafe { BorrowedFd::borrow_raw(stream) });
    // SAFETY: as above.
    let [channel, failure] =
        [prepared.channel, prepared.failure].map(|file| unsafe { BorrowedFd::borrow_raw(file) });
    let (input, output) = (fcntl_dupfd_cloexec(input, FREE)?, fcntl_dupfd_cloexec(output, FREE)?);
    let errors = fcntl_dupfd_cloexec(errors, FREE)?;
    let kept = [fcntl_dupfd_cloexec(channel, FREE)?, fcntl_dupfd_cloexec(failure, FREE)?];
    dup2_stdin(&input)?;
    dup2_stdout(&output)?;
    dup2_stderr(&errors)?;
    // The kernel gives the lowest number that is free, so that the second is above the first.
    let [first, second] = kept.each_ref().map(OwnedFd::as_raw_fd);
    close_range(FREE, first - 1);
    close_range(first + 1, second - 1);
    close_range(second + 1, RawFd::MAX);
    std::mem::forget((input, output, errors));
    Ok(kept)
}

/// The first number behind the standard streams.
const FREE: RawFd = 3;

/// Closes all descriptors from `first` to `last`. Nothing in this copy of the process uses what it owned.
fn close_range(first: RawFd, last: RawFd) {
    let (from, to) = (libc::c_long::from(first), libc::c_long::from(last));
    if first > last {
        return;
    }
    // SAFETY: closing what nobody uses any more; the call takes numbers alone.
    if unsafe { libc::syscall(libc::SYS_close_range, from, to, 0 as libc::c_long) } < 0 {
        // A kernel before 5.9, or a filter that does not know it.
        let most = getrlimit(Resource::Nofile).current.and_then(|most| RawFd::try_from(most).ok());
        for number in first..=last.min(most.unwrap_or(RawFd::MAX)) {
            // SAFETY: as above.
            unsafe { libc::close(number) };
        }
    }
}

/// A descriptor that is readable when a child has ended. All signals are blocked here, as that needs.
fn children_signals() -> Result<OwnedFd, Errno> {
    // SAFETY: the set is plain data that the first call fills in; the descriptor is new, and ours alone.
    unsafe {
        let mut children = std::mem::zeroed();
        libc::sigemptyset(&raw mut children);
        libc::sigaddset(&raw mut children, libc::SIGCHLD);
        let number = libc::signalfd(-1, &raw const children, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if number < 0 {
            return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::MFILE));
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}
