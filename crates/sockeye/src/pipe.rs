//! Pipes through which the kernel moves bytes from one descriptor to another, without copying them here (splice(2)).

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Result;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// What is asked for: the most that everybody may have (pipe(7), /proc/sys/fs/pipe-max-size). It can be less, since a
/// user's pipes share a limit.
const ROOM: usize = 1 << 20;

/// How many the pool keeps while nobody needs them. An empty one costs some 10 KiB, and two descriptors.
const KEPT: usize = 16;

/// A pipe, and how many bytes are in it.
#[derive(Debug)]
pub(crate) struct Pipe {
    reading: OwnedFd,
    writing: OwnedFd,
    held: usize,
}

impl Pipe {
    fn new() -> Result<Self> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // One that stays small moves less at a time, that is all.
        let (Ok(_) | Err(_)) = fcntl_setpipe_size(&writing, ROOM);
        Ok(Self { reading, writing, held: 0 })
    }

    /// The bytes in it.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Moves what `source` has into the pipe, which is empty; 0 is the end.
    ///
    /// # Errors
    /// `EAGAIN` where there is nothing yet; `EINVAL` where `source` does not do this.
    pub(crate) fn fill(&mut self, source: BorrowedFd<'_>) -> Result<usize> {
        debug_assert!(self.held == 0, "a full pipe and an empty source would look the same");
        self.held = splice(source, None, &self.writing, None, ROOM, FLAGS)?;
        Ok(self.held)
    }

    /// Moves what is in the pipe to `target`, or a part of it.
    ///
    /// # Errors
    /// `EAGAIN` where there is no room yet; `EINVAL` where `target` does not do this.
    pub(crate) fn drain(&mut self, target: BorrowedFd<'_>) -> Result<usize> {
        let moved = splice(&self.reading, None, target, None, self.held, FLAGS)?;
        self.held = self.held.saturating_sub(moved);
        Ok(moved)
    }

    /// Copies what is in the pipe out of it, or a part of it.
    ///
    /// # Errors
    /// None that could be expected.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = rustix::io::read(&self.reading, buffer)?;
        self.held = self.held.saturating_sub(read);
        Ok(read)
    }
}

/// They do not wait, and move pages where they can.
const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

/// A pool of empty pipes. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pipes(Arc<Mutex<Vec<Pipe>>>);

impl Pipes {
    /// Lends a pipe.
    ///
    /// # Errors
    /// No more descriptors.
    pub(crate) fn lend(&self) -> Result<Pipe> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(Pipe::new, Ok)
    }

    /// Takes a pipe back. One that is not empty is closed, and so is one that is too many.
    pub(crate) fn give_back(&self, pipe: Pipe) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pipe.held == 0 && kept.len() < KEPT {
            kept.push(pipe);
        }
    }
}
