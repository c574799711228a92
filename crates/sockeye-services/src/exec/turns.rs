//! Which of many commands has something to do: each is looked at when it was woken, and not whenever one of them was.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Those whose turn it is, first come, first served. A command is in it once at most.
#[derive(Debug, Default)]
pub(super) struct Turns(Arc<Mutex<Due>>);

#[derive(Debug, Default)]
struct Due {
    commands: VecDeque<u32>,
    /// The task of their connection, while it waits.
    waiting: Option<Waker>,
}

/// What wakes one command.
#[derive(Debug)]
pub(super) struct Turn {
    command: u32,
    all: Arc<Mutex<Due>>,
    is_due: AtomicBool,
}

impl Turns {
    /// A turn for a command, which is due at once.
    pub(super) fn add(&self, command: u32) -> Arc<Turn> {
        let turn = Arc::new(Turn { command, all: self.0.clone(), is_due: AtomicBool::new(false) });
        turn.wake_by_ref();
        turn
    }

    /// The next whose turn it is.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<u32> {
        let mut due = lock(&self.0);
        match due.commands.pop_front() {
            Some(command) => Poll::Ready(command),
            None => {
                due.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Turn {
    /// Its turn begins: it may be woken for another from here on.
    pub(super) fn begin(&self) {
        self.is_due.store(false, Ordering::Release);
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_due.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut due = lock(&self.all);
        due.commands.push_back(self.command);
        let waiting = due.waiting.take();
        drop(due);
        waiting.into_iter().for_each(Waker::wake);
    }
}

fn lock(due: &Mutex<Due>) -> MutexGuard<'_, Due> {
    due.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_woken_has_a_turn_and_only_one() {
        let (turns, cx) = (Turns::default(), Context::from_waker(Waker::noop()));
        let (one, other) = (turns.add(1), turns.add(2));
        other.wake_by_ref();
        one.wake_by_ref();
        assert_eq!(turns.poll_next(&cx), Poll::Ready(1));
        one.begin();
        one.wake_by_ref();
        assert_eq!(turns.poll_next(&cx), Poll::Ready(2));
        assert_eq!(turns.poll_next(&cx), Poll::Ready(1));
        assert_eq!(turns.poll_next(&cx), Poll::Pending);
    }
}
