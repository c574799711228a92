//! A command that runs, and what can be asked of it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::process::Signal;
use rustix::termios::{Winsize, tcgetpgrp, tcsetwinsize};
use sockeye_sys::guard::Request;
use sockeye_sys::readiness::Watched;
use tokio::sync::oneshot;

use super::keeper::Kept;
use crate::exit::Exit;

/// A running command. Dropping it ends the command, if it has not ended, and all that it started.
#[derive(Debug)]
pub struct Handle {
    /// What the keeper hears.
    guard: Arc<Kept>,
    coming: oneshot::Receiver<Exit>,
    exit: Option<Exit>,
    /// Our side of its terminal.
    terminal: Option<Arc<Watched>>,
}

impl Handle {
    pub(super) fn new(guard: Arc<Kept>, coming: oneshot::Receiver<Exit>) -> Self {
        Self { guard, coming, exit: None, terminal: None }
    }

    /// The command has the terminal whose other side this is.
    pub(super) fn set_terminal(&mut self, terminal: Arc<Watched>) {
        self.terminal = Some(terminal);
    }

    /// Sends the signal of this number, 1 to 31 (signal(7)), to the process group of the command: all that it started,
    /// but for those who went into groups of their own. At a terminal it is the foreground group that hears it, as from
    /// the keys of a terminal: in a shell with jobs, the one that is in front. Where the command has ended, nothing
    /// happens.
    ///
    /// # Errors
    /// `EINVAL` where there is no such signal; `EAGAIN` where very many are under way already.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        let signal = Signal::from_named_raw(number).ok_or(Errno::INVAL)?;
        let group = self.terminal.as_ref().and_then(|terminal| tcgetpgrp(terminal).ok());
        self.guard.ask(Request { signal, group })
    }

    /// Gives its terminal so many columns and rows; the foreground group hears of it (SIGWINCH). Nothing happens where
    /// it has no terminal.
    ///
    /// # Errors
    /// None that could be expected.
    pub fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(terminal, size)?)
    }

    /// Asks for the end of the command and of all that it started: SIGTERM and SIGCONT, and a second later SIGKILL. Does
    /// not wait for it.
    pub fn end(&self) {
        self.guard.end();
    }

    /// How it ended, once it has. What it said last may still be in its streams. Who killed the guard has killed the
    /// command too.
    pub fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if let Some(exit) = self.exit {
            return Poll::Ready(exit);
        }
        let exit = ready!(Pin::new(&mut self.coming).poll(cx));
        let exit = exit.unwrap_or(Exit::Signal(Signal::KILL.as_raw()));
        Poll::Ready(*self.exit.insert(exit))
    }

    /// Whether it was ended because it had more processes than [`Limits::processes`](super::Limits::processes); it was
    /// killed then. To be asked once it has ended.
    pub fn is_crowded(&self) -> bool {
        self.guard.is_crowded()
    }

    /// As [`Handle::poll_exit`]. Cancel safe.
    pub async fn exit(&mut self) -> Exit {
        poll_fn(|cx| self.poll_exit(cx)).await
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
