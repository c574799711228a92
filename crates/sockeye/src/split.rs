//! The two directions of a connection as values of their own, for those who read in one task and write in another.
//!
//! The halves share the connection behind a lock, which relay, accept loop and echo do without.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::conn::Conn;
use crate::error::Result;
use crate::message::Message;

/// The half that reads bytes, or receives messages.
#[derive(Debug)]
pub struct ReadHalf(Arc<Mutex<Conn>>);

/// The half that writes bytes, or sends messages. Dropping it ends nothing: the connection is closed with the last of
/// its halves.
#[derive(Debug)]
pub struct WriteHalf(Arc<Mutex<Conn>>);

impl Conn {
    /// Splits the connection into halves that may live in two tasks.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let shared = Arc::new(Mutex::new(self));
        (ReadHalf(shared.clone()), WriteHalf(shared))
    }
}

fn with<T>(conn: &Mutex<Conn>, call: impl FnOnce(&mut Conn) -> Poll<T>) -> Poll<T> {
    call(&mut conn.lock().unwrap_or_else(PoisonError::into_inner))
}

impl ReadHalf {
    /// As [`Conn::read`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        poll_fn(|cx| with(&self.0, |conn| conn.poll_read(cx, buffer))).await
    }

    /// As [`Conn::receive`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_receive`].
    pub async fn receive(&mut self, message: &mut Message) -> Result<bool> {
        poll_fn(|cx| with(&self.0, |conn| conn.poll_receive(cx, message))).await
    }
}

impl WriteHalf {
    /// As [`Conn::write`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_write`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.poll(|conn, cx| conn.poll_write(cx, bytes)).await
    }

    /// As [`Conn::flush`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_flush`].
    pub async fn flush(&mut self) -> Result<()> {
        self.poll(Conn::poll_flush).await
    }

    /// As [`Conn::write_all`]. Not cancel safe: part of it may be gone.
    ///
    /// # Errors
    /// As [`Conn::poll_write`].
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        self.flush().await
    }

    /// As [`Conn::send`]. Not cancel safe: part of the message may be under way.
    ///
    /// # Errors
    /// As [`Conn::poll_send`].
    pub async fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.poll(|conn, cx| conn.poll_send(cx, payload)).await
    }

    /// As [`Conn::shutdown_write`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Conn::poll_shutdown_write`].
    pub async fn shutdown_write(&mut self) -> Result<()> {
        self.poll(Conn::poll_shutdown_write).await
    }

    /// As [`Conn::abort`]; it takes effect when the last half is dropped.
    pub fn abort(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort();
    }

    async fn poll<T>(&mut self, mut call: impl FnMut(&mut Conn, &mut Context<'_>) -> Poll<T>) -> T {
        poll_fn(|cx| with(&self.0, |conn| call(conn, cx))).await
    }
}
