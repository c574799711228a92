//! Keeping a guard: hearing how its command fares, until nothing of it is left.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use rustix::process::{Signal, pidfd_send_signal};
use sockeye_sys::guard::{self, Guard, Memory, Report, Request};
use sockeye_sys::readiness::Watched;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::Cause;
use crate::event::{Event, Events, Wants};
use crate::exit::Exit;
use crate::peer::Peer;

/// How long nothing is heard of a command that is to run, before its guard is woken: it might have been stopped.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is told how a command ends.
pub(super) struct Told {
    pub(super) name: Arc<str>,
    pub(super) caller: Option<Arc<Peer>>,
    pub(super) events: Events,
    /// Whether it ran at all; else nobody is told of an end.
    pub(super) runs: oneshot::Receiver<()>,
    pub(super) ended: oneshot::Sender<Exit>,
}

/// Tells how a command ended. Returns when the guard is gone, which is some two seconds at most after nobody holds the
/// command any more, or some six where one has become another user; until then a command has no limit.
pub(super) async fn keep(kept: Arc<Kept>, memory: Memory, mut told: Told) {
    while let Some(report) = next(&kept.channel).await {
        let exit = match report {
            Report::Exited(code) => Exit::Code(code),
            Report::Killed(signal) => Exit::Signal(signal),
            Report::Crowded => {
                kept.is_crowded.store(true, Ordering::Relaxed);
                continue;
            }
            Report::Failed(..) => continue,
        };
        if (&mut told.runs).await.is_err() {
            break;
        }
        let Told { name, caller, events, ended, .. } = told;
        events.tell(Wants::Connections, || Event::Exited { command: name, caller, exit });
        let (Ok(()) | Err(_)) = ended.send(exit);
        // Who waits for that need not wait for what is left of the guard.
        tokio::task::yield_now().await;
        break;
    }
    // Nothing but the end follows.
    while next(&kept.channel).await.is_some() {}
    reap(&kept.process, memory).await;
}

/// A guard whose word is waited for.
#[derive(Debug)]
pub(super) struct Kept {
    channel: Watched,
    process: Watched,
    /// It had too many processes.
    is_crowded: AtomicBool,
}

impl Kept {
    /// The guard, and what tells whether its command runs.
    pub(super) fn new(guard: Guard) -> Result<(Self, Watched, Memory), Cause> {
        let watch = |file| Watched::new(file).map_err(|(_, error)| error);
        // Where there is no room to watch, the guard ends, and is a zombie for as long as this process lives.
        let kept = Self {
            channel: watch(guard.channel)?,
            process: watch(guard.process)?,
            is_crowded: AtomicBool::new(false),
        };
        Ok((kept, watch(guard.starting)?, guard.memory))
    }

    /// Asks the guard for something. One that is gone has nothing left to do it to.
    pub(super) fn ask(&self, request: Request) -> io::Result<()> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match send(&self.channel, &request.to_bytes(), flags) {
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => {
                self.wake();
                Ok(())
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether it had more processes than it may have.
    pub(super) fn is_crowded(&self) -> bool {
        self.is_crowded.load(Ordering::Relaxed)
    }

    /// Asks for the end of all that the guard keeps.
    pub(super) fn end(&self) {
        let (Ok(()) | Err(_)) = shutdown(&self.channel, Shutdown::Write);
        self.wake();
    }

    /// A command can stop its guard, which must go on to hear what it is asked.
    fn wake(&self) {
        let (Ok(()) | Err(_)) = pidfd_send_signal(&self.process, Signal::CONT);
    }
}

/// Waits until the command runs, or gives why it does not. It might have stopped its guard as soon as it ran, before that
/// could close what tells of it; then it goes on.
pub(super) async fn begun(starting: &Watched, kept: &Kept) -> Option<Report> {
    loop {
        match timeout(PATIENCE, next(starting)).await {
            Ok(failure) => return failure,
            Err(_) => kept.wake(),
        }
    }
}

/// The next report; `None` when no more comes. Cancel safe.
async fn next(reports: &Watched) -> Option<Report> {
    poll_fn(|cx| {
        loop {
            let mut report = [0; Report::SIZE];
            match rustix::io::read(reports, &mut report) {
                Ok(Report::SIZE) => return Poll::Ready(Report::from_bytes(report)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if ready!(poll_again(reports, cx)).is_err() {
                        return Poll::Ready(None);
                    }
                }
                Ok(_) | Err(_) => return Poll::Ready(None),
            }
        }
    })
    .await
}

/// Takes what is left of a guard, which is about to end.
async fn reap(process: &Watched, memory: Memory) {
    let mut memory = Some(memory);
    poll_fn(|cx| {
        loop {
            match guard::reap(process, &mut memory) {
                Ok(false) => {
                    if ready!(poll_again(process, cx)).is_err() {
                        return Poll::Ready(());
                    }
                }
                Ok(true) | Err(_) => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Waits until a call that had nothing to read may have something.
fn poll_again(file: &Watched, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    file.poll_read_ready(cx).map_ok(|mut ready| ready.clear_ready())
}
