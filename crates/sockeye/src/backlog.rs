//! What waits for a slow reader, in bytes: whoever adds to it waits while that is too much.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How many bytes may wait before nobody may add any. One piece that is under way then still finds room.
const MOST: usize = 1 << 20;

/// Counts bytes that wait, and wakes those who have some to add.
#[derive(Debug, Default)]
pub(crate) struct Backlog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    /// Of each task that waits one.
    waiting: Vec<Waker>,
}

impl Backlog {
    /// Waits until more may be added. It has no limit, since whoever asked to see everything would lose some by one;
    /// `idle=` ends a connection that waits for too long.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.bytes < MOST {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.state().bytes += bytes;
    }

    pub(crate) fn remove(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
        if state.bytes < MOST && !state.waiting.is_empty() {
            let woken = std::mem::take(&mut state.waiting);
            drop(state);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that wait to be told. The connection whose they are goes on once they are dropped.
#[derive(Debug)]
pub struct Waiting {
    bytes: Box<[u8]>,
    backlog: Arc<Backlog>,
}

impl Waiting {
    pub(crate) fn new(bytes: &[u8], backlog: &Arc<Backlog>) -> Self {
        backlog.add(bytes.len());
        Self { bytes: bytes.into(), backlog: backlog.clone() }
    }
}

impl Deref for Waiting {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.backlog.remove(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_waits_for_room_is_woken_once_there_is_some() {
        let (backlog, count) = (Arc::<Backlog>::default(), Arc::<Count>::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let first = Waiting::new(&[0; MOST - 1], &backlog);
        assert!(backlog.poll_room(&mut cx).is_ready());
        let second = Waiting::new(b"no", &backlog);
        for _ in 0..3 {
            assert!(backlog.poll_room(&mut cx).is_pending());
        }
        drop(second);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(backlog.poll_room(&mut cx).is_ready());
        drop(first);
        assert_eq!((count.0.load(Ordering::Relaxed), backlog.state().bytes), (1, 0));
    }
}
