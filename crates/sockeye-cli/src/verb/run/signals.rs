//! Signals that we get while a command runs elsewhere: they are for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::failure::Failure;
use crate::signal::{Calls, Interrupts};

/// What Ctrl-C sends to the command, the first time and the second: SIGINT and SIGTERM, as x86-64 Linux numbers them. The
/// third time it ends us.
const PASSED_ON: [u8; 2] = [2, 15];

/// What all commands hear of.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The last signal that was passed on; 0 for none.
    last: watch::Sender<u8>,
    running: AtomicUsize,
}

/// A command that runs, for as long as this lives.
pub(super) struct Running<'a>(&'a Signals);

impl Signals {
    /// A command runs from here on: what is passed on reaches it.
    pub(super) fn run(&self) -> (Running<'_>, watch::Receiver<u8>) {
        self.running.fetch_add(1, Ordering::Relaxed);
        let mut heard = self.last.subscribe();
        if self.is_asked() {
            // It was on its way when the others heard of it.
            heard.mark_changed();
        }
        (Running(self), heard)
    }

    /// Whether somebody wants all this to end, so that nothing should begin any more.
    pub(super) fn is_asked(&self) -> bool {
        *self.last.borrow() != 0
    }

    /// Passes signals on until we are to end ourselves: where nothing runs, at once; for SIGTERM and SIGHUP, too. Whatever
    /// still runs then ends with its connection.
    pub(super) async fn pass_on(&self) -> Result<(), Failure> {
        let (mut interrupts, mut hangups) = (Interrupts::listen()?, Calls::to_begin_anew()?);
        let passed_on = async {
            for number in PASSED_ON {
                if !interrupts.next_is_keyboard().await || self.running.load(Ordering::Relaxed) == 0 {
                    return;
                }
                self.last.send_replace(number);
            }
            interrupts.next().await;
        };
        tokio::select! {
            () = passed_on => {}
            () = hangups.next() => {}
        }
        Ok(())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
