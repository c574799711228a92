//! Pipes through which the kernel moves bytes from one descriptor to another, without copying them here (splice(2)).

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{Errno, Result};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use rustix::process::{Resource, getrlimit};

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
    /// Counts it, as long as it is there.
    _one_of: Arc<()>,
}

impl Pipe {
    fn new(one_of: Arc<()>) -> Result<Self> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // One that stays small moves less at a time, that is all.
        let (Ok(_) | Err(_)) = fcntl_setpipe_size(&writing, ROOM);
        Ok(Self { reading, writing, held: 0, _one_of: one_of })
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
pub struct Pipes(Arc<Mutex<Pool>>);

#[derive(Debug, Default)]
struct Pool {
    kept: Vec<Pipe>,
    /// Every pipe has it too, kept or lent.
    all: Arc<()>,
}

impl Pipes {
    /// How many there are at most, kept and lent, where so many files may be open: 64, and fewer where they would take more
    /// than an eighth of the descriptors. A peer that does not read holds one for as long as it likes, with up to a
    /// mebibyte in it.
    pub fn most(open_files: u64) -> u64 {
        (open_files / 16).min(64)
    }

    /// Lends a pipe.
    ///
    /// # Errors
    /// There are as many as there may be, or no more descriptors.
    pub(crate) fn lend(&self) -> Result<Pipe> {
        let mut pool = self.lock();
        if let Some(kept) = pool.kept.pop() {
            return Ok(kept);
        }
        let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = usize::try_from(Self::most(open_files)).unwrap_or(usize::MAX);
        // One of those who have it is the pool.
        if Arc::strong_count(&pool.all) > most { Err(Errno::MFILE) } else { Pipe::new(pool.all.clone()) }
    }

    /// Takes a pipe back. One that is not empty is closed, and so is one that is too many.
    pub(crate) fn give_back(&self, pipe: Pipe) {
        let mut pool = self.lock();
        if pipe.held == 0 && pool.kept.len() < KEPT {
            pool.kept.push(pipe);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_and_one_that_is_given_back_or_closed_makes_room() {
        let pipes = Pipes::default();
        let mut lent: Vec<Pipe> = std::iter::from_fn(|| pipes.clone().lend().ok()).take(1000).collect();
        assert!((1..=64).contains(&lent.len()), "{}", lent.len());
        drop(lent.pop());
        lent.extend(pipes.lend());
        assert!(pipes.lend().is_err());
        lent.drain(..).for_each(|pipe| pipes.give_back(pipe));
        assert_eq!(pipes.lock().kept.len(), KEPT);
        assert!(pipes.lend().is_ok());
    }
}
