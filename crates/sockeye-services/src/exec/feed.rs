//! What a command reads: what came for it and found no room in its pipe waits here, as much as the client has credit for.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use sockeye::process::Input;
use sockeye::proto::exec::{Allowance, ExecError};

/// The input of a command.
#[derive(Debug)]
pub(super) struct Feed {
    /// `None` before it runs, and once nobody reads it any more.
    input: Option<Input>,
    waiting: VecDeque<u8>,
    /// The client has said that no more comes.
    is_ended: bool,
    allowance: Allowance,
}

impl Feed {
    /// One for which the client may send so many bytes at first.
    pub(super) fn new(room: u32) -> Self {
        Self { input: None, waiting: VecDeque::new(), is_ended: false, allowance: Allowance::new(room) }
    }

    /// The command runs, and reads this.
    pub(super) fn open(&mut self, input: Option<Input>) {
        self.input = input;
    }

    /// No more comes.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    /// Nobody wants what comes any more.
    pub(super) fn close(&mut self) {
        self.input = None;
        self.waiting = VecDeque::new();
    }

    /// Takes what came, and says how many more bytes the client may send, where it is to be told.
    ///
    /// # Errors
    /// It may not have sent them.
    pub(super) fn receive(
        &mut self,
        mut data: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Option<u32>, ExecError> {
        if self.is_ended {
            return Err(ExecError::Credit);
        }
        self.allowance.receive(data.len())?;
        let all = data.len();
        while self.waiting.is_empty() && !data.is_empty() {
            match self.poll_write(data, cx) {
                Poll::Ready(written) => data = data.get(written..).unwrap_or_default(),
                Poll::Pending => break,
            }
        }
        self.waiting.extend(data);
        Ok(self.allowance.take(all - data.len()))
    }

    /// Passes on what waits, and then the end, as far as the command takes them; and says how many more bytes the client may
    /// send, where it is to be told.
    pub(super) fn pass(&mut self, cx: &mut Context<'_>) -> Option<u32> {
        let mut taken = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        while !waiting.is_empty() {
            let Poll::Ready(written) = self.poll_write(waiting.as_slices().0, cx) else { break };
            waiting.drain(..written);
            taken += written;
        }
        if waiting.is_empty() {
            if self.is_ended && self.input.as_mut().is_some_and(|input| input.poll_shutdown(cx).is_ready()) {
                self.input = None;
            }
        } else {
            self.waiting = waiting;
        }
        self.allowance.take(taken)
    }

    /// What nobody reads any more counts as written.
    fn poll_write(&mut self, data: &[u8], cx: &mut Context<'_>) -> Poll<usize> {
        let Some(input) = &mut self.input else { return Poll::Ready(data.len()) };
        input.poll_write(cx, data).map(|written| {
            written.unwrap_or_else(|_| {
                self.input = None;
                data.len()
            })
        })
    }
}
