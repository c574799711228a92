//! The first bytes of a connection: looked at, and left for whoever reads it then.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use sockeye_proto::sniff::{MOST, Protocol, sniff};
use sockeye_sys::readiness::Watched;

use crate::conn::{Bytes, Conn, Io};
use crate::exit::Exit;
use crate::lent::{Direction, Lent};

/// What was read of a connection whose protocol is not told yet.
#[derive(Default)]
pub(super) struct Begun {
    bytes: [u8; MOST],
    read: usize,
}

impl Begun {
    /// Waits until the first bytes tell the protocol; an end before that is text. Cancel safe: what was read is put back.
    ///
    /// Mostly they come together, and a look is enough: then they stay in the kernel, and the connection stays bare. Where
    /// they come one by one they are read, since a look does not wait for more than is there.
    pub(super) async fn tell(&mut self, conn: &mut Conn) -> io::Result<Protocol> {
        let Io::Bytes(io) = conn.io_mut() else { return Ok(Protocol::Text) };
        if let Some(told) = look(io).await? {
            return Ok(told);
        }
        loop {
            let room = self.bytes.get_mut(self.read..).unwrap_or_default();
            let read = poll_fn(|cx| io.poll_read(cx, room)).await?;
            self.read += read;
            match sniff(self.bytes.get(..self.read).unwrap_or_default()) {
                Some(told) => return Ok(told),
                None if read == 0 => return Ok(Protocol::Text),
                None => {}
            }
        }
    }

    /// The connection as if nothing had been read.
    pub(super) fn put_back(self, conn: Conn) -> Conn {
        let Self { bytes, read } = self;
        if read == 0 {
            return conn;
        }
        conn.observed(|io, _| match io {
            Io::Bytes(beneath) => Io::Bytes(Box::new(PutBack { beneath, bytes, left: 0..read })),
            messages @ Io::Messages(_) => messages,
        })
    }
}

/// What the bytes tell that wait in the kernel, once there are any; `None` where they do not tell, or are not to be seen.
async fn look(io: &mut Box<dyn Bytes>) -> io::Result<Option<Protocol>> {
    let mut bytes = [0; MOST];
    let there = poll_fn(|cx| match io.as_mut().bare() {
        Some(socket) => poll_peek(socket, &mut bytes, cx),
        None => Poll::Ready(Ok(None)),
    });
    Ok(match there.await? {
        Some(0) => Some(Protocol::Text),
        Some(there) => sniff(bytes.get(..there).unwrap_or_default()),
        None => None,
    })
}

/// As many bytes as wait in a socket, which keeps them; 0 is the end, and `None` what is no socket.
fn poll_peek(socket: &Watched, bytes: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
    loop {
        // Readiness stays where there is something: nobody would tell of it again.
        let mut guard = ready!(socket.poll_read_ready(cx))?;
        match recv(socket.as_fd(), &mut *bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((there, _)) => return Poll::Ready(Ok(Some(there))),
            Err(Errno::NOTSOCK) => return Poll::Ready(Ok(None)),
            Err(Errno::AGAIN) => guard.clear_ready(),
            Err(Errno::INTR) => {}
            Err(errno) => return Poll::Ready(Err(errno.into())),
        }
    }
}

/// Bytes that were read already, and what comes after them. Once they are read again it is as bare as what is beneath.
struct PutBack {
    beneath: Box<dyn Bytes>,
    bytes: [u8; MOST],
    left: Range<usize>,
}

impl Bytes for PutBack {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.left.is_empty() {
            return self.beneath.poll_read(cx, buffer);
        }
        let left = self.bytes.get(self.left.clone()).unwrap_or_default();
        let now = left.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(left) {
            *to = *from;
        }
        self.left.start += now;
        Poll::Ready(Ok(now))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.beneath.poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.beneath.poll_shutdown_write(cx)
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.beneath.abort();
    }

    fn bare(&self) -> Option<&Watched> {
        self.beneath.bare().filter(|_| self.left.is_empty())
    }

    fn lend(&self, direction: Direction) -> Option<Lent<'_>> {
        self.beneath.lend(direction).filter(|_| self.left.is_empty())
    }
}
