//! Bytes in records, both ways.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, Waker, ready};

use rustls::{ContentType, Error};

use super::handshake::Made;
use super::held::Held;
use super::keys::Keys;
use super::post::{Fatal, Meaning, NEW_KEY, Post};
use super::records::{self, MOST, OVERHEAD, Opener, Sealer};
use super::{fault, number};
use crate::buffer::Buffers;
use crate::conn::Bytes;
use crate::error::TlsFault;
use crate::exit::Exit;

/// The bytes of one connection. It has a lent buffer while that holds records, or a part of one, and none while all that
/// came is read and all that was written is sent.
///
/// Reading never writes, but for the alert that ends it: so two tasks can share it, and neither takes the other's turn
/// to be woken.
pub(super) struct Stream {
    beneath: Box<dyn Bytes>,
    keys: Keys,
    opener: Opener,
    sealer: Sealer,
    /// What was opened during the handshake, still to be read.
    ahead: Held,
    incoming: Held,
    /// What is still to be read of the record at the front of `incoming`, and how long that is.
    opened: Option<(Range<usize>, usize)>,
    outgoing: Held,
    post: Post,
    /// The peer has a new key, and wants one of ours before more is sent.
    owes_key: bool,
    is_ended: bool,
    /// The peer was told that we will send no more.
    is_closed: bool,
    failed: Option<TlsFault>,
}

impl Stream {
    pub(super) fn new(beneath: Box<dyn Bytes>, made: Made, buffers: &Buffers) -> Self {
        let Made { opener, sealer, keys, incoming, ahead, is_ended, told: _ } = made;
        Self {
            beneath,
            keys,
            opener,
            sealer,
            ahead,
            incoming,
            opened: None,
            outgoing: Held::new(buffers),
            post: Post::default(),
            owes_key: false,
            is_ended,
            is_closed: false,
            failed: None,
        }
    }

    /// Hands out what is opened, as much as there is room for.
    fn hand_out(&mut self, room: &mut [u8]) -> usize {
        if !self.ahead.is_empty() {
            let handed = copy(self.ahead.bytes(), room);
            self.ahead.take(handed);
            return handed;
        }
        let Some((rest, record)) = &mut self.opened else { return 0 };
        let handed = copy(self.incoming.bytes().get(rest.clone()).unwrap_or_default(), room);
        rest.start += handed;
        if Range::is_empty(rest) {
            self.incoming.take(*record);
            self.opened = None;
        }
        handed
    }

    /// Opens the next record, and does what it says if it holds no data. `false` where it is not all there.
    fn open(&mut self) -> Result<bool, Fatal> {
        let bytes = self.incoming.bytes();
        let Some(length) = records::length(bytes)? else { return Ok(false) };
        let Some(record) = bytes.get_mut(..length) else { return Ok(false) };
        let (kind, held) = self.opener.open(record)?;
        let payload = record.get(held.clone()).unwrap_or_default();
        let meaning = match kind {
            ContentType::ApplicationData if !held.is_empty() => {
                self.post.data();
                self.opened = Some((held, length));
                return Ok(true);
            }
            ContentType::ApplicationData => Meaning::Nothing,
            ContentType::Alert => self.post.alert(payload)?,
            ContentType::Handshake => self.post.handshake(payload, &mut self.keys)?,
            got_type => {
                let expect_types = vec![ContentType::ApplicationData];
                return Err(Error::InappropriateMessage { expect_types, got_type }.into());
            }
        };
        self.post.idle()?;
        self.incoming.take(length);
        match meaning {
            Meaning::End => {
                self.is_ended = true;
                self.incoming.clear();
            }
            Meaning::Key(opener, asks) => {
                self.opener = opener;
                self.owes_key |= asks;
            }
            Meaning::Nothing => {}
        }
        Ok(true)
    }

    /// Reads what there is. While that is pending, only a part of a record is held, or nothing.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let missing = MOST + OVERHEAD;
        let read = self.beneath.poll_read(cx, self.incoming.room(missing));
        self.incoming.add(if let Poll::Ready(Ok(read)) = read { read } else { 0 });
        read
    }

    /// Remembers why nothing more can be read, and tells the peer, if that needs no waiting: the connection is lost either
    /// way.
    fn fail(&mut self, fatal: Fatal) -> io::Error {
        let is_free = self.outgoing.is_empty() && !self.is_closed;
        if let Some(alert) = fatal.alert.filter(|_| is_free)
            && self.seal(ContentType::Alert, &[number::FATAL, alert]).is_ok()
        {
            self.is_closed = true;
            let _unsent = self.poll_write_out(&mut Context::from_waker(Waker::noop()));
        }
        let error = broken(&fatal.fault);
        self.failed = Some(fatal.fault);
        error
    }

    fn seal(&mut self, kind: ContentType, plain: &[u8]) -> io::Result<()> {
        let sealed = self.sealer.seal(kind, plain, self.outgoing.room(plain.len() + OVERHEAD));
        self.outgoing.add(*sealed.as_ref().unwrap_or(&0));
        sealed.map(|_| ()).map_err(|error| broken(&fault::of(&error)))
    }

    /// Seals the word that ends our side.
    fn close(&mut self) -> io::Result<()> {
        self.is_closed = true;
        self.seal(ContentType::Alert, &[number::WARNING, number::CLOSE_NOTIFY])
    }

    /// Changes our key where the peer asks for that, or it has sealed as much as it may.
    fn renew(&mut self) -> io::Result<()> {
        if !self.owes_key && !self.sealer.is_worn() {
            return Ok(());
        }
        if !self.sealer.renews() {
            return Err(broken(&TlsFault::Exhausted));
        }
        self.seal(ContentType::Handshake, &NEW_KEY)?;
        self.sealer = self.keys.next_sealer().map_err(|error| broken(&fault::of(&error)))?;
        self.owes_key = false;
        Ok(())
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match ready!(self.beneath.poll_write(cx, self.outgoing.bytes())) {
                Ok(written) => self.outgoing.take(written),
                Err(error) => return Poll::Ready(Err(self.last_word().unwrap_or(error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Why the peer takes no more, where that is the next thing it has said: it may have refused our certificate, which a
    /// broken pipe does not tell.
    fn last_word(&mut self) -> Option<io::Error> {
        self.outgoing.clear();
        let mut cx = Context::from_waker(Waker::noop());
        while self.opened.is_none() && self.failed.is_none() && !self.is_ended {
            match self.open() {
                Ok(true) => {}
                Ok(false) => match self.poll_fill(&mut cx) {
                    Poll::Ready(Ok(1..)) => {}
                    _ => return None,
                },
                Err(fatal) => return Some(self.fail(fatal)),
            }
        }
        None
    }
}

impl Bytes for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = 0;
        loop {
            read += self.hand_out(buffer.get_mut(read..).unwrap_or_default());
            if read == buffer.len() || (self.is_ended && self.opened.is_none() && self.ahead.is_empty()) {
                return Poll::Ready(Ok(read));
            }
            if let Some(fault) = &self.failed {
                return Poll::Ready(if read > 0 { Ok(read) } else { Err(broken(fault)) });
            }
            match self.open() {
                Ok(true) => {}
                Ok(false) if read > 0 => return Poll::Ready(Ok(read)),
                Ok(false) => {
                    if ready!(self.poll_fill(cx))? == 0 {
                        return Poll::Ready(Err(self.fail(Fatal { fault: TlsFault::Cut, alert: None })));
                    }
                }
                Err(fatal) => {
                    let error = self.fail(fatal);
                    if read == 0 {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    /// What is sealed waits until its buffer is full or [`Bytes::poll_flush`] comes: small writes share a call.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_closed {
            let gone = || Err(io::ErrorKind::BrokenPipe.into());
            return Poll::Ready(self.failed.as_ref().map_or_else(gone, |fault| Err(broken(fault))));
        }
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let fits = self.outgoing.room(0).len().saturating_sub(2 * OVERHEAD).min(MOST).min(rest.len());
            if fits < rest.len().min(LEAST) {
                if written > 0 {
                    break;
                }
                ready!(self.poll_write_out(cx))?;
                continue;
            }
            self.renew()?;
            self.seal(ContentType::ApplicationData, rest.get(..fits).unwrap_or_default())?;
            written += fits;
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            self.close()?;
        }
        ready!(self.poll_flush(cx))?;
        self.beneath.poll_shutdown_write(cx)
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        self.is_closed = true;
        self.beneath.abort();
    }
}

/// An orderly end is told, as dropping a socket tells it, but not where some of what was written is not sent.
impl Drop for Stream {
    fn drop(&mut self) {
        let is_whole = !self.is_closed && self.failed.is_none() && self.outgoing.is_empty();
        if is_whole && self.close().is_ok() {
            let _unsent = self.poll_write_out(&mut Context::from_waker(Waker::noop()));
        }
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let length = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..length), to.get_mut(..length)) {
        to.copy_from_slice(from);
    }
    length
}

/// Carries the reason up through [`io::Error`], out of which [`crate::error::Cause`] takes it.
fn broken(fault: &TlsFault) -> io::Error {
    let kind = match fault {
        TlsFault::Cut => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, fault.clone())
}

/// The least that a record holds where more is to be written: a smaller one would only fill up a buffer.
const LEAST: usize = 4 << 10;
