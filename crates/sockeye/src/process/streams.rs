//! Our ends of a command's standard streams: pipes, or its terminal.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use sockeye_sys::readiness::Watched;

use crate::lent::{Direction, Lent};

/// What a pipe holds that carries much: four times the usual, for fewer turns. All pipes of a user share a limit of 64 MiB
/// (pipe(7), /proc/sys/fs/pipe-user-pages-soft), beyond which new ones of the same user, whoever makes them, are small.
const ROOM: usize = 1 << 18;

/// What a command reads. Dropping it is the end of a pipe; of a terminal it is not: see [`Input::poll_shutdown`].
#[derive(Debug)]
pub struct Input {
    /// `None` once it has been shut down.
    file: Option<Arc<Watched>>,
    end: End,
}

/// How a command is told that no more comes.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By closing.
    Closing,
    /// By a byte, where the terminal makes lines of them.
    Typed {
        byte: u8,
        /// Whether a line was begun and not ended: then the first mark of the end only passes that on, and a second is
        /// needed (termios(3), VEOF).
        is_mid_line: bool,
    },
}

/// What a command says.
#[derive(Debug)]
pub struct Output(Arc<Watched>);

impl Input {
    /// A pipe: ours, and the command's.
    ///
    /// # Errors
    /// No more descriptors.
    pub(crate) fn pipe() -> io::Result<(Self, OwnedFd)> {
        let (theirs, ours) = pipe()?;
        let file = Watched::for_writing(no_waiting(ours)?).map_err(|(_, error)| error)?;
        Ok((Self { file: Some(Arc::new(file)), end: End::Closing }, theirs))
    }

    /// Our side of a terminal, whose lines this byte ends, if it makes lines.
    pub(crate) fn terminal(ours: Arc<Watched>, end: Option<u8>) -> Self {
        let end = end.map_or(End::Closing, |byte| End::Typed { byte, is_mid_line: false });
        Self { file: Some(ours), end }
    }

    /// Writes a part of `bytes`, which are not empty, and says how much. Never 0.
    ///
    /// # Errors
    /// `EPIPE` where nobody reads it any more, which is no failure of the command: it may have heard enough. `EBADF`
    /// after it was shut down.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let file = self.file.as_ref().ok_or(Errno::BADF)?;
        let write = Lent::Watched(file).poll(cx, Direction::Write, |file| rustix::io::write(file, bytes));
        let written = ready!(write)?;
        if let (End::Typed { is_mid_line, .. }, Some(last)) =
            (&mut self.end, bytes.get(..written).and_then(<[u8]>::last))
        {
            *is_mid_line = !matches!(last, b'\n' | b'\r');
        }
        Poll::Ready(Ok(written))
    }

    /// Tells the command that no more comes: closes its pipe, or types at its terminal what stands for the end there. A
    /// raw terminal has no such thing. Once it is done, it is not done again.
    ///
    /// # Errors
    /// As [`Input::poll_write`], of a terminal.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let End::Typed { byte, is_mid_line } = self.end {
            ready!(self.poll_write(cx, &[byte]))?;
            self.end = if is_mid_line { End::Typed { byte, is_mid_line: false } } else { End::Closing };
        }
        self.file = None;
        Poll::Ready(Ok(()))
    }

    /// Writes all of `bytes`. Not cancel safe: a part may be written.
    ///
    /// # Errors
    /// As [`Input::poll_write`].
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// As [`Input::poll_shutdown`]. Cancel safe: go on by calling it again.
    ///
    /// # Errors
    /// As [`Input::poll_shutdown`].
    pub async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    /// The pipe, for calls that move bytes into it in place of writes (splice(2)); `None` at a terminal, and once it was
    /// shut down.
    pub fn lend(&self) -> Option<Lent<'_>> {
        match self.end {
            End::Closing => self.file.as_deref().map(Lent::Watched),
            End::Typed { .. } => None,
        }
    }
}

impl Output {
    /// A pipe: ours, and the command's.
    ///
    /// # Errors
    /// No more descriptors.
    pub(crate) fn pipe() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pipe()?;
        let file = Watched::for_reading(no_waiting(ours)?).map_err(|(_, error)| error)?;
        Ok((Self(Arc::new(file)), theirs))
    }

    /// Our side of a terminal.
    pub(crate) fn terminal(ours: Arc<Watched>) -> Self {
        Self(ours)
    }

    /// Reads into `buffer`, which is not empty. 0 is the end: nobody can say any more, neither the command nor what it
    /// started.
    ///
    /// # Errors
    /// None that could be expected.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            // Whoever waits for two of them is woken for both: only the one that has something is read.
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match rustix::io::read(&*self.0, &mut *buffer) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => ready.clear_ready(),
                // A terminal whose other side has closed says so with an error.
                Err(Errno::IO) => return Poll::Ready(Ok(0)),
                read => return Poll::Ready(Ok(read?)),
            }
        }
    }

    /// As [`Output::poll_read`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Output::poll_read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// The pipe or the terminal, for calls that move bytes out of it in place of reads (splice(2)); terminals refuse
    /// those.
    pub fn lend(&self) -> Lent<'_> {
        Lent::Watched(&self.0)
    }
}

/// A pipe, as large as may be useful: its reading end and its writing end.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
    // One that stays small moves less at a time, that is all.
    let (Ok(_) | Err(_)) = fcntl_setpipe_size(&writing, ROOM);
    Ok((reading, writing))
}

/// An end of a pipe that is ours: the flag is not shared with the other end, and a new one has no other.
fn no_waiting(end: OwnedFd) -> io::Result<OwnedFd> {
    fcntl_setfl(&end, OFlags::NONBLOCK)?;
    Ok(end)
}
