//! One output stream of a process, collected by a thread.

use std::fmt::{self, Debug};
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::show;

/// What a process wrote so far to stdout or stderr.
pub(crate) struct Output {
    shared: Arc<Shared>,
}

/// Why a wait for output ended without success.
#[derive(Debug)]
pub(crate) enum Missing {
    StreamEnded,
    TimeOut,
}

impl Output {
    /// Starts to collect. The thread ends when every process that holds the other end of `stream` has closed
    /// it.
    ///
    /// Nobody waits for the thread: a grandchild that a test left behind must not hang the test.
    pub(crate) fn collect(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let collector = Arc::clone(&shared);
        thread::spawn(move || collector.read(stream.take(CAP)));
        Self { shared }
    }

    /// Everything so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.lock().bytes.clone()
    }

    /// Waits until `look` finds something in all the output so far. Its second argument tells whether the
    /// stream ended.
    pub(crate) fn wait_for<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&[u8], bool) -> Option<T>,
    ) -> Result<T, Missing> {
        let start = Instant::now();
        let mut collected = self.shared.lock();
        loop {
            if let Some(found) = look(&collected.bytes, collected.ended) {
                return Ok(found);
            }
            if collected.ended {
                return Err(Missing::StreamEnded);
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Missing::TimeOut);
            }
            let waited = self.shared.grown.wait_timeout(collected, left);
            collected = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show::bytes(&self.shared.lock().bytes))
    }
}

#[derive(Default)]
struct Shared {
    collected: Mutex<Collected>,
    grown: Condvar,
}

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    ended: bool,
}

impl Shared {
    fn read(&self, mut stream: impl Read) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            // A pipe that cannot be read any more is as good as ended.
            let count = stream.read(&mut buffer).unwrap_or(0);
            let mut collected = self.lock();
            collected.bytes.extend_from_slice(&buffer[..count]);
            collected.ended = count == 0;
            self.grown.notify_all();
            if collected.ended {
                return;
            }
        }
    }

    /// A test that panics in a condition poisons the lock. The bytes are as good as before.
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After 256 MiB the stream is closed, so that a process gone mad does not take the memory of the machine.
const CAP: u64 = 256 * 1024 * 1024;
