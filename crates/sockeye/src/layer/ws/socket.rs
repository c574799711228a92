//! The messages of one WebSocket.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::websocket::{Close, Decoder, Encoded, Item, Key, Opcode, Party, WebSocketError};
use tokio::time::{Sleep, sleep};

use super::handshake::Read;
use super::keys::Keys;
use super::settings::{Settings, Unsaid};
use super::silence::Silence;
use super::told;
use crate::buffer::{Buffers, Size};
use crate::conn::{Bytes, Messages};
use crate::exit::Exit;
use crate::message::{Content, Message, Payload};

/// How long the other side may take to close a connection of which all is said, or to hear why we do.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One WebSocket behind its handshake. It has a lent buffer while that holds what is still to be taken or written, and
/// none while a read is pending.
pub(super) struct Socket {
    beneath: Box<dyn Bytes>,
    party: Party,
    unsaid: Unsaid,
    buffers: Buffers,
    decoder: Decoder,
    /// Of a client.
    keys: Option<Keys>,
    /// What was read and is not yet decoded.
    read: Option<Read>,
    /// The message that is under way, and how much of it is in `held`, or beyond.
    sending: Option<(Encoded, usize)>,
    /// What is encoded and not yet written.
    held: Option<Read>,
    /// Whether what is held is what reading has to say, a pong for instance, and is written while reading.
    is_reading_held: bool,
    /// What the pong carries that is owed. The last ping alone is answered (RFC 6455, section 5.5.3).
    pong: Option<Vec<u8>>,
    silence: Option<Box<Silence>>,
    /// What we say at the end, where somebody said what.
    farewell: Option<Close>,
    /// How far our own end has come.
    ours: End,
    /// What the other side said at its end.
    theirs: Option<Close>,
    /// What the other side did wrong.
    failed: Option<WebSocketError>,
    /// Runs while the connection is closed.
    closing: Option<Pin<Box<Sleep>>>,
    is_closed: bool,
}

/// How far our Close has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Held,
    Sent,
}

impl Socket {
    /// `read` is what came behind the handshake.
    pub(super) fn new(
        beneath: Box<dyn Bytes>,
        settings: &Settings,
        buffers: Buffers,
        read: Option<Read>,
    ) -> Self {
        let Settings { party, most, unsaid, ping, .. } = *settings;
        Self {
            beneath,
            party,
            unsaid,
            buffers,
            decoder: Decoder::new(party, most),
            keys: (party == Party::Client).then(Keys::default),
            read,
            sending: None,
            held: None,
            is_reading_held: false,
            pong: None,
            silence: ping.map(|limit| Box::new(Silence::new(limit))),
            farewell: None,
            ours: End::Open,
            theirs: None,
            failed: None,
            closing: None,
            is_closed: false,
        }
    }

    /// Takes the next item out of what was read; `None` where nothing whole is left of it.
    fn take(&mut self, message: &mut Message) -> Result<Option<Item>, WebSocketError> {
        let Some((buffer, filled)) = &mut self.read else { return Ok(None) };
        let mut rest = buffer.get(filled.clone()).unwrap_or_default();
        let taken = self.decoder.decode(&mut rest, &mut message.payload);
        filled.start = filled.end - rest.len();
        if rest.is_empty() || !matches!(taken, Ok(Some(Item::Text | Item::Binary | Item::Ping | Item::Pong)))
        {
            self.drop_read();
        }
        taken
    }

    fn drop_read(&mut self) {
        if let Some((buffer, _)) = self.read.take() {
            self.buffers.give_back(buffer);
        }
    }

    /// Reads once. `false` is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let size = match self.decoder.missing() {
            0..=0x4000 => Size::Small,
            0x4001..=0x1_0000 => Size::Medium,
            _ => Size::Large,
        };
        let mut buffer = self.buffers.lend(size);
        match self.beneath.poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(read)) if read > 0 => {
                self.read = Some((buffer, 0..read));
                if let Some(silence) = &mut self.silence {
                    silence.is_broken();
                }
                Poll::Ready(Ok(true))
            }
            other => {
                self.buffers.give_back(buffer);
                other.map_ok(|_| false)
            }
        }
    }

    /// What a message is sent as.
    fn opcode(&self, message: Payload<'_>) -> io::Result<Opcode> {
        let is_text = || str::from_utf8(message.bytes).is_ok();
        match (message.content, self.unsaid) {
            (Content::Binary, _) | (Content::Unknown, Unsaid::Binary) => Ok(Opcode::Binary),
            (_, _) if is_text() => Ok(Opcode::Text),
            (Content::Unknown, Unsaid::Either) => Ok(Opcode::Binary),
            (Content::Unknown | Content::Text, _) => Err(told(WebSocketError::NotText)),
        }
    }

    fn key(&mut self) -> io::Result<Option<Key>> {
        self.keys.as_mut().map(Keys::next).transpose()
    }

    /// Puts all of a message behind what is held, which is written where it fills its buffer. Short messages share a
    /// write, and a segment; of a long one that no mask changes, what does not fit goes out of its own place.
    fn poll_hold(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        if self.sending.is_none() {
            if self.ours != End::Open || self.failed.is_some() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            self.hold_pong()?;
            let opcode = self.opcode(message)?;
            self.sending = Some((Encoded::new(opcode, message.bytes.len(), self.key()?), 0));
            self.is_reading_held = false;
        }
        let payload = message.bytes;
        while let Some((encoded, sent)) = &mut self.sending
            && *sent < encoded.size()
        {
            let left = encoded.size() - *sent;
            if self.held.is_none()
                && left > Size::Small.bytes()
                && let Some(rest) = encoded.plain_from(*sent).and_then(|from| payload.get(from..))
                && !rest.is_empty()
            {
                *sent += ready!(self.beneath.poll_write(cx, rest))?;
                continue;
            }
            let size = if left <= Size::Small.bytes() { Size::Small } else { Size::Medium };
            let (buffer, filled) = self.held.get_or_insert_with(|| (self.buffers.lend(size), 0..0));
            let room = buffer.get_mut(filled.end..).unwrap_or_default();
            let now = encoded.fill(payload, *sent, room);
            if now == 0 && !room.is_empty() {
                // A shorter message than the one that is under way: that one can no longer be finished.
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            }
            filled.end += now;
            *sent += now;
            if *sent < encoded.size() {
                ready!(self.poll_write_held(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Puts a ping, pong or Close behind what is held, between messages. Where there is no room, which is rare, the buffer
    /// is made a larger one.
    fn hold_control(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        let encoded = Encoded::new(opcode, payload.len(), self.key()?);
        let lend = || (self.buffers.lend(Size::Small), 0..0);
        let (mut buffer, mut filled) = self.held.take().unwrap_or_else(lend);
        if buffer.len() - filled.end < encoded.size() {
            let mut longer = buffer.get(filled).unwrap_or_default().to_vec();
            filled = 0..longer.len();
            longer.resize(longer.len() + encoded.size(), 0);
            self.buffers.give_back(buffer);
            buffer = longer.into();
        }
        filled.end += encoded.fill(payload, 0, buffer.get_mut(filled.end..).unwrap_or_default());
        self.held = Some((buffer, filled));
        Ok(())
    }

    fn hold_pong(&mut self) -> io::Result<()> {
        match self.pong.take() {
            Some(payload) => self.hold_control(Opcode::Pong, &payload),
            None => Ok(()),
        }
    }

    /// Writes all that is held, and gives its buffer back.
    fn poll_write_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((buffer, filled)) = &mut self.held {
            let rest = buffer.get(filled.clone()).unwrap_or_default();
            if !rest.is_empty() {
                filled.start += ready!(self.beneath.poll_write(cx, rest))?;
            } else if let Some((buffer, _)) = self.held.take() {
                self.buffers.give_back(buffer);
            }
        }
        self.is_reading_held = false;
        Poll::Ready(Ok(()))
    }

    /// Writes what reading has to say, unless somebody else is writing: that one writes it too.
    fn write_from_reading(&mut self, cx: &mut Context<'_>) {
        let is_free = self.sending.is_none() && (self.held.is_none() || self.is_reading_held);
        if !is_free || self.ours != End::Open {
            return;
        }
        let held = self.hold_pong();
        self.is_reading_held = self.held.is_some();
        let written = match held {
            Ok(()) => self.poll_write_held(cx),
            Err(error) => Poll::Ready(Err(error)),
        };
        match written {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.is_reading_held = self.beneath.poll_flush(cx).is_pending(),
            // Who no longer reads may still have something to say.
            Poll::Ready(Err(_)) => {
                if let Some((buffer, _)) = self.held.take() {
                    self.buffers.give_back(buffer);
                }
                self.is_reading_held = false;
            }
        }
    }

    /// Asks a silent peer for a sign of life; ready where it gave none.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<WebSocketError> {
        let is_free = self.sending.is_none() && self.held.is_none() && self.ours == End::Open;
        while let Some(silence) = &mut self.silence {
            if let Some(time) = ready!(silence.poll(is_free, cx)) {
                return Poll::Ready(WebSocketError::Silent(time));
            }
            if self.hold_control(Opcode::Ping, b"").is_ok() {
                self.is_reading_held = true;
                self.write_from_reading(cx);
            }
        }
        Poll::Pending
    }

    /// What our Close says: what somebody asked for, or what the other side said, or that all is well.
    fn hold_close(&mut self, close: Option<Close>) -> io::Result<()> {
        let echoed = || self.theirs.as_ref().map(|close| Close { code: close.code, reason: String::new() });
        let close = close.or_else(|| self.farewell.take()).or_else(echoed);
        let close = close.unwrap_or_else(|| Close::of(Close::NORMAL));
        self.hold_control(Opcode::Close, &close.payload())?;
        self.ours = End::Held;
        Ok(())
    }

    /// Both sides have said their last. The server closes first, so that it is the client whose address is taken for a
    /// while (RFC 6455, section 7.1.1); who does not come to it is not waited for.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closed {
            return Poll::Ready(());
        }
        let mut closed = Poll::Ready(());
        if self.party == Party::Server || self.failed.is_some() {
            closed = self.beneath.poll_shutdown_write(cx).map(drop);
        }
        if closed.is_ready() && (self.party == Party::Client || self.failed.is_some()) {
            closed = self.poll_drain(cx);
        }
        if closed.is_pending() {
            ready!(self.closing.get_or_insert_with(|| Box::pin(sleep(LAST_WORDS))).as_mut().poll(cx));
        }
        (self.closing, self.is_closed) = (None, true);
        Poll::Ready(())
    }

    /// Reads until the end, and drops what comes.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let filled = self.poll_fill(cx);
            self.drop_read();
            if !matches!(ready!(filled), Ok(true)) {
                return Poll::Ready(());
            }
        }
    }

    /// Tells the other side what it did wrong, and closes.
    fn poll_fail(&mut self, error: &WebSocketError, cx: &mut Context<'_>) -> Poll<()> {
        let can_tell = self.ours == End::Open && self.sending.is_none();
        if can_tell && let Some(code) = error.code() {
            let close = Close { code: Some(code), reason: error.to_string() };
            if self.hold_close(Some(close)).is_err() {
                return Poll::Ready(());
            }
        }
        if self.ours == End::Held && !self.is_closed {
            match self.poll_write_held(cx) {
                Poll::Pending => {
                    let late = self.closing.get_or_insert_with(|| Box::pin(sleep(LAST_WORDS))).as_mut();
                    ready!(late.poll(cx));
                    self.is_closed = true;
                }
                Poll::Ready(written) => {
                    self.is_closed = written.is_err();
                    drop(self.beneath.poll_flush(cx));
                    self.ours = End::Sent;
                }
            }
        }
        self.poll_close(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        for (buffer, _) in self.read.take().into_iter().chain(self.held.take()) {
            self.buffers.give_back(buffer);
        }
    }
}

impl Messages for Socket {
    fn poll_receive(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<bool>> {
        if self.pong.is_some() || self.is_reading_held {
            self.write_from_reading(cx);
        }
        loop {
            if let Some(error) = self.failed.clone() {
                ready!(self.poll_fail(&error, cx));
                return Poll::Ready(Err(told(error)));
            }
            if self.theirs.is_some() {
                if self.ours == End::Sent {
                    ready!(self.poll_close(cx));
                }
                return Poll::Ready(Ok(false));
            }
            match self.take(message) {
                Ok(Some(Item::Text)) => message.content = Content::Text,
                Ok(Some(Item::Binary)) => message.content = Content::Binary,
                Ok(Some(Item::Ping)) => {
                    self.pong = Some(self.decoder.control().to_vec());
                    self.write_from_reading(cx);
                    continue;
                }
                Ok(Some(Item::Pong)) => continue,
                Ok(Some(Item::Close(close))) => {
                    self.theirs = Some(close);
                    continue;
                }
                Ok(None) => match self.poll_fill(cx)? {
                    Poll::Ready(true) => continue,
                    Poll::Ready(false) => return Poll::Ready(Err(told(WebSocketError::Gone))),
                    Poll::Pending => {
                        self.failed = Some(ready!(self.poll_silence(cx)));
                        continue;
                    }
                },
                Err(error) => {
                    self.failed = Some(error);
                    continue;
                }
            }
            return Poll::Ready(Ok(true));
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hold(cx, message))?;
        ready!(self.poll_write_held(cx))?;
        ready!(self.beneath.poll_flush(cx))?;
        self.sending = None;
        Poll::Ready(Ok(()))
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>, message: Payload<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hold(cx, message))?;
        self.sending = None;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_held(cx))?;
        self.beneath.poll_flush(cx)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.ours == End::Open {
            if self.sending.is_some() {
                // Within a message nothing else can be said.
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            }
            self.hold_close(None)?;
        }
        if self.ours == End::Held {
            let written = match self.poll_write_held(cx) {
                Poll::Ready(Ok(())) => self.beneath.poll_flush(cx),
                other => other,
            };
            // Who has closed already did not wait for our Close.
            if let Err(error) = ready!(written)
                && self.theirs.is_none()
            {
                return Poll::Ready(Err(error));
            }
            self.ours = End::Sent;
        }
        if self.theirs.is_some() {
            ready!(self.poll_close(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn closing(&self) -> Option<Close> {
        self.theirs.clone()
    }

    fn set_closing(&mut self, close: &Close) {
        self.farewell = Some(close.clone());
    }

    fn is_hung_up(&self) -> bool {
        self.beneath.is_hung_up()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        self.beneath.poll_exit(cx)
    }

    fn abort(&mut self) {
        // Who was told what it did wrong is to read it, which a reset might forestall.
        if !self.is_closed {
            self.beneath.abort();
        }
    }
}
