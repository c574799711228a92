//! A connection whose calls wait.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::runtime::{Caller, Runtime};
use super::{ReadHalf, WriteHalf};
use crate::conn;
use crate::error::{Op, Result};
use crate::exit::Exit;
use crate::message::Message;

/// An open connection. [`Read`] and [`Write`] are for one that carries bytes, [`Conn::receive`] and [`Conn::send`] for one
/// that carries messages; the others fail. Dropping it closes it, in an orderly way unless [`Conn::abort`] was called.
#[derive(Debug)]
pub struct Conn {
    conn: conn::Conn,
    caller: Caller,
}

impl Conn {
    pub(super) fn new(conn: conn::Conn, runtime: Runtime) -> Self {
        let peer = conn.peer().clone();
        Self { conn, caller: Caller { runtime, peer, timeout: None } }
    }

    /// Bounds every single call from now on; without a limit, which is the default, calls wait as long as it takes. One
    /// that it cuts short fails with [`crate::Kind::TimeLimit`], as [`io::ErrorKind::TimedOut`] where it is one of
    /// [`Read`] or [`Write`]. A limit of zero finds what was noticed already.
    ///
    /// Of a [`Write::write_all`] that was cut short a part may be gone, and so of a message: give the same one again, or drop
    /// the connection.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.caller.timeout = limit;
    }

    /// What bounds every single call.
    pub fn timeout(&self) -> Option<Duration> {
        self.caller.timeout
    }

    /// What it is beneath, for all that does not wait: who the peer is, what it carries, its counts, its descriptor.
    pub fn as_async(&self) -> &conn::Conn {
        &self.conn
    }

    /// As [`crate::Conn::receive`].
    ///
    /// # Errors
    /// As [`crate::Conn::receive`], and where the time limit runs out.
    pub fn receive(&mut self, message: &mut Message) -> Result<bool> {
        self.caller.wait(Op::Read, self.conn.receive(message))
    }

    /// As [`crate::Conn::send`].
    ///
    /// # Errors
    /// As [`crate::Conn::send`], and where the time limit runs out.
    pub fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.caller.wait(Op::Write, self.conn.send(payload))
    }

    /// Tells the peer that no more will come. Reading goes on.
    ///
    /// # Errors
    /// The peer is gone, or the time limit runs out.
    pub fn shutdown_write(&mut self) -> Result<()> {
        self.caller.wait(Op::Write, self.conn.shutdown_write())
    }

    /// How the command at the other side ended; `None` where no command is there. Read to the end first.
    ///
    /// # Errors
    /// The time limit runs out.
    pub fn exit(&mut self) -> Result<Option<Exit>> {
        self.caller.wait(Op::Run, async { Ok(poll_fn(|cx| self.conn.poll_exit(cx)).await) })
    }

    /// Makes the coming drop an abrupt end: see [`crate::Conn::abort`].
    pub fn abort(&mut self) {
        self.conn.abort();
    }

    /// Two halves, for a thread that reads and one that writes. Both begin with the time limit of this.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let (reading, writing) = self.conn.split();
        (ReadHalf::new(reading, self.caller.clone()), WriteHalf::new(writing, self.caller))
    }
}

impl Read for Conn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        Ok(self.caller.wait(Op::Read, self.conn.read(buffer))?)
    }
}

impl Write for Conn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        Ok(self.caller.wait(Op::Write, self.conn.write(bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.caller.wait(Op::Write, self.conn.flush())?)
    }
}
