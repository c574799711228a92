//! The two directions of a connection, for a thread each.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::runtime::Caller;
use crate::error::{Op, Result};
use crate::message::Message;
use crate::split;

/// The half that reads bytes, or receives messages.
#[derive(Debug)]
pub struct ReadHalf {
    half: split::ReadHalf,
    caller: Caller,
}

/// The half that writes bytes, or sends messages. Dropping it ends nothing: the connection is closed with the last of
/// its halves.
#[derive(Debug)]
pub struct WriteHalf {
    half: split::WriteHalf,
    caller: Caller,
}

impl ReadHalf {
    pub(super) fn new(half: split::ReadHalf, caller: Caller) -> Self {
        Self { half, caller }
    }

    /// As [`Conn::set_timeout`](super::Conn::set_timeout), for this half.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.caller.timeout = limit;
    }

    /// As [`Conn::receive`](super::Conn::receive).
    ///
    /// # Errors
    /// As [`Conn::receive`](super::Conn::receive).
    pub fn receive(&mut self, message: &mut Message) -> Result<bool> {
        self.caller.wait(Op::Read, self.half.receive(message))
    }
}

impl Read for ReadHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        Ok(self.caller.wait(Op::Read, self.half.read(buffer))?)
    }
}

impl WriteHalf {
    pub(super) fn new(half: split::WriteHalf, caller: Caller) -> Self {
        Self { half, caller }
    }

    /// As [`Conn::set_timeout`](super::Conn::set_timeout), for this half.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.caller.timeout = limit;
    }

    /// As [`Conn::send`](super::Conn::send).
    ///
    /// # Errors
    /// As [`Conn::send`](super::Conn::send).
    pub fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.caller.wait(Op::Write, self.half.send(payload))
    }

    /// As [`Conn::shutdown_write`](super::Conn::shutdown_write).
    ///
    /// # Errors
    /// As [`Conn::shutdown_write`](super::Conn::shutdown_write).
    pub fn shutdown_write(&mut self) -> Result<()> {
        self.caller.wait(Op::Write, self.half.shutdown_write())
    }

    /// As [`Conn::abort`](super::Conn::abort); it takes effect when the last half is dropped.
    pub fn abort(&mut self) {
        self.half.abort();
    }
}

impl Write for WriteHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        Ok(self.caller.wait(Op::Write, self.half.write(bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.caller.wait(Op::Write, self.half.flush())?)
    }
}
