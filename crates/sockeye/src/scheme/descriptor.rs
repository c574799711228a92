//! Bytes over descriptors that somebody else made: standard input and output, files, inherited ones.
//!
//! They may share their open file with other processes, so their flags are not ours to change: a shell whose terminal
//! we made non-blocking would fail when we are gone. Where readiness is to be had, the file is opened anew through
//! `/proc`, with flags of our own; where it is not, each call is preceded by poll(2), or made as it is.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown};
use rustix::termios::isatty;
use sockeye_sys::readiness::Watched;

use crate::conn::Bytes;
use crate::lent::{Direction, Lent};

/// What can be written to a pipe that poll(2) calls writable, without waiting (pipe(7), PIPE_BUF).
const PIPE_BUF: usize = 4096;

/// A pair of ways, each of which may be missing.
pub(super) struct Descriptors {
    pub(super) reading: Option<Way>,
    pub(super) writing: Option<Way>,
    /// What else must end so that whoever reads what we write sees the end.
    pub(super) on_shutdown: fn() -> io::Result<()>,
    /// The pipe was opened by its name, and perhaps nobody has opened it to write yet: until somebody has, reading
    /// would look like its end.
    pub(super) awaits_writer: bool,
    /// Nobody reads what we write any more, and so there is no point in reading on.
    broken: bool,
}

/// One direction of a descriptor, by how it can be waited for.
pub(super) enum Way {
    /// Never waits: regular files, and devices without readiness. A disk that hangs holds up one worker thread.
    Direct(OwnedFd),
    /// Ours alone, and non-blocking.
    Own(Watched),
    /// Shared and blocking: asked with poll(2) before each call.
    Shared(Watched),
    /// A socket, where each call can say that it must not wait.
    Socket(Watched),
}

impl Way {
    /// Finds out how to wait for a descriptor. Must be called on a runtime.
    pub(super) fn new(file: OwnedFd, direction: Direction) -> io::Result<Self> {
        let stat = fs::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket => Watched::new(file).map(Self::Socket).map_err(|(_, error)| error),
            FileType::RegularFile | FileType::Directory | FileType::BlockDevice => Ok(Self::Direct(file)),
            _ => {
                if fs::fcntl_getfl(&file)?.contains(OFlags::NONBLOCK) {
                    return Watched::new(file)
                        .map(Self::Own)
                        .or_else(|(file, error)| Self::direct(file, error));
                }
                let own = if is_the_same_anew(&file, &stat) {
                    reopen(file.as_fd(), direction)
                } else {
                    Err(Errno::PERM)
                };
                match own {
                    Ok(own) => {
                        Watched::new(own).map(Self::Own).or_else(|(own, error)| Self::direct(own, error))
                    }
                    // Another user's terminal, or a pipe without a reader.
                    Err(_) => Watched::new(file)
                        .map(Self::Shared)
                        .or_else(|(file, error)| Self::direct(file, error)),
                }
            }
        }
    }

    /// epoll(7) refuses what is always ready with EPERM.
    fn direct(file: OwnedFd, error: io::Error) -> io::Result<Self> {
        if Errno::from_io_error(&error) == Some(Errno::PERM) { Ok(Self::Direct(file)) } else { Err(error) }
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match self {
            Self::Direct(file) => Lent::Direct(file.as_fd()).poll(cx, direction, attempt),
            Self::Own(file) | Self::Socket(file) => Lent::Watched(file).poll(cx, direction, attempt),
            Self::Shared(file) => Lent::Watched(file).poll(cx, direction, |file| {
                if ready_now(file, direction) { attempt(file) } else { Err(Errno::AGAIN) }
            }),
        }
    }
}

/// Whether opening the file anew gives the same thing: so it is for pipes and terminals, but another device may give
/// each opener an instance of its own, as the master side of a terminal does (pts(4), device 5:2).
fn is_the_same_anew(file: &OwnedFd, stat: &fs::Stat) -> bool {
    let is_master = (fs::major(stat.st_rdev), fs::minor(stat.st_rdev)) == (5, 2);
    FileType::from_raw_mode(stat.st_mode) == FileType::Fifo || (isatty(file) && !is_master)
}

/// Opens the same pipe or terminal once more, so that it can have flags of its own.
fn reopen(file: BorrowedFd<'_>, direction: Direction) -> rustix::io::Result<OwnedFd> {
    let access = if direction == Direction::Read { OFlags::RDONLY } else { OFlags::WRONLY };
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    fs::open(format!("/proc/self/fd/{}", file.as_raw_fd()), flags, Mode::empty())
}

/// Whether a call would not wait now. A descriptor in an error state is ready: the call says what is wrong.
fn ready_now(file: BorrowedFd<'_>, direction: Direction) -> bool {
    let flags = if direction == Direction::Read { PollFlags::IN } else { PollFlags::OUT };
    let mut asked = [PollFd::new(&file, flags)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&at_once)).map_or(true, |ready| ready > 0)
}

impl Descriptors {
    pub(super) fn new(reading: Option<Way>, writing: Option<Way>) -> Self {
        Self { reading, writing, on_shutdown: || Ok(()), awaits_writer: false, broken: false }
    }
}

impl Bytes for Descriptors {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(Errno::PIPE.into()));
        }
        if self.awaits_writer {
            if let Some(Way::Own(pipe)) = &self.reading {
                ready!(pipe.poll_read_ready(cx))?.retain_ready();
            }
            self.awaits_writer = false;
        }
        match &self.reading {
            None => Poll::Ready(Ok(0)),
            Some(way @ Way::Socket(_)) => way.poll(cx, Direction::Read, |file| {
                net::recv(file, &mut *buffer, RecvFlags::DONTWAIT).map(|(read, _)| read)
            }),
            Some(way) => {
                match ready!(way.poll(cx, Direction::Read, |file| rustix::io::read(file, &mut *buffer))) {
                    // A terminal whose other side has closed says so with an error.
                    Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => Poll::Ready(Ok(0)),
                    read => Poll::Ready(read),
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(match &self.writing {
            None => return Poll::Ready(Err(Errno::BADF.into())),
            Some(way @ Way::Socket(_)) => way.poll(cx, Direction::Write, |file| {
                net::send(file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            }),
            Some(way @ Way::Shared(_)) => {
                let piece = bytes.get(..PIPE_BUF).unwrap_or(bytes);
                way.poll(cx, Direction::Write, |file| rustix::io::write(file, piece))
            }
            Some(way) => way.poll(cx, Direction::Write, |file| rustix::io::write(file, bytes)),
        });
        self.broken |= written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        Poll::Ready(written)
    }

    fn poll_shutdown_write(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = match self.writing.take() {
            Some(Way::Socket(socket)) => match net::shutdown(socket.as_fd(), Shutdown::Write) {
                Ok(()) | Err(Errno::NOTCONN) => Ok(()),
                Err(errno) => Err(errno.into()),
            },
            Some(_) | None => Ok(()),
        };
        Poll::Ready(ended.and_then(|()| (self.on_shutdown)()))
    }

    fn abort(&mut self) {}

    fn lend(&self, direction: Direction) -> Option<Lent<'_>> {
        let way = match direction {
            Direction::Read if self.awaits_writer || self.broken => None,
            Direction::Read => self.reading.as_ref(),
            Direction::Write => self.writing.as_ref(),
        };
        match way? {
            Way::Own(file) => Some(Lent::Watched(file)),
            Way::Direct(file) => Some(Lent::Direct(file.as_fd())),
            // Calls that move bytes go by the flags of a descriptor alone, and these may wait.
            Way::Shared(_) | Way::Socket(_) => None,
        }
    }
}
