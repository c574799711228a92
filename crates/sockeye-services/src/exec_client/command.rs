//! One command of a connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye::proto::exec::{FromClient, Window};

use super::fault::Fault;
use super::link::Link;
use super::slot::Event;

/// A command that was asked for. Its calls take it shared, so that one task, or several, can write its input while they
/// wait for its output. Dropping it before its end ends it, and all that it started.
#[derive(Debug)]
pub struct Command {
    link: Arc<Link>,
    number: u32,
}

impl Command {
    pub(super) fn new(link: Arc<Link>, number: u32) -> Self {
        Self { link, number }
    }

    /// What happens next; bytes are put into `buffer`, which is not empty. The server sends no more than a bounded amount
    /// before they are taken here, so a command that nobody asks about comes to a halt, and no other one does. After the
    /// end, the end is told again.
    ///
    /// # Errors
    /// The connection is over. What came before is told first.
    pub fn poll_next(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<Event, Fault>> {
        self.link.poll_next(cx, self.number, buffer)
    }

    /// As [`Command::poll_next`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Command::poll_next`].
    pub async fn next(&self, buffer: &mut [u8]) -> Result<Event, Fault> {
        poll_fn(|cx| self.poll_next(cx, buffer)).await
    }

    /// Takes a part of `data`, which is not empty, for the command's standard input, as soon as the command may be sent
    /// more, and says how much; 0 where it has ended and reads no more.
    ///
    /// # Errors
    /// The connection is over.
    pub fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Fault>> {
        self.link.poll_input(cx, self.number, data)
    }

    /// As [`Command::poll_write`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Command::poll_write`].
    pub async fn write(&self, data: &[u8]) -> Result<usize, Fault> {
        poll_fn(|cx| self.poll_write(cx, data)).await
    }

    /// Tells the command that no more input comes, and sees to it that this is sent. Cancel safe; telling it twice is not.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn end_input(&self) -> Result<(), Fault> {
        self.say(&FromClient::InputEnd).await
    }

    /// Sends a signal of this number, of x86-64 Linux, to the command's process group, or at a terminal to the one in front.
    /// Cancel safe.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn signal(&self, number: u8) -> Result<(), Fault> {
        self.say(&FromClient::Signal(number)).await
    }

    /// Tells the command's terminal its size. Cancel safe.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn resize(&self, window: Window) -> Result<(), Fault> {
        self.say(&FromClient::Window(window)).await
    }

    async fn say(&self, message: &FromClient<'_>) -> Result<(), Fault> {
        let mut is_said = false;
        poll_fn(|cx| self.link.poll_say(cx, self.number, message, &mut is_said)).await
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        self.link.post(|state| state.drop_command(self.number));
    }
}
