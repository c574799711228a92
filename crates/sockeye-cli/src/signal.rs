//! Signals: SIGINT and SIGTERM interrupt, SIGHUP asks to begin anew, SIGUSR1 for a report.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// Both signals, each of which asks us to end.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// From here on the signals no longer kill the process.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::Start);
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one. Cancel safe.
    pub(crate) async fn next(&mut self) {
        self.next_is_keyboard().await;
    }

    /// As [`Interrupts::next`], and says whether it was SIGINT, which the keyboard sends. Cancel safe.
    pub(crate) async fn next_is_keyboard(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => false,
        }
    }
}

/// A signal that asks for something, and does not end us.
pub(crate) struct Calls(Signal);

impl Calls {
    /// SIGHUP: files are read again, and those that were moved away are opened anew. From here on the signal no longer
    /// kills the process.
    pub(crate) fn to_begin_anew() -> Result<Self, Failure> {
        signal(SignalKind::hangup()).map(Self).map_err(Failure::Start)
    }

    /// SIGUSR1: whoever sends it wants to know who is inside. From here on the signal no longer kills the process.
    pub(crate) fn to_report() -> Result<Self, Failure> {
        signal(SignalKind::user_defined1()).map(Self).map_err(Failure::Start)
    }

    /// Waits for the next one; several that come at once are one. Cancel safe.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}
